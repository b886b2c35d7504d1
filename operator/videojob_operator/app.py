"""
Wires the operator's components together, starts them and stops them.

Startup: check the CRD, ensure the certificates, start kopf and the informers, wait until all caches are synced, then
process the queue and become ready. No decision is made before, because a Job that an incomplete cache lacks would look
deleted. Shutdown (SIGTERM): the queue first, then the servers, then the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from videojob_operator.cache import kopf_watch
from videojob_operator.cache.cluster_cache import ClusterCache, run_resync
from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.observer import Observer
from videojob_operator.cache.reports import ReportBuffer
from videojob_operator.certs.manager import CertificateManager
from videojob_operator.domain.settings import ReconcileSettings
from videojob_operator.health import EventLoopLag, HealthServer, LivenessChecks
from videojob_operator.kube import crd
from videojob_operator.kube.auth import connect
from videojob_operator.kube.client import KubeClient
from videojob_operator.kube.token_review import ApiTokenReviewer
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import JOB_RATE, SOURCE_RATE, RateLimiter
from videojob_operator.reconcile.event_recorder import EventRecorder
from videojob_operator.reconcile.executor import DecisionExecutor
from videojob_operator.reconcile.reconciler import Reconciler
from videojob_operator.reconcile.transitions import TransitionMetrics
from videojob_operator.reports.authenticator import TokenAuthenticator
from videojob_operator.reports.handler import JobReportHandler
from videojob_operator.reports.server import ReportServer, RequestFilters, server_context
from videojob_operator.settings import OperatorSettings

log = logging.getLogger(__name__)

CRD_WAIT_SECONDS = 60.0
EVENT_FLUSH_SECONDS = 2.0
"""Maximum seconds to write the recorded events at shutdown."""


class ComponentStopped(RuntimeError):
    """A long-running component stopped unexpectedly; the operator exits so that Kubernetes restarts it."""


class Operator:
    """One operator process."""

    def __init__(self, settings: OperatorSettings) -> None:
        self.settings = settings
        self.metrics = Metrics(version=settings.version)
        self._stop, self._closing = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Run until SIGTERM, then clean up. Raises IncompatibleCluster, ComponentStopped or ApiError."""
        async with AsyncExitStack() as stack:
            api = await connect()
            stack.push_async_callback(api.close)
            client = KubeClient(api, self.metrics)
            await crd.require_crd(client, timeout_seconds=CRD_WAIT_SECONDS)
            stack.push_async_callback(self._end_tasks)
            await self._run_components(client, stack)

    async def _run_components(self, client: KubeClient, stack: AsyncExitStack) -> None:
        settings, caches = self.settings, self._create_caches(client)
        reports, creations, context = ReportBuffer(), JobCreations(), server_context()
        certificates = CertificateManager(
            client, context, namespace=settings.namespace, secret=settings.tls_secret, names=settings.dns_names
        )
        events = EventRecorder(client, self.metrics, instance=settings.instance)
        observer = Observer(client, caches.videojobs, caches.jobs, caches.pods, caches.refusals, creations, reports)
        executor = DecisionExecutor.create(
            client, caches.videojobs, caches.jobs, events, creations=creations, metrics=self.metrics
        )
        transitions = TransitionMetrics(self.metrics, observer.evict)
        lag = EventLoopLag()
        await self._start_health_server(caches, lag, stack)
        await certificates.ensure()
        await self._start_report_server(
            JobReportHandler(caches.videojobs, caches.jobs, caches.pods, reports, caches.queue), client, context, stack
        )
        reconcile_settings = partial(build_reconcile_settings, settings, certificates)
        reconciler = Reconciler(caches.queue, observer, executor, reconcile_settings, transitions, self.metrics)
        for component in (lag.run(), certificates.run(), events.run(), *caches.runs()):
            self._start_component(component)
        self._start_component(self._reconcile(caches, reconciler))
        await kopf_watch.run_kopf(
            caches.videojobs,
            namespaces=settings.watch_namespaces,
            idle_timeout=settings.watch_silence_seconds,
            stop=self._stop,
            on_cleanup=lambda: self._close(events),
        )
        if self._failure is not None:
            raise ComponentStopped(f"{type(self._failure).__name__}: {self._failure}") from self._failure

    def _create_caches(self, client: KubeClient) -> ClusterCache:
        settings = self.settings
        return ClusterCache.create(
            client, self.metrics, namespaces=settings.watch_scopes, idle_timeout=settings.watch_silence_seconds
        )

    async def _reconcile(self, caches: ClusterCache, reconciler: Reconciler) -> None:
        """Process the queue after the caches have synced."""
        await caches.wait_for_sync()
        log.info("caches synced: %d VideoJobs", len(caches.videojobs))
        async with asyncio.TaskGroup() as group:
            group.create_task(reconciler.run())
            group.create_task(caches.videojobs.run_relist(every=self.settings.sweep_seconds))
            group.create_task(run_resync(caches, every=self.settings.sweep_seconds))

    async def _start_health_server(self, caches: ClusterCache, lag: EventLoopLag, stack: AsyncExitStack) -> None:
        checks = LivenessChecks(
            watch_staleness=caches.watch_staleness,
            oldest_key_age=caches.queue.oldest_age,
            longest_reconcile=caches.queue.longest_running,
            loop_lag=lag,
            ready=caches.has_synced,
            max_staleness=self.settings.health_watch_seconds,
        )
        server = HealthServer(checks, self.metrics, refresh=lambda: self._update_gauges(caches))
        stack.push_async_callback(server.stop)
        port = await server.start(host=self.settings.bind or None, port=self.settings.metrics_port)
        log.info("probes and metrics on port %d", port)

    async def _start_report_server(
        self, handler: JobReportHandler, client: KubeClient, context: Any, stack: AsyncExitStack
    ) -> None:
        filters = RequestFilters(
            source_limiter=RateLimiter(SOURCE_RATE),
            authenticator=TokenAuthenticator(ApiTokenReviewer(client), self.metrics),
            job_limiter=RateLimiter(JOB_RATE),
            has_synced=lambda: handler.videojobs.has_synced and handler.jobs.has_synced and handler.pods.has_synced,
        )
        server = ReportServer(handler, filters, self.metrics)
        stack.push_async_callback(server.stop)
        port = await server.start(host=self.settings.bind or None, port=self.settings.status_port, context=context)
        log.info("reports on port %d", port)

    def _update_gauges(self, caches: ClusterCache) -> None:
        self.metrics.jobs.clear()
        for state, count in caches.videojobs.count_by_state().items():
            self.metrics.jobs.labels(state).set(count)
        self.metrics.queue_depth.set(len(caches.queue))

    def _start_component(self, component: Coroutine[Any, Any, None]) -> None:
        """Run a component concurrently; if it ends, the operator exits."""
        task = asyncio.create_task(component)
        task.add_done_callback(self._on_component_stopped)
        self._tasks.append(task)

    def _on_component_stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._closing.is_set():
            self._failure = task.exception() or ComponentStopped("without an error")
            log.critical("a component stopped unexpectedly, shutting down", exc_info=self._failure)
            self._stop.set()

    async def _close(self, events: EventRecorder) -> None:
        """Flush events while the other components still run."""
        self._closing.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(events.flush(), EVENT_FLUSH_SECONDS)

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def build_reconcile_settings(settings: OperatorSettings, certificates: CertificateManager) -> ReconcileSettings:
    """The settings of the next decision; built each time because the CA may have been renewed."""
    return settings.reconcile_settings(authority=certificates.ca_pem)
