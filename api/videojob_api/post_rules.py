"""The rules about what is done to frames after they were made (`post.Post`, `spec.VideoJobSpec.rules`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from videojob_api.rules import FORBIDDEN, Rule, ValueRule, wire
from videojob_api.spec_rules import FOUND, brought


@dataclass(frozen=True)
class AtMostOnce(ValueRule):
    """Of a list's items, at most one has `field`."""

    field: str

    @property
    def message(self) -> str:
        """The limit."""
        return f"at most one step may be {wire(self.field)}"

    def cel(self) -> str:
        """Counts those that have it."""
        return f"self.filter(step, has(step.{wire(self.field)})).size() <= 1"

    def holds(self, value: Any) -> bool:
        """Counts those that have it."""
        return sum(getattr(step, self.field) is not None for step in value) <= 1


class _AboutPost(Rule):
    """A rule that blames the whole list: CEL cannot name one of its items."""

    @property
    def blames(self) -> str:
        """The list."""
        return "post"


@dataclass(frozen=True)
class PostIsOurs(_AboutPost):
    """A foreign image knows nothing of steps: they would silently not be done."""

    reason: ClassVar[str] = FORBIDDEN

    @property
    def message(self) -> str:
        """The remedy."""
        return "is done by the operator's own runner only; with pipeline.custom leave it out, and let the image do it"

    def cel(self) -> str:
        """Not both."""
        return "!has(self.post) || !has(self.pipeline.custom)"

    def holds(self, value: Any) -> bool:
        """The same."""
        return value.post is None or value.pipeline.custom is None


@dataclass(frozen=True)
class InterpolatesUpwards(_AboutPost):
    """Interpolation makes more frames, never fewer."""

    @property
    def message(self) -> str:
        """Both fields."""
        return "each interpolate.fps must be more than encoding.fps"

    def cel(self) -> str:
        """Every interpolation; `encoding` has a default, so it is always there."""
        each = "!has(step.interpolate) || step.interpolate.fps > self.encoding.fps"
        return f"!has(self.post) || self.post.all(step, {each})"

    def holds(self, value: Any) -> bool:
        """The same."""
        rates = [step.interpolate.fps for step in value.post or () if step.interpolate]
        return all(rate > value.encoding.fps for rate in rates)


@dataclass(frozen=True)
class SoundAmongInputs(_AboutPost):
    """The sound is one of the inputs, or lies below one."""

    @property
    def message(self) -> str:
        """The remedy."""
        return "each audio.input must be the path of one of the inputs, or lie below one"

    def cel(self) -> str:
        """Every step with sound."""
        return f"!has(self.post) || self.post.all(s, !has(s.audio) || ({FOUND.format(name='s.audio.input')}))"

    def holds(self, value: Any) -> bool:
        """The same."""
        return all(step.audio is None or brought(value, step.audio.input) for step in value.post or ())


@dataclass(frozen=True)
class UpscalerHasWork(Rule):
    """In a pipeline of ours upscale steps alone use a pack in the role upscaler; without one it would lie idle."""

    @property
    def message(self) -> str:
        """The remedy."""
        return "the role upscaler needs a step upscale in post"

    @property
    def blames(self) -> str:
        """The list: CEL cannot name one of its items."""
        return "models"

    def cel(self) -> str:
        """Foreign images use roles as they like."""
        used = "has(self.post) && self.post.exists(step, has(step.upscale))"
        idle = "!has(self.models) || !self.models.exists(m, m.role == 'upscaler')"
        return f"has(self.pipeline.custom) || {idle} || ({used})"

    def holds(self, value: Any) -> bool:
        """The same."""
        idle = all(source.role != "upscaler" for source in value.models or ())
        return value.pipeline.custom is not None or idle or any(step.upscale for step in value.post or ())
