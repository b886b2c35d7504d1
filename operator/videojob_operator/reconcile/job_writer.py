"""
Creates, changes and deletes the child Job of a VideoJob; every call is safe to repeat.

The answers are put into the cache at once, so that the next decision sees the Job as it is now.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.decision import CreateJob, DeleteJob, SetActiveDeadline, SetSuspend
from videojob_operator.domain.observation.observed import CreationProblem, ObservedJob, ObservedVideoJob
from videojob_operator.domain.observation.projection import project_job
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import ApiError, Conflict, Invalid, NotFound
from videojob_operator.kube.kinds import JOBS

log = logging.getLogger(__name__)

DENIED = ("denied the request", "denied request")
"""Phrases of an admission webhook (400 by default) or policy (422), whose answer may change."""


@dataclass(frozen=True, slots=True)
class JobWriter:
    """Writes child Jobs; refused creations are kept in `creations`."""

    client: KubeApi
    videojobs: VideoJobCache
    jobs: Informer[ObservedJob]
    creations: JobCreations

    async def create(self, videojob: ObservedVideoJob, action: CreateJob) -> None:
        """Create the Job. A refusal by the API server is recorded and not raised; no answer raises ApiError."""
        try:
            reply = await self.client.create(JOBS, action.manifest, namespace=videojob.namespace)
        except Conflict as error:
            await self._adopt(videojob, action.manifest["metadata"]["name"], error)
        except ApiError as error:
            if not error.status:
                raise
            permanent = isinstance(error, Invalid) and not any(phrase in str(error) for phrase in DENIED)
            self._record_creation_failure(
                videojob, "InvalidJob" if permanent else "CreateFailed", error, permanent=permanent
            )
        else:
            log.info("created Job %s in %s", action.manifest["metadata"]["name"], videojob.namespace)
            self.creations.record_success(videojob.uid, warnings=reply.warnings)
            self.jobs.put(reply.body)

    async def _adopt(self, videojob: ObservedVideoJob, name: str, error: ApiError) -> None:
        """Adopt an existing Job of that name if this VideoJob owns it."""
        raw = await self.client.get(JOBS, name, namespace=videojob.namespace)
        if project_job(raw).owner_uid == videojob.uid:
            self.creations.record_success(videojob.uid)
            self.jobs.put(raw)
        else:
            self._record_creation_failure(videojob, "JobNameTaken", error)

    def _record_creation_failure(
        self, videojob: ObservedVideoJob, reason: str, error: ApiError, *, permanent: bool = False
    ) -> None:
        """Record the rejection, and enqueue the VideoJob if it is a new one."""
        problem = CreationProblem(reason, str(error)[:1000], permanent=permanent)
        if self.creations.record_failure(videojob.uid, problem):
            self.videojobs.enqueue(videojob)

    async def delete(self, videojob: ObservedVideoJob, action: DeleteJob) -> None:
        """Delete the Job unless it is gone or another one has its name."""
        log.info("deleting Job %s in %s: %s", action.name, videojob.namespace, action.reason)
        try:
            await self.client.delete(JOBS, action.name, namespace=videojob.namespace, uid=action.uid)
        except (NotFound, Conflict):
            log.info("Job %s in %s had already been deleted", action.name, videojob.namespace)

    async def patch(
        self, videojob: ObservedVideoJob, action: SetSuspend | SetActiveDeadline, spec: dict[str, Any]
    ) -> None:
        """Merge `spec` into the spec of the Job that `action` names, unless it is gone or was recreated."""
        body = {"metadata": {"uid": action.uid}, "spec": spec}
        try:
            self.jobs.put(await self.client.merge_patch(JOBS, action.name, namespace=videojob.namespace, body=body))
        except (NotFound, Conflict):
            log.info("Job %s in %s was deleted before %s was applied", action.name, videojob.namespace, spec)
        except Invalid:
            if await self._is_same_job(videojob, action):
                raise
            log.info("Job %s in %s was recreated before %s was applied", action.name, videojob.namespace, spec)

    async def _is_same_job(self, videojob: ObservedVideoJob, action: SetSuspend | SetActiveDeadline) -> bool:
        """True if the Job has the expected uid: the API server answers a wrong uid and a wrong value alike."""
        raw = await self.client.get(JOBS, action.name, namespace=videojob.namespace)
        return project_job(raw).uid == action.uid
