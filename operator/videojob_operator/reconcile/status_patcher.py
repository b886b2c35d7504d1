"""
Writes the status of a VideoJob by server-side apply.

The resourceVersion that the decision was made for goes along, so a stale decision, or one about a recreated object of
the same name, is rejected instead of written. Progress reported by pods (`progress`, `output`) and conclusions of the
operator use separate field managers; only the part that differs is sent, and the answer is put into the cache at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from videojob_api.base import API_VERSION, KIND
from videojob_api.resource.status import VideoJobStatus

from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.observation.observed import ObservedVideoJob
from videojob_operator.domain.observation.projection import project_videojob
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import Conflict
from videojob_operator.kube.kinds import VIDEOJOBS
from videojob_operator.metrics import Metrics

CONTROLLER_MANAGER, PROGRESS_MANAGER = "videojobs.dev-controller", "videojobs.dev-progress"
REPORTED_FIELDS = frozenset({"progress", "output"})
"""Fields of status that the progress manager owns."""


@dataclass(frozen=True, slots=True)
class StatusPatcher:
    """Applies statuses, and updates the cache with the responses."""

    client: KubeApi
    videojobs: VideoJobCache
    metrics: Metrics

    async def patch(self, videojob: ObservedVideoJob, status: VideoJobStatus) -> None:
        """Write the fields of `status` that differ. Raises ApiError, Conflict for a stale `videojob` among them."""
        old, new = to_wire(videojob.status), to_wire(status)
        version = videojob.resource_version
        for manager, reported in ((PROGRESS_MANAGER, True), (CONTROLLER_MANAGER, False)):
            part = {name: value for name, value in new.items() if (name in REPORTED_FIELDS) is reported}
            if part == {name: value for name, value in old.items() if (name in REPORTED_FIELDS) is reported}:
                continue
            written = project_videojob(await self._apply(videojob, part, version=version, manager=manager))
            version = written.resource_version
            self.videojobs.put(written, expect_delivery=True)

    async def _apply(
        self, videojob: ObservedVideoJob, part: dict[str, Any], *, version: str, manager: str
    ) -> dict[str, Any]:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": videojob.name, "namespace": videojob.namespace, "resourceVersion": version},
            "status": part,
        }
        result = "failed"
        try:
            written = await self.client.apply_status(VIDEOJOBS, body, manager=manager)
            result = "written"
        except Conflict:
            result = "conflict"
            raise
        finally:
            self.metrics.status_writes.labels(manager, result).inc()
        return written


def to_wire(status: VideoJobStatus) -> dict[str, Any]:
    """A status as JSON, as the API server stores it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
