"""What does not start: each kind of waiting has a name and a sentence, and only evidence or a deadline ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from videojob_api.messages.report import ProgressState
from videojob_operator.domain.decision import Decision, DeleteJob, SetSuspend
from videojob_operator.domain.observation.observed import ObservedPod

from tests.unit.operator.builders import (
    JOB_UID,
    NOW,
    condition,
    condition_value,
    creation_problem,
    decide_about,
    exited_container,
    failed_pod,
    false_condition,
    job,
    pod,
    pushed_report,
    refused,
    report,
    running_container,
    running_pod,
    seconds_ago,
    settings,
    spec,
    status,
    true_condition,
    videojob,
    waiting_container,
)

MISSING = 'Back-off pulling image "nobody/nothing:1.0": ErrImagePull: docker.io/nobody/nothing:1.0: not found'
AWAY = 'Back-off pulling image "r.example/x:1": ErrImagePull: dial tcp 10.0.0.9:443: connect: connection refused'
ROOT = "container has runAsNonRoot and image will run as root"
FULL = "0/1 nodes are available: 1 Insufficient example.com/gpu."
QUOTA = 'pods "sunset-1-x7k2p" is forbidden: exceeded quota: gpus, requested: pods=1, used: pods=4, limited: pods=4'
SECURITY = 'pods "sunset-1-x7k2p" is forbidden: violates PodSecurity "restricted:latest": host namespaces'


def stuck(reason: str, message: str = "", *, failing: float, scheduled: float | None = None) -> ObservedPod:
    """A pod whose runner has been seen waiting for an error for `failing` seconds."""
    conditions = true_condition("PodScheduled", since=seconds_ago(failing if scheduled is None else scheduled))
    containers = (
        running_container("agent"),
        exited_container("fetch"),
        waiting_container("runner", reason, message, since=seconds_ago(failing)),
    )
    return pod(conditions=conditions, containers=containers)


def unschedulable(message: str = FULL) -> ObservedPod:
    return pod(node=None, conditions=false_condition("PodScheduled", reason="Unschedulable", message=message))


@pytest.mark.parametrize("reason", ["InvalidImageName", "CreateContainerConfigError", "CreateContainerError"])
def test_a_container_that_cannot_be_created_is_a_verdict_after_a_minute_of_the_error(reason: str) -> None:
    early, late = (decide_about(pods=(stuck(reason, "no", failing=seconds),)) for seconds in (59, 60))
    assert condition_value(early, "Running") == ("False", reason, "container runner: no")
    assert early.requeue_after == timedelta(seconds=1)
    assert condition_value(late, "Succeeded") == ("False", reason, "container runner: no")
    assert DeleteJob("sunset-1", JOB_UID, reason) in late.actions


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_the_registry_refuses_is_a_verdict_after_ten_minutes_of_the_error(reason: str) -> None:
    early, late = (decide_about(pods=(stuck(reason, MISSING, failing=seconds),)) for seconds in (599, 600))
    assert condition_value(early, "Running") == ("False", "ImagePullFailed", f"container runner: {MISSING}")
    assert condition_value(early, "Succeeded")[0] == "Unknown"
    assert condition_value(late, "Succeeded") == ("False", "ImagePullFailed", f"container runner: {MISSING}")


def test_a_pull_that_took_long_before_it_first_failed_gets_its_ten_minutes_all_the_same() -> None:
    slow = stuck("ErrImagePull", MISSING, failing=5, scheduled=1500)
    decision = decide_about(pods=(slow,))
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.requeue_after == timedelta(seconds=300)  # startSeconds: 1800 from scheduling


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("ImagePullBackOff", AWAY),
        ("ErrImagePull", "failed to resolve reference: unexpected status from HEAD request: 503 Service Unavailable"),
        (
            "ErrImagePull",
            'Head "https://r.example/v2/forbidden-planet/manifests/1": dial tcp 10.0.0.9:443: i/o timeout',
        ),
        ("CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars"),
        ("CreateContainerError", "context deadline exceeded"),
        ("CreateContainerError", "mkdir /run/containerd/io/x: no space left on device"),
        ("RunContainerError", "rpc error: code = Unavailable desc = transport is closing"),
    ],
)
def test_a_registry_or_runtime_that_does_not_answer_has_refused_nothing(reason: str, message: str) -> None:
    early, late = (
        decide_about(pods=(stuck(reason, message, failing=3000, scheduled=seconds),)) for seconds in (1799, 1800)
    )
    assert message in condition_value(early, "Running")[2]
    assert condition_value(early, "Succeeded")[0] == "Unknown"
    assert "spec.deadlines.startSeconds" in condition_value(late, "Succeeded")[2]


def test_an_error_that_this_operator_has_not_dated_yet_is_no_evidence() -> None:
    undated = pod(
        containers=(
            running_container("agent"),
            exited_container("fetch"),
            waiting_container("runner", "InvalidImageName", "no"),
        )
    )
    assert condition_value(decide_about(pods=(undated,)), "Succeeded")[0] == "Unknown"


def test_how_long_an_error_must_stand_is_a_setting() -> None:
    short = settings(image_pull_wait=timedelta(seconds=20))
    decision = decide_about(pods=(stuck("ErrImagePull", MISSING, failing=21),), told=short)
    assert condition_value(decision, "Succeeded")[1] == "ImagePullFailed"


def test_a_root_image_is_refused_with_the_remedy() -> None:
    decision = decide_about(pods=(stuck("CreateContainerConfigError", ROOT, failing=60),))
    assert "set spec.pod.runAsUser" in condition_value(decision, "Succeeded")[2]


def test_the_agents_own_image_is_judged_like_the_runners() -> None:
    broken = pod(containers=(waiting_container("agent", "InvalidImageName", since=seconds_ago(61)),))
    assert condition_value(decide_about(pods=(broken,)), "Succeeded")[1] == "InvalidImageName"


def test_a_full_cluster_is_waited_for_without_limit() -> None:
    for_a_month = videojob(status=status(accepted=seconds_ago(30 * 86_400)))
    decision = decide_about(pods=(unschedulable(),), videojob=for_a_month)
    assert condition_value(decision, "Running") == ("False", "Unschedulable", FULL)
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.status.state == "Pending"
    assert decision.requeue_after is None


def test_only_pending_seconds_ends_the_wait_for_a_device() -> None:
    limited = spec(deadlines={"pendingSeconds": 600})
    early, late = (
        decide_about(
            pods=(unschedulable(),), videojob=videojob(spec=limited, status=status(accepted=seconds_ago(seconds)))
        )
        for seconds in (599, 600)
    )
    assert early.requeue_after == timedelta(seconds=1)
    assert condition_value(late, "Succeeded") == (
        "False",
        "PendingDeadlineExceeded",
        f"no pod was scheduled within 600 s (spec.deadlines.pendingSeconds): Unschedulable: {FULL}",
    )


def test_after_scheduling_pending_seconds_counts_no_more() -> None:
    seen = videojob(spec=spec(deadlines={"pendingSeconds": 10}), status=status(accepted=seconds_ago(5000)))
    fetching = pod(
        conditions=true_condition("PodScheduled", since=seconds_ago(30)),
        containers=(running_container("agent"), running_container("fetch")),
    )
    assert condition_value(decide_about(videojob=seen, pods=(fetching,)), "Succeeded")[0] == "Unknown"


def test_start_seconds_counts_from_scheduling_and_not_from_acceptance() -> None:
    old = videojob(status=status(accepted=seconds_ago(100_000)))
    early, late = (
        decide_about(videojob=old, pods=(pod(conditions=true_condition("PodScheduled", since=seconds_ago(seconds))),))
        for seconds in (1799, 1800)
    )
    assert condition_value(early, "Succeeded")[0] == "Unknown"
    assert early.requeue_after == timedelta(seconds=1)
    assert condition_value(late, "Succeeded") == (
        "False",
        "StartDeadlineExceeded",
        "the runner has not started within 1800 s of the pod's scheduling (spec.deadlines.startSeconds): "
        "ContainersStarting: container agent is about to start",
    )


def test_a_pod_that_is_being_deleted_before_it_started_is_not_judged_by_start_seconds() -> None:
    evicted = pod(conditions=true_condition("PodScheduled", since=seconds_ago(9000)), deletion_deadline=seconds_ago(10))
    decision = decide_about(pods=(evicted,))
    assert condition_value(decision, "Running")[:2] == ("False", "PodTerminating")
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


@pytest.mark.parametrize(
    "message",
    [
        '0/1 nodes are available: persistentvolumeclaim "videos" not found.',
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        "0/3 nodes are available: 3 node(s) had volume node affinity conflict.",
    ],
)
def test_a_missing_claim_is_volumes_not_ready(message: str) -> None:
    decision = decide_about(pods=(unschedulable(message),))
    assert condition_value(decision, "Running") == ("False", "VolumesNotReady", message)
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.status.state == "Pending"


def test_a_scheduling_gate_keeps_its_own_name() -> None:
    gated = pod(
        node=None, conditions=false_condition("PodScheduled", reason="SchedulingGated", message="Scheduling is blocked")
    )
    assert condition_value(decide_about(pods=(gated,)), "Running")[1] == "SchedulingGated"


def test_a_pod_that_no_scheduler_has_looked_at_is_pending() -> None:
    decision = decide_about(
        pods=(pod(node=None, conditions={}),), videojob=videojob(status=status(accepted=seconds_ago(99_999)))
    )
    assert condition_value(decision, "Running")[1] == "Unschedulable"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_a_pod_that_cannot_be_set_up_names_the_secrets_and_claims_to_look_for() -> None:
    bucket = {"s3": {"bucket": "art", "credentials": {"secretName": "art-s3"}}}
    inputs = [{"path": "a", "pvc": {"claimName": "seeds"}}]
    seen = videojob(spec=spec(output=bucket, inputs=inputs))
    conditions = true_condition("PodScheduled", since=seconds_ago(11)) | false_condition("PodReadyToStartContainers")
    decision = decide_about(videojob=seen, pods=(pod(conditions=conditions),))
    assert condition_value(decision, "Running") == (
        "False",
        "VolumesNotReady",
        "node n1 cannot set up the pod's volumes yet; do these exist: Secret art-s3, claim seeds?",
    )


def test_volumes_that_never_come_are_named_by_the_start_deadline() -> None:
    conditions = true_condition("PodScheduled", since=seconds_ago(1800)) | false_condition("PodReadyToStartContainers")
    assert condition_value(decide_about(pods=(pod(conditions=conditions),)), "Succeeded")[1] == "VolumesNotReady"


def test_a_node_gets_a_moment_to_set_the_pod_up() -> None:
    conditions = true_condition("PodScheduled", since=seconds_ago(4)) | false_condition("PodReadyToStartContainers")
    decision = decide_about(pods=(pod(conditions=conditions),))
    assert condition_value(decision, "Running")[1] == "ContainersStarting"
    assert decision.requeue_after == timedelta(seconds=6)


def test_a_job_without_secrets_and_claims_says_nothing_about_them() -> None:
    bare = videojob(spec=spec(output={"s3": {"bucket": "art"}}))
    conditions = true_condition("PodScheduled", since=seconds_ago(11)) | false_condition("PodReadyToStartContainers")
    message = condition_value(decide_about(videojob=bare, pods=(pod(conditions=conditions),)), "Running")[2]
    assert message == "node n1 cannot set up the pod's volumes yet"


@pytest.mark.parametrize(
    ("containers", "reason", "state"),
    [
        ((), "ContainersStarting", "Starting"),
        ((running_container("agent"), waiting_container("fetch", "PodInitializing")), "ContainersStarting", "Starting"),
        ((running_container("agent"), running_container("fetch")), "FetchingInputs", "Fetching"),
        (
            (running_container("agent"), exited_container("fetch"), waiting_container("runner", "ContainerCreating")),
            "ContainersStarting",
            "Starting",
        ),
    ],
)
def test_the_way_to_the_runner_is_told_step_by_step(containers: Any, reason: str, state: str) -> None:
    ready = true_condition("PodScheduled", since=seconds_ago(30)) | true_condition("PodReadyToStartContainers")
    decision = decide_about(pods=(pod(containers=containers, conditions=ready),))
    assert condition_value(decision, "Running")[:2] == ("False", reason)
    assert decision.status.state == state


def test_what_fetch_waits_for_is_said_by_the_condition_and_by_the_verdict() -> None:
    text = "fetch waits for the output: EndpointUnreachable: connection refused"
    told = pushed_report(report(1, state=ProgressState.STARTING, message=text))
    early, late = (
        decide_about(
            pods=(
                pod(
                    conditions=true_condition("PodScheduled", since=seconds_ago(seconds)),
                    containers=(running_container("agent"), running_container("fetch")),
                ),
            ),
            report=told,
        )
        for seconds in (10, 1800)
    )
    assert condition_value(early, "Running") == ("False", "FetchingInputs", text)
    assert text in condition_value(late, "Succeeded")[2]


def test_a_pod_with_a_node_is_about_to_start() -> None:
    assert (
        condition_value(decide_about(pods=(pod(conditions={}),)), "Running")[2] == "container agent is about to start"
    )


def test_a_pod_that_is_refused_for_a_minute_is_a_verdict_in_the_clusters_words() -> None:
    once, steady = refused(SECURITY, first=70, last=11), refused(SECURITY, first=70, last=10)
    early, late = (decide_about(job=job(active=0), refusals=(each,)) for each in (once, steady))
    text = 'the API server refuses the pod: violates PodSecurity "restricted:latest": host namespaces'
    assert condition_value(early, "Running") == ("False", "PodRefused", text)
    assert early.requeue_after is None
    assert condition_value(late, "Succeeded") == ("False", "PodRefused", text)
    assert DeleteJob("sunset-1", JOB_UID, "PodRefused") in late.actions


def test_refusals_of_differently_named_pods_are_one_refusal() -> None:
    names = (SECURITY, SECURITY.replace("x7k2p", "b2b2b"))
    events = tuple(refused(text, first=age, last=age) for text, age in zip(names, (61, 1), strict=True))
    assert condition_value(decide_about(job=job(active=0), refusals=events), "Succeeded")[1] == "PodRefused"


def test_a_wait_in_between_ends_a_row_of_refusals() -> None:
    account = 'pods "a" is forbidden: error looking up service account art/default: serviceaccount "default" not found'
    events = (
        refused(account, first=400, last=390),
        refused(QUOTA, first=380, last=30),
        refused(SECURITY, first=1, last=1),
    )
    decision = decide_about(job=job(active=0), refusals=events)
    assert condition_value(decision, "Running")[1] == "PodRefused"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_a_clock_that_is_ahead_makes_no_refusal_older_than_the_wait() -> None:
    resumed = videojob(status=status(conditions=[condition("Suspended", "False", seconds_ago(30))]))
    decision = decide_about(videojob=resumed, job=job(active=0), refusals=(refused(SECURITY, first=20, last=-90),))
    assert condition_value(decision, "Running")[1] == "PodRefused"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_one_refusal_long_ago_is_no_evidence_of_another() -> None:
    decision = decide_about(job=job(active=0), refusals=(refused(SECURITY, first=3000, last=3000),))
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_refusals_before_a_resumption_do_not_count() -> None:
    resumed = videojob(status=status(conditions=[condition("Suspended", "False", seconds_ago(30))]))
    decision = decide_about(videojob=resumed, job=job(active=0), refusals=(refused(SECURITY, first=500, last=20),))
    assert condition_value(decision, "Running")[1] == "PodRefused"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_the_name_of_a_pod_says_nothing_of_its_refusal() -> None:
    named = 'Pod "timeout-1-x7k2p" is invalid: spec.containers[0].image: Required value'
    decision = decide_about(job=job(active=0), refusals=(refused(named, first=70, last=1),))
    text = "the API server refuses the pod: spec.containers[0].image: Required value"
    assert condition_value(decision, "Succeeded") == ("False", "PodRefused", text)


def test_a_used_up_quota_is_waited_for_without_limit() -> None:
    decision = decide_about(job=job(active=0), refusals=(refused(QUOTA, first=590, last=1),))
    assert condition_value(decision, "Running") == (
        "False",
        "QuotaExceeded",
        "the API server refuses the pod: exceeded quota: gpus, requested: pods=1, limited: pods=4",
    )
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.status.state == "Pending"


@pytest.mark.parametrize(
    "message",
    [
        'Internal error occurred: failed calling webhook "x.example": connect: connection refused',
        "etcdserver: request timed out",
        'pods "a" is forbidden: status unknown for quota: gpus, resources: pods',
        'pods "a" is forbidden: error looking up service account art/default: serviceaccount "default" not found',
        'pods "a" is forbidden: not yet ready to handle request',
        'Post "https://10.96.0.1/api/v1/namespaces/art/pods": EOF',
        'Post "https://10.96.0.1/api/v1/namespaces/art/pods": read tcp 10.0.0.1:5->10.96.0.1:443: connection reset',
        'an error on the server ("") has prevented the request from succeeding (post pods)',
        "Unauthorized",
    ],
)
def test_an_api_server_that_could_not_judge_has_refused_nothing(message: str) -> None:
    decision = decide_about(job=job(active=0), refusals=(refused(message, first=590, last=1),))
    assert condition_value(decision, "Running")[1] == "PodCreationFailed"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


@pytest.mark.parametrize("age", [61, 3600, 40 * 86_400])
def test_a_job_without_a_pod_and_without_a_refusal_is_never_a_verdict(age: float) -> None:
    waiting = videojob(status=status(accepted=seconds_ago(age)))
    bare = job(active=0, started=None, created=seconds_ago(age))
    decision = decide_about(videojob=waiting, job=bare, warnings=("would violate PodSecurity",))
    assert condition_value(decision, "Running")[1] == "NoPod"
    assert "the API server warned: would violate PodSecurity" in condition_value(decision, "Running")[2]
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_an_operator_that_may_not_read_events_says_so_where_they_would_tell() -> None:
    decision = decide_about(job=job(active=0, started=seconds_ago(30), created=seconds_ago(30)), refusals_hidden=True)
    assert "the operator cannot see it: it may not list and watch events" in condition_value(decision, "Running")[2]
    assert decision.requeue_after == timedelta(minutes=1)


def waiting_for_a_pod(age: float, *, newest_pod: float | None = None) -> Decision:
    bare = job(active=0, started=None, created=seconds_ago(age))
    newest = None if newest_pod is None else seconds_ago(newest_pod)
    return decide_about(videojob=videojob(status=status(accepted=seconds_ago(age))), job=bare, newest_pod=newest)


@pytest.mark.parametrize(
    ("age", "text", "again"),
    [
        (1, "the Job controller has not created a pod yet", 59),
        (59, "the Job controller has not created a pod yet", 1),
        (61, "for 1 minute, nor for any other VideoJob: check that kube-controller-manager is running", 239),
        (1000, "for 15 minutes, nor for", 2600),
        (3600, "for 1 hour, nor for", 10_800),
        (90_000, "for 1 day, nor for", 82_800),
        (260_000, "for 3 days, nor for", 85_600),
    ],
)
def test_how_long_a_job_has_waited_is_said_in_steps(age: float, text: str, again: float) -> None:
    decision = waiting_for_a_pod(age)
    assert text in condition_value(decision, "Running")[2]
    assert decision.requeue_after == timedelta(seconds=again)


def test_a_controller_that_serves_other_jobs_meanwhile_is_said_to_be_behind() -> None:
    text = "the Job controller has not created a pod for 5 minutes"
    assert condition_value(waiting_for_a_pod(400, newest_pod=10), "Running")[2] == (
        f"{text}; it is creating pods for other Jobs, so it is behind"
    )
    assert (
        "check that kube-controller-manager is running"
        in condition_value(waiting_for_a_pod(400, newest_pod=401), "Running")[2]
    )


@pytest.mark.parametrize(
    ("child", "pods"),
    [
        (job(active=1), ()),
        (job(active=0, terminating=1), ()),
        (job(active=0, failed=1), ()),
        (job(active=0), (failed_pod(),)),
    ],
    ids=["not in the cache yet", "the old one is terminating", "in back-off", "in back-off, the old one still there"],
)
def test_between_two_pods_nothing_is_wrong(child: Any, pods: Any) -> None:
    decision = decide_about(job=child, pods=pods)
    assert condition_value(decision, "Running")[:2] == ("False", "NoPod")
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_a_job_that_is_on_its_way_out_is_not_blamed_for_having_no_pod() -> None:
    decision = decide_about(job=job(active=0, deleting=True))
    assert condition_value(decision, "Running")[:2] == ("False", "JobDeleting")
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_the_pending_deadline_begins_anew_with_each_resume() -> None:
    resumed = status(accepted=seconds_ago(9000), conditions=[condition("Suspended", "False", seconds_ago(100))])
    seen = videojob(status=resumed, spec=spec(deadlines={"pendingSeconds": 1800}))
    decision = decide_about(videojob=seen, pods=(unschedulable(),))
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.requeue_after == timedelta(seconds=1700)


def test_the_pending_deadline_begins_anew_when_an_attempt_has_ended() -> None:
    old = videojob(status=status(accepted=seconds_ago(9000)), spec=spec(deadlines={"pendingSeconds": 1800}))
    full = pod("b", node=None, conditions=false_condition("PodScheduled", reason="Unschedulable", message="no room"))
    decision = decide_about(videojob=old, pods=(failed_pod("a"), full))
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.requeue_after == timedelta(seconds=1795)


def test_the_next_pod_is_waited_for_from_the_end_of_all_that_ran_in_the_last_one() -> None:
    """A runner that is evicted may use its grace period, and the agent publishes after it."""
    disrupted = true_condition("DisruptionTarget", reason="EvictionByEvictionAPI", since=seconds_ago(150))
    runner, agent = exited_container("runner", 75, at=seconds_ago(90)), exited_container("agent", at=seconds_ago(5))
    last = pod(
        phase="Failed", conditions=disrupted, containers=(runner, exited_container("fetch", at=seconds_ago(300)), agent)
    )
    limited = videojob(spec=spec(deadlines={"pendingSeconds": 60}))
    early, late = (
        decide_about(videojob=limited, job=job(active=0), pods=(last,), now=NOW + timedelta(seconds=more))
        for more in (0, 55)
    )
    assert early.requeue_after == timedelta(seconds=55)
    assert condition_value(late, "Succeeded")[1] == "PendingDeadlineExceeded"


def test_a_scheduled_pod_that_is_taken_away_before_its_start_is_not_pending() -> None:
    taken = pod(
        created=seconds_ago(900),
        conditions=true_condition("PodScheduled", since=seconds_ago(100)),
        deletion_deadline=NOW + timedelta(seconds=100),
    )
    decision = decide_about(videojob=videojob(spec=spec(deadlines={"pendingSeconds": 60})), pods=(taken,))
    assert condition_value(decision, "Running")[1] == "PodTerminating"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


@pytest.mark.parametrize("pods", [(), (pod(conditions=true_condition("PodScheduled", since=seconds_ago(5000))),)])
def test_a_suspension_that_is_asked_for_goes_before_a_deadline(pods: tuple[ObservedPod, ...]) -> None:
    """The operator may have been away when either came."""
    limits = {"pendingSeconds": 60, "startSeconds": 60}
    decision = decide_about(videojob=videojob(spec=spec(suspend=True, deadlines=limits)), pods=pods)
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert SetSuspend("sunset-1", JOB_UID, suspend=True) in decision.actions


def test_no_deadline_counts_while_suspended() -> None:
    paused = status(accepted=seconds_ago(9000), conditions=[condition("Suspended", "True", seconds_ago(8000))])
    seen = videojob(status=paused, spec=spec(suspend=True, deadlines={"pendingSeconds": 10, "startSeconds": 10}))
    decision = decide_about(videojob=seen, job=job(suspend=True, active=0))
    assert condition_value(decision, "Succeeded")[0] == "Unknown"
    assert decision.requeue_after is None


def test_a_running_runner_waits_for_nothing() -> None:
    decision = decide_about(
        pods=(running_pod(since=seconds_ago(5)),), videojob=videojob(status=status(accepted=seconds_ago(99_999)))
    )
    assert condition_value(decision, "Running") == ("True", "RunnerStarted", "pod sunset-1-a on node n1")


def test_a_job_that_cannot_be_created_says_why_and_is_tried_again() -> None:
    decision = decide_about(
        videojob=videojob(status=status(job_name=None)), job=None, creation_problem=creation_problem()
    )
    assert condition_value(decision, "Running") == ("False", "CreateFailed", "quota")
    assert condition_value(decision, "Reconciling") == ("True", "CreateFailed", "quota")
    assert decision.requeue_after == timedelta(seconds=15)


def test_a_job_that_cannot_be_created_is_tried_for_as_long_as_the_user_allows() -> None:
    never = status(job_name=None, accepted=seconds_ago(1800))
    unlimited, limited = (
        decide_about(videojob=videojob(status=never, spec=each), job=None, creation_problem=creation_problem())
        for each in (spec(), spec(deadlines={"pendingSeconds": 1800}))
    )
    assert condition_value(unlimited, "Succeeded")[0] == "Unknown"
    assert condition_value(limited, "Succeeded")[1] == "PendingDeadlineExceeded"
    assert "CreateFailed: quota" in condition_value(limited, "Succeeded")[2]


def test_a_quota_on_jobs_is_named_like_one_on_pods() -> None:
    problem = creation_problem(message='jobs.batch "sunset-1" is forbidden: exceeded quota: jobs')
    decision = decide_about(videojob=videojob(status=status(job_name=None)), job=None, creation_problem=problem)
    assert condition_value(decision, "Running")[1] == "QuotaExceeded"


def test_a_pod_that_outlives_its_grace_period_is_on_a_lost_node() -> None:
    gone = running_pod(deletion_deadline=seconds_ago(31))
    decision = decide_about(pods=(gone,), job=job(active=0, terminating=1))
    running = condition_value(decision, "Running")
    assert running[:2] == ("False", "NodeLost")
    assert "14:59:29" in running[2]
    assert "kubectl taint nodes n1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute" in running[2]
    assert decision.status.state == "NodeLost"
    assert condition_value(decision, "Succeeded")[0] == "Unknown"


def test_a_pod_within_its_grace_period_still_runs_and_is_looked_at_again() -> None:
    ending = running_pod(deletion_deadline=seconds_ago(-10), since=seconds_ago(20))
    decision = decide_about(pods=(ending,))
    assert condition_value(decision, "Running")[0] == "True"
    assert decision.requeue_after == timedelta(seconds=40)


def test_a_pod_that_is_a_little_late_is_not_lost_yet() -> None:
    assert condition_value(decide_about(pods=(running_pod(deletion_deadline=seconds_ago(29)),)), "Running")[0] == "True"
    assert (
        condition_value(decide_about(pods=(running_pod(deletion_deadline=seconds_ago(30)),)), "Running")[1]
        == "NodeLost"
    )


def test_a_lost_node_does_not_make_the_operator_look_every_second() -> None:
    decision = decide_about(pods=(running_pod(deletion_deadline=seconds_ago(3000), since=seconds_ago(4000)),), now=NOW)
    assert decision.requeue_after is None
