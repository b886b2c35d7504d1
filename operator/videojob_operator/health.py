"""
Probes and metrics over plain http: /healthz, /readyz and /metrics.

An operator whose watches have died still answers probes. Liveness therefore checks that every watch is fresh, that kopf
delivers the operator's own writes, that no worker is stuck on a key, and that the event loop is responsive; the
response lists failed checks. An API server that is slow, paused or unavailable is no reason to restart: a failing watch
that is retried counts as working, and so does a worker whose calls time out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from videojob_operator.metrics import Metrics

LONGEST_RECONCILE, MAX_LOOP_LAG = 180.0, 30.0
"""Healthy limits in seconds: a reconcile makes at most six calls of 20 s; a starved CPU delays the loop for seconds."""
LAG_INTERVAL = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LivenessChecks:
    """Sources of the liveness checks, in seconds, read at each probe."""

    watch_staleness: Callable[[], dict[str, float]]
    """By kind: seconds since its watch was last known to work."""
    oldest_key_age: Callable[[], float]
    longest_reconcile: Callable[[], float]
    """Seconds that a worker has been busy with one key."""
    loop_lag: Callable[[], float]
    ready: Callable[[], bool]
    max_staleness: float = 150.0

    def failures(self) -> Iterator[str]:
        """Yield the failed checks as text."""
        for kind, age in self.watch_staleness().items():
            if age > self.max_staleness:
                yield f"the watch of {kind} has been silent for {age:.0f} s"
        if (age := self.longest_reconcile()) > LONGEST_RECONCILE:
            yield f"a worker has been busy with the same key for {age:.0f} s"
        if (lag := self.loop_lag()) > MAX_LOOP_LAG:
            yield f"the event loop is {lag:.0f} s late"


class EventLoopLag:
    """Delay of the event loop: the current one, or the last one measured."""

    def __init__(self, *, every: float = LAG_INTERVAL) -> None:
        self._every = every
        self._due = asyncio.get_running_loop().time()
        self._last = 0.0

    def __call__(self) -> float:
        """The delay in seconds."""
        return max(self._last, asyncio.get_running_loop().time() - self._due)

    async def run(self) -> None:
        """Measure without end."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + self._every
            await asyncio.sleep(self._every)
            self._last = max(0.0, loop.time() - self._due)


class HealthServer:
    """Serves probes and metrics; `refresh` updates the gauges before they are read."""

    def __init__(self, checks: LivenessChecks, metrics: Metrics, *, refresh: Callable[[], None]) -> None:
        self._checks, self._metrics, self._refresh = checks, metrics, refresh
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, *, host: str | None, port: int) -> int:
        """Listen and return the port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close all connections."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        failures = "\n".join(self._checks.failures())
        return web.Response(status=503 if failures else 200, text=failures or "ok")

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._checks.ready()
        return web.Response(status=200 if ready else 503, text="ok" if ready else "caches not synced yet")

    async def _show_metrics(self, _: web.Request) -> web.Response:
        self._refresh()
        self._metrics.loop_lag.set(self._checks.loop_lag())
        self._metrics.queue_oldest.set(self._checks.oldest_key_age())
        for kind, age in self._checks.watch_staleness().items():
            self._metrics.informer_age.labels(kind).set(age)
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
