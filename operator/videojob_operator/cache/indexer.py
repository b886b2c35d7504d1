"""
The store of an informer: projections by uid, with one index, and tombstones of deleted objects.

A deleted object leaves its last projection behind for a while: after a suspension or an eviction the final status of a
pod, including the agent's termination message, is in one watch event only and never in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from videojob_operator.kube.api import is_newer


class Projection(Protocol):
    """Attributes that an informer requires of the projections it stores."""

    @property
    def uid(self) -> str:
        """The object's `metadata.uid`."""

    @property
    def name(self) -> str:
        """The object's `metadata.name`."""

    @property
    def created(self) -> datetime:
        """The object's `metadata.creationTimestamp`, or a substitute."""


T = TypeVar("T", bound=Projection)


@dataclass(frozen=True, slots=True)
class CachedObject(Generic[T]):
    """A projection with the namespace, the VideoJob's name (a label) and the resourceVersion of its object."""

    namespace: str
    videojob: str
    projection: T
    resource_version: str = field(default="", compare=False)


class Indexer(Generic[T]):
    """Projections by uid with an index, and tombstones of deleted objects."""

    def __init__(
        self, *, index: Callable[[CachedObject[T]], Hashable], clock: Callable[[], float], tombstone_ttl: float
    ) -> None:
        self._index, self._clock, self._tombstone_ttl = index, clock, tombstone_ttl
        self._objects: dict[str, CachedObject[T]] = {}
        self._tombstones: dict[str, tuple[float, CachedObject[T]]] = {}
        self._uids_by_key: dict[Hashable, set[str]] = {}
        self.newest: datetime | None = None
        """Creation time of the youngest object ever stored."""

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, uid: str) -> CachedObject[T] | None:
        """The existing object of this uid."""
        return self._objects.get(uid)

    def put(self, cached: CachedObject[T]) -> bool:
        """Store a projection unless a newer one is stored; False if nothing changed."""
        uid = cached.projection.uid
        known = self._objects.get(uid)
        if known and is_newer(known.resource_version, cached.resource_version):
            return False  # the answer to a write of ours may come after the watch has gone on
        self._objects[uid] = cached
        self._uids_by_key.setdefault(self._index(cached), set()).add(uid)
        self.newest = max(self.newest or cached.projection.created, cached.projection.created)
        return known != cached

    def remove(self, uid: str, *, last: CachedObject[T] | None = None) -> CachedObject[T] | None:
        """Replace an object by a tombstone; `last` is its final state if the event carried one."""
        known = self._objects.pop(uid, None)
        final = last or known
        if final is not None:
            self._tombstones[uid] = (self._clock(), final)
            self._uids_by_key.setdefault(self._index(final), set()).add(uid)
        return final

    def by_index(self, key: Hashable) -> tuple[T, ...]:
        """The existing objects under an index key."""
        uids = self._uids_by_key.get(key, ())
        return tuple(self._objects[uid].projection for uid in uids if uid in self._objects)

    def tombstones(self, key: Hashable) -> tuple[T, ...]:
        """The last projections of deleted objects under an index key."""
        uids = self._uids_by_key.get(key, ())
        return tuple(
            self._tombstones[uid][1].projection for uid in uids if uid in self._tombstones and uid not in self._objects
        )

    def expire_tombstones(self) -> None:
        """Remove expired tombstones."""
        before = self._clock() - self._tombstone_ttl
        for uid in [uid for uid, (at, _) in self._tombstones.items() if at < before]:
            _, cached = self._tombstones.pop(uid)
            uids = self._uids_by_key.get(self._index(cached), set())
            if uid not in self._objects:
                uids.discard(uid)
            if not uids:
                self._uids_by_key.pop(self._index(cached), None)
