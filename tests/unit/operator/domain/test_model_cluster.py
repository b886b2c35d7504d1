"""
`decide` against a small model of a cluster: whatever happens, its actions lead to rest, and it answers everything.

The model knows what the API server and the Job controller do with our actions: create, suspend, delete. Hypothesis
brings the observations, sensible or not.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from videojob_api.messages.report import Failure, ProgressState, Published, Report
from videojob_api.resource.status import AttemptStatus, Condition, OutputStatus, ProgressStatus, VideoJobStatus
from videojob_operator.domain.conditions import is_finished
from videojob_operator.domain.decide import decide
from videojob_operator.domain.decision import (
    Action,
    CreateJob,
    Decision,
    DeleteJob,
    RecordEvent,
    SetActiveDeadline,
    SetSuspend,
)
from videojob_operator.domain.observation.observed import (
    ContainerExit,
    CreationProblem,
    Observed,
    ObservedCondition,
    ObservedContainer,
    ObservedJob,
    ObservedPod,
    ObservedReport,
    ObservedVideoJob,
    PodRefusal,
)

from tests.unit.operator.builders import DIGEST, JOB_UID, NOW, UID, custom, settings, spec

SETTINGS = settings()
MOMENTS = st.integers(-4000, 600).map(lambda seconds: NOW + timedelta(seconds=seconds))
MAYBE = st.none() | MOMENTS
WORDS = st.sampled_from(
    ["", "Unschedulable", "ErrImagePull", "InvalidImageName", "PodInitializing", "OOMKilled", "x y"]
)
TEXTS = st.sampled_from(["", "persistentvolumeclaim not found", "runAsNonRoot", "boom\n\x00"]) | st.text(max_size=5)
TRUTH = st.sampled_from(["True", "False", "Unknown"])


def document(kind: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A pydantic model by its Python names; `builds` would fill in the aliases by itself."""
    return st.fixed_dictionaries(fields).map(lambda told: kind(**told))


def seen_conditions(*kinds: str) -> st.SearchStrategy[dict[str, ObservedCondition]]:
    one = st.sampled_from(kinds).flatmap(
        lambda kind: st.builds(ObservedCondition, st.just(kind), TRUTH, WORDS, TEXTS, MAYBE)
    )
    return st.lists(one, max_size=3).map(lambda found: {item.type: item for item in found})


def reports() -> st.SearchStrategy[Report]:
    published = document(Published, frames=st.integers(0, 9), manifest_digest=st.none() | st.just(DIGEST))
    return document(
        Report,
        uid=st.sampled_from([UID, "other"]),
        sequence=st.integers(0, 9),
        state=st.sampled_from(ProgressState),
        percent=st.integers(0, 100),
        frames_done=st.none() | st.integers(0, 9),
        observed_time=MOMENTS,
        published=st.none() | published,
        failure=st.none() | document(Failure, reason=st.sampled_from(["NoVideo", "CredentialsRefused"])),
    )


def exits() -> st.SearchStrategy[ContainerExit]:
    message = TEXTS | reports().map(lambda told: told.model_dump_json(by_alias=True))
    return st.builds(
        ContainerExit, st.sampled_from([0, 1, 64, 65, 66, 70, 74, 75, 137, 300, -1]), WORDS, message, MAYBE
    )


def containers() -> st.SearchStrategy[dict[str, ObservedContainer]]:
    def one(name: str) -> st.SearchStrategy[ObservedContainer]:
        return st.builds(ObservedContainer, st.just(name), WORDS, TEXTS, MAYBE, MAYBE, st.none() | exits())

    found = st.tuples(*(st.none() | one(name) for name in ("agent", "fetch", "runner")))
    return found.map(lambda items: {item.name: item for item in items if item})


def pods() -> st.SearchStrategy[ObservedPod]:
    return st.builds(
        ObservedPod,
        uid=st.sampled_from(["p1", "p2"]),
        name=st.sampled_from(["a", "b", "c", "d"]),
        job_uid=st.just(JOB_UID),
        created=MOMENTS,
        phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
        node=st.none() | st.just("n1"),
        reason=WORDS,
        message=TEXTS,
        deletion_deadline=MAYBE,
        deleted=st.booleans(),
        conditions=seen_conditions("PodScheduled", "PodReadyToStartContainers", "DisruptionTarget"),
        containers=containers(),
    )


def jobs() -> st.SearchStrategy[ObservedJob]:
    count = st.integers(0, 3)
    return st.builds(
        ObservedJob,
        uid=st.just(JOB_UID),
        name=st.just("sunset-1"),
        owner_uid=st.sampled_from([UID, UID, UID, "", "other"]),
        created=MOMENTS,
        owner_kind=st.sampled_from(["VideoJob", ""]),
        suspend=st.booleans(),
        active_deadline_seconds=st.none() | st.just(60),
        deleting=st.booleans(),
        active=count,
        terminating=count,
        failed=count,
        succeeded=count,
        started=MAYBE,
        conditions=seen_conditions("Complete", "Failed", "Suspended"),
    )


def statuses() -> st.SearchStrategy[VideoJobStatus]:
    condition = document(
        Condition,
        type=st.sampled_from(["Accepted", "Suspended", "Running", "ProgressReporting", "Succeeded", "Stalled"]),
        status=TRUTH,
        reason=st.just("X"),
        last_transition_time=MOMENTS,
    )
    attempt = document(
        AttemptStatus, number=st.integers(1, 9), pod=st.sampled_from(["a", "b", "z"]), started=MAYBE, finished=MAYBE
    )
    return document(
        VideoJobStatus,
        conditions=st.lists(condition, max_size=5, unique_by=lambda item: item.type),
        attempt=st.integers(0, 4),
        attempts=st.lists(attempt, max_size=3, unique_by=lambda item: item.pod),
        disruptions=st.integers(0, 22),
        job_name=st.none() | st.just("sunset-1"),
        progress=st.none() | document(ProgressStatus, state=st.just("running"), percent=st.integers(0, 100)),
        output=st.none() | document(OutputStatus, url=st.just("u"), manifest_digest=st.none() | st.just(DIGEST)),
    )


SPECS = (
    spec(),
    spec(suspend=True),
    spec(deadlines={"progressSeconds": 60, "activeSeconds": 60, "startSeconds": 60, "pendingSeconds": 60}),
    spec(output={"s3": {"bucket": "art", "endpoint": "http://plain", "credentials": {"secretName": "s"}}}),
    spec(**custom(command=["true"])),
)


def observations() -> st.SearchStrategy[Observed]:
    videojob = st.builds(
        ObservedVideoJob,
        namespace=st.just("art"),
        name=st.just("sunset"),
        uid=st.just(UID),
        created=MOMENTS,
        status=statuses(),
        spec=st.none() | st.sampled_from(SPECS),
        generation=st.integers(1, 3),
        deleting=st.sampled_from([False, False, False, True]),
    )
    report = st.builds(
        ObservedReport,
        reports(),
        st.sampled_from(["p1", "p2", "p3"]),
        pod_created=MOMENTS,
        received_at=MOMENTS,
        progressed_at=MOMENTS,
    )
    problem = st.builds(
        CreationProblem, st.sampled_from(["CreateFailed", "JobNameTaken"]), TEXTS, permanent=st.booleans()
    )
    some_pods = st.lists(pods(), max_size=3, unique_by=lambda pod: pod.name).map(tuple)
    warnings = st.lists(TEXTS, max_size=2).map(tuple)
    return st.builds(
        Observed,
        videojob,
        job=st.none() | jobs(),
        pods=some_pods,
        warnings=warnings,
        refusals=st.lists(refusals(), max_size=3).map(tuple),
        newest_pod=MAYBE,
        pods_read=st.booleans(),
        creation_problem=st.none() | problem,
        report=st.none() | report,
    )


def refusals() -> st.SearchStrategy[PodRefusal]:
    message = st.sampled_from(["exceeded quota: gpus", "violates PodSecurity", "etcdserver: timeout", ""])
    return st.builds(PodRefusal, st.just("e"), st.just("e"), st.just(JOB_UID), message, created=MOMENTS, last=MOMENTS)


def steps(decision: Decision) -> list[Action]:
    """What changes the cluster."""
    return [action for action in decision.actions if not isinstance(action, RecordEvent)]


def carried_out(before: Observed, decision: Decision, *, now: datetime) -> Observed:
    """The cluster after the caller did what the decision says."""
    after = replace(before, videojob=replace(before.videojob, status=decision.status))
    for action in steps(decision):
        after = replace(after, **_effect(after, action, now=now))
    return after


def _effect(seen: Observed, action: Action, *, now: datetime) -> dict[str, Any]:
    job = seen.job
    match action:
        case CreateJob(manifest):
            assert job is None, "a Job must not be created twice"
            return {"job": created(manifest, now=now), "refusals": (), "pods": (), "creation_problem": None}
        case DeleteJob(uid=uid) if job and job.uid == uid:
            return {"job": None, "pods": ()}
        case SetSuspend(uid=uid, suspend=suspend) if job and job.uid == uid:
            return {"job": replace(job, suspend=suspend)}
        case SetActiveDeadline(uid=uid, seconds=seconds) if job and job.uid == uid:
            return {"job": replace(job, active_deadline_seconds=seconds)}
    raise AssertionError(f"an action without its Job: {action}")


def created(manifest: Any, *, now: datetime) -> ObservedJob:
    meta, body = manifest["metadata"], manifest["spec"]
    return ObservedJob(
        uid="fresh",
        name=meta["name"],
        owner_uid=meta["ownerReferences"][0]["uid"],
        created=now,
        suspend=body["suspend"],
        active_deadline_seconds=body.get("activeDeadlineSeconds"),
    )


GENEROUS = budget(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@GENEROUS
@given(observations())
def test_carrying_a_decision_out_and_deciding_again_changes_nothing_more(seen: Observed) -> None:
    first = decide(seen, now=NOW, settings=SETTINGS)
    after = carried_out(seen, first, now=NOW)
    second = decide(after, now=NOW, settings=SETTINGS)
    assert steps(second) == []
    resting = carried_out(after, second, now=NOW)
    third = decide(resting, now=NOW, settings=SETTINGS)
    assert (third.status, third.actions) == (resting.videojob.status, ())


@GENEROUS
@given(observations(), st.integers(0, 100_000))
def test_a_verdict_is_final_whatever_comes_after(seen: Observed, later: int) -> None:
    first = decide(seen, now=NOW, settings=SETTINGS)
    after = carried_out(seen, first, now=NOW)
    if is_finished(after.videojob.status) and not after.videojob.deleting:
        again = decide(replace(after, job=None, pods=()), now=NOW + timedelta(seconds=later), settings=SETTINGS)
        assert again.status.conditions == after.videojob.status.conditions
        assert steps(again) == []


@GENEROUS
@given(observations())
def test_every_decision_can_be_written(seen: Observed) -> None:
    decision = decide(seen, now=NOW, settings=SETTINGS)
    written = decision.status.model_dump_json(by_alias=True, exclude_none=True)
    assert VideoJobStatus.model_validate_json(written) == decision.status
    assert all(len(item.message) <= 1024 for item in decision.status.conditions)
    assert all(len(action.note) <= 1024 for action in decision.actions if isinstance(action, RecordEvent))
    assert decision.requeue_after is None or decision.requeue_after >= timedelta(seconds=1)


@GENEROUS
@given(observations())
def test_nobody_elses_job_is_ever_touched(seen: Observed) -> None:
    decision = decide(seen, now=NOW, settings=SETTINGS)
    if seen.job and seen.job.owner_uid != UID:
        assert steps(decision) == []
