"""
Schedule of a run: frames, phrases and learning rates by iteration.

A run is `total` iterations: first `warmup` ones that belong to the first frame, then `per_frame` for each frame. From
its number alone an iteration knows its frame, its phrase, its learning rate and whether a frame is finished with it, so
a run can go on anywhere.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRate:
    """
    The learning rate: linear from `start` to `end`, then `end`; or growing up to a cap.

    A new phrase starts the linear part anew: what has settled on the last one must be moved again.
    """

    start: float
    end: float
    growth: float = 1.0
    cap: float | None = None

    def at(self, iteration: int, *, since: int, span: int) -> float:
        """
        The rate of iteration `iteration` (0-based), the `since`-th of its phrase, with a linear part of
        `decay_iterations`.
        """
        way = min(since / max(span - 1, 1), 1.0)
        rate = (self.start + (self.end - self.start) * way) * self.growth**iteration
        return rate if self.cap is None else min(rate, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One iteration's orders; frames and phrases are 0-based."""

    frame: int
    phrase: int
    rate: float
    fade_step: int
    """The iteration's number as its form counts, by which init weights fade."""
    starts_frame: bool
    """It is the first of its frame; the lead belongs to the first frame."""
    warmup_fraction: float
    """The part of the lead that is done with it, above 0; 1 where there is none or it is over."""
    ends_warmup: bool
    """It is the last of the lead."""
    new_phrase: bool
    """The phrase before was another one."""
    shows_start: bool
    """The picture before this iteration is the frame."""
    shows_end: bool
    """The picture after this iteration is the frame."""
    moves_camera: bool
    """Zoom, turn and shift after this iteration."""
    is_last_frame: bool
    """The picture after this iteration is the last frame, which has no iteration of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationSchedule:
    """All iterations of a run."""

    total: int
    per_frame: int
    """The last frame may have fewer."""
    rates: LearningRate
    decay_iterations: int
    """Iterations of the linear part of the rates, for each phrase."""
    phrases: tuple[int, ...]
    """The phrase of each frame; never falls."""
    warmup: int = 0
    frame_rates: LearningRate | None = None
    """The rate within each frame after the first, whose linear part is the frame; absent: `rates` goes on."""
    frames_before_steps: bool = False
    """Frames show the picture before their first iteration; one frame more shows it after all of them."""
    first_fade_step: int = 0
    """Ages begin with it: 1 in an image, 0 in a video (specification vqgan-clip §2.11)."""
    fade_period: int | None = None
    """Iterations after which ages begin anew, the lead not counted; absent: never."""

    @property
    def frames(self) -> int:
        """How many frames there will be."""
        return len(self.phrases)

    def first_of_phrase(self, frame: int) -> int:
        """The first iteration that has the phrase of `frame`."""
        first = bisect_left(self.phrases, self.phrases[frame])
        return self.warmup + first * self.per_frame if first else 0

    def rate(self, number: int, *, frame: int) -> float:
        """The learning rate of iteration `number`, which belongs to `frame`."""
        if frame and self.frame_rates:
            return self.frame_rates.at(number, since=number - self.warmup - frame * self.per_frame, span=self.per_frame)
        return self.rates.at(number, since=number - self.first_of_phrase(frame), span=self.decay_iterations)

    def fade_step(self, number: int) -> int:
        """The age of iteration `number`."""
        since = number - self.warmup
        return self.first_fade_step + (number if since < 0 or self.fade_period is None else since % self.fade_period)

    def iteration(self, number: int) -> Iteration:
        """Iteration `number`, 0 ≤ number < total."""
        frame = max(number - self.warmup, 0) // self.per_frame
        first = number == self.warmup + frame * self.per_frame
        last = number + 1 in (self.total, self.warmup + (frame + 1) * self.per_frame)
        return Iteration(
            frame=frame,
            phrase=self.phrases[frame],
            rate=self.rate(number, frame=frame),
            fade_step=self.fade_step(number),
            starts_frame=number == 0 or (first and frame > 0),
            warmup_fraction=min((number + 1) / self.warmup, 1.0) if self.warmup else 1.0,
            ends_warmup=number + 1 == self.warmup,
            new_phrase=self.first_of_phrase(frame) == number > 0,
            shows_start=first and self.frames_before_steps,
            shows_end=last and not self.frames_before_steps,
            moves_camera=last and number + 1 < self.total,
            is_last_frame=self.frames_before_steps and number + 1 == self.total,
        )
