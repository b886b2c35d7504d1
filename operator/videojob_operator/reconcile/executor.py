"""
The one hand that writes: a Decision becomes calls.

Status first, actions after, in their order; each may be repeated. The status goes out by server-side apply with the
resourceVersion the decision was made for, so a stale decision, or one about an object that has been made anew under the
same name, is refused instead of written. Two field managers share it: what pods have told (`progress`, `output`)
belongs to the progress manager, what the operator has concluded to the controller. Only the part that differs is sent,
and what the server answers is kept at once, so that the next decision does not look at a past state.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from videojob_api.base import API_VERSION, KIND
from videojob_api.resource.status import VideoJobStatus

from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.decision import CreateJob, Decision, DeleteJob, RecordEvent, SetActiveDeadline, SetSuspend
from videojob_operator.domain.observation.observed import CreationProblem, ObservedJob, ObservedVideoJob
from videojob_operator.domain.observation.projection import project_job, project_videojob
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import ApiError, Conflict, Invalid, NotFound
from videojob_operator.kube.kinds import JOBS, VIDEOJOBS
from videojob_operator.metrics import Metrics
from videojob_operator.reconcile.event_recorder import EventRecorder

log = logging.getLogger(__name__)

CONTROLLER_MANAGER, PROGRESS_MANAGER = "videojobs.dev-controller", "videojobs.dev-progress"
DENIED = ("denied the request", "denied request")
"""Answers of an admission webhook (400 by default) or policy (422), which may be another one later."""
REPORTED_FIELDS = frozenset({"progress", "output"})
"""Fields of status that the progress manager owns."""


@dataclass(frozen=True, slots=True)
class DecisionExecutor:
    """Everything it takes to carry a decision out."""

    client: KubeApi
    videojobs: VideoJobCache
    jobs: Informer[ObservedJob]
    events: EventRecorder
    creations: JobCreations
    metrics: Metrics

    async def execute(self, seen: ObservedVideoJob, decision: Decision) -> None:
        """Writes the status and performs the actions; Conflict and NotFound of the status end it before the actions."""
        if decision.status != seen.status:
            await self._write_status(seen, decision.status)
        for action in decision.actions:
            match action:
                case CreateJob():
                    await self._create(seen, action)
                case DeleteJob():
                    await self._delete(seen, action)
                case SetSuspend():
                    await self._patch(seen, action, {"suspend": action.suspend})
                case SetActiveDeadline():
                    await self._patch(seen, action, {"activeDeadlineSeconds": action.seconds})
                case RecordEvent():
                    self.events.record(seen, action)

    async def _write_status(self, seen: ObservedVideoJob, wanted: VideoJobStatus) -> None:
        old, new = to_wire(seen.status), to_wire(wanted)
        version = seen.resource_version
        for manager, mine in ((PROGRESS_MANAGER, True), (CONTROLLER_MANAGER, False)):
            part = {name: value for name, value in new.items() if (name in REPORTED_FIELDS) is mine}
            if part == {name: value for name, value in old.items() if (name in REPORTED_FIELDS) is mine}:
                continue
            written = project_videojob(await self._apply(seen, part, version=version, manager=manager))
            version = written.resource_version
            self.videojobs.put(written, expect_delivery=True)

    async def _apply(
        self, seen: ObservedVideoJob, part: dict[str, Any], *, version: str, manager: str
    ) -> dict[str, Any]:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": seen.name, "namespace": seen.namespace, "resourceVersion": version},
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

    async def _create(self, seen: ObservedVideoJob, action: CreateJob) -> None:
        try:
            reply = await self.client.create(JOBS, action.manifest, namespace=seen.namespace)
        except Conflict as error:
            await self._adopt(seen, action.manifest["metadata"]["name"], error)
        except ApiError as error:
            if not error.status:
                raise
            permanent = isinstance(error, Invalid) and not any(words in str(error) for words in DENIED)
            self._record_creation_failure(
                seen, "InvalidJob" if permanent else "CreateFailed", error, permanent=permanent
            )
        else:
            log.info("created Job %s in %s", action.manifest["metadata"]["name"], seen.namespace)
            self.creations.record_success(seen.uid, warnings=reply.warnings)
            self.jobs.put(reply.body)

    async def _adopt(self, seen: ObservedVideoJob, name: str, error: ApiError) -> None:
        """A Job of that name exists: fine when it is this VideoJob's."""
        raw = await self.client.get(JOBS, name, namespace=seen.namespace)
        if project_job(raw).owner_uid == seen.uid:
            self.creations.record_success(seen.uid)
            self.jobs.put(raw)
        else:
            self._record_creation_failure(seen, "JobNameTaken", error)

    def _record_creation_failure(
        self, seen: ObservedVideoJob, reason: str, error: ApiError, *, permanent: bool = False
    ) -> None:
        """Keeps the refusal, and has the VideoJob looked at again when it is news."""
        problem = CreationProblem(reason, str(error)[:1000], permanent=permanent)
        if self.creations.record_failure(seen.uid, problem):
            self.videojobs.enqueue(seen)

    async def _delete(self, seen: ObservedVideoJob, action: DeleteJob) -> None:
        log.info("deleting Job %s in %s: %s", action.name, seen.namespace, action.reason)
        try:
            await self.client.delete(JOBS, action.name, namespace=seen.namespace, uid=action.uid)
        except (NotFound, Conflict):
            log.info("Job %s in %s was gone already", action.name, seen.namespace)

    async def _patch(
        self, seen: ObservedVideoJob, action: SetSuspend | SetActiveDeadline, spec: dict[str, Any]
    ) -> None:
        body = {"metadata": {"uid": action.uid}, "spec": spec}
        try:
            self.jobs.put(await self.client.merge_patch(JOBS, action.name, namespace=seen.namespace, body=body))
        except (NotFound, Conflict):
            log.info("Job %s in %s was gone before %s reached it", action.name, seen.namespace, spec)
        except Invalid:
            if await self._is_same_job(seen, action):
                raise
            log.info("Job %s in %s was made anew before %s reached it", action.name, seen.namespace, spec)

    async def _is_same_job(self, seen: ObservedVideoJob, action: SetSuspend | SetActiveDeadline) -> bool:
        """Whether the Job is the one that was meant: the API server answers a wrong uid and a wrong value alike."""
        raw = await self.client.get(JOBS, action.name, namespace=seen.namespace)
        return project_job(raw).uid == action.uid


def to_wire(status: VideoJobStatus) -> dict[str, Any]:
    """A status as it stands in the API server."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
