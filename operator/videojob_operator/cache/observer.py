"""
Assembles what the caches know about one VideoJob for `decide`, and evicts entries of VideoJobs that are gone.

Observing makes no API call, with one exception: when a Job has finished and the cache has no termination message of its
newest pod, the pods are read from the API server once, so that a lagging or silent watch is never taken for evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.reports import ReportBuffer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.conditions import is_finished
from videojob_operator.domain.names import AGENT, UID_LABEL, job_name
from videojob_operator.domain.observation.observed import (
    Observed,
    ObservedJob,
    ObservedPod,
    ObservedVideoJob,
    PodRefusal,
)
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.kinds import PODS


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads all caches."""

    client: KubeApi
    videojobs: VideoJobCache
    jobs: Informer[ObservedJob]
    pods: Informer[ObservedPod]
    refusals: Informer[PodRefusal]
    creations: JobCreations
    reports: ReportBuffer
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def observe(self, videojob: ObservedVideoJob) -> Observed:
        """Observe one VideoJob. Raises ApiError if the pods of a finished Job cannot be read."""
        job, creation = self._job(videojob), self.creations.get(videojob.uid)
        is_open = job is not None and job.is_finished and not is_finished(videojob.status)
        if job is not None and is_open and creation.pods_read_of != job.uid and not self._has_termination_message(job):
            await self._read_pods(videojob)
            creation.pods_read_of = job.uid
        return Observed(
            videojob=videojob,
            job=job,
            pods=tuple(creation.with_failing_since(pod, now=self.now()) for pod in self._pods(job)),
            warnings=creation.warnings,
            refusals=tuple(map(creation.with_first_refusal, self.refusals.store.by_index(job.uid) if job else ())),
            refusals_hidden=self.refusals.is_shut_out,
            newest_pod=self.pods.store.newest,
            pods_read=job is not None and creation.pods_read_of == job.uid,
            creation_problem=creation.problem,
            report=self.reports.get(videojob.uid),
        )

    def evict(self, uid: str) -> None:
        """Drop the cached facts of a VideoJob that was deleted or has finished."""
        self.creations.evict(uid)
        self.reports.evict(uid)

    def _job(self, videojob: ObservedVideoJob) -> ObservedJob | None:
        found = self.jobs.store.by_index((videojob.namespace, job_name(videojob.name)))
        return max(found, key=lambda job: job.created, default=None)

    def _pods(self, job: ObservedJob | None) -> tuple[ObservedPod, ...]:
        if job is None:
            return ()
        gone = (replace(pod, deleted=True) for pod in self.pods.store.tombstones(job.uid))
        return (*self.pods.store.by_index(job.uid), *gone)

    def _has_termination_message(self, job: ObservedJob) -> bool:
        """True if the newest pod has terminated and its agent's exit is known."""
        newest = max(self._pods(job), key=lambda pod: (pod.created, pod.name), default=None)
        return newest is not None and newest.is_terminal and newest.container(AGENT).exit is not None

    async def _read_pods(self, videojob: ObservedVideoJob) -> None:
        """Read the VideoJob's pods from the API server into the cache."""
        query = {"labelSelector": f"{UID_LABEL}={videojob.uid}"}
        async for page in self.client.list_pages(PODS, namespace=videojob.namespace, query=query):
            for raw in page.get("items") or ():
                self.pods.put(raw)
