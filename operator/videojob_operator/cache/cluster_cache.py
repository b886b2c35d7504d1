"""
All caches of one operator process and the queue that they feed: VideoJobs, Jobs, pods and FailedCreate events.

No decision is made before `wait_for_sync` returns: a Job that an incomplete cache lacks would look deleted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from videojob_operator.cache.indexer import CachedObject
from videojob_operator.cache.informer import Informer, InformerOptions
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.observation.observed import ObservedJob, ObservedPod, PodRefusal
from videojob_operator.domain.observation.projection import project_job, project_pod, project_refusal
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import ApiError
from videojob_operator.kube.kinds import EVENTS, JOBS, PODS
from videojob_operator.metrics import Metrics
from videojob_operator.workqueue import ObjectKey, WorkQueue

log = logging.getLogger(__name__)

FAILED_CREATE = {"fieldSelector": "reason=FailedCreate,regarding.kind=Job"}
EVENT_WATCH_SECONDS = 60
"""Seconds that one watch of events stays open: the API server has no watch cache for events and sends no bookmarks."""


@dataclass(frozen=True, slots=True)
class ClusterCache:
    """The caches, and the queue of changed keys."""

    queue: WorkQueue
    videojobs: VideoJobCache
    jobs: Informer[ObservedJob]
    pods: Informer[ObservedPod]
    refusals: Informer[PodRefusal]
    """FailedCreate events. Optional: nothing waits for them, and a missing right costs the reasons, not the jobs."""

    @classmethod
    def create(
        cls, client: KubeApi, metrics: Metrics, *, namespaces: tuple[str | None, ...], idle_timeout: float
    ) -> ClusterCache:
        """Empty caches over a client. `namespaces` is (None,) for all; `idle_timeout` in seconds."""
        queue = WorkQueue(metrics)

        def enqueue(cached: CachedObject[Any]) -> None:
            if cached.videojob:
                queue.add(ObjectKey(cached.namespace, cached.videojob))

        common: dict[str, Any] = {"on_change": enqueue, "metrics": metrics, "namespaces": namespaces}
        options = InformerOptions(idle_timeout=idle_timeout)
        jobs: Informer[ObservedJob] = Informer(
            client,
            JOBS,
            project=project_job,
            index=lambda cached: (cached.namespace, cached.projection.name),
            options=options,
            **common,
        )
        pods: Informer[ObservedPod] = Informer(
            client, PODS, project=project_pod, index=lambda cached: cached.projection.job_uid, options=options, **common
        )
        refusals: Informer[PodRefusal] = Informer(
            client,
            EVENTS,
            project=project_refusal,
            index=lambda cached: cached.projection.job_uid,
            options=replace(options, selector=FAILED_CREATE, server_seconds=EVENT_WATCH_SECONDS),
            videojob_of=partial(videojob_of_event, jobs),
            **common,
        )
        return cls(queue, VideoJobCache(client, queue.add, namespaces=namespaces), jobs, pods, refusals)

    async def wait_for_sync(self) -> None:
        """Wait until Jobs, pods and VideoJobs have been listed once."""
        await asyncio.gather(self.jobs.wait_for_sync(), self.pods.wait_for_sync())
        while not self.videojobs.has_synced:
            try:
                await self.videojobs.initial_sync()
            except ApiError as error:
                log.warning("the initial list of VideoJobs failed, retrying in 2 s: %s", error)
                await asyncio.sleep(2)

    def runs(self) -> Iterator[Coroutine[Any, Any, None]]:
        """The endless list-and-watch loops of the informers."""
        return (informer.run() for informer in (self.jobs, self.pods, self.refusals))

    def has_synced(self) -> bool:
        """True if the caches are complete, so that decisions and reports can be evaluated."""
        return self.videojobs.has_synced and self.jobs.has_synced and self.pods.has_synced

    def watch_staleness(self) -> dict[str, float]:
        """Seconds since each watch was last known to work; for kopf's, only while the API server responds."""
        undelivered = min(self.videojobs.delivery_lag(), self.jobs.connected_for())
        return {"Job": self.jobs.staleness(), "Pod": self.pods.staleness(), "VideoJob": undelivered}


def videojob_of_event(jobs: Informer[ObservedJob], raw: Mapping[str, Any]) -> str:
    """The VideoJob whose Job an event is about; empty if the Job does not belong to a VideoJob."""
    cached = jobs.store.get((raw.get("regarding") or {}).get("uid", ""))
    return cached.videojob if cached else ""


async def run_resync(caches: ClusterCache, *, every: float) -> None:
    """Enqueue every VideoJob once in `every` seconds, spread evenly, without end."""
    while True:
        keys = list(caches.videojobs)
        for key in keys:
            caches.queue.resync(key)
            await asyncio.sleep(every / len(keys))
        if not keys:
            await asyncio.sleep(every)
