"""
Cache of all VideoJobs as projections, fed by kopf's watch and verified by periodic relists.

kopf delivers each change, but drops deletions that happen during a relist and does not report when its first list is
complete. Therefore the metadata of all VideoJobs is listed at startup and every ten minutes: cached VideoJobs that are
not listed are removed, and those whose version differs are read again. A writer of a VideoJob expects kopf to deliver
the new version; if it does not, `delivery_lag` grows and the liveness probe fails.
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
"""Seconds for kopf to deliver the VideoJobs of the first list, before they are read one by one."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of one object."""

    uid: str
    resource_version: str


class VideoJobCache:
    """The cache; `on_change` is called with the key of each added, changed or deleted VideoJob."""

    def __init__(
        self,
        client: KubeApi,
        on_change: Callable[[ObjectKey], None],
        *,
        namespaces: tuple[str | None, ...] = (None,),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._changed, self._namespaces, self._clock = client, on_change, namespaces, clock
        self._videojobs: dict[ObjectKey, ObservedVideoJob] = {}
        self._updated_at: dict[ObjectKey, float] = {}
        self._expected: dict[ObjectKey, tuple[str, float]] = {}
        self._updated = asyncio.Event()
        self.has_synced = False

    def __len__(self) -> int:
        return len(self._videojobs)

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(tuple(self._videojobs))

    def get(self, key: ObjectKey) -> ObservedVideoJob | None:
        """The newest known version."""
        return self._videojobs.get(key)

    def count_by_state(self) -> Mapping[str, int]:
        """Number of VideoJobs by state; without a state they count as `New`."""
        return Counter(videojob.status.state or "New" for videojob in self._videojobs.values())

    def on_watch_event(self, raw: Mapping[str, Any], *, deleted: bool) -> None:
        """Apply an event of kopf's watch."""
        videojob = project_videojob(raw)
        key = ObjectKey(videojob.namespace, videojob.name)
        expected = self._expected.get(key)
        if expected and not is_newer(expected[0], videojob.resource_version):
            del self._expected[key]
        if not deleted:
            self.put(videojob)
        elif (cached := self._videojobs.get(key)) is None or cached.uid == videojob.uid:
            self.remove(key)

    def put(self, videojob: ObservedVideoJob, *, expect_delivery: bool = False) -> None:
        """Store a version unless a newer one is cached; with `expect_delivery` kopf must deliver this version, too."""
        key = ObjectKey(videojob.namespace, videojob.name)
        cached = self._videojobs.get(key)
        if cached and cached.uid == videojob.uid and not is_newer(videojob.resource_version, cached.resource_version):
            return
        self._videojobs[key], self._updated_at[key] = videojob, self._clock()
        self._updated.set()
        if expect_delivery:
            since = self._expected.get(key, ("", self._clock()))[1]
            self._expected[key] = (videojob.resource_version, since)
        self._changed(key)

    def remove(self, key: ObjectKey) -> None:
        """Remove a deleted VideoJob."""
        self._expected.pop(key, None)
        self._updated_at.pop(key, None)
        if self._videojobs.pop(key, None) is not None:
            self._changed(key)

    def enqueue(self, videojob: ObservedVideoJob) -> None:
        """Enqueue a VideoJob although it did not change itself."""
        self._changed(ObjectKey(videojob.namespace, videojob.name))

    def delivery_lag(self) -> float:
        """Seconds since the oldest version that kopf should have delivered was written; 0 if there is none."""
        since = [at for _, at in self._expected.values()]
        return self._clock() - min(since) if since else 0.0

    async def reload(self, key: ObjectKey) -> None:
        """Read one VideoJob from the API server."""
        try:
            raw = await self._client.get(VIDEOJOBS, key.name, namespace=key.namespace)
        except NotFound:
            self.remove(key)
            return
        self.put(project_videojob(raw), expect_delivery=True)

    async def initial_sync(self) -> None:
        """Wait until all VideoJobs are cached; those that kopf does not deliver in time are read one by one."""
        listed = await self._list_versions()
        with suppress(TimeoutError):
            async with asyncio.timeout(INITIAL_LIST_TIMEOUT):
                await self._wait_until_delivered(set(listed))
        await self.relist()

    async def relist(self) -> None:
        """Remove VideoJobs that no longer exist, and read those whose version differs."""
        began = self._clock()
        listed = await self._list_versions()
        old = [key for key in self if self._updated_at[key] < began]
        for key in old:
            if key not in listed:
                log.warning("removing %s: it was deleted without a watch event", key)
                self.remove(key)
        for key, version in listed.items():
            if self._updated_at.get(key, 0.0) < began and self._version(key) != version:
                await self.reload(key)
        self.has_synced = True

    async def run_relist(self, *, every: float) -> None:
        """Relist every `every` seconds, without end; a failure is retried at the next turn."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.relist()
            except ApiError as error:
                log.warning("relist of VideoJobs failed, retrying in %.0f s: %s", every, error)

    async def _wait_until_delivered(self, missing: set[ObjectKey]) -> None:
        """Wait until kopf has delivered all of these."""
        while missing := {key for key in missing if key not in self._videojobs}:
            self._updated.clear()
            await self._updated.wait()

    def _version(self, key: ObjectKey) -> ObjectVersion | None:
        videojob = self._videojobs.get(key)
        return ObjectVersion(videojob.uid, videojob.resource_version) if videojob else None

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
