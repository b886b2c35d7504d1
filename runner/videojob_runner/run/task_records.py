"""
What is known of finished tasks: a file for each in `work/tasks/`, and one for all in each checkpoint.

    work/tasks/train.json           {"key": …, "frames": 0, "metrics": {…}, "artifacts": […]}
    checkpoints/step-…/tasks.json   {"index": 1, "key": …, "finished": {"train": {…}}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from videojob_api.base import LenientDocument

from videojob_runner.atomic import write_atomically
from videojob_runner.engine.api import TaskPlan
from videojob_runner.run.artifacts import ArtifactRecord

TASKS_FOLDER: Final = "tasks"
CHECKPOINT_FILE: Final = "tasks.json"


class TaskRecord(LenientDocument):
    """A finished task."""

    key: str
    """See `chain_key`."""
    frames: int = 0
    metrics: dict[str, float] = {}
    artifacts: list[ArtifactRecord] = []


class CheckpointTasks(LenientDocument):
    """Which task a checkpoint is of, and which were finished by then."""

    index: int
    """Of the task, from 0 on."""
    key: str
    finished: dict[str, TaskRecord] = {}


@dataclass(frozen=True, slots=True)
class TaskRecords:
    """The records below a job's folder `work`."""

    work: Path

    def read(self, name: str) -> TaskRecord | None:
        """The record of a finished task; None when there is none, or it cannot be read."""
        try:
            return TaskRecord.model_validate_json(self._path(name).read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, name: str, record: TaskRecord) -> None:
        """Records that a task is finished."""
        self._path(name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(name), record.model_dump_json(by_alias=True, indent=1))

    def remove(self, name: str) -> None:
        """Forgets a task."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.work / TASKS_FOLDER / f"{name}.json"


def read_checkpoint_tasks(checkpoint: Path | None) -> CheckpointTasks | None:
    """What a checkpoint says about tasks; None without one, and for one from before there were tasks."""
    try:
        return CheckpointTasks.model_validate_json((checkpoint / CHECKPOINT_FILE).read_bytes()) if checkpoint else None
    except FileNotFoundError:
        return None


def is_checkpoint_of(checkpoint: Path, *, index: int, key: str) -> bool:
    """Whether a checkpoint is one of task `index` with this key; one without `tasks.json` is of task 0."""
    tasks = read_checkpoint_tasks(checkpoint)
    return index == 0 if tasks is None else (tasks.index, tasks.key) == (index, key)


def chain_start(identity: Sequence[str], *, seed: int, fps: float) -> str:
    """What the keys of all tasks depend on."""
    return _sha256([*identity, str(seed), str(fps)])


def chain_key(plan: TaskPlan, *, before: str) -> str:
    """A task's key together with all that came before it, in hex."""
    return _sha256([before, plan.name, plan.key])


def chain_record(key: str, record: TaskRecord | None) -> str:
    """What the next task's key depends on: this task, and what it has published."""
    return _sha256([key, *(artifact.digest for artifact in (record.artifacts if record else ()))])


def _sha256(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
