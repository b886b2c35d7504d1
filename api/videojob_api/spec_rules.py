"""The rules that look across the whole spec, for `spec.VideoJobSpec.rules`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from videojob_api.rules import REQUIRED, Rule, lookup


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


@dataclass(frozen=True)
class AmongInputs(Rule):
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
        """Compares whole names, hence the slash."""
        found = "has(self.inputs) && self.inputs.exists(i, m.input == i.path || m.input.startsWith(i.path + '/'))"
        return f"!has(self.models) || self.models.all(m, !has(m.input) || ({found}))"

    def holds(self, value: Any) -> bool:
        """The same."""
        paths = [entry.path for entry in value.inputs or ()]
        wanted = [source.input for source in value.models or () if source.input is not None]
        return all(any(name == path or name.startswith(f"{path}/") for path in paths) for name in wanted)
