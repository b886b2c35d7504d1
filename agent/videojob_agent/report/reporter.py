"""
Sends progress reports to the operator.

A report is state, not history: only the newest is sent. It is sent at once when the state changes, otherwise at most
every two seconds and only after a change, with a heartbeat every half minute. If the operator does not answer, the
delay grows, and one report is enough afterwards. Reporting never delays publishing or the runner; a job that never
reached the operator is evaluated by its termination message.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from videojob_agent.backoff import MAX_DELAY, Backoff
from videojob_agent.errors import EndpointUnreachable
from videojob_agent.json_log import JsonLog
from videojob_agent.status.state import AgentState, SharedState

MIN_INTERVAL_SECONDS = 2.0
HEARTBEAT_SECONDS = 30.0
RETRY_NOW_SECONDS = 0.2
"""Delay after `Retry-After: 0`: another replica will answer."""
FINAL_ATTEMPTS = 3
FINAL_RETRY_SECONDS = 2.0
"""Maximum Retry-After between the last tries, so that a finished pod exits soon."""
UNKNOWN_SECONDS = 600.0
"""Pause after 404: the VideoJob was probably deleted, or the operator's cache does not contain it yet."""
SEQUENCE_SKIP = 1000
"""Added to the sequence number if the operator has already seen higher numbers of this pod."""


@dataclass(frozen=True, slots=True)
class ReportResponse:
    """The operator's response. `retry_after` in seconds, None if absent."""

    status: int
    retry_after: float | None = None


class Endpoint(Protocol):
    """The network interface of the reporter."""

    def post(self, body: bytes) -> ReportResponse:
        """Send one report. Raises EndpointUnreachable."""


class ProgressReporter:
    """Sends the shared state to an endpoint."""

    def __init__(
        self,
        uid: str,
        state: SharedState,
        endpoint: Endpoint,
        *,
        log: JsonLog,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        backoff: Backoff | None = None,
    ) -> None:
        self._uid, self._state, self._endpoint = uid, state, endpoint
        self._log, self._now, self._clock, self._sleep = log, now, clock, sleep
        self._backoff = backoff or Backoff()
        self._delivered: AgentState | None = None
        self._last_sent = -math.inf
        self._not_before = -math.inf
        self._sequence = 0
        self._retry_after = 0.0
        self._job_unknown = False

    def run(self) -> None:
        """Send reports until the state is closed, then the final one; for a thread of its own."""
        while not self._state.is_closed:
            snapshot = self._state.current
            self._state.wait_for_change(snapshot, timeout=min(self.run_once(), HEARTBEAT_SECONDS))
        self._send_last()

    def _send_last(self) -> None:
        for left in reversed(range(FINAL_ATTEMPTS)):
            if self._job_unknown or self._delivered == self._state.current or self._send():
                return
            if left and self._retry_after:
                self._sleep(min(self._retry_after, FINAL_RETRY_SECONDS))

    @property
    def sequence(self) -> int:
        """Number of the last report sent."""
        return self._sequence

    def run_once(self) -> float:
        """Send a report if one is due; return the seconds until the next may be sent."""
        if self._next_send_time() <= self._clock():
            self._send()
        return self._next_send_time() - self._clock()

    def _next_send_time(self) -> float:
        """The earliest time of the next report."""
        return max(self._not_before, self._last_sent + self._pause())

    def _pause(self) -> float:
        """Minimum seconds between the last report and the next one."""
        snapshot, delivered = self._state.current, self._delivered
        if delivered is None or snapshot.progress_state is not delivered.progress_state:
            return 0.0
        return MIN_INTERVAL_SECONDS if snapshot != delivered else HEARTBEAT_SECONDS

    def _send(self) -> bool:
        """Send one report; return True if it was accepted."""
        snapshot = self._state.current
        self._sequence += 1
        report = snapshot.to_report(self._uid, sequence=self._sequence, time=self._now())
        self._last_sent, self._retry_after = self._clock(), 0.0
        try:
            response = self._endpoint.post(report.model_dump_json(by_alias=True, exclude_none=True).encode())
        except EndpointUnreachable as error:
            self._wait(str(error), seconds=self._backoff.next_delay())
            return False
        return self._handle_response(response, snapshot)

    def _handle_response(self, response: ReportResponse, snapshot: AgentState) -> bool:
        """Apply a response; return True if the report was accepted."""
        self._job_unknown = response.status == HTTPStatus.NOT_FOUND
        if response.status in range(200, 300):
            self._delivered, self._not_before = snapshot, -math.inf
            self._backoff.reset()
            return True
        if self._job_unknown:
            self._wait("HTTP 404: the operator does not know this job", seconds=UNKNOWN_SECONDS)
            return False
        if response.status in (400, 413):  # the same report would be refused again
            self._delivered = snapshot
        if response.status == 409:
            self._sequence += SEQUENCE_SKIP
        seconds = self._backoff.next_delay()
        if response.retry_after is not None:
            seconds = self._retry_after = min(response.retry_after or min(seconds, RETRY_NOW_SECONDS), MAX_DELAY)
        self._wait(f"HTTP {response.status}", seconds=seconds)
        return False

    def _wait(self, message: str, *, seconds: float) -> None:
        self._not_before = self._clock() + seconds
        self._log("report not accepted", message=message, pause=round(seconds, 1))
