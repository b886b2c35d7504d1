"""
A local picture of one kind of object, kept true by a list and a watch.

The API server is asked once for everything, in pages, and then for changes. Of each object only a projection is kept
(a dozen fields instead of six kilobytes). When the stream ends the watch goes on from the last version seen; when the
server has forgotten that version (410) the list is read again and what has vanished meanwhile is removed. Silence is
death: the server sends a bookmark every minute, so a stream without any line for `silence` seconds is dropped and
opened anew, and `age()` says how long ago the server last answered or sent a line, for the liveness probe.

A deleted object leaves its last projection behind for a while: after a suspension or an eviction the last status of a
pod, with the agent's final words in it, is in one watch event only and never in a list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from videojob_operator.domain.names import MANAGED_LABEL, NAME_LABEL
from videojob_operator.kube.api import OPENED, Api, newer
from videojob_operator.kube.errors import ClusterError, Expired
from videojob_operator.kube.kinds import Kind
from videojob_operator.metrics import Metrics

log = logging.getLogger(__name__)

LEAST_PAUSE, LONGEST_PAUSE = 0.05, 30.0
"""Between two watches, seconds: a server that ends every stream at once must not spin us."""
SHUT_OUT = 5
"""Failures in a row, with pauses of 1, 2, 4, 8 and 16 s between them."""


class Projection(Protocol):
    """What an informer must know of the frozen dataclass it keeps."""

    @property
    def uid(self) -> str:
        """metadata.uid."""

    @property
    def name(self) -> str:
        """metadata.name."""

    @property
    def created(self) -> datetime:
        """metadata.creationTimestamp, or what stands for it."""


T = TypeVar("T", bound=Projection)


def name_label(raw: Mapping[str, Any]) -> str:
    """The VideoJob's name as the label of an object of ours says it; empty where there is none."""
    return str((raw["metadata"].get("labels") or {}).get(NAME_LABEL, ""))


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A projection with the namespace, the VideoJob's name (a label) and the resourceVersion of its object."""

    namespace: str
    videojob: str
    thing: T
    version: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """How to look: seconds, and the selector of both list and watch."""

    selector: Mapping[str, str] = field(default_factory=lambda: {"labelSelector": f"{MANAGED_LABEL}=true"})
    server_seconds: int | None = None
    """How long the server keeps one watch open. None: its own choice, which wants bookmarks as a sign of life."""
    silence: float = 100.0
    """Bookmarks come every 60 s; the liveness probe gives up at 150 s, so there is one try to reconnect before."""
    pause: float = 1.0
    """Between two tries after a failure; doubled up to `LONGEST_PAUSE`."""
    remember: float = 300.0
    """How long a deleted object's last projection is kept: as long as a failing key may wait."""


class Store(Generic[T]):
    """Projections by uid, with an index, and the last words of the deleted."""

    def __init__(self, *, index: Callable[[Kept[T]], Hashable], clock: Callable[[], float], remember: float) -> None:
        self._index, self._clock, self._remember = index, clock, remember
        self._living: dict[str, Kept[T]] = {}
        self._gone: dict[str, tuple[float, Kept[T]]] = {}
        self._indexed: dict[Hashable, set[str]] = {}
        self.newest: datetime | None = None
        """When the youngest object ever kept was created."""

    def __len__(self) -> int:
        return len(self._living)

    def get(self, uid: str) -> Kept[T] | None:
        """The living object of this uid."""
        return self._living.get(uid)

    def put(self, kept: Kept[T]) -> bool:
        """Keeps a projection unless a newer one is known; False when nothing changed."""
        uid = kept.thing.uid
        known = self._living.get(uid)
        if known and newer(known.version, kept.version):
            return False  # the answer to a write of ours may come after the watch has gone on
        self._living[uid] = kept
        self._indexed.setdefault(self._index(kept), set()).add(uid)
        self.newest = max(self.newest or kept.thing.created, kept.thing.created)
        return known != kept

    def remove(self, uid: str, *, last: Kept[T] | None = None) -> Kept[T] | None:
        """Moves an object among the deleted; `last` is its final state when the event carried one."""
        known = self._living.pop(uid, None)
        final = last or known
        if final is not None:
            self._gone[uid] = (self._clock(), final)
            self._indexed.setdefault(self._index(final), set()).add(uid)
        return final

    def living(self, key: Hashable) -> tuple[T, ...]:
        """The living objects under an index key."""
        uids = self._indexed.get(key, ())
        return tuple(self._living[uid].thing for uid in uids if uid in self._living)

    def gone(self, key: Hashable) -> tuple[T, ...]:
        """The last projections of the deleted objects under an index key."""
        uids = self._indexed.get(key, ())
        return tuple(self._gone[uid][1].thing for uid in uids if uid in self._gone and uid not in self._living)

    def forget(self) -> None:
        """Drops the deleted whose time is over."""
        before = self._clock() - self._remember
        for uid in [uid for uid, (at, _) in self._gone.items() if at < before]:
            _, kept = self._gone.pop(uid)
            uids = self._indexed.get(self._index(kept), set())
            if uid not in self._living:
                uids.discard(uid)
            if not uids:
                self._indexed.pop(self._index(kept), None)


class Informer(Generic[T]):
    """Keeps `store` like the cluster; `changed` is called with every new, changed or deleted projection."""

    def __init__(
        self,
        client: Api,
        kind: Kind,
        *,
        project: Callable[[Mapping[str, Any]], T],
        index: Callable[[Kept[T]], Hashable],
        changed: Callable[[Kept[T]], None],
        metrics: Metrics,
        videojob_of: Callable[[Mapping[str, Any]], str] = name_label,
        namespaces: tuple[str | None, ...] = (None,),
        watching: Watching = Watching(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind, self.watching = kind, watching
        self.store: Store[T] = Store(index=index, clock=clock, remember=watching.remember)
        self._client, self._project, self._changed, self._videojob_of = client, project, changed, videojob_of
        self._metrics, self._clock = metrics, clock
        self._streams = {namespace: Stream(last=clock(), connected=clock()) for namespace in namespaces}

    @property
    def synced(self) -> bool:
        """Whether every namespace has been listed once."""
        return all(stream.synced for stream in self._streams.values())

    @property
    def is_shut_out(self) -> bool:
        """Whether it has failed for half a minute: a missing right, or an API server that is away."""
        return any(stream.failures >= SHUT_OUT for stream in self._streams.values())

    def age(self) -> float:
        """Seconds since the last line, answer or failed try of the stream that has been silent longest."""
        return self._clock() - min(stream.last for stream in self._streams.values())

    def connected_for(self) -> float:
        """Seconds since a watch last failed: how long the API server is known to have been within reach."""
        return self._clock() - max(stream.connected for stream in self._streams.values())

    async def wait_synced(self) -> None:
        """Until the first list of every namespace is in."""
        while not self.synced:
            await asyncio.gather(*(stream.listed.wait() for stream in self._streams.values()))

    async def run(self) -> None:
        """Lists and watches every namespace, without end."""
        async with asyncio.TaskGroup() as group:
            for namespace, stream in self._streams.items():
                group.create_task(self._follow(namespace, stream))

    async def _follow(self, namespace: str | None, stream: Stream) -> None:
        while True:
            try:
                if not stream.version:
                    await self._list(namespace, stream)
                await self._watch(namespace, stream)
                await asyncio.sleep(LEAST_PAUSE)
            except Expired:
                stream.version, stream.cause = "", "expired"
            except ClusterError as error:
                pause = min(LONGEST_PAUSE, self.watching.pause * 2**stream.failures)
                stream.failures += 1
                stream.last = stream.connected = self._clock()  # a try that failed shows that this reflector works
                log.warning("watch of %s interrupted, again in %.3g s: %s", self.kind.plural, pause, error)
                await asyncio.sleep(pause)
            self.store.forget()

    async def _list(self, namespace: str | None, stream: Stream) -> None:
        self._metrics.relists.labels(self.kind.name, stream.cause).inc()
        before = set(stream.uids)
        seen: set[str] = set()
        version = ""
        query = dict(self.watching.selector)
        async for page in self._client.pages(self.kind, namespace=namespace, query=query):
            version = page["metadata"]["resourceVersion"]
            seen.update(self._put(raw, stream) for raw in page.get("items", ()))
            stream.last = self._clock()
        for uid in before - seen:
            self._remove(uid, stream)
        stream.version = version
        stream.listed.set()
        self._count()

    async def _watch(self, namespace: str | None, stream: Stream) -> None:
        query = {**self.watching.selector, "resourceVersion": stream.version}
        if self.watching.server_seconds is not None:
            query["timeoutSeconds"] = str(self.watching.server_seconds)
        events = self._client.watch(self.kind, namespace=namespace, query=query, silence=self.watching.silence)
        async with aclosing(events):
            async for event in events:
                stream.last, stream.failures = self._clock(), 0
                if event["type"] != OPENED:
                    self._take(event["type"], event["object"], stream)
                    self._count()

    def _take(self, kind: str, raw: Mapping[str, Any], stream: Stream) -> None:
        if kind == "DELETED":
            self._remove(raw["metadata"]["uid"], stream, last=self._kept(raw))
        elif kind != "BOOKMARK":
            self._put(raw, stream)
        stream.version = raw["metadata"]["resourceVersion"]

    def put(self, raw: Mapping[str, Any]) -> None:
        """Takes an object that the caller has just written, so that its next look does not miss it."""
        namespace = raw["metadata"]["namespace"]
        stream = self._streams.get(namespace) or self._streams.get(None)
        if stream is not None:
            self._put(raw, stream)

    def _kept(self, raw: Mapping[str, Any]) -> Kept[T]:
        meta = raw["metadata"]
        return Kept(meta["namespace"], self._videojob_of(raw), self._project(raw), meta.get("resourceVersion", ""))

    def _put(self, raw: Mapping[str, Any], stream: Stream) -> str:
        kept = self._kept(raw)
        stream.uids.add(kept.thing.uid)
        if self.store.put(kept):
            self._changed(kept)
        return kept.thing.uid

    def _remove(self, uid: str, stream: Stream, *, last: Kept[T] | None = None) -> None:
        stream.uids.discard(uid)
        if (kept := self.store.remove(uid, last=last)) is not None:
            self._changed(kept)

    def _count(self) -> None:
        self._metrics.informer_objects.labels(self.kind.name).set(len(self.store))


@dataclass
class Stream:
    """One namespace's list and watch: where it stands and when it last gave a sign of life."""

    last: float
    connected: float
    """Since when no try has failed."""
    version: str = ""
    cause: str = "start"
    failures: int = 0
    """In a row; an opened watch ends the row, however it ends itself."""
    uids: set[str] = field(default_factory=set)
    listed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def synced(self) -> bool:
        """Whether a whole list has been read."""
        return self.listed.is_set()
