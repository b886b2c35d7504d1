"""Creation by many clients: everything once, as many at the same time as there are clients, no faster than told."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.objects import create_all

MANIFESTS = [{"name": f"job-{number}"} for number in range(20)]


async def test_everything_is_created_once_by_as_many_as_there_are_clients() -> None:
    created: list[dict[str, Any]] = []
    at_work, most = 0, 0

    async def create(manifest: dict[str, Any]) -> None:
        nonlocal at_work, most
        at_work, most = at_work + 1, max(most, at_work + 1)
        await asyncio.sleep(0)
        created.append(manifest)
        at_work -= 1

    await create_all(create, MANIFESTS, clients=4, rate=0)
    assert created == MANIFESTS
    assert most == 4


async def test_all_clients_together_keep_to_the_rate() -> None:
    moments: list[float] = []

    async def create(_: dict[str, Any]) -> None:
        moments.append(time.monotonic())

    began = time.monotonic()
    await create_all(create, MANIFESTS, clients=4, rate=100)
    assert all(moment - began >= number / 100 for number, moment in enumerate(moments))
