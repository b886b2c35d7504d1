"""
The latent smoother: each frame of a video is shown as an average over the latents of its neighbours.

The average of frame j reaches as many frames forward as back, fewer at both ends, so the video neither stutters at its
start, nor lags behind its source, nor loses its last frames. All three befall the causal averages of the original
(specification vqgan-clip §4.5), which `causal` brings back. A frame therefore waits for the frames ahead of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """How to average; `length` 1 leaves every frame as it is."""

    length: int = 1
    """Frames in the average; odd."""
    alpha: float = 0.7
    """Each step away from the middle counts 1 − alpha as much as the one before; 0: all alike."""
    causal: Literal["mean", "weighted"] | None = None
    """The original's ways, over frames up to the newest: all alike in its video, weighted in its style transfer."""

    @property
    def acts(self) -> bool:
        """Whether anything is averaged at all."""
        return self.length > 1

    def weights(self, length: int) -> list[float]:
        """The weights of an odd `length` of frames around the middle one; their sum is 1."""
        raw = [(1 - self.alpha) ** abs(place - length // 2) for place in range(length)]
        return [weight / sum(raw) for weight in raw]


def reach(frame: int, *, frames: int, radius: int) -> int:
    """How many frames the average of `frame` (0-based) of `frames` takes in on each side."""
    return min(radius, frame, frames - 1 - frame)


def completed(newest: int, *, frames: int, radius: int) -> Iterator[int]:
    """The frames (0-based) whose last neighbour is `newest`, in order."""
    for frame in range(max(0, newest - radius), newest + 1):
        if frame + reach(frame, frames=frames, radius=radius) == newest:
            yield frame


@dataclass(slots=True)
class Smoother:
    """Takes the latents of a video of `frames` frames one by one, and gives them back as they are to be shown."""

    smoothing: Smoothing
    frames: int
    taken: int = 0
    """Latents so far."""
    _newest: deque[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self._newest = deque(maxlen=self.smoothing.length)

    def take(self, z: Tensor) -> list[tuple[int, Tensor]]:
        """Takes the latent of the next frame; returns each frame (0-based) that can be shown now with its latent."""
        self._newest.append(z.detach().clone())
        self.taken += 1
        if self.smoothing.causal:
            return [(self.taken - 1, self._causal())]
        radius = self.smoothing.length // 2
        return [
            (frame, self._around(frame, reach(frame, frames=self.frames, radius=radius)))
            for frame in completed(self.taken - 1, frames=self.frames, radius=radius)
        ]

    def state(self) -> dict[str, Tensor]:
        """What later averages depend on."""
        counted = {"smoother.taken": torch.tensor(self.taken)}
        return counted | {f"smoother.{place}": z for place, z in enumerate(self._newest)}

    def restore(self, state: dict[str, Tensor], *, device: str) -> None:
        """Takes over what `state` returned."""
        self.taken = int(state["smoother.taken"])
        kept = min(self.taken, self.smoothing.length)
        self._newest = deque((state[f"smoother.{place}"].to(device) for place in range(kept)), self._newest.maxlen)

    def _around(self, frame: int, distance: int) -> Tensor:
        oldest = self.taken - len(self._newest)
        window = list(self._newest)[frame - distance - oldest : frame + distance + 1 - oldest]
        return average(window, self.smoothing.weights(len(window)))

    def _causal(self) -> Tensor:
        """The mean of all that is kept or, of an odd number of the newest, the average around their middle."""
        window = list(self._newest)
        if self.smoothing.causal == "mean":
            return average(window, [1 / len(window)] * len(window))
        odd = window[1 - len(window) % 2 :]
        return average(odd, self.smoothing.weights(len(odd)))


def average(window: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted sum; a single latent stays as it is, to the bit."""
    if len(window) == 1:
        return window[0]
    return torch.stack([weight * z for weight, z in zip(weights, window, strict=True)]).sum(0)
