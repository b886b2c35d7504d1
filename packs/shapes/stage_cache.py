"""
Stage cache: each finished stage is saved as safetensors, so an interrupted run repeats at most one stage.

A stage's file is valid for the plan that made it; another plan (other steps, another seed) trains anew. Two stages
that do not need each other run as two processes with one torch thread each, which is how two cores are used best:
two trainings with two threads each spend their time waiting for one another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class StageCache:
    """The folder of one training run."""

    folder: Path

    def file(self, stage: str) -> Path:
        """Where a stage's tensors lie."""
        return self.folder / f"{stage}.safetensors"

    def has(self, stage: str, plan: object) -> bool:
        """Whether a stage has been finished with exactly this plan."""
        return self.file(stage).exists() and self.metadata(stage).get("plan") == repr(plan)

    def metadata(self, stage: str) -> dict[str, str]:
        """Plan and seconds of a finished stage."""
        with safe_open(self.file(stage), framework="pt") as file:
            return dict(file.metadata() or {})

    def load(self, stage: str) -> State:
        """A finished stage's tensors."""
        return dict(load_file(self.file(stage)))

    def get_or_compute(self, stage: str, plan: object, make: Callable[[], State]) -> State:
        """The stage's tensors: from its file, or made now and then kept."""
        if not self.has(stage, plan):
            self.folder.mkdir(parents=True, exist_ok=True)
            started = time.monotonic()
            made = {name: tensor.detach().contiguous().clone() for name, tensor in make().items()}
            about = {"plan": repr(plan), "seconds": f"{time.monotonic() - started:.0f}", "torch": torch.__version__}
            partial = self.file(stage).with_suffix(".partial")
            save_file(made, partial, metadata=about)
            partial.replace(self.file(stage))
        return self.load(stage)

    def write_json(self, name: str, value: object) -> None:
        """Keeps a small JSON document beside the stages."""
        (self.folder / f"{name}.json").write_text(json.dumps(value, indent=2))
