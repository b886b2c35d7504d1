"""
Running a job's tasks in order, so that an attempt goes on in the task in which the last one was interrupted.

A finished task is skipped while its key is the same and all that it made is there; when its key has changed, it and all
tasks after it run again. The last task is never skipped: what follows it, the encoding, needs its result. Checkpoints
of task i are numbered from i · 10⁹ on and carry records and artifacts of the tasks before it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from videojob_runner.engine.api import Checkpointer, TaskContext, TaskPlan, TaskResult
from videojob_runner.engine.null import NullCheckpointer
from videojob_runner.run.storage import RunStorage
from videojob_runner.run.task_progress import TaskCheckpoints, TaskMetrics, TaskProgress
from videojob_runner.run.task_records import (
    CHECKPOINT_FILE,
    CheckpointTasks,
    TaskRecord,
    TaskRecords,
    chain_key,
    chain_record,
    chain_start,
    is_checkpoint_of,
    read_checkpoint_tasks,
)

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class TaskRunner:
    """Runs the tasks of one job."""

    plans: Sequence[TaskPlan]
    context: TaskContext
    """Of the whole job; each task gets its own checkpoints, progress and names of metrics."""
    storage: RunStorage
    identity: Sequence[str]
    """What every task's result depends on beside its key, seed and frame rate: the job and its models."""
    set_phase: Callable[[str], None] = lambda phase: None
    records: TaskRecords = field(init=False)
    finished: dict[str, TaskRecord] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.records = TaskRecords(self.context.work)

    def run(self) -> TaskResult:
        """Runs all tasks that are not finished. Raises what they raise."""
        self.restore()
        results, before = [], chain_start(self.identity, seed=self.context.seed, fps=self.context.fps)
        for index, plan in enumerate(self.plans):
            key = chain_key(plan, before=before)
            result = self.kept_result(index, key) or self.run_task(index, key)
            results.append(result)
            before = chain_record(key, self.finished.get(plan.name))
        self.storage.artifacts.remove_others()
        return combine_results(self.plans, results)

    def restore(self) -> None:
        """Brings back, on a new disk, what the newest checkpoint carries of finished tasks."""
        checkpoint = self.storage.checkpoints.latest()
        tasks = read_checkpoint_tasks(checkpoint)
        if checkpoint is None or tasks is None:
            return
        for name, record in tasks.finished.items():
            if self.records.read(name) is None:
                self.storage.artifacts.restore(checkpoint, record.artifacts)
                self.records.write(name, record)

    def kept_result(self, index: int, key: str) -> TaskResult | None:
        """The result of a finished task that need not run again; None if it must, after a line in the log."""
        plan = self.plans[index]
        record = None if index == len(self.plans) - 1 else self.records.read(plan.name)
        if record is None:
            return None
        if reason := self.redo_reason(record, key):
            log.info("task %s runs again: %s", plan.name, reason)
            return None
        log.info("task %s is finished already", plan.name)
        self.storage.artifacts.published |= {artifact.name: artifact for artifact in record.artifacts}
        self.finished[plan.name] = record
        return TaskResult(frames=record.frames, metrics=record.metrics)

    def redo_reason(self, record: TaskRecord, key: str) -> str:
        """Why a finished task must run again; empty if it need not."""
        if record.key != key:
            return "its configuration, or that of a task before it, has changed; so do the tasks after it"
        if record.frames > self.storage.count_frames():
            return f"only {self.storage.count_frames()} of its {record.frames} frames are on this disk"
        missing = self.storage.artifacts.missing(record.artifacts)
        return f"{', '.join(missing)} is not on this disk" if missing else ""

    def run_task(self, index: int, key: str) -> TaskResult:
        """Runs one task and records that it is finished."""
        plan, known = self.plans[index], set(self.storage.artifacts.published)
        context = self.task_context(index, key)
        self.records.remove(plan.name)
        self.set_phase(plan.phase)
        result = plan.run(context)
        mine = [artifact for name, artifact in self.storage.artifacts.published.items() if name not in known]
        metrics = {name: value for name, value in result.metrics.items() if math.isfinite(value)}
        if index < len(self.plans) - 1 and result.composer is None:  # a composer cannot be recorded
            record = TaskRecord(key=key, frames=result.frames, metrics=metrics, artifacts=mine)
            self.finished[plan.name] = record
            self.records.write(plan.name, record)
        return result

    def task_context(self, index: int, key: str) -> TaskContext:
        """The context of one task."""
        prefix = f"{self.plans[index].name}/" if len(self.plans) > 1 else ""
        metrics = TaskMetrics(log=self.context.log_metrics, prefix=prefix)
        weights = [plan.weight for plan in self.plans]
        progress = TaskProgress(report=self.context.progress, metrics=metrics, weights=weights, index=index)
        checkpoints = self.task_checkpoints(index, key)
        return replace(self.context, checkpoints=checkpoints, progress=progress, log_metrics=metrics.record)

    def task_checkpoints(self, index: int, key: str) -> Checkpointer:
        """The checkpoints of one task. Those that an earlier attempt left of another question are removed."""
        newest, record = self.storage.checkpoints.latest(), self.records.read(self.plans[index].name)
        tasks = read_checkpoint_tasks(newest)
        if tasks and tasks.index > index and record and record.key == key:  # it is only made again, on another disk
            return NullCheckpointer(self.context.stop.is_set, remedy="the newest checkpoint is one of a later task")
        if tasks and (tasks.index > index or (tasks.index == index and tasks.key != key)):
            self.storage.checkpoints.clear()
        return TaskCheckpoints(
            job=self.storage.checkpoints,
            index=index,
            is_own=partial(is_checkpoint_of, index=index, key=key),
            add_files=partial(self.add_files, CheckpointTasks(index=index, key=key, finished=dict(self.finished))),
        )

    def add_files(self, tasks: CheckpointTasks, checkpoint: Path) -> None:
        """Puts into a checkpoint's folder what an attempt on a new disk needs of the tasks before."""
        (checkpoint / CHECKPOINT_FILE).write_text(tasks.model_dump_json(by_alias=True), encoding="utf-8")
        self.storage.artifacts.copy_to(
            checkpoint, [a.name for record in tasks.finished.values() for a in record.artifacts]
        )


def combine_results(plans: Sequence[TaskPlan], results: Sequence[TaskResult]) -> TaskResult:
    """The job's result: the frames of the last task that made any, and all metrics."""
    metrics = {
        f"{plan.name}/{name}" if len(plans) > 1 else name: value
        for plan, result in zip(plans, results, strict=True)
        for name, value in result.metrics.items()
    }
    last = next((result for result in reversed(results) if result.frames), results[-1])
    return replace(last, metrics=metrics)
