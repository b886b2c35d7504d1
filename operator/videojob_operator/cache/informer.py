"""
Informer: a local cache of one kind of object, kept up to date by a list and a watch.

The API server lists everything once, in pages, and then sends changes. Of each object only a projection is kept (a
dozen fields instead of six kilobytes). When a stream ends, the watch resumes from the last resourceVersion; when that
version has expired (410), the objects are listed again and those that disappeared meanwhile are removed. The server
sends a bookmark every minute, so a stream without any line for `idle_timeout` seconds is considered dead and reopened;
`staleness()` tells the liveness probe how long ago the server last answered or sent a line.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic

from videojob_operator.cache.indexer import CachedObject, Indexer, T
from videojob_operator.domain.names import MANAGED_LABEL, NAME_LABEL
from videojob_operator.kube.api import WATCH_OPENED, KubeApi
from videojob_operator.kube.errors import ApiError, Expired
from videojob_operator.kube.kinds import Kind
from videojob_operator.metrics import Metrics

log = logging.getLogger(__name__)

MIN_BACKOFF, MAX_BACKOFF = 0.05, 30.0
"""Seconds between two watches, so that a server that ends every stream at once causes no busy loop."""
SHUT_OUT_FAILURES = 5
"""Consecutive failures after which an informer counts as shut out: after delays of 1, 2, 4, 8 and 16 s."""


def name_label(raw: Mapping[str, Any]) -> str:
    """The VideoJob's name in the label of an object; empty without the label."""
    return str((raw["metadata"].get("labels") or {}).get(NAME_LABEL, ""))


@dataclass(frozen=True, kw_only=True, slots=True)
class InformerOptions:
    """Timeouts in seconds, and the selector of both list and watch."""

    selector: Mapping[str, str] = field(default_factory=lambda: {"labelSelector": f"{MANAGED_LABEL}=true"})
    server_seconds: int | None = None
    """Seconds that the server keeps one watch open. None: its own choice; it must send bookmarks then."""
    idle_timeout: float = 100.0
    """Bookmarks arrive every 60 s; the liveness probe fails at 150 s, so one reconnect fits in between."""
    initial_backoff: float = 1.0
    """Delay after the first failure; doubled up to `MAX_BACKOFF`."""
    tombstone_ttl: float = 300.0
    """Lifetime of a tombstone: as long as a failing key may wait."""


class Informer(Generic[T]):
    """Keeps `store` in sync with the cluster; `on_change` is called with each added, changed or deleted projection."""

    def __init__(
        self,
        client: KubeApi,
        kind: Kind,
        *,
        project: Callable[[Mapping[str, Any]], T],
        index: Callable[[CachedObject[T]], Hashable],
        on_change: Callable[[CachedObject[T]], None],
        metrics: Metrics,
        videojob_of: Callable[[Mapping[str, Any]], str] = name_label,
        namespaces: tuple[str | None, ...] = (None,),
        options: InformerOptions = InformerOptions(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind, self.options = kind, options
        self.store: Indexer[T] = Indexer(index=index, clock=clock, tombstone_ttl=options.tombstone_ttl)
        self._client, self._project, self._changed, self._videojob_of = client, project, on_change, videojob_of
        self._metrics, self._clock = metrics, clock
        self._streams = {namespace: Reflector(last_contact=clock(), connected=clock()) for namespace in namespaces}

    @property
    def has_synced(self) -> bool:
        """True if every namespace has been listed once."""
        return all(stream.has_synced for stream in self._streams.values())

    @property
    def is_shut_out(self) -> bool:
        """True if it has failed for half a minute: a missing right, or an unavailable API server."""
        return any(stream.consecutive_failures >= SHUT_OUT_FAILURES for stream in self._streams.values())

    def staleness(self) -> float:
        """Seconds since the last line, response or failed try of the most silent stream."""
        return self._clock() - min(stream.last_contact for stream in self._streams.values())

    def connected_for(self) -> float:
        """Seconds since a watch last failed."""
        return self._clock() - max(stream.connected for stream in self._streams.values())

    async def wait_for_sync(self) -> None:
        """Wait until every namespace has been listed."""
        while not self.has_synced:
            await asyncio.gather(*(stream.initial_list_done.wait() for stream in self._streams.values()))

    async def run(self) -> None:
        """List and watch every namespace, without end."""
        async with asyncio.TaskGroup() as group:
            for namespace, stream in self._streams.items():
                group.create_task(self._list_and_watch(namespace, stream))

    async def _list_and_watch(self, namespace: str | None, stream: Reflector) -> None:
        while True:
            try:
                if not stream.resource_version:
                    await self._list(namespace, stream)
                await self._watch(namespace, stream)
                await asyncio.sleep(MIN_BACKOFF)
            except Expired:
                stream.resource_version, stream.relist_cause = "", "expired"
            except ApiError as error:
                delay = min(MAX_BACKOFF, self.options.initial_backoff * 2**stream.consecutive_failures)
                stream.consecutive_failures += 1
                stream.last_contact = stream.connected = (
                    self._clock()
                )  # a try that failed shows that this reflector works
                log.warning("watch of %s interrupted, retrying in %.3g s: %s", self.kind.plural, delay, error)
                await asyncio.sleep(delay)
            self.store.expire_tombstones()

    async def _list(self, namespace: str | None, stream: Reflector) -> None:
        self._metrics.relists.labels(self.kind.name, stream.relist_cause).inc()
        known = set(stream.uids)
        listed: set[str] = set()
        version = ""
        query = dict(self.options.selector)
        async for page in self._client.list_pages(self.kind, namespace=namespace, query=query):
            version = page["metadata"]["resourceVersion"]
            listed.update(self._put(raw, stream) for raw in page.get("items", ()))
            stream.last_contact = self._clock()
        for uid in known - listed:
            self._remove(uid, stream)
        stream.resource_version = version
        stream.initial_list_done.set()
        self._count()

    async def _watch(self, namespace: str | None, stream: Reflector) -> None:
        query = {**self.options.selector, "resourceVersion": stream.resource_version}
        if self.options.server_seconds is not None:
            query["timeoutSeconds"] = str(self.options.server_seconds)
        events = self._client.watch(self.kind, namespace=namespace, query=query, idle_timeout=self.options.idle_timeout)
        async with aclosing(events):
            async for event in events:
                stream.last_contact, stream.consecutive_failures = self._clock(), 0
                if event["type"] != WATCH_OPENED:
                    self._handle_event(event["type"], event["object"], stream)
                    self._count()

    def _handle_event(self, kind: str, raw: Mapping[str, Any], stream: Reflector) -> None:
        if kind == "DELETED":
            self._remove(raw["metadata"]["uid"], stream, last=self._to_cached(raw))
        elif kind != "BOOKMARK":
            self._put(raw, stream)
        stream.resource_version = raw["metadata"]["resourceVersion"]

    def put(self, raw: Mapping[str, Any]) -> None:
        """Store an object that the caller has just written, so that the next decision sees it."""
        namespace = raw["metadata"]["namespace"]
        stream = self._streams.get(namespace) or self._streams.get(None)
        if stream is not None:
            self._put(raw, stream)

    def _to_cached(self, raw: Mapping[str, Any]) -> CachedObject[T]:
        meta = raw["metadata"]
        return CachedObject(
            meta["namespace"], self._videojob_of(raw), self._project(raw), meta.get("resourceVersion", "")
        )

    def _put(self, raw: Mapping[str, Any], stream: Reflector) -> str:
        cached = self._to_cached(raw)
        stream.uids.add(cached.projection.uid)
        if self.store.put(cached):
            self._changed(cached)
        return cached.projection.uid

    def _remove(self, uid: str, stream: Reflector, *, last: CachedObject[T] | None = None) -> None:
        stream.uids.discard(uid)
        if (cached := self.store.remove(uid, last=last)) is not None:
            self._changed(cached)

    def _count(self) -> None:
        self._metrics.informer_objects.labels(self.kind.name).set(len(self.store))


@dataclass
class Reflector:
    """State of one namespace's list and watch."""

    last_contact: float
    connected: float
    """Time of the last failure."""
    resource_version: str = ""
    relist_cause: str = "start"
    consecutive_failures: int = 0
    """Failures in a row; an opened watch resets it, however it ends."""
    uids: set[str] = field(default_factory=set)
    initial_list_done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_synced(self) -> bool:
        """True if a complete list has been read."""
        return self.initial_list_done.is_set()
