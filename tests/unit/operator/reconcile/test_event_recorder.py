"""Events tell once, briefly and within a budget."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from videojob_operator.domain.decision import RecordEvent
from videojob_operator.domain.observation.projection import project_videojob
from videojob_operator.kube.errors import Forbidden
from videojob_operator.kube.kinds import EVENTS
from videojob_operator.reconcile.event_recorder import MAX_EVENTS_PER_JOB, EventRecorder, event_manifest

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import RecordingApi, metric_value, metrics
from tests.unit.operator.raw_objects import raw_videojob

SUNSET = project_videojob(raw_videojob())


class Desk:
    """A writer of events over a recording API."""

    def __init__(self) -> None:
        self.api, self.clock, self.metrics = RecordingApi(), ManualClock(), metrics()
        self.events = EventRecorder(self.api, self.metrics, instance="operator-0", clock=self.clock)

    async def written(self) -> list[dict[str, Any]]:
        """Everything that was recorded, written."""
        task = asyncio.create_task(self.events.run())
        await asyncio.wait_for(self.events.flush(), 5)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return self.api.bodies("create")


def note(number: int) -> RecordEvent:
    return RecordEvent("Normal", "Started", f"attempt {number}")


async def test_the_same_words_are_told_once() -> None:
    desk = Desk()
    for _ in range(5):
        desk.events.record(SUNSET, note(1))
    assert [body["note"] for body in await desk.written()] == ["attempt 1"]
    assert metric_value(desk.metrics, "videojob_events_total", result="repeated") == 4


async def test_one_job_gets_at_most_twelve() -> None:
    desk = Desk()
    for number in range(30):
        desk.events.record(SUNSET, note(number))
        desk.clock.forward(10)
    assert len(await desk.written()) == MAX_EVENTS_PER_JOB
    assert metric_value(desk.metrics, "videojob_events_total", result="dropped") == 18


async def test_all_together_keep_the_budget() -> None:
    desk = Desk()
    for number in range(40):
        desk.events.record(project_videojob(raw_videojob(uid=f"uid-{number}")), note(1))
    assert len(await desk.written()) == 25
    desk.clock.forward(1)
    for number in range(40, 60):
        desk.events.record(project_videojob(raw_videojob(uid=f"uid-{number}")), note(1))
    assert len(await desk.written()) == 30


async def test_a_failed_write_is_counted_and_the_next_one_goes_on() -> None:
    desk = Desk()
    desk.api.fail["create", EVENTS] = Forbidden("no right", status=403)
    desk.events.record(SUNSET, note(1))
    desk.events.record(SUNSET, note(2))
    await desk.written()
    assert metric_value(desk.metrics, "videojob_events_total", result="failed") == 1
    assert metric_value(desk.metrics, "videojob_events_total", result="written") == 1


def test_an_event_is_about_this_very_videojob_and_within_the_apis_limits() -> None:
    body = event_manifest(SUNSET, RecordEvent("Warning", "Failed", "x" * 5000), instance="y" * 500)
    assert body["regarding"]["uid"] == "uid-1"
    assert (len(body["note"]), len(body["reportingInstance"])) == (1024, 128)
    assert (body["type"], body["reason"], body["metadata"]["namespace"]) == ("Warning", "Failed", "art")
