"""
Every VideoJob as a projection, kept true by kopf's watch and checked by a sweep.

kopf delivers each change, but drops deletions that fall into a re-list and never says when its first list is complete.
So a sweep reads the metadata of all VideoJobs, page by page, at the start and every ten minutes: what the sweep does
not know is a ghost and goes, what it knows in another version is read anew. Whoever writes a VideoJob expects that
version to come back through kopf; when it does not come, `delivery_lag` grows and the liveness probe fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from videojob_operator.domain.observation.observed import ObservedVideoJob
from videojob_operator.domain.observation.projection import project_videojob
from videojob_operator.kube.api import KubeApi, is_newer
from videojob_operator.kube.errors import ApiError, NotFound
from videojob_operator.kube.kinds import VIDEOJOBS
from videojob_operator.workqueue import ObjectKey

log = logging.getLogger(__name__)

INITIAL_LIST_TIMEOUT = 60.0
"""Seconds that kopf may take to deliver what the first sweep has seen, before it is read object by object."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """Which state of which incarnation."""

    uid: str
    resource_version: str


class VideoJobCache:
    """The store; `on_change` is called with the key of whatever is new, different or gone."""

    def __init__(
        self,
        client: KubeApi,
        on_change: Callable[[ObjectKey], None],
        *,
        namespaces: tuple[str | None, ...] = (None,),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._changed, self._namespaces, self._clock = client, on_change, namespaces, clock
        self._seen: dict[ObjectKey, ObservedVideoJob] = {}
        self._at: dict[ObjectKey, float] = {}
        self._expected: dict[ObjectKey, tuple[str, float]] = {}
        self._arrived = asyncio.Event()
        self.swept = False

    def __len__(self) -> int:
        return len(self._seen)

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(tuple(self._seen))

    def get(self, key: ObjectKey) -> ObservedVideoJob | None:
        """The newest state known."""
        return self._seen.get(key)

    def count_by_state(self) -> Mapping[str, int]:
        """How many VideoJobs are in each state; those without one count as `New`."""
        return Counter(seen.status.state or "New" for seen in self._seen.values())

    def on_watch_event(self, raw: Mapping[str, Any], *, deleted: bool) -> None:
        """Takes an event of kopf's watch."""
        seen = project_videojob(raw)
        key = ObjectKey(seen.namespace, seen.name)
        expected = self._expected.get(key)
        if expected and not is_newer(expected[0], seen.resource_version):
            del self._expected[key]
        if not deleted:
            self.put(seen)
        elif (known := self._seen.get(key)) is None or known.uid == seen.uid:
            self.remove(key)

    def put(self, seen: ObservedVideoJob, *, expect_delivery: bool = False) -> None:
        """
        Keeps a state unless a newer one is known; `expect_delivery` says that kopf must deliver this version, too.
        """
        key = ObjectKey(seen.namespace, seen.name)
        known = self._seen.get(key)
        if known and known.uid == seen.uid and not is_newer(seen.resource_version, known.resource_version):
            return
        self._seen[key], self._at[key] = seen, self._clock()
        self._arrived.set()
        if expect_delivery:
            since = self._expected.get(key, ("", self._clock()))[1]
            self._expected[key] = (seen.resource_version, since)
        self._changed(key)

    def remove(self, key: ObjectKey) -> None:
        """Forgets one that is gone."""
        self._expected.pop(key, None)
        self._at.pop(key, None)
        if self._seen.pop(key, None) is not None:
            self._changed(key)

    def enqueue(self, seen: ObservedVideoJob) -> None:
        """Something beside the VideoJob changed: look at it again."""
        self._changed(ObjectKey(seen.namespace, seen.name))

    def delivery_lag(self) -> float:
        """Seconds since the oldest version that kopf should have delivered and has not."""
        since = [at for _, at in self._expected.values()]
        return self._clock() - min(since) if since else 0.0

    async def reload(self, key: ObjectKey) -> None:
        """Reads one VideoJob anew."""
        try:
            raw = await self._client.get(VIDEOJOBS, key.name, namespace=key.namespace)
        except NotFound:
            self.remove(key)
            return
        self.put(project_videojob(raw), expect_delivery=True)

    async def initial_sync(self) -> None:
        """Until every VideoJob of the cluster is here: what kopf does not bring in time is read one by one."""
        listed = await self._list_versions()
        with suppress(TimeoutError):
            async with asyncio.timeout(INITIAL_LIST_TIMEOUT):
                await self._wait_until_delivered(set(listed))
        await self.relist()

    async def relist(self) -> None:
        """Removes ghosts, and reads anew what differs from the cluster."""
        began = self._clock()
        listed = await self._list_versions()
        old = [key for key in self if self._at[key] < began]
        for key in old:
            if key not in listed:
                log.warning("removing a ghost: %s was deleted and nobody said so", key)
                self.remove(key)
        for key, version in listed.items():
            if self._at.get(key, 0.0) < began and self._version(key) != version:
                await self.reload(key)
        self.swept = True

    async def run_relist(self, *, every: float) -> None:
        """A sweep every `every` seconds, without end; one that fails is tried again at the next turn."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.relist()
            except ApiError as error:
                log.warning("sweep of VideoJobs failed, again in %.0f s: %s", every, error)

    async def _wait_until_delivered(self, missing: set[ObjectKey]) -> None:
        """Until kopf has brought every one of these."""
        while missing := {key for key in missing if key not in self._seen}:
            self._arrived.clear()
            await self._arrived.wait()

    def _version(self, key: ObjectKey) -> ObjectVersion | None:
        seen = self._seen.get(key)
        return ObjectVersion(seen.uid, seen.resource_version) if seen else None

    async def _list_versions(self) -> dict[ObjectKey, ObjectVersion]:
        found: dict[ObjectKey, ObjectVersion] = {}
        for namespace in self._namespaces:
            async for page in self._client.list_pages(VIDEOJOBS, namespace=namespace, metadata_only=True):
                for item in page.get("items") or ():
                    meta = item["metadata"]
                    found[ObjectKey(meta["namespace"], meta["name"])] = ObjectVersion(
                        meta["uid"], meta["resourceVersion"]
                    )
        return found
