"""What never starts: each kind of waiting has a name, a sentence and an end of patience."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from videojob_operator.domain.decision import DeleteJob
from videojob_operator.domain.observed import PodSeen

from tests.unit.operator.builders import (
    JOB_UID,
    NOW,
    ago,
    condition,
    decided,
    ended,
    fact,
    failed_pod,
    fails,
    holds,
    job,
    pod,
    refusal,
    running_pod,
    runs,
    settings,
    spec,
    status,
    videojob,
    waits,
)

IMAGE = 'Back-off pulling image "nobody/nothing:1.0"'
ROOT = "container has runAsNonRoot and image will run as root"


def at_turn(reason: str, message: str = "", *, after: float) -> PodSeen:
    """A pod whose runner's turn came `after` seconds ago, and that is stuck with this reason."""
    scheduled = holds("PodScheduled", since=ago(after))
    containers = (runs("agent", since=ago(after)), waits("runner", reason, message))
    return pod(created=ago(after), conditions=scheduled, containers=containers)


@pytest.mark.parametrize("reason", ["InvalidImageName", "CreateContainerConfigError", "CreateContainerError"])
def test_a_container_that_cannot_be_made_is_a_verdict_after_a_minute(reason: str) -> None:
    early, late = (decided(pods=(at_turn(reason, "no", after=seconds),)) for seconds in (59, 60))
    assert fact(early, "Running") == ("False", reason, "container runner: no")
    assert early.look_again == timedelta(seconds=1)
    assert fact(late, "Succeeded") == ("False", reason, "container runner: no")
    assert DeleteJob("sunset-1", JOB_UID, reason) in late.actions


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_does_not_come_is_a_verdict_after_ten_minutes(reason: str) -> None:
    early, late = (decided(pods=(at_turn(reason, IMAGE, after=seconds),)) for seconds in (599, 600))
    assert fact(early, "Running") == ("False", "ImagePullFailed", f"container runner: {IMAGE}")
    assert fact(early, "Succeeded")[0] == "Unknown"
    assert fact(late, "Succeeded") == ("False", "ImagePullFailed", f"container runner: {IMAGE}")


def test_patience_is_a_setting() -> None:
    short = settings(image_pull_wait=timedelta(seconds=20))
    decision = decided(pods=(at_turn("ErrImagePull", after=21),), told=short)
    assert fact(decision, "Succeeded")[1:] == ("ImagePullFailed", "container runner: ErrImagePull")


def test_a_root_image_is_refused_with_the_remedy() -> None:
    decision = decided(pods=(at_turn("CreateContainerConfigError", ROOT, after=60),))
    assert "set spec.pod.runAsUser" in fact(decision, "Succeeded")[2]


def test_patience_with_the_runners_image_counts_from_the_end_of_fetch() -> None:
    long_ago = holds("PodScheduled", since=ago(3000))
    containers = (runs("agent", since=ago(3000)), ended("fetch"), waits("runner", "ErrImagePull", IMAGE))
    slow = pod(created=ago(3000), conditions=long_ago, containers=containers)
    accepted = status(accepted=ago(3000))
    lasting = videojob(status=accepted, spec=spec(deadlines={"startSeconds": 9000}))
    decision = decided(videojob=lasting, pods=(slow,))
    assert fact(decision, "Succeeded")[0] == "Unknown"
    assert decision.look_again == timedelta(seconds=595)


def test_the_agents_own_image_is_waited_for_from_scheduling_on() -> None:
    stuck = pod(
        conditions=holds("PodScheduled", since=ago(61)),
        created=ago(61),
        containers=(waits("agent", "InvalidImageName"),),
    )
    assert fact(decided(pods=(stuck,)), "Succeeded")[1] == "InvalidImageName"


def test_no_room_in_the_cluster_is_named_but_only_the_start_deadline_ends_it() -> None:
    message = "0/1 nodes are available: 1 Insufficient example.com/gpu."
    full = pod(conditions=fails("PodScheduled", reason="Unschedulable", message=message))
    early = decided(pods=(full,), videojob=videojob(status=status(accepted=ago(1799))))
    late = decided(pods=(full,), videojob=videojob(status=status(accepted=ago(1800))))
    assert fact(early, "Running") == ("False", "Unschedulable", message)
    verdict = fact(late, "Succeeded")
    assert verdict[1] == "StartDeadlineExceeded"
    assert "1800 s (spec.deadlines.startSeconds)" in verdict[2]
    assert "example.com/gpu" in verdict[2]


@pytest.mark.parametrize(
    "message",
    [
        '0/1 nodes are available: persistentvolumeclaim "videos" not found.',
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        "0/3 nodes are available: 3 node(s) had volume node affinity conflict.",
    ],
)
def test_a_missing_claim_is_volumes_not_ready_and_so_is_the_verdict(message: str) -> None:
    stuck = pod(conditions=fails("PodScheduled", reason="Unschedulable", message=message))
    seen = videojob(spec=spec(deadlines={"startSeconds": 20}), status=status(accepted=ago(20)))
    decision = decided(videojob=seen, pods=(stuck,))
    assert fact(decision, "Succeeded")[1] == "VolumesNotReady"
    assert message in fact(decision, "Succeeded")[2]


def test_a_pod_that_cannot_be_set_up_names_the_secrets_and_claims_to_look_for() -> None:
    bucket = {"s3": {"bucket": "art", "credentials": {"secretName": "art-s3"}}}
    inputs = [{"path": "a", "pvc": {"claimName": "seeds"}}]
    seen = videojob(spec=spec(output=bucket, inputs=inputs))
    conditions = holds("PodScheduled", since=ago(11)) | fails("PodReadyToStartContainers")
    decision = decided(videojob=seen, pods=(pod(conditions=conditions),))
    assert fact(decision, "Running") == (
        "False",
        "VolumesNotReady",
        "node n1 cannot set the pod's volumes up yet; do these exist: Secret art-s3, claim seeds?",
    )


def test_a_node_gets_a_moment_to_set_the_pod_up() -> None:
    conditions = holds("PodScheduled", since=ago(4)) | fails("PodReadyToStartContainers")
    decision = decided(pods=(pod(conditions=conditions),))
    assert fact(decision, "Running")[1] == "ContainersStarting"
    assert decision.look_again == timedelta(seconds=6)


def test_a_job_without_secrets_and_claims_says_nothing_about_them() -> None:
    bare = videojob(spec=spec(output={"s3": {"bucket": "art"}}))
    conditions = holds("PodScheduled", since=ago(11)) | fails("PodReadyToStartContainers")
    message = fact(decided(videojob=bare, pods=(pod(conditions=conditions),)), "Running")[2]
    assert message == "node n1 cannot set the pod's volumes up yet"


@pytest.mark.parametrize(
    ("containers", "reason", "state"),
    [
        ((), "ContainersStarting", "Starting"),
        ((runs("agent"), waits("fetch", "PodInitializing")), "ContainersStarting", "Starting"),
        ((runs("agent"), runs("fetch")), "FetchingInputs", "Fetching"),
        ((runs("agent"), ended("fetch"), waits("runner", "ContainerCreating")), "ContainersStarting", "Starting"),
    ],
)
def test_the_way_to_the_runner_is_told_step_by_step(containers: Any, reason: str, state: str) -> None:
    ready = holds("PodScheduled", since=ago(30)) | holds("PodReadyToStartContainers")
    decision = decided(pods=(pod(containers=containers, conditions=ready),))
    assert fact(decision, "Running")[:2] == ("False", reason)
    assert decision.status.state == state


def test_a_brand_new_pod_is_about_to_start() -> None:
    assert fact(decided(pods=(pod(conditions={}),)), "Running")[2] == "container agent is about to start"


def test_a_refused_pod_is_a_verdict_after_a_minute_in_the_clusters_words() -> None:
    text = 'pods "sunset-1-a" is forbidden: exceeded quota: gpus'
    young, old = job(active=0, started=ago(59)), job(active=0, started=ago(60))
    fresh = videojob(status=status(accepted=ago(60)))
    early, late = (decided(videojob=fresh, job=each, warnings=(text,)) for each in (young, old))
    assert fact(early, "Running") == ("False", "PodRefused", f"no pod could be created: {text}")
    assert early.look_again == timedelta(seconds=1)
    assert fact(late, "Succeeded") == ("False", "PodRefused", f"no pod could be created: {text}")
    assert DeleteJob("sunset-1", JOB_UID, "PodRefused") in late.actions


def test_a_job_without_a_pod_is_looked_at_again_soon_because_only_events_tell_why() -> None:
    fresh = videojob(status=status(accepted=ago(1)))
    decision = decided(videojob=fresh, job=job(active=0, started=None, created=ago(1)))
    assert fact(decision, "Running")[1] == "NoPod"
    assert decision.look_again == timedelta(seconds=6)


@pytest.mark.parametrize(
    ("child", "pods"),
    [
        (job(active=1), ()),
        (job(active=0, terminating=1), ()),
        (job(active=0, failed=1), ()),
        (job(active=0), (failed_pod(),)),
    ],
    ids=["not in the cache yet", "the old one is ending", "in back-off", "in back-off, the old one still there"],
)
def test_between_two_pods_nothing_is_wrong(child: Any, pods: Any) -> None:
    decision = decided(job=child, pods=pods)
    assert fact(decision, "Running")[:2] == ("False", "NoPod")
    assert fact(decision, "Succeeded")[0] == "Unknown"


def test_a_job_that_is_on_its_way_out_is_not_blamed_for_having_no_pod() -> None:
    decision = decided(job=job(active=0, deleting=True))
    assert fact(decision, "Running")[:2] == ("False", "JobDeleting")
    assert fact(decision, "Succeeded")[0] == "Unknown"


def test_the_start_deadline_begins_anew_with_each_resume() -> None:
    resumed = status(accepted=ago(9000), conditions=[condition("Suspended", "False", ago(100))])
    full = pod(conditions=fails("PodScheduled", reason="Unschedulable", message="no room"))
    decision = decided(videojob=videojob(status=resumed), pods=(full,))
    assert fact(decision, "Succeeded")[0] == "Unknown"
    assert decision.look_again == timedelta(seconds=1700)


def test_the_start_deadline_begins_anew_when_an_attempt_has_ended() -> None:
    old = videojob(status=status(accepted=ago(9000)))
    full = pod("b", conditions=fails("PodScheduled", reason="Unschedulable", message="no room"))
    decision = decided(videojob=old, pods=(failed_pod("a"), full))
    assert fact(decision, "Succeeded")[0] == "Unknown"
    assert decision.look_again == timedelta(seconds=1795)


def test_the_start_deadline_does_not_run_while_suspended() -> None:
    paused = status(accepted=ago(9000), conditions=[condition("Suspended", "True", ago(8000))])
    seen = videojob(status=paused, spec=spec(suspend=True))
    decision = decided(videojob=seen, job=job(suspend=True, active=0))
    assert fact(decision, "Succeeded")[0] == "Unknown"
    assert decision.look_again is None


def test_a_running_runner_waits_for_nothing() -> None:
    decision = decided(pods=(running_pod(since=ago(5)),), videojob=videojob(status=status(accepted=ago(99_999))))
    assert fact(decision, "Running") == ("True", "RunnerStarted", "pod sunset-1-a on node n1")


def test_a_job_that_cannot_be_created_says_why_and_is_tried_again() -> None:
    decision = decided(videojob=videojob(status=status(job_name=None)), job=None, creation_problem=refusal())
    assert fact(decision, "Running") == ("False", "CreateFailed", "quota")
    assert fact(decision, "Reconciling") == ("True", "CreateFailed", "quota")
    assert decision.look_again == timedelta(seconds=15)


def test_a_job_that_could_not_be_created_for_too_long_is_a_verdict() -> None:
    never = videojob(status=status(job_name=None, accepted=ago(1800)))
    decision = decided(videojob=never, job=None, creation_problem=refusal())
    assert fact(decision, "Succeeded")[1] == "StartDeadlineExceeded"
    assert "CreateFailed: quota" in fact(decision, "Succeeded")[2]


def test_a_pod_that_outlives_its_grace_period_is_on_a_lost_node() -> None:
    gone = running_pod(deleting=ago(31))
    decision = decided(pods=(gone,), job=job(active=0, terminating=1))
    running = fact(decision, "Running")
    assert running[:2] == ("False", "NodeLost")
    assert "14:59:29" in running[2]
    assert "kubectl taint nodes n1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute" in running[2]
    assert decision.status.state == "NodeLost"
    assert fact(decision, "Succeeded")[0] == "Unknown"


def test_a_pod_within_its_grace_period_still_runs_and_is_looked_at_again() -> None:
    ending = running_pod(deleting=ago(-10), since=ago(20))
    decision = decided(pods=(ending,))
    assert fact(decision, "Running")[0] == "True"
    assert decision.look_again == timedelta(seconds=40)


def test_a_pod_that_is_a_little_late_is_not_lost_yet() -> None:
    assert fact(decided(pods=(running_pod(deleting=ago(29)),)), "Running")[0] == "True"
    assert fact(decided(pods=(running_pod(deleting=ago(30)),)), "Running")[1] == "NodeLost"


def test_a_lost_node_does_not_make_the_operator_look_every_second() -> None:
    decision = decided(pods=(running_pod(deleting=ago(3000), since=ago(4000)),), now=NOW)
    assert decision.look_again is None
