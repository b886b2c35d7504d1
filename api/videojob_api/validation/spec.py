"""The rules that look across the whole spec, for `spec.VideoJobSpec.rules`."""

from __future__ import annotations

from typing import Any

from videojob_api.validation.core import REQUIRED, Rule, lookup, to_wire

LIMITS = "runner.resources.limits"
CEL_INPUT_COVERS = "has(self.inputs) && self.inputs.exists(i, {name} == i.path || {name}.startsWith(i.path + '/'))"
"""CEL for "the path `name` is brought by an input"; whole names are compared, hence the slash."""
CEL_INPUT_BELOW = "has(self.inputs) && self.inputs.exists(i, i.path.startsWith({name} + '/'))"
"""CEL: an input is located below the path `name`."""


def is_covered_by_inputs(spec: Any, name: str) -> bool:
    """True if one of the inputs is the path `name` or contains it."""
    return any(name == entry.path or name.startswith(f"{entry.path}/") for entry in spec.inputs or ())


ACCELERATOR_LIMIT = Rule(
    message="must name an extended resource like nvidia.com/gpu, or set runner.accelerator to None to work on the CPU",
    cel="has(self.test) || self.runner.accelerator != 'Required' || (has(self.runner.resources) && "
    f"has(self.{LIMITS}) && self.{LIMITS}.exists(name, name.contains('/')))",
    holds=lambda spec: (
        spec.test is not None
        or spec.runner.accelerator != "Required"
        or any("/" in name for name in lookup(spec, LIMITS) or {})
    ),
    field_path=LIMITS,
    reason=REQUIRED,
)
"""Real work that requires an accelerator has an extended resource, one with a slash in its name, among its limits."""

MODEL_INPUTS_EXIST = Rule(
    message="each models[].input must be the path of one of the inputs, or lie below one",
    cel=f"!has(self.models) || self.models.all(m, !has(m.input) || ({CEL_INPUT_COVERS.format(name='m.input')}))",
    holds=lambda spec: all(
        source.input is None or is_covered_by_inputs(spec, source.input) for source in spec.models or ()
    ),
    field_path="models",
)
"""A pack that is said to be an input is one; the list is to blame, as CEL cannot name one of its items."""


def input_path_exists(field: str, *, optional: tuple[str, ...], may_contain: bool) -> Rule:
    """
    The path in `field` is that of an input, lies below one, or, if it `may_contain` inputs, has some below it.

    `optional` are those of `field` and the fields around it that may be absent.
    """
    name = f"self.{to_wire(field)}"
    absent = [f"!has(self.{to_wire(each)})" for each in optional]
    found = [f"({CEL_INPUT_COVERS.format(name=name)})"] + [f"({CEL_INPUT_BELOW.format(name=name)})"] * may_contain

    def holds(spec: Any) -> bool:
        path = lookup(spec, field)
        below = may_contain and any(entry.path.startswith(f"{path}/") for entry in spec.inputs or ())
        return path is None or below or is_covered_by_inputs(spec, path)

    places = "lie below one, or hold some" if may_contain else "or lie below one"
    return Rule(
        message=f"must be the path of one of the inputs, {places}",
        cel=" || ".join(absent + found),
        holds=holds,
        field_path=field,
    )


def model_roles(pipeline: str, roles: tuple[str, ...]) -> Rule:
    """Beside this pipeline packs have one of its roles; in any other they would silently stay unused."""
    (*first, last), where = roles, f"pipeline.{to_wire(pipeline)}"
    return Rule(
        message=f"the roles of {where} are {', '.join(first)} and {last}"
        if first
        else f"{where} has the role {last} only",
        cel=f"!has(self.{where}) || !has(self.models) || self.models.all(m, m.role in {list(roles)})",
        holds=lambda spec: (
            getattr(spec.pipeline, pipeline) is None or all(source.role in roles for source in spec.models or ())
        ),
        field_path="models",
    )
