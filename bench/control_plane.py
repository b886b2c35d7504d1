"""
What many VideoJobs cost the operator and what the control plane makes of them.

    python -m bench.control_plane [--objects 2000] [--rate 30] [--pause-controller 300] [--rest 60] [--json FILE]

A real API server with its controllers on loopback, one operator as a process of its own, no node: every VideoJob gets
its Job and its pod, and there it stays. Nothing ends here, so each verdict is a false one, and the exit code is 1 when
there is any. Every fifteen seconds a line says how far things are, all figures since the start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import devcluster
from bench import process
from bench.objects import Objects, create_all, objects
from bench.tally import HEAD, Row, Tally, as_json, calls, line, percentile, worded
from tests.apiserver.operator.operator_process import ROOT, OperatorProcess, install_chart, run_operator
from tests.e2e.manifests import videojob

EVERY = 15.0
"""Seconds between two lines of the table."""
QUIET = 5.0
"""After so many seconds without an event everything is at rest."""
VIDEOJOBS, JOBS, PODS = ("videojobs.dev/v1alpha1", "videojobs"), ("batch/v1", "jobs"), ("v1", "pods")
Summary = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The cluster, the operator, and what has been seen of their work so far."""

    cluster: devcluster.ApiServer
    plant: OperatorProcess
    objects: Objects
    tally: Tally = field(default_factory=Tally)
    rows: list[Row] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each event of a watch."""
    began: float = field(default_factory=time.monotonic)

    @property
    def operator(self) -> int:
        """The operator's pid."""
        assert self.plant.process is not None
        return self.plant.process.pid

    async def create(self, manifest: dict[str, Any]) -> None:
        """Creates a VideoJob."""
        await self.objects.create(self.objects.path(*VIDEOJOBS), manifest)
        self.tally.created[manifest["metadata"]["name"]] = time.monotonic()

    async def watch_videojobs(self) -> None:
        """Takes in what becomes of VideoJobs, without end."""
        async for event in self.objects.watch(self.objects.path(*VIDEOJOBS)):
            self.tally.videojob(event)
            self.news.set()

    async def watch_dependents(self, group: str, kind: str) -> None:
        """Takes in which Jobs or pods there are, without end."""
        async for event in self.objects.watch(self.objects.path(group, kind), metadata_only=True):
            self.tally.dependent(kind, event, now=time.monotonic())
            self.news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns when something has become true by an event."""
        while not true():
            self.news.clear()
            await self.news.wait()

    async def silence(self, seconds: float) -> None:
        """Returns when there has been no event for some time."""
        with suppress(TimeoutError):
            while True:
                self.news.clear()
                await asyncio.wait_for(self.news.wait(), seconds)

    async def print_table(self) -> None:
        """A line now and then, without end."""
        print(HEAD, flush=True)
        while True:
            self.rows.append(await self.row())
            print(line(self.rows[-1]), flush=True)
            await asyncio.sleep(EVERY)

    async def row(self) -> Row:
        """This moment."""
        return Row(
            seconds=time.monotonic() - self.began,
            videojobs=len(self.tally.states),
            jobs=len(self.tally.present["jobs"]),
            pods=len(self.tally.present["pods"]),
            states=Counter(self.tally.states.values()),
            verdicts=Counter(self.tally.verdicts.values()),
            cpu=process.cpu_seconds(self.operator),
            megabytes=process.megabytes(self.operator)["now"],
            calls=calls((await asyncio.to_thread(self.plant.probe, "metrics"))[1]),
        )

    async def core_share(self, seconds: float) -> float:
        """The share of one core that the operator takes during the next `seconds`."""
        before, began = process.cpu_seconds(self.operator), time.monotonic()
        await asyncio.sleep(seconds)
        return (process.cpu_seconds(self.operator) - before) / (time.monotonic() - began)

    async def pause_controller(self, seconds: float, *, after: int) -> float:
        """Stops the controller manager once there are `after` pods; the operator's share of a core meanwhile."""
        await self.until(lambda: len(self.tally.pods) >= after)
        print(f"the controller manager is paused for {seconds:.0f} s", flush=True)
        with self.cluster.daemons.pause("controllers"):
            tail = min(60.0, seconds / 2)
            await asyncio.sleep(seconds - tail)
            share = await self.core_share(tail)
        print("the controller manager continues", flush=True)
        return share

    async def restart(self, count: int) -> Summary:
        """Stops the operator and starts it again: seconds until it was ready and had looked at all VideoJobs."""
        await asyncio.to_thread(self.plant.stop)
        began = time.monotonic()
        await asyncio.to_thread(self.plant.start)
        ready = time.monotonic() - began
        looked_at = partial(self.plant.metric, "reconcile_seconds_count", result="done")
        await asyncio.to_thread(
            self.plant.wait_until, lambda: looked_at() >= count, what="all were looked at", seconds=600
        )
        found = {"ready_seconds": round(ready, 1), "all_seen_seconds": round(time.monotonic() - began, 1)}
        return found | {"status_writes": (await self.row()).calls.get(("PATCH", "VideoJob"), 0)}


async def measure(plane: ControlPlane, options: argparse.Namespace) -> Summary:
    """Creates, waits and measures, while watches and table go on beside."""
    async with asyncio.TaskGroup() as group:
        beside = [plane.watch_videojobs(), plane.watch_dependents(*JOBS), plane.watch_dependents(*PODS)]
        tasks = [group.create_task(each) for each in (*beside, plane.print_table())]
        async with asyncio.timeout(options.limit):
            found = await work(plane, options)
        for task in tasks:
            task.cancel()
    return found | ({"restart": await plane.restart(options.objects)} if options.restart else {})


async def work(plane: ControlPlane, options: argparse.Namespace) -> Summary:
    """From the first VideoJob to the end of the rest."""
    names, before = [f"job-{number}" for number in range(options.objects)], await plane.row()
    shares: dict[str, float] = {}
    async with asyncio.TaskGroup() as group:
        if options.pause_controller:
            pause = plane.pause_controller(options.pause_controller, after=options.objects // 10)
            paused = group.create_task(pause)
        await create_all(plane.create, map(videojob, names), clients=options.clients, rate=options.rate)
        creation = time.monotonic() - plane.began
    if options.pause_controller:
        shares["controller_paused"] = paused.result()
    await plane.until(lambda: len(plane.tally.settled) >= options.objects)
    await plane.silence(QUIET)
    after = await plane.row()
    shares["at_rest"] = await plane.core_share(options.rest)
    settings = {"objects": options.objects, "clients": options.clients, "rate": options.rate}
    settings |= {"controller_flags": options.controller_flag, "pause_controller": options.pause_controller}
    settings |= {"settings": options.setting}
    return settings | {"creation_seconds": round(creation, 1)} | summary(plane, before, after, shares)


def summary(plane: ControlPlane, before: Row, after: Row, shares: dict[str, float]) -> Summary:
    """What it comes to; times in seconds, shares of one core."""
    tally, count = plane.tally, len(plane.tally.created)
    used = Counter(after.calls) - Counter(before.calls)
    return {
        "seconds": round(after.seconds, 1),
        "verdicts": dict(after.verdicts),
        "jobs": {"per_second": round(tally.rate("jobs"), 1)} | since_creation(tally, "jobs"),
        "pods": {"per_second": round(tally.rate("pods"), 1)} | since_creation(tally, "pods"),
        "cpu_ms_per_job": round((after.cpu - before.cpu) / count * 1000, 1),
        "core_share": {name: round(share, 3) for name, share in shares.items()},
        "megabytes": process.megabytes(plane.operator),
        "calls_per_job": {call: round(number / count, 2) for call, number in worded(used).items()},
        "cpu_seconds_of_others": {
            name: process.cpu_seconds(plane.cluster.daemons.check_running(name))
            for name in plane.cluster.daemons.names()
        },
    }


def since_creation(tally: Tally, kind: str) -> dict[str, float | None]:
    """Seconds from the creation of a VideoJob to its Job or pod."""
    found = tally.latencies(kind)
    return {f"p{share}": percentile(found, share / 100) for share in (50, 99)}


async def run(
    cluster: devcluster.ApiServer, plant: OperatorProcess, namespace: str, options: argparse.Namespace
) -> Summary:
    """The summary, and the rows of the table."""
    async with objects(cluster.kubeconfig, namespace) as found:
        plane = ControlPlane(cluster, plant, found)
        result = await measure(plane, options)
    return result | {"rows": [as_json(row) for row in plane.rows]}


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--objects", type=int, default=2000, help="VideoJobs (2000)")
    add("--clients", type=int, default=16, help="clients that create concurrently (16)")
    add("--rate", type=float, default=30, help="maximum VideoJobs per second over all clients; 0: no limit (30)")
    add(
        "--pause-controller",
        type=float,
        default=0,
        metavar="SECONDS",
        help="seconds the controller manager is paused once a tenth of the jobs has a pod",
    )
    add(
        "--controller-flag",
        action="append",
        default=[],
        help="extra flag for kube-controller-manager, such as --kube-api-qps=10",
    )
    add("--setting", action="append", default=[], metavar="NAME=VALUE", help="operator setting: report_wait_seconds=3")
    add("--rest", type=float, default=60, metavar="SECONDS", help="seconds of measurement when all wait (60)")
    add("--restart", action="store_true", help="restart the operator at the end and measure that as well")
    add("--limit", type=float, default=1800, metavar="SECONDS", help="seconds for the whole run (1800)")
    add(
        "--checkout",
        type=lambda text: Path(text).resolve(),
        default=ROOT,
        help="the repository whose operator and chart are measured (this one)",
    )
    add("--json", type=Path, help="file for the summary")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and returns 1 when there was a verdict."""
    options = parsed(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        devcluster.api_server(controllers=True, controller_flags=options.controller_flag) as cluster,
    ):
        install_chart(cluster, root=options.checkout)
        settings = dict(each.split("=", 1) for each in options.setting)
        with (
            run_operator(cluster, Path(folder) / "log", settings, root=options.checkout) as plant,
            cluster.kubectl.namespace("bench") as namespace,
        ):
            cluster.kubectl("-n", namespace, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
            found = asyncio.run(run(cluster, plant, namespace, options))
    print(*(f"{name}: {json.dumps(value)}" for name, value in found.items() if name != "rows"), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(found) + "\n")
    return 1 if found["verdicts"] else 0


if __name__ == "__main__":
    sys.exit(main())
