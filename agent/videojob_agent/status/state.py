"""
The agent's current state, shared by its three threads.

The sidecar sets what it read, the publish loop what it stored, and the reporter reads both. Only the latest state is
kept; a slow reader may skip intermediate states.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime

from videojob_api.contract.manifest import ManifestArtifact
from videojob_api.contract.status import RunnerState, StatusDetails
from videojob_api.messages.report import Failure, ProgressState, Published, Report

from videojob_agent.status.status_file import RunnerStatus

_STATE_BY_PHASE = {"checkpointing": ProgressState.CHECKPOINTING, "encoding": ProgressState.FINISHING}
_NO_REASON = Failure(reason="RunnerFailed", message="the runner wrote FAILED to STATUS and gave no reason")

_NOTHING = Published()


@dataclass(frozen=True, slots=True)
class AgentState:
    """An immutable snapshot. `percent` keeps its value when STATUS has none."""

    runner_status: RunnerStatus | None = None
    percent: int = 0
    published: Published = _NOTHING
    fetch_message: str = ""
    """Why fetch waits; empty if it does not, and after the runner's first STATUS."""
    warning: str = ""
    """Why publishing is delayed; empty if it is not."""
    failure: Failure | None = None
    """Why publishing was given up."""
    runner_exited: bool = False
    """True if the runner has exited; `runner_status` is its final status then."""

    @property
    def runner_state(self) -> RunnerState | None:
        """The state in the runner's STATUS; None before the first one."""
        return self.runner_status.line.state if self.runner_status else None

    @property
    def progress_state(self) -> ProgressState:
        """The state for reports: done only after the manifest is committed."""
        if self.published.manifest_digest:
            return ProgressState.DONE
        if self.failure or self.runner_state is RunnerState.FAILED:
            return ProgressState.FAILED
        if self.runner_state is RunnerState.COMPLETED:
            return ProgressState.FINISHING
        if self.runner_state is RunnerState.IN_PROGRESS:
            return _STATE_BY_PHASE.get(self._details.phase, ProgressState.RUNNING)
        return ProgressState.STARTING

    @property
    def artifacts(self) -> list[ManifestArtifact]:
        """Folders that other jobs may use, as the runner tells."""
        return self._details.artifacts

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the software that made the frames, as reported by the runner."""
        return self._details.versions

    def to_report(self, uid: str, *, sequence: int, time: datetime) -> Report:
        """Convert the snapshot to a report."""
        details, line = self._details, self.runner_status.line if self.runner_status else None
        return Report(
            uid=uid,
            sequence=sequence,
            state=self.progress_state,
            percent=self.percent,
            frames_done=details.frames_done if details.frames_done is not None else self.published.frames or None,
            frames_total=details.frames_total,
            eta_seconds=line.eta_seconds if line else None,
            message=(self.fetch_message or self.warning or details.message)[:256],
            observed_time=time,
            published=self.published,
            failure=self._failure,
        )

    @property
    def _details(self) -> StatusDetails:
        found = self.runner_status.details if self.runner_status else None
        return found or StatusDetails(line="", uid="", state=RunnerState.STARTING)

    @property
    def _failure(self) -> Failure | None:
        if self.runner_state is RunnerState.FAILED:
            return self._details.failure or _NO_REASON
        return self.failure


class SharedState:
    """The newest `AgentState`, with a way to wait for the next one; thread-safe."""

    def __init__(self) -> None:
        self._state = AgentState()
        self._is_closed = False
        self._changed = threading.Condition()

    @property
    def current(self) -> AgentState:
        """The newest snapshot."""
        return self._state

    def set_runner_status(self, status: RunnerStatus) -> None:
        """Set the runner's newest status."""
        percent = 100 if status.line.state is RunnerState.COMPLETED else status.line.percent
        percent = self._state.percent if percent is None else percent
        with self._changed:
            self._set(replace(self._state, runner_status=status, percent=percent, fetch_message=""))

    def set_fetch_message(self, message: str) -> None:
        """Set why fetch waits; an empty message if it does not."""
        with self._changed:
            self._set(replace(self._state, fetch_message=message))

    def set_published(self, published: Published) -> None:
        """Set what has been published; clears the warning."""
        with self._changed:
            self._set(replace(self._state, published=published, warning=""))

    def set_warning(self, message: str) -> None:
        """Set why publishing is delayed."""
        with self._changed:
            self._set(replace(self._state, warning=message))

    def set_failure(self, failure: Failure) -> None:
        """Set why publishing was given up."""
        with self._changed:
            self._set(replace(self._state, failure=failure, warning=""))

    def set_runner_exited(self) -> None:
        """Record that the runner has exited and its final status was read."""
        with self._changed:
            self._set(replace(self._state, runner_exited=True))

    def close(self) -> None:
        """Close the state and wake all waiting threads."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """True if the threads should end."""
        return self._is_closed

    def wait_for_change(self, state: AgentState, *, timeout: float) -> None:
        """Wait until the state differs from `state`, is closed, or `timeout` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._state != state, timeout)

    def _set(self, state: AgentState) -> None:
        if state != self._state:
            self._state = state
            self._changed.notify_all()
