"""
What goes wrong, and what the user is told: case → reason of `Succeeded` → part of its message.

All cases begin ahead and end side by side; none of them may start more pods than its retry limit allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Kube, Manifest, condition
from tests.e2e.manifests import REQUESTS, s3_secret, shell_runner, videojob


@dataclass(frozen=True)
class Case:
    """What is broken, and what must be said about it. `pods` is the most that may ever start."""

    spec: dict[str, Any]
    reason: str
    says: str
    pods: int = 1


def real(prompts: str = "a red circle", **spec: Any) -> dict[str, Any]:
    """Real work of the engine, as small as it goes."""
    form = {"width": 64, "height": 64, "image": {"prompts": prompts, "iterations": 2}}
    return {"pipeline": {"vqganClip": form | spec}, "test": None}


def bucket(lab: E2eEnvironment, *, secret: str) -> dict[str, Any]:
    """An output in the tests' bucket."""
    place = {"endpoint": lab.s3["endpoint"], "region": "us-east-1", "bucket": lab.s3["bucket"], "prefix": "refused/"}
    return {"s3": place | {"credentials": {"secretName": secret}}}


NOWHERE = "127.0.0.1:5000/nobody/nothing:1.0"
NO_PICTURE = [{"path": "init.png", "inline": "this is a note, not a picture"}]
WRONG_SUM = [{"path": "note.txt", "inline": "hello", "sha256": "0" * 64}]
SMALL_MEMORY = {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": REQUESTS}
MANY_GPUS = {"limits": {"cpu": "100m", "memory": "64Mi", "example.com/gpu": 99}, "requests": {"cpu": "20m"}}
HUNGRY = "head -c 400m /dev/zero | tail"

CASES: dict[str, Callable[[E2eEnvironment], Case]] = {
    "told-to-fail": lambda lab: Case({"test": {"durationSeconds": 1, "fail": True}}, "RunnerFailed", "TEST_FAIL"),
    "crash": lambda lab: Case(shell_runner("exit 3", image=lab.images["busybox"]), "RunnerFailed", "exit code 3"),
    "crash-thrice": lambda lab: Case(
        shell_runner("exit 3", image=lab.images["busybox"]) | {"retry": {"limit": 2}},
        "RunnerFailed",
        "exit code 3",
        pods=3,
    ),
    "too-hungry": lambda lab: Case(
        shell_runner(HUNGRY, image=lab.images["busybox"], resources=SMALL_MEMORY), "OutOfMemory", "memory"
    ),
    "no-such-image": lambda lab: Case(shell_runner("true", image=NOWHERE), "ImagePullFailed", NOWHERE),
    "wants-root": lambda lab: Case(
        shell_runner("true", image=lab.images["root"]), "CreateContainerConfigError", "runAsNonRoot"
    ),
    "bad-prompt": lambda lab: Case(real('a "red circle'), "BadConfig", "prompts"),
    "no-picture": lambda lab: Case(real(initImage="init.png") | {"inputs": NO_PICTURE}, "BadInput", "init.png"),
    "no-memory-for-it": lambda lab: Case(real(width=2048, height=2048), "BadInput", "the container's limit is"),
    "wrong-sum": lambda lab: Case({"inputs": WRONG_SUM}, "DigestMismatch", "note.txt"),
    "wrong-keys": lambda lab: Case({"output": bucket(lab, secret="wrong-keys")}, "CredentialsRefused", "videos"),
    "no-such-claim": lambda lab: Case(
        {"output": {"pvc": {"claimName": "missing"}}, "deadlines": {"pendingSeconds": 20}},
        "PendingDeadlineExceeded",
        'VolumesNotReady: 0/1 nodes are available: persistentvolumeclaim "missing" not found',
    ),
    "no-room": lambda lab: Case(
        {"runner": {"accelerator": "None", "resources": MANY_GPUS}, "deadlines": {"pendingSeconds": 15}},
        "PendingDeadlineExceeded",
        "example.com/gpu",
    ),
}


def ahead(lab: E2eEnvironment) -> list[Manifest]:
    """Every case, those that are tried again first."""
    lab.kube.apply(s3_secret("wrong-keys", access="nobody", secret="nothing"))
    table = {name: case(lab) for name, case in CASES.items()}
    return [videojob(name, **table[name].spec) for name in sorted(table, key=lambda name: -table[name].pods)]


@pytest.mark.parametrize("name", CASES)
def test_a_failure_has_a_reason_and_a_message_that_help(name: str, lab: E2eEnvironment) -> None:
    case, end = CASES[name](lab), lab.result(name).last
    verdict = condition(end, "Succeeded")
    assert (verdict["status"], verdict["reason"]) == ("False", case.reason), verdict
    assert case.says in verdict["message"]
    assert condition(end, "Stalled")["status"] == "True"
    assert started_pods(end) <= case.pods


def started_pods(videojob: Manifest) -> int:
    """How many pods the job has had."""
    return int(videojob["status"].get("attempt", 0))


def test_the_retry_limit_is_used_up_and_no_more(lab: E2eEnvironment) -> None:
    assert started_pods(lab.result("crash-thrice").last) == 3


def test_nothing_runs_on_after_a_verdict(lab: E2eEnvironment, kube: Kube) -> None:
    for name in CASES:
        lab.result(name)
    alive = [pod for pod in kube.items("pods", selector="videojobs.dev/managed=true") if is_alive(pod)]
    assert alive == []


def is_alive(pod: Manifest) -> bool:
    """Whether a pod of one of the cases still holds resources."""
    mine = pod["metadata"]["labels"].get("videojobs.dev/name") in CASES
    return mine and pod["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in pod["metadata"]
