"""Stand-ins at the seams of the operator: a clock that tests turn, and an API server's view of tokens that records."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from videojob_operator.domain.names import Raw
from videojob_operator.kube.api import WATCH_OPENED, ApiResponse, Query
from videojob_operator.kube.errors import ApiError, Conflict, Invalid, NotFound
from videojob_operator.kube.kinds import Kind
from videojob_operator.metrics import Metrics


@dataclass
class RecordingReviewer:
    """Answers every TokenReview with `status` and remembers what was asked."""

    status: Mapping[str, Any]
    asked: list[tuple[str, str]] = field(default_factory=list)
    error: ApiError | None = None

    async def review(self, token: str, *, audience: str) -> Mapping[str, Any]:
        self.asked.append((token, audience))
        if self.error:
            raise self.error
        return self.status


def token(*, audience: str, expires: float = 4_000.0, **claims: Any) -> str:
    """A token as it looks from outside; nobody has signed it."""
    payload = json.dumps({"aud": [audience], "exp": expires} | claims).encode()
    return ".".join(("head", base64.urlsafe_b64encode(payload).decode().rstrip("="), "signature"))


def token_review(
    *, audience: str, user: str = "system:serviceaccount:art:default", pod: str = "sunset-1-x", pod_uid: str = "pod-1"
) -> dict[str, Any]:
    """The status of a TokenReview for a kubelet's token."""
    extra = {
        "authentication.kubernetes.io/pod-name": [pod],
        "authentication.kubernetes.io/pod-uid": [pod_uid],
        "authentication.kubernetes.io/credential-id": ["JTI=1"],
    }
    return {"authenticated": True, "audiences": [audience], "user": {"username": user, "extra": extra}}


def metrics() -> Metrics:
    """Fresh counters."""
    return Metrics(version="test")


def metric_value(counters: Metrics, name: str, **labels: str) -> float:
    """A sample's value; 0 when nothing was counted."""
    return counters.registry.get_sample_value(name, labels) or 0.0


@dataclass
class RecordingApi:
    """An API server of a few dictionaries: keeps objects, counts versions, and fails when told to."""

    objects: dict[tuple[Kind, str, str], dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, Kind, Any]] = field(default_factory=list)
    fail: dict[tuple[str, Kind], ApiError] = field(default_factory=dict)
    """By verb and kind: what the next such call raises."""
    warnings: tuple[str, ...] = ()
    version: int = 100
    events: list[list[dict[str, Any] | ApiError]] = field(default_factory=list)
    """One list for each watch: its events, and how it ends."""
    watched: list[str] = field(default_factory=list)
    """The resourceVersion each watch began at."""
    on_watch: Callable[[], object] = lambda: None
    """Called whenever a watch begins: what happens in the cluster meanwhile."""
    on_list: Callable[[], object] = lambda: None
    """Called after a list was read."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a watch has nothing left to say; it then stays open."""

    def add(self, kind: Kind, raw: dict[str, Any]) -> dict[str, Any]:
        """Puts an object there, as somebody else would."""
        self.version += 1
        born = {"uid": f"uid-{self.version}", "creationTimestamp": "2026-01-01T12:00:00Z"}
        meta = {"namespace": "art"} | born | raw["metadata"]
        stored = raw | {"metadata": meta | {"resourceVersion": str(self.version)}}
        self.objects[kind, meta["namespace"], meta["name"]] = stored
        return stored

    def verbs(self) -> list[str]:
        """What was called, in order."""
        return [verb for verb, _, _ in self.calls]

    def bodies(self, verb: str) -> list[Any]:
        """What the calls of a verb carried."""
        return [what for found, _, what in self.calls if found == verb]

    def _call(self, verb: str, kind: Kind, what: Any = None) -> None:
        self.calls.append((verb, kind, what))
        if error := self.fail.pop((verb, kind), None):
            raise error

    def _find(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any]:
        found = self.objects.get((kind, namespace or "", name))
        if found is None:
            raise NotFound(f"no {kind.name} {name}", status=404)
        return found

    async def get(self, kind: Kind, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        self._call("get", kind, name)
        return self._find(kind, namespace, name)

    async def create(self, kind: Kind, body: Raw, *, namespace: str | None = None) -> ApiResponse:
        self._call("create", kind, body)
        if (kind, namespace or "", body["metadata"].get("name", "")) in self.objects:
            raise Conflict(f"{kind.name} exists", status=409)
        return ApiResponse(
            self.add(kind, {**body, "metadata": {"name": "generated", **body["metadata"]}}), self.warnings
        )

    async def replace(self, kind: Kind, body: Raw) -> dict[str, Any]:
        self._call("replace", kind, body)
        stored = self._find(kind, body["metadata"].get("namespace"), body["metadata"]["name"])
        if stored["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict("stale", status=409)
        return self.add(kind, dict(body))

    async def merge_patch(self, kind: Kind, name: str, *, namespace: str, body: Raw) -> dict[str, Any]:
        self._call("merge", kind, body)
        stored = self._find(kind, namespace, name)
        if body.get("metadata", {}).get("uid", stored["metadata"]["uid"]) != stored["metadata"]["uid"]:
            raise Invalid("metadata.uid: field is immutable", status=422)
        return self.add(kind, stored | {"spec": {**stored.get("spec", {}), **body.get("spec", {})}})

    async def apply_status(self, kind: Kind, body: Raw, *, manager: str) -> dict[str, Any]:
        self._call("apply_status", kind, (manager, body))
        meta = body["metadata"]
        stored = self._find(kind, meta["namespace"], meta["name"])
        if stored["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise Conflict("stale", status=409)
        return self.add(kind, stored | {"status": {**stored.get("status", {}), **body["status"]}})

    async def delete(self, kind: Kind, name: str, *, namespace: str, uid: str) -> None:
        self._call("delete", kind, (name, uid))
        if self._find(kind, namespace, name)["metadata"]["uid"] != uid:
            raise Conflict("another uid", status=409)
        del self.objects[kind, namespace, name]

    async def list_pages(
        self, kind: Kind, *, namespace: str | None = None, query: Query | None = None, metadata_only: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        self._call("list", kind, dict(query or {}))
        items = [raw for (found, where, _), raw in self.objects.items() if found == kind and namespace in (None, where)]
        half = len(items) // 2
        for part in (items[:half], items[half:]):
            yield {"metadata": {"resourceVersion": str(self.version)}, "items": part}
        self.on_list()

    async def watch(
        self, kind: Kind, *, namespace: str | None, query: Query, idle_timeout: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        self.watched.append(query["resourceVersion"])
        self.on_watch()
        yield {"type": WATCH_OPENED, "object": {}}
        if not self.events:
            self.idle.set()
            await asyncio.get_running_loop().create_future()
        for event in self.events.pop(0):
            if isinstance(event, ApiError):
                raise event
            yield event
