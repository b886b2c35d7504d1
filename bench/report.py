"""What the contestants' answers come to: medians, ratios of medians, peaks, and whether the losses are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.interleave import Answer

WARMUP_ROUNDS = 1
"""First iterations whose seconds do not count: libraries choose their kernels in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """One contestant beside the reference."""

    wall: float
    """Median seconds of an iteration."""
    cpu: float
    """Median seconds of all threads."""
    times_as_fast: float
    """The reference's median wall seconds by its own."""
    times_as_fast_cpu: float
    """The same with the seconds of all threads."""
    start: float
    """Seconds until it was ready: imports, networks, prompts."""
    loading: float
    """MB at most until then."""
    loaded: float
    """MB in use with the networks loaded."""
    peak: float
    """MB at most during the iterations."""
    difference: float
    """The largest difference of its losses from the reference's."""

    @property
    def working(self) -> float:
        """MB that iterations take at most, besides what was loaded."""
        return self.peak - self.loaded


def ratio_of_medians(above: Sequence[float], below: Sequence[float]) -> float:
    """How many times `below`'s median goes into that of `above`."""
    return median(above) / median(below)


def largest_difference(losses: Sequence[float], others: Sequence[float]) -> float:
    """Of two runs' losses, step by step."""
    return max(abs(one - other) for one, other in zip(losses, others, strict=True))


def values(steps: Sequence[Answer], name: str, *, first: int = 0) -> list[float]:
    """One figure of all steps from `first` on."""
    return [float(step[name]) for step in steps[first:]]


def compare(
    steps: Mapping[str, Sequence[Answer]], ready: Mapping[str, Answer], *, reference: str
) -> dict[str, BenchResult]:
    """Every contestant's figures, from its answers to `step` and what was known when it was ready."""
    return {name: compare_to_reference(own, steps[reference], ready=ready[name]) for name, own in steps.items()}


def compare_to_reference(own: Sequence[Answer], theirs: Sequence[Answer], *, ready: Answer) -> BenchResult:
    """One contestant's figures beside those of the reference."""
    (wall, cpu), (their_wall, their_cpu) = (
        [values(steps, name, first=WARMUP_ROUNDS) for name in ("wall", "cpu")] for steps in (own, theirs)
    )
    return BenchResult(
        wall=median(wall),
        cpu=median(cpu),
        times_as_fast=ratio_of_medians(their_wall, wall),
        times_as_fast_cpu=ratio_of_medians(their_cpu, cpu),
        start=float(ready["seconds"]),
        loading=float(ready["peak"]),
        loaded=float(ready["memory"]),
        peak=max(values(own, "peak")),
        difference=largest_difference(values(own, "loss"), values(theirs, "loss")),
    )


def results_table(found: Mapping[str, BenchResult]) -> str:
    """Lines to read; seconds per iteration, MB."""
    head = f"{'':<24}{'s':>8}{'CPU s':>8}{'× as fast':>11}{'(CPU)':>8}"
    head += f"{'start':>8}{'loading':>9}{'loaded':>8}{'peak':>8}{'of it':>8}{'Δ loss':>10}"
    lines = [
        f"{name:<24}{own.wall:>8.3f}{own.cpu:>8.3f}{own.times_as_fast:>11.2f}{own.times_as_fast_cpu:>8.2f}"
        f"{own.start:>8.1f}{own.loading:>9.0f}{own.loaded:>8.0f}{own.peak:>8.0f}{own.working:>8.0f}{own.difference:>10.1e}"
        for name, own in found.items()
    ]
    return "\n".join([head, *lines])


def parts_table(parts: Mapping[str, Sequence[Answer]]) -> str:
    """Lines to read: median wall seconds of each part of an iteration, by contestant."""
    names = list(next(iter(parts.values()))[0])
    head = f"{'':<24}" + "".join(f"{name:>18}" for name in names)
    lines = [
        f"{contestant:<24}"
        + "".join(f"{median(float(each[name]['wall']) for each in answers):>18.3f}" for name in names)
        for contestant, answers in parts.items()
    ]
    return "\n".join([head, *lines])
