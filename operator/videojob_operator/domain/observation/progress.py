"""
Merges progress reports of a pod into the status of a VideoJob.

A report is state, not history: only the newest one of a job matters, so there is one slot per job and no queue. A newer
pod replaces an older one, then the higher sequence number wins; percent and frames never decrease within one pod. A
slot is flushed at once when the state changes, and otherwise when the cluster-wide write budget allows. Losing a report
is harmless; overwriting a new one with an old one is not, hence the sequence numbers.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError
from videojob_api.messages.report import Report
from videojob_api.resource.status import OutputStatus, ProgressStatus

from videojob_operator.domain.names import AGENT
from videojob_operator.domain.observation.observed import ObservedPod, ObservedReport

MIN_FLUSH_INTERVAL = timedelta(seconds=2)
"""Minimum time between two progress writes of one job."""
WRITES_PER_SECOND = 50
"""Write budget of all running jobs together (VJ-6)."""


def flush_interval(*, running: int) -> timedelta:
    """Time between two progress writes of one job, so that `running` jobs keep the budget."""
    return max(MIN_FLUSH_INTERVAL, timedelta(seconds=running / WRITES_PER_SECOND))


def accept_report(
    slot: ObservedReport | None, report: Report, *, pod_uid: str, pod_created: datetime, now: datetime
) -> ObservedReport | None:
    """The slot after `report`; None if the slot holds something newer (the endpoint answers 409)."""
    if slot and slot.pod_uid != pod_uid and slot.pod_created > pod_created:
        return None
    same_pod = slot is not None and slot.pod_uid == pod_uid
    before = slot.report if slot and same_pod else None
    if before and report.sequence <= before.sequence:
        return None
    monotonic = enforce_monotonic(before, report)
    moved = slot is None or before is None or _substance(before) != _substance(monotonic)
    return ObservedReport(
        report=monotonic,
        pod_uid=pod_uid,
        pod_created=pod_created,
        received_at=now,
        progressed_at=now if moved or slot is None else slot.progressed_at,
    )


def enforce_monotonic(before: Report | None, report: Report) -> Report:
    """`report`, in percent and frames no smaller than `before` of the same pod; a missing field means unchanged."""
    if before is None:
        return report
    return report.model_copy(
        update={
            "percent": max(before.percent, report.percent),
            "frames_done": _larger(before.frames_done, report.frames_done),
            "frames_total": before.frames_total if report.frames_total is None else report.frames_total,
            "published": report.published or before.published,
        }
    )


def is_urgent(previous: ObservedReport | None, slot: ObservedReport) -> bool:
    """True if `slot` must be written at once: a first report, a new state, a new pod."""
    return previous is None or previous.pod_uid != slot.pod_uid or previous.report.state is not slot.report.state


def termination_report(pod: ObservedPod, *, uid: str) -> Report | None:
    """The agent's termination message, if it is a report about this VideoJob."""
    end = pod.container(AGENT).exit
    try:
        report = Report.model_validate_json(end.message) if end else None
    except ValidationError:
        return None
    return report if report and report.uid == uid else None


def merge_progress(
    before: ProgressStatus | None, *, pushed: Report | None, last: Report | None
) -> ProgressStatus | None:
    """The newer of push and termination message, merged into `before`; progress never decreases."""
    source: Literal["push", "termination"] = "push"
    newest = pushed
    if last and (newest is None or last.sequence > newest.sequence):
        newest, source = last, "termination"
    if newest is None or (before and before.sequence >= newest.sequence):
        return before
    found = _progress(newest, before, source)
    return before if before and _visible(before) == _visible(found) else found


def _progress(report: Report, before: ProgressStatus | None, source: Literal["push", "termination"]) -> ProgressStatus:
    done = _larger(before.frames_done if before else None, report.frames_done)
    total = report.frames_total if report.frames_total is not None else (before.frames_total if before else None)
    return ProgressStatus(
        state=report.state.value,
        percent=max(report.percent, before.percent if before else 0),
        frames_done=done,
        frames_total=total,
        frames=format_frames(done, total),
        eta_seconds=report.eta_seconds,
        message=report.message,
        sequence=report.sequence,
        observed_time=report.observed_time,
        source=source,
    )


def _visible(progress: ProgressStatus) -> ProgressStatus:
    """The fields whose change is worth a write: a heartbeat alone is not."""
    return progress.model_copy(update={"sequence": 0, "observed_time": None, "source": "push"})


def format_frames(done: int | None, total: int | None) -> str | None:
    """The printer column: `done/total`, `done` while the total is unknown."""
    if done is None:
        return None
    return str(done) if total is None else f"{done}/{total}"


def merge_output(before: OutputStatus | None, *, url: str, reports: tuple[Report | None, ...]) -> OutputStatus | None:
    """Merge reports about the output at `url`: counts never decrease, and a manifest digest is final."""
    for report in reports:
        published = report.published if report else None
        if published is None:
            continue
        before = OutputStatus(
            url=published.url or url,
            manifest_digest=published.manifest_digest or (before.manifest_digest if before else None),
            frames=max(published.frames, before.frames if before else 0),
            bytes=max(published.bytes, before.bytes if before else 0),
            videos=published.videos or (before.videos if before else []),
        )
    return before


def _larger(before: int | None, now: int | None) -> int | None:
    known = [value for value in (before, now) if value is not None]
    return max(known, default=None)


def _substance(report: Report) -> tuple[object, ...]:
    return report.state, report.percent, report.frames_done
