"""How sure the neural judge is that pictures show what was asked for: finer than its verdicts, which are yes or no."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tests.fidelity import independent_renderer as drawn
from tests.fidelity.batch_guidance import Pictures
from tests.fidelity.classifier import ShapeClassifier
from tests.fidelity.prompts import PromptCase


@torch.no_grad()
def classifier_confidence(judge: ShapeClassifier, pictures: Pictures, ask: PromptCase) -> NDArray[np.float64]:
    """For each 64×64 picture the mean of the probabilities of all that is asked: shape, colour, perhaps background."""
    batch = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
    shape, colour, background = (logits.softmax(1) for logits in judge(batch))
    asked = [shape[:, drawn.SHAPES.index(ask.shape)], colour[:, drawn.COLOURS.index(ask.colour)]]
    if ask.background:
        asked.append(background[:, drawn.BACKGROUNDS.index(ask.background)])
    return np.asarray(torch.stack(asked).mean(0).double().numpy())
