"""
Executes decisions: status first, then the actions in their order.

Every write is safe to repeat, so a decision that fails half-way is simply made again.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_operator.cache.creations import JobCreations
from videojob_operator.cache.informer import Informer
from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.domain.decision import (
    Action,
    CreateJob,
    Decision,
    DeleteJob,
    RecordEvent,
    SetActiveDeadline,
    SetSuspend,
)
from videojob_operator.domain.observation.observed import ObservedJob, ObservedVideoJob
from videojob_operator.kube.api import KubeApi
from videojob_operator.metrics import Metrics
from videojob_operator.reconcile.event_recorder import EventRecorder
from videojob_operator.reconcile.job_writer import JobWriter
from videojob_operator.reconcile.status_patcher import StatusPatcher


@dataclass(frozen=True, slots=True)
class DecisionExecutor:
    """Writes what decisions ask for: the status, the Job, events."""

    status: StatusPatcher
    jobs: JobWriter
    events: EventRecorder

    @classmethod
    def create(
        cls,
        client: KubeApi,
        videojobs: VideoJobCache,
        jobs: Informer[ObservedJob],
        events: EventRecorder,
        *,
        creations: JobCreations,
        metrics: Metrics,
    ) -> DecisionExecutor:
        """An executor over a client and the caches that its writes keep up to date."""
        return cls(StatusPatcher(client, videojobs, metrics), JobWriter(client, videojobs, jobs, creations), events)

    async def execute(self, videojob: ObservedVideoJob, decision: Decision) -> None:
        """
        Write the status if it differs, and perform the actions.

        Raises ApiError; Conflict and NotFound of the status write end it before any action.
        """
        if decision.status != videojob.status:
            await self.status.patch(videojob, decision.status)
        for action in decision.actions:
            await self._perform(videojob, action)

    async def _perform(self, videojob: ObservedVideoJob, action: Action) -> None:
        match action:
            case CreateJob():
                await self.jobs.create(videojob, action)
            case DeleteJob():
                await self.jobs.delete(videojob, action)
            case SetSuspend():
                await self.jobs.patch(videojob, action, {"suspend": action.suspend})
            case SetActiveDeadline():
                await self.jobs.patch(videojob, action, {"activeDeadlineSeconds": action.seconds})
            case RecordEvent():
                self.events.record(videojob, action)
