"""
Which iteration does what.

A run is `total` iterations: first `lead` ones that belong to the first frame, then `per_frame` for each frame. From its
number alone an iteration knows its frame, its phrase, its learning rate and whether a frame is finished with it, so a
run can go on anywhere.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    The learning rate: linear from `start` to `end`, then `end`; or growing up to a cap.

    A new phrase starts the linear part anew: what has settled on the last one must be moved again.
    """

    start: float
    end: float
    growth: float = 1.0
    cap: float | None = None

    def at(self, iteration: int, *, since: int, span: int) -> float:
        """The rate of iteration `iteration` (0-based), the `since`-th of its phrase, with a linear part of `span`."""
        way = min(since / max(span - 1, 1), 1.0)
        rate = (self.start + (self.end - self.start) * way) * self.growth**iteration
        return rate if self.cap is None else min(rate, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One iteration's orders; frames and phrases are 0-based."""

    frame: int
    phrase: int
    rate: float
    age: int
    """The iteration's number as its form counts, by which init weights fade."""
    begins: bool
    """It is the first of its frame; the lead belongs to the first frame."""
    lead_done: float
    """The part of the lead that is done with it, above 0; 1 where there is none or it is over."""
    ends_lead: bool
    """It is the last of the lead."""
    new_phrase: bool
    """The phrase before was another one."""
    shows_start: bool
    """The picture before this iteration is the frame."""
    shows_end: bool
    """The picture after this iteration is the frame."""
    moves_camera: bool
    """Zoom, turn and shift after this iteration."""
    closes: bool
    """The picture after this iteration is the last frame, which has no iteration of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All iterations of a run."""

    total: int
    per_frame: int
    """The last frame may have fewer."""
    rates: Rates
    span: int
    """Iterations of the linear part of the rates, for each phrase."""
    phrases: tuple[int, ...]
    """The phrase of each frame; never falls."""
    lead: int = 0
    within: Rates | None = None
    """The rate within each frame after the first, whose linear part is the frame; absent: `rates` goes on."""
    before: bool = False
    """Frames show the picture before their first iteration; one frame more shows it after all of them."""
    first_age: int = 0
    """Ages begin with it: 1 in an image, 0 in a video (specification vqgan-clip §2.11)."""
    lifetime: int | None = None
    """Iterations after which ages begin anew, the lead not counted; absent: never."""

    @property
    def frames(self) -> int:
        """How many frames there will be."""
        return len(self.phrases)

    def first_of_phrase(self, frame: int) -> int:
        """The first iteration that has the phrase of `frame`."""
        first = bisect_left(self.phrases, self.phrases[frame])
        return self.lead + first * self.per_frame if first else 0

    def rate(self, number: int, *, frame: int) -> float:
        """The learning rate of iteration `number`, which belongs to `frame`."""
        if frame and self.within:
            return self.within.at(number, since=number - self.lead - frame * self.per_frame, span=self.per_frame)
        return self.rates.at(number, since=number - self.first_of_phrase(frame), span=self.span)

    def age(self, number: int) -> int:
        """The age of iteration `number`."""
        since = number - self.lead
        return self.first_age + (number if since < 0 or self.lifetime is None else since % self.lifetime)

    def step(self, number: int) -> Step:
        """Iteration `number`, 0 ≤ number < total."""
        frame = max(number - self.lead, 0) // self.per_frame
        first = number == self.lead + frame * self.per_frame
        last = number + 1 in (self.total, self.lead + (frame + 1) * self.per_frame)
        return Step(
            frame=frame,
            phrase=self.phrases[frame],
            rate=self.rate(number, frame=frame),
            age=self.age(number),
            begins=number == 0 or (first and frame > 0),
            lead_done=min((number + 1) / self.lead, 1.0) if self.lead else 1.0,
            ends_lead=number + 1 == self.lead,
            new_phrase=self.first_of_phrase(frame) == number > 0,
            shows_start=first and self.before,
            shows_end=last and not self.before,
            moves_camera=last and number + 1 < self.total,
            closes=self.before and number + 1 == self.total,
        )
