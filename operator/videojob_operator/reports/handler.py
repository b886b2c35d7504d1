"""
Does this pod speak for this VideoJob? (VJ-4, step 4)

From the caches, without a call: the pod's uid leads to its Job, the Job's controller to the VideoJob, whose uid must be
the one in the URL's audience and in the body. That makes a token worthless which somebody of the same namespace has
made for a pod of their own, and a report of an earlier incarnation of the job. Nobody checks owner references, though:
who may create pods can claim that a Job owns theirs. A Job of ours never has two pods at a time, so the older one is
believed until it has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from videojob_api.messages.report import Report

from videojob_operator.cache.informer import Informer
from videojob_operator.cache.reports import Slots
from videojob_operator.cache.videojobs import VideoJobs
from videojob_operator.domain.names import job_name
from videojob_operator.domain.observation.observed import RUNNER, JobSeen, PodSeen, VideoJobSeen
from videojob_operator.reports.authenticator import Principal, Target
from videojob_operator.reports.rejections import Rejected
from videojob_operator.workqueue import Key, WorkQueue

AFTERWORD = timedelta(seconds=60)
"""How long a pod that has ended may still report."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Checks whose report it is, and puts it into its slot."""

    videojobs: VideoJobs
    jobs: Informer[JobSeen]
    pods: Informer[PodSeen]
    slots: Slots
    queue: WorkQueue
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def owner(self, principal: Principal, target: Target) -> PodSeen:
        """The pod behind the token, if it belongs to the VideoJob; else 403, 404 or 409."""
        videojob = self._videojob(target)
        kept = self.pods.store.get(principal.pod_uid)
        if kept is None or kept.namespace != target.namespace or kept.thing.name != principal.pod:
            raise Rejected(403, "NotThePod", "the token's pod is none of this job's")
        job = self.jobs.store.get(kept.thing.job_uid)
        if job is None or job.thing.owner_uid != videojob.uid or job.thing.name != job_name(videojob.name):
            raise Rejected(403, "NotThePod", "the token's pod is none of this job's")
        if self._is_second(kept.thing):
            raise Rejected(403, "NotThePod", "an older pod of this job is still there: a Job never has two at a time")
        if self._ended_long_ago(kept.thing):
            raise Rejected(403, "PodEnded", "the token's pod ended more than a minute ago")
        return kept.thing

    def accept(self, pod: PodSeen, target: Target, report: Report) -> None:
        """Takes the report; 409 when the slot holds a newer one."""
        wait = self.slots.take(target.uid, report, pod)
        key = Key(target.namespace, target.name)
        if wait is None:
            raise Rejected(409, "OutOfDate", "a newer report of this job has been taken already")
        self.queue.add_within(key, wait)

    def _videojob(self, target: Target) -> VideoJobSeen:
        videojob = self.videojobs.get(Key(target.namespace, target.name))
        if videojob is None or videojob.uid != target.uid:
            raise Rejected(404, "NoSuchJob", f"there is no VideoJob {target.name} with uid {target.uid}")
        if any(item.type == "Succeeded" and item.status != "Unknown" for item in videojob.status.conditions):
            raise Rejected(409, "JobIsOver", "the VideoJob has its verdict")
        return videojob

    def _is_second(self, pod: PodSeen) -> bool:
        """Whether somebody may have put it beside the Job's own pod, with an owner reference of their making."""
        others = self.pods.store.living(pod.job_uid)
        return any(other.created < pod.created and not other.ended for other in others)

    def _ended_long_ago(self, pod: PodSeen) -> bool:
        if pod.phase not in ("Succeeded", "Failed"):
            return False
        end = pod.container(RUNNER).exit
        return end is None or end.finished is None or self.now() - end.finished > AFTERWORD
