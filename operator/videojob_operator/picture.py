"""
What the caches know about one VideoJob, put together for `decide`; and the tidying when a VideoJob is gone.

Reading the picture costs no call, with one exception: a Job that has been without any pod for a while has its
FailedCreate events read, at most every ten seconds, because nothing else says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from videojob_operator.cluster.api import Api
from videojob_operator.cluster.events import failed_create
from videojob_operator.cluster.informer import Informer
from videojob_operator.cluster.notes import Notes
from videojob_operator.cluster.videojobs import VideoJobs
from videojob_operator.domain.names import job_name
from videojob_operator.domain.observed import JobSeen, Observed, PodSeen, VideoJobSeen
from videojob_operator.reports.slots import Slots

PODLESS_AFTER = timedelta(seconds=2)
"""A Job controller that may make a pod has made it by then."""
EVENTS_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Picture:
    """All caches side by side."""

    client: Api
    videojobs: VideoJobs
    jobs: Informer[JobSeen]
    pods: Informer[PodSeen]
    notes: Notes
    slots: Slots
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def observe(self, videojob: VideoJobSeen) -> Observed:
        """Everything known about one VideoJob now."""
        job = self._job(videojob)
        pods = self._pods(job)
        if job is not None and not pods and self._is_podless(job):
            await self._read_events(videojob, job)
        note = self.notes.of(videojob.uid)
        return Observed(
            videojob=videojob,
            job=job,
            pods=pods,
            warnings=note.warnings,
            creation_problem=note.problem,
            report=self.slots.show(videojob.uid),
        )

    def forget(self, uid: str) -> None:
        """The VideoJob of this uid is gone or over."""
        self.notes.forget(uid)
        self.slots.forget(uid)

    def _job(self, videojob: VideoJobSeen) -> JobSeen | None:
        found = self.jobs.store.living((videojob.namespace, job_name(videojob.name)))
        return max(found, key=lambda job: job.created, default=None)

    def _pods(self, job: JobSeen | None) -> tuple[PodSeen, ...]:
        if job is None:
            return ()
        gone = (replace(pod, gone=True) for pod in self.pods.store.gone(job.uid))
        return (*self.pods.store.living(job.uid), *gone)

    def _is_podless(self, job: JobSeen) -> bool:
        waiting = not (job.suspend or job.finished or job.deleting)
        return waiting and self.now() - (job.started or job.created) > PODLESS_AFTER

    async def _read_events(self, videojob: VideoJobSeen, job: JobSeen) -> None:
        if self.notes.wants_events(videojob.uid, every=EVENTS_EVERY):
            found = await failed_create(self.client, namespace=videojob.namespace, job_uid=job.uid)
            self.notes.heard(videojob.uid, found)
