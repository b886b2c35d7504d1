"""What has become of many VideoJobs: states, verdicts, Jobs and pods as watches show them, and how long each took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

OWNER = "videojobs.dev/name"
"""The label of Jobs and pods with the name of their VideoJob."""
Call = tuple[str, str]
"""Verb and kind."""


@dataclass(slots=True)
class Tally:
    """Times are seconds of one clock."""

    created: dict[str, float] = field(default_factory=dict)
    """When the API server had taken the VideoJob."""
    states: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    """Reasons of those that are over."""
    jobs: dict[str, float] = field(default_factory=dict)
    """When the first Job of a VideoJob was seen; kept when the Job goes."""
    pods: dict[str, float] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    """Those that have got a pod or a verdict."""
    present: dict[str, set[str]] = field(default_factory=lambda: {"jobs": set(), "pods": set()})
    """The Jobs and pods that are there, by uid."""

    def videojob(self, event: Mapping[str, Any]) -> None:
        """Takes an event of a VideoJob in."""
        name, status = event["object"]["metadata"]["name"], event["object"].get("status", {})
        self.states[name] = status.get("state", "not looked at")
        for condition in status.get("conditions", ()):
            if condition["type"] == "Succeeded" and condition["status"] != "Unknown":
                self.verdicts[name] = condition["reason"]
                self.settled.add(name)

    def dependent(self, kind: str, event: Mapping[str, Any], *, now: float) -> None:
        """Takes an event of a Job or a pod in; `kind` is `jobs` or `pods`."""
        meta = event["object"]["metadata"]
        name, first = meta.get("labels", {}).get(OWNER, ""), self._first(kind)
        first.setdefault(name, now)
        if kind == "pods":
            self.settled.add(name)
        if event["type"] == "DELETED":
            self.present[kind].discard(meta["uid"])
        else:
            self.present[kind].add(meta["uid"])

    def latencies(self, kind: str) -> list[float]:
        """Seconds from the creation of each VideoJob to its first Job or pod, shortest first."""
        first = self._first(kind)
        return sorted(first[name] - since for name, since in self.created.items() if name in first)

    def rate(self, kind: str) -> float:
        """Jobs or pods a second, from the creation of the first VideoJob to the last one seen; 0 without any."""
        first = self._first(kind)
        return len(first) / (max(first.values()) - min(self.created.values())) if first and self.created else 0.0

    def _first(self, kind: str) -> dict[str, float]:
        return {"jobs": self.jobs, "pods": self.pods}[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The table's line of one moment."""

    seconds: float
    videojobs: int
    jobs: int
    pods: int
    states: Mapping[str, int]
    verdicts: Mapping[str, int]
    cpu: float
    """The operator's processor time so far, in seconds."""
    megabytes: float
    calls: Mapping[Call, int]


HEAD = (
    f"{'s':>6}{'VideoJobs':>11}{'Jobs':>7}{'pods':>7}{'CPU s':>8}{'MB':>7}{'calls':>8}{'LIST Event':>12}"
    f"{'PATCH VideoJob':>16}  states; verdicts"
)


def line(row: Row) -> str:
    """A row as text, below HEAD."""
    figures = (
        f"{row.seconds:>6.0f}{row.videojobs:>11}{row.jobs:>7}{row.pods:>7}{row.cpu:>8.1f}{row.megabytes:>7.0f}"
        f"{sum(row.calls.values()):>8}{row.calls.get(('LIST', 'Event'), 0):>12}"
        f"{row.calls.get(('PATCH', 'VideoJob'), 0):>16}"
    )
    return f"{figures}  {counts(row.states)}; {counts(row.verdicts) or 'no verdict'}"


def as_json(row: Row) -> dict[str, Any]:
    """A row as JSON can carry it."""
    found = {each.name: getattr(row, each.name) for each in fields(row)}
    return found | {"seconds": round(row.seconds, 1), "calls": worded(row.calls)}


def worded(found: Mapping[Call, int]) -> dict[str, int]:
    """Numbers of calls by `VERB Kind`, the most frequent first."""
    return {" ".join(call): number for call, number in Counter(found).most_common()}


def counts(found: Mapping[str, int]) -> str:
    """Names with their numbers, the most frequent first."""
    return ", ".join(f"{name} {number}" for name, number in Counter(found).most_common())


def calls(metrics: str) -> Counter[Call]:
    """Calls to the API server so far, from the text of the operator's `/metrics`."""
    found: Counter[Call] = Counter()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == "api_requests_total":
                found[sample.labels["verb"], sample.labels["kind"]] += int(sample.value)
    return found


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (0 to 1) of all do not exceed; None without any."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None
