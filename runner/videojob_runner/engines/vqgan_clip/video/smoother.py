"""
Latent smoother: renders each frame from the average of the latents of neighboring frames.

The average of frame j reaches as many frames forward as back, fewer at both ends, so the video neither stutters at its
start, nor lags behind its source, nor loses its last frames. All three befall the causal averages of the original
(specification vqgan-clip §4.5), which `causal` brings back. A frame therefore waits for the frames ahead of it.

Where it is known what has moved, neighbours are carried to their middle frame before they are averaged. They then show
it, so at the ends, where one side is missing, the other one does not lag and counts alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class SmootherConfig:
    """How to average; `length` 1 leaves every frame as it is."""

    length: int = 1
    """Frames in the average; odd."""
    alpha: float = 0.7
    """Each step away from the middle counts 1 − alpha as much as the one before; 0: all alike."""
    causal: Literal["mean", "weighted"] | None = None
    """The original's ways, over frames up to the newest: all alike in its video, weighted in its style transfer."""

    @property
    def is_active(self) -> bool:
        """Whether anything is averaged at all."""
        return self.length > 1

    def weights(self, away: Iterable[int]) -> list[float]:
        """The weights of frames so many places away from the one that is shown; their sum is 1."""
        raw = [(1 - self.alpha) ** abs(places) for places in away]
        return [weight / sum(raw) for weight in raw]


WarpLatent = Callable[[Tensor, int, int], Tensor]
"""Moves the latent of one frame (0-based) to where its things are in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragingWindow:
    """Which frames (0-based) an average takes in."""

    frames: int
    radius: int
    symmetric: bool = True
    """As many on each side, so none for the first and the last; or all that there are."""

    def window(self, frame: int) -> range:
        """Those of `frame`, itself in between."""
        before, after = min(self.radius, frame), min(self.radius, self.frames - 1 - frame)
        if self.symmetric:
            before = after = min(before, after)
        return range(frame - before, frame + after + 1)

    def ready_frames(self, newest: int) -> Iterator[int]:
        """The frames whose last neighbour is `newest`, in order."""
        return (frame for frame in range(max(0, newest - self.radius), newest + 1) if self.window(frame)[-1] == newest)


@dataclass(slots=True)
class Smoother:
    """Takes the latents of a video of `frames` frames one by one, and gives them back as they are to be shown."""

    smoothing: SmootherConfig
    frames: int
    warp: WarpLatent | None = None
    """Absent: neighbours are averaged as they are."""
    count: int = 0
    """Latents so far."""
    _newest: deque[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self._newest = deque(maxlen=self.smoothing.length)

    def push(self, z: Tensor) -> list[tuple[int, Tensor]]:
        """Takes the latent of the next frame; returns each frame (0-based) that can be shown now with its latent."""
        self._newest.append(z.detach().clone())
        self.count += 1
        if self.smoothing.causal:
            return [(self.count - 1, self._causal())]
        near = AveragingWindow(frames=self.frames, radius=self.smoothing.length // 2, symmetric=self.warp is None)
        return [(frame, self._around(frame, near.window(frame))) for frame in near.ready_frames(self.count - 1)]

    def state_dict(self) -> dict[str, Tensor]:
        """What later averages depend on."""
        counted = {"smoother.taken": torch.tensor(self.count)}
        return counted | {f"smoother.{place}": z for place, z in enumerate(self._newest)}

    def load_state_dict(self, state: dict[str, Tensor], *, device: str) -> None:
        """Takes over what `state` returned."""
        self.count = int(state["smoother.taken"])
        kept = min(self.count, self.smoothing.length)
        self._newest = deque((state[f"smoother.{place}"].to(device) for place in range(kept)), self._newest.maxlen)

    def _around(self, frame: int, neighbours: range) -> Tensor:
        oldest = self.count - len(self._newest)
        latents = {other: self._newest[other - oldest] for other in neighbours}
        if self.warp:
            latents |= {other: self.warp(z, other, frame) for other, z in latents.items() if other != frame}
        return weighted_mean(list(latents.values()), self.smoothing.weights([other - frame for other in latents]))

    def _causal(self) -> Tensor:
        """The mean of all that is kept or, of an odd number of the newest, the average around their middle."""
        window = list(self._newest)
        if self.smoothing.causal == "mean":
            return weighted_mean(window, [1 / len(window)] * len(window))
        odd = window[1 - len(window) % 2 :]
        radius = len(odd) // 2
        return weighted_mean(odd, self.smoothing.weights(range(-radius, radius + 1)))


def weighted_mean(window: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted sum; a single latent stays as it is, to the bit."""
    if len(window) == 1:
        return window[0]
    return torch.stack([weight * z for weight, z in zip(weights, window, strict=True)]).sum(0)
