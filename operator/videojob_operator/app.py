"""
Everything put together, and the order of starting and stopping.

Starting: the definition must fit; certificates; kopf and the informers begin to look; once VideoJobs have been swept
and Jobs and pods listed, the queue starts and the operator is ready. Nothing is decided before the picture is complete,
because a Job that is not in an incomplete picture looks deleted. Stopping (SIGTERM): the queue first, then the doors,
then the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from videojob_operator.cache import kopf_watch
from videojob_operator.cache.creations import Notes
from videojob_operator.cache.informer import Informer, Kept, Watching
from videojob_operator.cache.observer import Picture
from videojob_operator.cache.reports import Slots
from videojob_operator.cache.videojobs import VideoJobs
from videojob_operator.certs.manager import Keeper
from videojob_operator.domain.observation.observed import JobSeen, PodRefusal, PodSeen
from videojob_operator.domain.observation.projection import project_job, project_pod, project_refusal
from videojob_operator.domain.settings import Settings as DomainSettings
from videojob_operator.health import HealthServer, LoopLag, Signs
from videojob_operator.kube import crd
from videojob_operator.kube.auth import connect
from videojob_operator.kube.client import Client
from videojob_operator.kube.errors import ClusterError
from videojob_operator.kube.kinds import EVENTS, JOBS, PODS
from videojob_operator.kube.token_review import ApiReviewer
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import PER_JOB, PER_SOURCE, Limiter
from videojob_operator.reconcile.event_recorder import Events
from videojob_operator.reconcile.executor import Hand
from videojob_operator.reconcile.reconciler import Loop
from videojob_operator.reconcile.transitions import Stages
from videojob_operator.reports.authenticator import Tokens
from videojob_operator.reports.handler import Desk
from videojob_operator.reports.server import Gates, ReportServer, server_context
from videojob_operator.settings import Settings
from videojob_operator.workqueue import Key, WorkQueue

log = logging.getLogger(__name__)

CRD_PATIENCE = 60.0
FAILED_CREATE = {"fieldSelector": "reason=FailedCreate,regarding.kind=Job"}
EVENT_WATCH_SECONDS = 60
"""How long one watch of events stays open: the API server keeps no watch cache for them and so sends no bookmarks."""
LAST_EVENTS = 2.0
"""Seconds that recorded events may take to be written when the operator stops."""


@dataclass(frozen=True, slots=True)
class Caches:
    """The picture's sources and the queue they feed."""

    queue: WorkQueue
    videojobs: VideoJobs
    jobs: Informer[JobSeen]
    pods: Informer[PodSeen]
    refusals: Informer[PodRefusal]
    """FailedCreate events. Only a hint: nothing waits for it, and a missing right costs the reasons, not the jobs."""

    @classmethod
    def make(cls, client: Client, settings: Settings, metrics: Metrics) -> Caches:
        """Empty caches over a client."""
        queue = WorkQueue(metrics)

        def changed(kept: Kept[Any]) -> None:
            if kept.videojob:
                queue.add(Key(kept.namespace, kept.videojob))

        common: dict[str, Any] = {"changed": changed, "metrics": metrics, "namespaces": settings.namespaces}
        watching = Watching(silence=settings.watch_silence_seconds)
        jobs: Informer[JobSeen] = Informer(
            client,
            JOBS,
            project=project_job,
            index=lambda kept: (kept.namespace, kept.thing.name),
            watching=watching,
            **common,
        )
        pods: Informer[PodSeen] = Informer(
            client, PODS, project=project_pod, index=lambda kept: kept.thing.job_uid, watching=watching, **common
        )
        refusals: Informer[PodRefusal] = Informer(
            client,
            EVENTS,
            project=project_refusal,
            index=lambda kept: kept.thing.job_uid,
            watching=replace(watching, selector=FAILED_CREATE, server_seconds=EVENT_WATCH_SECONDS),
            videojob_of=partial(videojob_of_event, jobs),
            **common,
        )
        return cls(queue, VideoJobs(client, queue.add, namespaces=settings.namespaces), jobs, pods, refusals)

    async def complete(self) -> None:
        """Until everything there is has been seen once."""
        await asyncio.gather(self.jobs.wait_synced(), self.pods.wait_synced())
        while not self.videojobs.swept:
            try:
                await self.videojobs.first_sweep()
            except ClusterError as error:
                log.warning("the first sweep of VideoJobs failed, again in 2 s: %s", error)
                await asyncio.sleep(2)

    def runs(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What keeps the informers true, each without end."""
        return (informer.run() for informer in (self.jobs, self.pods, self.refusals))

    def ready(self) -> bool:
        """Whether decisions and reports can be judged."""
        return self.videojobs.swept and self.jobs.synced and self.pods.synced

    def silences(self) -> dict[str, float]:
        """Seconds since each watch last proved that it works; kopf can deliver only what the API server answers."""
        undelivered = min(self.videojobs.deaf_for(), self.jobs.connected_for())
        return {"Job": self.jobs.age(), "Pod": self.pods.age(), "VideoJob": undelivered}


def videojob_of_event(jobs: Informer[JobSeen], raw: Mapping[str, Any]) -> str:
    """The VideoJob whose Job an event is about; empty for a Job that is not ours."""
    kept = jobs.store.get((raw.get("regarding") or {}).get("uid", ""))
    return kept.videojob if kept else ""


class PartEnded(RuntimeError):
    """A part that runs for ever has ended: half an operator helps nobody, so the whole of it goes."""


class Operator:
    """One operator process; `run` returns after SIGTERM."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics(version=settings.version)
        self._stop, self._closing = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Starts, works until told to stop, cleans up; UnfitCluster or PartEnded when it cannot go on."""
        async with AsyncExitStack() as stack:
            api = await connect()
            stack.push_async_callback(api.close)
            client = Client(api, self.metrics)
            await crd.require_crd(client, patience=CRD_PATIENCE)
            stack.push_async_callback(self._end_tasks)
            await self._work(client, stack)

    async def _work(self, client: Client, stack: AsyncExitStack) -> None:
        settings, caches = self.settings, Caches.make(client, self.settings, self.metrics)
        slots, notes, context = Slots(), Notes(), server_context()
        keeper = Keeper(
            client, context, namespace=settings.namespace, secret=settings.tls_secret, names=settings.dns_names
        )
        events = Events(client, self.metrics, instance=settings.instance)
        picture = Picture(client, caches.videojobs, caches.jobs, caches.pods, caches.refusals, notes, slots)
        hand = Hand(client, caches.videojobs, caches.jobs, events, notes, self.metrics)
        stages = Stages(self.metrics, picture.forget)
        lag = LoopLag()
        await self._probes(caches, lag, stack)
        await keeper.ensure()
        await self._door(Desk(caches.videojobs, caches.jobs, caches.pods, slots, caches.queue), client, context, stack)
        told = partial(settings_of, settings, keeper)
        loop = Loop(caches.queue, picture, hand, told, stages, self.metrics)
        for part in (lag.run(), keeper.keep(), events.run(), *caches.runs()):
            self._begin(part)
        self._begin(self._decide(caches, loop))
        await kopf_watch.run(
            caches.videojobs,
            namespaces=settings.watch_namespaces,
            silence=settings.watch_silence_seconds,
            stop=self._stop,
            stopping=lambda: self._close(events),
        )
        if self._failure is not None:
            raise PartEnded(f"{type(self._failure).__name__}: {self._failure}") from self._failure

    async def _decide(self, caches: Caches, loop: Loop) -> None:
        """The queue's work, once the picture is complete."""
        await caches.complete()
        log.info("the picture is complete: %d VideoJobs", len(caches.videojobs))
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run())
            group.create_task(caches.videojobs.keep_sweeping(every=self.settings.sweep_seconds))
            group.create_task(resync(caches, every=self.settings.sweep_seconds))

    async def _probes(self, caches: Caches, lag: LoopLag, stack: AsyncExitStack) -> None:
        signs = Signs(
            watches=caches.silences,
            oldest_key=caches.queue.oldest,
            longest_reconcile=caches.queue.longest_running,
            loop_lag=lag,
            ready=caches.ready,
            longest_silence=self.settings.health_watch_seconds,
        )
        server = HealthServer(signs, self.metrics, refresh=lambda: self._gauge(caches))
        stack.push_async_callback(server.stop)
        port = await server.start(host=self.settings.bind or None, port=self.settings.metrics_port)
        log.info("probes and metrics on port %d", port)

    async def _door(self, desk: Desk, client: Client, context: Any, stack: AsyncExitStack) -> None:
        gates = Gates(
            sources=Limiter(PER_SOURCE),
            tokens=Tokens(ApiReviewer(client), self.metrics),
            jobs=Limiter(PER_JOB),
            ready=lambda: desk.videojobs.swept and desk.jobs.synced and desk.pods.synced,
        )
        server = ReportServer(desk, gates, self.metrics)
        stack.push_async_callback(server.stop)
        port = await server.start(host=self.settings.bind or None, port=self.settings.status_port, context=context)
        log.info("reports on port %d", port)

    def _gauge(self, caches: Caches) -> None:
        self.metrics.jobs.clear()
        for state, count in caches.videojobs.states().items():
            self.metrics.jobs.labels(state).set(count)
        self.metrics.queue_depth.set(len(caches.queue))

    def _begin(self, part: Coroutine[Any, Any, None]) -> None:
        """Runs a part beside the others; one that ends, ends the operator."""
        task = asyncio.create_task(part)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._closing.is_set():
            self._failure = task.exception() or PartEnded("without an error")
            log.critical("a part of the operator ended, stopping", exc_info=self._failure)
            self._stop.set()

    async def _close(self, events: Events) -> None:
        """The last things that need the other parts alive."""
        self._closing.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(events.flush(), LAST_EVENTS)

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def settings_of(settings: Settings, keeper: Keeper) -> DomainSettings:
    """What `decide` is told; asked anew each time, since the authority may have been renewed."""
    return settings.domain(authority=keeper.authority)


async def resync(caches: Caches, *, every: float) -> None:
    """Has every VideoJob looked at once in `every` seconds, spread over that time, without end."""
    while True:
        keys = list(caches.videojobs)
        for key in keys:
            caches.queue.resync(key)
            await asyncio.sleep(every / len(keys))
        if not keys:
            await asyncio.sleep(every)
