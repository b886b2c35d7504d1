"""
The input of all policies: one observation, sorted and merged with the recorded status.

Every policy (completion, startup, suspension) and the status derivation read the same `ReconcileContext`.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from videojob_api.messages.plan import JobRef
from videojob_api.messages.report import Report
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import OutputStatus, ProgressStatus, VideoJobStatus

from videojob_operator.domain.manifests.plan import output_url
from videojob_operator.domain.observation import progress
from videojob_operator.domain.observation.attempts import AttemptHistory, update_attempts
from videojob_operator.domain.observation.observed import (
    CreationProblem,
    Observed,
    ObservedJob,
    ObservedPod,
    ObservedReport,
    PodRefusal,
)
from videojob_operator.domain.observation.outcomes import PodOutcome, pod_outcome
from videojob_operator.domain.settings import ReconcileSettings


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    """
    Input of the policies. A Job with the expected name that has another owner is the `conflicting_job`, not `job`.
    """

    ref: JobRef
    spec: VideoJobSpec
    status: VideoJobStatus
    generation: int
    now: datetime
    settings: ReconcileSettings
    job: ObservedJob | None
    conflicting_job: ObservedJob | None
    pods: tuple[ObservedPod, ...]
    """Oldest first."""
    outcomes: tuple[PodOutcome | None, ...]
    """One per pod; None while it has not terminated."""
    attempts: AttemptHistory
    report: ObservedReport | None
    """The newest report of the newest pod."""
    termination_report: Report | None
    """The newest pod's termination message."""
    progress: ProgressStatus | None
    output: OutputStatus | None
    job_deleted: bool
    """True if the Job was deleted by another client."""
    warnings: tuple[str, ...] = ()
    refusals: tuple[PodRefusal, ...] = ()
    refusals_hidden: bool = False
    newest_pod: datetime | None = None
    pods_read: bool = False
    creation_problem: CreationProblem | None = None

    @property
    def pod(self) -> ObservedPod | None:
        """The newest pod."""
        return self.pods[-1] if self.pods else None

    @property
    def active_pod(self) -> ObservedPod | None:
        """The newest pod unless it has terminated."""
        return self.pod if self.pod and not self.pod.is_terminal else None

    @property
    def manifest_digest(self) -> str | None:
        """Digest of this VideoJob's committed manifest: the evidence of success."""
        return self.output.manifest_digest if self.output else None

    @property
    def disruptions(self) -> int:
        """Number of disruptions: of pods, and a deleted Job."""
        return self.attempts.disruptions + (1 if self.job_deleted else 0)


def build_context(
    observed: Observed, spec: VideoJobSpec, *, now: datetime, settings: ReconcileSettings
) -> ReconcileContext:
    """Build the context of an observation."""
    videojob, status = observed.videojob, observed.videojob.status
    job, conflicting_job = _split_by_owner(observed)
    pods = tuple(sorted(observed.pods, key=lambda pod: (pod.created, pod.name))) if job else ()
    suspended = spec.suspend or bool(job and job.suspend)
    outcome_of = partial(pod_outcome, uid=videojob.uid, suspended=suspended)
    outcomes = tuple(outcome_of(pod, report=_report_from_pod(observed.report, pod)) for pod in pods)
    attempts = update_attempts(status, tuple(zip(pods, outcomes, strict=True)), suspended=suspended, now=now)
    report = observed.report if pods and _report_from_pod(observed.report, pods[-1]) else None
    message = progress.termination_report(pods[-1], uid=videojob.uid) if pods else None
    ref = JobRef(namespace=videojob.namespace, name=videojob.name, uid=videojob.uid)
    previous = None if attempts.count > status.attempt > 0 else status.progress
    return ReconcileContext(
        ref=ref,
        spec=spec,
        status=status,
        generation=videojob.generation,
        now=now,
        settings=settings,
        job=job,
        conflicting_job=conflicting_job,
        pods=pods,
        outcomes=outcomes,
        attempts=attempts,
        report=report,
        termination_report=message,
        progress=progress.merge_progress(previous, pushed=report.report if report else None, last=message),
        output=_output(observed, ref, spec),
        job_deleted=status.job_name is not None and observed.job is None,
        warnings=observed.warnings,
        refusals=observed.refusals,
        refusals_hidden=observed.refusals_hidden,
        newest_pod=observed.newest_pod,
        pods_read=observed.pods_read,
        creation_problem=observed.creation_problem,
    )


def _split_by_owner(observed: Observed) -> tuple[ObservedJob | None, ObservedJob | None]:
    job = observed.job
    if job is None or job.owner_uid == observed.videojob.uid:
        return job, None
    return None, job


def _report_from_pod(report: ObservedReport | None, pod: ObservedPod) -> Report | None:
    return report.report if report and report.pod_uid == pod.uid else None


def _output(observed: Observed, ref: JobRef, spec: VideoJobSpec) -> OutputStatus | None:
    """Merge what all pods of this VideoJob have reported about the output; a commit of an older pod counts as well."""
    url = output_url(ref, spec)
    termination_reports = tuple(progress.termination_report(pod, uid=ref.uid) for pod in observed.pods)
    pushed = observed.report.report if observed.report and observed.report.report.uid == ref.uid else None
    return progress.merge_output(observed.videojob.status.output, url=url, reports=(pushed, *termination_reports))
