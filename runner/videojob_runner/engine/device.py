"""The device that an engine computes on, as those see it who must not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TorchDevice:
    """A torch device by name, and what to write down about it."""

    name: str
    versions: Mapping[str, str] = field(default_factory=dict)
