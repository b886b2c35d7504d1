"""
One VideoJob under examination: the observation, sorted and brought up to date with what its status remembers.

The policies (waiting, verdict, state, events) all look at the same `Case`, so that each of them can be one page of
predicates and sentences.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from videojob_api.messages.plan import JobRef
from videojob_api.messages.report import Report
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import OutputStatus, ProgressStatus, VideoJobStatus

from videojob_operator.domain.manifests.plan import Places, output_plan
from videojob_operator.domain.observation import progress
from videojob_operator.domain.observation.attempts import History, history
from videojob_operator.domain.observation.observed import (
    CreationProblem,
    JobSeen,
    Observed,
    PodRefusal,
    PodSeen,
    ReportSeen,
)
from videojob_operator.domain.observation.outcomes import Ending, ending
from videojob_operator.domain.settings import Settings


@dataclass(frozen=True, slots=True)
class Case:
    """What `decide` works on. `job` is ours; a Job of our name that belongs to somebody else is the `stranger`."""

    ref: JobRef
    spec: VideoJobSpec
    status: VideoJobStatus
    generation: int
    now: datetime
    settings: Settings
    job: JobSeen | None
    stranger: JobSeen | None
    pods: tuple[PodSeen, ...]
    """Oldest first."""
    endings: tuple[Ending | None, ...]
    """One for each pod."""
    history: History
    report: ReportSeen | None
    """The newest report of the newest pod."""
    words: Report | None
    """The newest pod's termination message."""
    progress: ProgressStatus | None
    output: OutputStatus | None
    lost_job: bool
    """There was a Job, and somebody deleted it."""
    warnings: tuple[str, ...] = ()
    refusals: tuple[PodRefusal, ...] = ()
    refusals_hidden: bool = False
    newest_pod: datetime | None = None
    pods_read: bool = False
    creation_problem: CreationProblem | None = None

    @property
    def pod(self) -> PodSeen | None:
        """The newest pod."""
        return self.pods[-1] if self.pods else None

    @property
    def live_pod(self) -> PodSeen | None:
        """The newest pod, while anything in it may still run."""
        return self.pod if self.pod and not self.pod.ended else None

    @property
    def digest(self) -> str | None:
        """The evidence: digest of the manifest of this very VideoJob."""
        return self.output.manifest_digest if self.output else None

    @property
    def disruptions(self) -> int:
        """How often the cluster took the work away: pods, and a deleted Job."""
        return self.history.disruptions + (1 if self.lost_job else 0)


def examine(observed: Observed, spec: VideoJobSpec, *, now: datetime, settings: Settings) -> Case:
    """The case behind an observation."""
    seen, status = observed.videojob, observed.videojob.status
    job, stranger = _whose(observed)
    pods = tuple(sorted(observed.pods, key=lambda pod: (pod.created, pod.name))) if job else ()
    suspended = spec.suspend or bool(job and job.suspend)
    judge = partial(ending, uid=seen.uid, suspended=suspended)
    ends = tuple(judge(pod, report=_pushed(observed.report, pod)) for pod in pods)
    past = history(status, tuple(zip(pods, ends, strict=True)), suspended=suspended, now=now)
    report = observed.report if pods and _pushed(observed.report, pods[-1]) else None
    words = progress.last_words(pods[-1], uid=seen.uid) if pods else None
    ref = JobRef(namespace=seen.namespace, name=seen.name, uid=seen.uid)
    before = None if past.count > status.attempt > 0 else status.progress
    return Case(
        ref=ref,
        spec=spec,
        status=status,
        generation=seen.generation,
        now=now,
        settings=settings,
        job=job,
        stranger=stranger,
        pods=pods,
        endings=ends,
        history=past,
        report=report,
        words=words,
        progress=progress.merged(before, pushed=report.report if report else None, last=words),
        output=_output(observed, ref, spec),
        lost_job=status.job_name is not None and observed.job is None,
        warnings=observed.warnings,
        refusals=observed.refusals,
        refusals_hidden=observed.refusals_hidden,
        newest_pod=observed.newest_pod,
        pods_read=observed.pods_read,
        creation_problem=observed.creation_problem,
    )


def _whose(observed: Observed) -> tuple[JobSeen | None, JobSeen | None]:
    job = observed.job
    if job is None or job.owner_uid == observed.videojob.uid:
        return job, None
    return None, job


def _pushed(report: ReportSeen | None, pod: PodSeen) -> Report | None:
    return report.report if report and report.pod_uid == pod.uid else None


def _output(observed: Observed, ref: JobRef, spec: VideoJobSpec) -> OutputStatus | None:
    """What every pod of this VideoJob has told about its output; an older pod's commit counts as well."""
    url = output_plan(ref, spec, Places()).url
    told = tuple(progress.last_words(pod, uid=ref.uid) for pod in observed.pods)
    pushed = observed.report.report if observed.report and observed.report.report.uid == ref.uid else None
    return progress.output(observed.videojob.status.output, url=url, reports=(pushed, *told))
