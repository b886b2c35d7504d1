"""
Metrics of state transitions: how many, how fast, and with which reasons.

Reasons may come from pods, so a hostile runner could create a new label each time: only the first fifty distinct
reasons are used, all others count as `Other`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from videojob_api.resource.status import VideoJobStatus

from videojob_operator.domain.conditions import find_condition
from videojob_operator.domain.observation.observed import Observed, ObservedVideoJob
from videojob_operator.metrics import Metrics
from videojob_operator.workqueue import ObjectKey

log = logging.getLogger(__name__)

MAX_REASON_LABELS = 50


@dataclass(slots=True)
class TransitionMetrics:
    """Counts transitions; `evict` is called with the uid of a deleted VideoJob."""

    metrics: Metrics
    evict: Callable[[str], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _uids: dict[ObjectKey, str] = field(default_factory=dict)
    _reasons: set[str] = field(default_factory=set)

    def track(self, key: ObjectKey, videojob: ObservedVideoJob) -> None:
        """Remember the uid behind a key; a different earlier one was deleted."""
        before = self._uids.get(key)
        if before not in (None, videojob.uid):
            self.untrack(key)
        self._uids[key] = videojob.uid

    def untrack(self, key: ObjectKey) -> None:
        """Handle the deletion of a VideoJob."""
        uid = self._uids.pop(key, None)
        if uid is not None:
            self.evict(uid)

    def observe(self, observed: Observed, after: VideoJobStatus) -> None:
        """Count what an executed decision has changed."""
        videojob, before = observed.videojob, observed.videojob.status
        if before.state != after.state:
            self._record_transition(videojob, after)
        if before.job_name is None and after.job_name is not None:
            self.metrics.create_to_job.observe((self.now() - videojob.created).total_seconds())
        if before.start_time is None and after.start_time is not None:
            self.metrics.start_latency.observe((after.start_time - videojob.created).total_seconds())
        if observed.report is not None and before.progress != after.progress:
            self.metrics.progress_lag.observe((self.now() - observed.report.received_at).total_seconds())
        if before.completion_time is None and after.completion_time is not None:
            self._record_completion(after, after.completion_time)

    def _record_transition(self, videojob: ObservedVideoJob, after: VideoJobStatus) -> None:
        verdict = find_condition(after, "Succeeded")
        reason = verdict.reason if verdict else ""
        self.metrics.transitions.labels(after.state or "", self._bounded(reason)).inc()
        fields = {
            "namespace": videojob.namespace,
            "name": videojob.name,
            "uid": videojob.uid,
            "generation": videojob.generation,
            "attempt": after.attempt,
            "state": after.state,
            "reason": reason,
        }
        log.info("%s/%s is %s", videojob.namespace, videojob.name, after.state, extra={"fields": fields})

    def _record_completion(self, after: VideoJobStatus, at: datetime) -> None:
        verdict = find_condition(after, "Succeeded")
        succeeded = verdict is not None and verdict.status == "True"
        if after.start_time is not None:
            outcome = "succeeded" if succeeded else "failed"
            self.metrics.run_seconds.labels(outcome).observe((at - after.start_time).total_seconds())
        if succeeded and after.output is not None:
            self.metrics.frames.inc(after.output.frames)
            self.metrics.publish_bytes.inc(after.output.bytes)

    def _bounded(self, reason: str) -> str:
        if reason not in self._reasons and len(self._reasons) >= MAX_REASON_LABELS:
            return "Other"
        self._reasons.add(reason)
        return reason
