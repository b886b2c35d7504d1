"""Liveness: deaf, stuck or late is dead; the answer says which."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
from videojob_operator.health import EventLoopLag, HealthServer, LivenessChecks

from tests.unit.operator.fakes import metrics


@dataclass
class Body:
    """An operator's signs of life, for a test to set."""

    silence: dict[str, float] = field(default_factory=lambda: {"Job": 1.0, "Pod": 2.0})
    oldest: float = 0.0
    busy: float = 0.0
    lag: float = 0.0
    ready: bool = True

    @property
    def signs(self) -> LivenessChecks:
        return LivenessChecks(
            watch_staleness=lambda: self.silence,
            oldest_key_age=lambda: self.oldest,
            longest_reconcile=lambda: self.busy,
            loop_lag=lambda: self.lag,
            ready=lambda: self.ready,
        )


@asynccontextmanager
async def answering(body: Body) -> AsyncIterator[str]:
    """The address of a health server."""
    server = HealthServer(body.signs, metrics(), refresh=lambda: None)
    port = await server.start(host="127.0.0.1", port=0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


async def get(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{address}/{path}") as answer:
        return answer.status, await answer.text()


async def test_a_healthy_operator_says_ok() -> None:
    async with answering(Body()) as address:
        assert await get(address, "healthz") == (200, "ok")
        assert await get(address, "readyz") == (200, "ok")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (Body(silence={"Job": 1, "Pod": 151}), "the watch of Pod has been silent for 151 s"),
        (Body(busy=181), "a worker has been busy with the same key for 181 s"),
        (Body(lag=31), "the event loop is 31 s late"),
    ],
)
async def test_what_is_wrong_fails_the_probe_and_is_named(body: Body, complaint: str) -> None:
    async with answering(body) as address:
        assert await get(address, "healthz") == (503, complaint)
        assert (await get(address, "readyz"))[0] == 200


@pytest.mark.parametrize("body", [Body(silence={"Job": 150}), Body(busy=180), Body(lag=30)])
async def test_the_limits_themselves_are_healthy(body: Body) -> None:
    assert list(body.signs.failures()) == []


async def test_a_long_queue_is_load_and_no_reason_to_restart() -> None:
    assert list(Body(oldest=3600).signs.failures()) == []


async def test_an_operator_that_still_reads_is_alive_but_not_ready() -> None:
    async with answering(Body(ready=False)) as address:
        assert (await get(address, "readyz"))[0] == 503
        assert (await get(address, "healthz"))[0] == 200


async def test_metrics_show_the_signs_of_life() -> None:
    async with answering(Body(oldest=3.5)) as address:
        _, text = await get(address, "metrics")
        assert 'informer_last_event_age_seconds{kind="Pod"} 2.0' in text
        assert "workqueue_oldest_seconds 3.5" in text


async def test_a_blocked_event_loop_is_noticed_while_it_is_late() -> None:
    lag = EventLoopLag(every=0.01)
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(0.03)
    time.sleep(0.2)  # noqa: ASYNC251 - the very fault
    assert lag() > 0.15
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
