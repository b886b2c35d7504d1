"""
Authorizes reports: does this pod belong to this VideoJob? (VJ-4, step 4)

Answered from the caches without an API call: the pod's uid leads to its Job, the Job's controller to the VideoJob,
whose uid must match the URL's audience and the body. Tokens of other pods of the namespace and reports of an earlier
VideoJob of the same name are thus rejected. Owner references are not verified by Kubernetes: whoever may create pods
can claim that a Job owns them. A Job of the operator never has two pods at a time, so the older one is trusted until it
has finished.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from videojob_api.messages.report import Report

from videojob_operator.cache.informer import Informer
from videojob_operator.cache.reports import ReportBuffer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.conditions import is_finished
from videojob_operator.domain.names import RUNNER, job_name
from videojob_operator.domain.observation.observed import ObservedJob, ObservedPod, ObservedVideoJob
from videojob_operator.reports.authenticator import Principal, ReportTarget
from videojob_operator.reports.rejections import ReportRejected
from videojob_operator.workqueue import ObjectKey, WorkQueue

LATE_REPORT_WINDOW = timedelta(seconds=60)
"""Time for which a terminated pod may still report."""


@dataclass(frozen=True, slots=True)
class JobReportHandler:
    """Authorizes reports and puts them into the buffer."""

    videojobs: VideoJobCache
    jobs: Informer[ObservedJob]
    pods: Informer[ObservedPod]
    reports: ReportBuffer
    queue: WorkQueue
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def authorize(self, principal: Principal, target: ReportTarget) -> ObservedPod:
        """The pod behind the token if it belongs to the VideoJob. Raises ReportRejected (403, 404 or 409)."""
        videojob = self._videojob(target)
        cached = self.pods.store.get(principal.pod_uid)
        if cached is None or cached.namespace != target.namespace or cached.projection.name != principal.pod:
            raise ReportRejected(403, "NotThePod", "the token's pod does not belong to this job")
        job = self.jobs.store.get(cached.projection.job_uid)
        if job is None or job.projection.owner_uid != videojob.uid or job.projection.name != job_name(videojob.name):
            raise ReportRejected(403, "NotThePod", "the token's pod does not belong to this job")
        if self._has_older_pod(cached.projection):
            raise ReportRejected(403, "NotThePod", "an older pod of this job still exists: a Job has one pod at a time")
        if self._ended_long_ago(cached.projection):
            raise ReportRejected(403, "PodEnded", "the token's pod ended more than a minute ago")
        return cached.projection

    def accept(self, pod: ObservedPod, target: ReportTarget, report: Report) -> None:
        """Buffer the report. Raises ReportRejected (409) if a newer one is buffered."""
        wait = self.reports.put(target.uid, report, pod)
        key = ObjectKey(target.namespace, target.name)
        if wait is None:
            raise ReportRejected(409, "OutOfDate", "a newer report for this job was already accepted")
        self.queue.add_after(key, wait)

    def _videojob(self, target: ReportTarget) -> ObservedVideoJob:
        videojob = self.videojobs.get(ObjectKey(target.namespace, target.name))
        if videojob is None or videojob.uid != target.uid:
            raise ReportRejected(404, "NoSuchJob", f"there is no VideoJob {target.name} with uid {target.uid}")
        if is_finished(videojob.status):
            raise ReportRejected(409, "JobIsOver", "the VideoJob has finished")
        return videojob

    def _has_older_pod(self, pod: ObservedPod) -> bool:
        """True if an older pod is active: this one may have been created by a client with a forged owner reference."""
        others = self.pods.store.by_index(pod.job_uid)
        return any(other.created < pod.created and not other.is_terminal for other in others)

    def _ended_long_ago(self, pod: ObservedPod) -> bool:
        if pod.phase not in ("Succeeded", "Failed"):
            return False
        end = pod.container(RUNNER).exit
        return end is None or end.finished_at is None or self.now() - end.finished_at > LATE_REPORT_WINDOW
