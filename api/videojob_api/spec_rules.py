"""The rules that look across the whole spec, for `spec.VideoJobSpec.rules`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from videojob_api.rules import REQUIRED, Rule, lookup, wire


@dataclass(frozen=True)
class NamesAccelerator(Rule):
    """Real work that requires an accelerator has one among its limits: no silent week on a CPU (DESIGN §3)."""

    reason: ClassVar[str] = REQUIRED

    @property
    def message(self) -> str:
        """Both ways out."""
        return (
            "must name an extended resource like nvidia.com/gpu, or set runner.accelerator to None to work on the CPU"
        )

    @property
    def blames(self) -> str:
        """The limits, also when they are absent."""
        return "runner.resources.limits"

    def cel(self) -> str:
        """Extended resources are those whose names hold a slash."""
        limits = "self.runner.resources.limits"
        named = f"has(self.runner.resources) && has({limits}) && {limits}.exists(name, name.contains('/'))"
        return f"has(self.test) || self.runner.accelerator != 'Required' || ({named})"

    def holds(self, value: Any) -> bool:
        """The same."""
        limits = lookup(value, self.blames) or {}
        return value.test is not None or value.runner.accelerator != "Required" or any("/" in name for name in limits)


FOUND = "has(self.inputs) && self.inputs.exists(i, {name} == i.path || {name}.startsWith(i.path + '/'))"
"""CEL for "the path `name` is brought by an input"; whole names are compared, hence the slash."""


def brought(spec: Any, name: str) -> bool:
    """Whether one of the inputs is, or holds, the path `name`."""
    return any(name == entry.path or name.startswith(f"{entry.path}/") for entry in spec.inputs or ())


@dataclass(frozen=True)
class PacksAmongInputs(Rule):
    """A pack that is said to be an input lies at or below one of the inputs' paths."""

    @property
    def message(self) -> str:
        """The remedy."""
        return "each models[].input must be the path of one of the inputs, or lie below one"

    @property
    def blames(self) -> str:
        """The list: CEL cannot name one of its items."""
        return "models"

    def cel(self) -> str:
        """Every pack with an input."""
        return f"!has(self.models) || self.models.all(m, !has(m.input) || ({FOUND.format(name='m.input')}))"

    def holds(self, value: Any) -> bool:
        """The same."""
        return all(source.input is None or brought(value, source.input) for source in value.models or ())


BELOW = "has(self.inputs) && self.inputs.exists(i, i.path.startsWith({name} + '/'))"
"""CEL for "an input lies below the path `name`"."""


@dataclass(frozen=True, kw_only=True)
class InputPathExists(Rule):
    """What a pipeline's field names is one of the inputs, lies below one, or, where it may, contains some."""

    field: str
    optional: tuple[str, ...]
    """Of `field` and those around it, the ones that may be absent."""
    may_contain: bool

    @property
    def message(self) -> str:
        """The remedy."""
        if self.may_contain:
            return "must be the path of one of the inputs, lie below one, or hold some"
        return "must be the path of one of the inputs, or lie below one"

    @property
    def blames(self) -> str:
        """The field with the path."""
        return self.field

    def cel(self) -> str:
        """Only where the field is there."""
        name = f"self.{wire(self.field)}"
        absent = [f"!has(self.{wire(field)})" for field in self.optional]
        found = [f"({FOUND.format(name=name)})"] + [f"({BELOW.format(name=name)})"] * self.may_contain
        return " || ".join(absent + found)

    def holds(self, value: Any) -> bool:
        """The same."""
        path = lookup(value, self.field)
        below = self.may_contain and any(entry.path.startswith(f"{path}/") for entry in value.inputs or ())
        return path is None or below or brought(value, path)


@dataclass(frozen=True)
class KnownRoles(Rule):
    """A pipeline of ours has fixed roles; a pack in any other would silently stay unused."""

    pipeline: str
    roles: tuple[str, ...]

    @property
    def message(self) -> str:
        """The roles there are."""
        *first, last = self.roles
        where = f"pipeline.{wire(self.pipeline)}"
        return (
            f"the roles of {where} are {', '.join(first)} and {last}" if first else f"{where} has the role {last} only"
        )

    @property
    def blames(self) -> str:
        """The list: CEL cannot name one of its items."""
        return "models"

    def cel(self) -> str:
        """Other pipelines choose their roles themselves."""
        known = f"self.models.all(m, m.role in {list(self.roles)})"
        return f"!has(self.pipeline.{wire(self.pipeline)}) || !has(self.models) || {known}"

    def holds(self, value: Any) -> bool:
        """The same."""
        absent = getattr(value.pipeline, self.pipeline) is None
        return absent or all(source.role in self.roles for source in value.models or ())
