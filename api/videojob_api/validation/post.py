"""
Rules for post-processing steps (`post.Post`, `spec.VideoJobSpec.rules`).

Those about the whole spec blame the whole list: CEL cannot name one of its items.
"""

from __future__ import annotations

from typing import Any

from videojob_api.validation.core import FORBIDDEN, Rule, to_wire
from videojob_api.validation.spec import CEL_INPUT_COVERS, is_covered_by_inputs


def at_most_one(field: str) -> Rule:
    """At most one item of a list has `field`."""
    return Rule(
        message=f"at most one step may be {to_wire(field)}",
        cel=f"self.filter(step, has(step.{to_wire(field)})).size() <= 1",
        holds=lambda value: sum(getattr(step, field) is not None for step in value) <= 1,
    )


POST_NEEDS_OUR_RUNNER = Rule(
    message="is done by the operator's own runner only; with pipeline.custom leave it out, and let the image do it",
    cel="!has(self.post) || !has(self.pipeline.custom)",
    holds=lambda spec: spec.post is None or spec.pipeline.custom is None,
    field_path="post",
    reason=FORBIDDEN,
)
"""Custom runners do not implement these steps and would silently skip them."""

INTERPOLATION_INCREASES_FPS = Rule(
    message="each interpolate.fps must be more than encoding.fps",
    cel="!has(self.post) || self.post.all(step, !has(step.interpolate) || step.interpolate.fps > self.encoding.fps)",
    holds=lambda spec: all(
        step.interpolate is None or step.interpolate.fps > spec.encoding.fps for step in spec.post or ()
    ),
    field_path="post",
)
"""`encoding` has a default, so it is always there."""

AUDIO_INPUTS_EXIST = Rule(
    message="each audio.input must be the path of one of the inputs, or lie below one",
    cel=f"!has(self.post) || self.post.all(s, !has(s.audio) || ({CEL_INPUT_COVERS.format(name='s.audio.input')}))",
    holds=lambda spec: all(
        step.audio is None or is_covered_by_inputs(spec, step.audio.input) for step in spec.post or ()
    ),
    field_path="post",
)


def _uses_upscaler(spec: Any) -> bool:
    is_idle = all(source.role != "upscaler" for source in spec.models or ())
    return spec.pipeline.custom is not None or is_idle or any(step.upscale for step in spec.post or ())


UPSCALER_NEEDS_STEP = Rule(
    message="the role upscaler needs a step upscale in post",
    cel="has(self.pipeline.custom) || !has(self.models) || !self.models.exists(m, m.role == 'upscaler') || "
    "(has(self.post) && self.post.exists(step, has(step.upscale)))",
    holds=_uses_upscaler,
    field_path="models",
)
"""In the built-in runner only upscale steps use a pack in this role; custom runners may use any role."""
