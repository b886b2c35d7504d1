"""
What goes wrong, and what the user is told: case → reason of `Succeeded` → part of its message.

All cases are applied at once and end side by side; none of them may start more pods than its retry limit allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.kube import Kube, Manifest, condition
from tests.e2e.lab import Lab
from tests.e2e.manifests import s3_secret, shell, videojob


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


def cases(lab: Lab) -> dict[str, Case]:
    """The table."""
    busybox = lab.images["busybox"]
    place = {"endpoint": lab.s3["endpoint"], "region": "us-east-1", "bucket": lab.s3["bucket"], "prefix": "refused/"}
    hungry = "head -c 400m /dev/zero | tail"
    no_picture = [{"path": "init.png", "inline": "this is a note, not a picture"}]
    wrong_sum = [{"path": "note.txt", "inline": "hello", "sha256": "0" * 64}]
    refused = {"s3": place | {"credentials": {"secretName": "wrong-keys"}}}
    gpus = {"limits": {"cpu": "100m", "memory": "64Mi", "example.com/gpu": 99}}
    small_memory = {"limits": {"cpu": "1", "memory": "64Mi"}}
    return {
        "told-to-fail": Case({"test": {"durationSeconds": 1, "fail": True}}, "RunnerFailed", "TEST_FAIL"),
        "crash": Case(shell("echo the disk is lava >&2; exit 3", image=busybox), "RunnerFailed", "exit code 3"),
        "crash-thrice": Case(shell("exit 3", image=busybox) | {"retry": {"limit": 2}}, "RunnerFailed", "exit code 3", pods=3),
        "too-hungry": Case(shell(hungry, image=busybox, resources=small_memory), "OutOfMemory", "memory"),
        "no-such-image": Case(
            shell("true", image="127.0.0.1:5000/nobody/nothing:1.0"), "ImagePullFailed", "127.0.0.1:5000/nobody/nothing:1.0"
        ),
        "wants-root": Case(shell("true", image=lab.images["root"]), "CreateContainerConfigError", "runAsNonRoot"),
        "bad-prompt": Case(real("a red circle:heavy"), "BadConfig", "prompts"),
        "no-picture": Case(real(initImage="init.png") | {"inputs": no_picture}, "BadInput", "init.png"),
        "wrong-sum": Case({"inputs": wrong_sum}, "DigestMismatch", "note.txt"),
        "wrong-keys": Case({"output": refused}, "CredentialsRefused", lab.s3["bucket"]),
        "no-such-claim": Case(
            {"output": {"pvc": {"claimName": "missing"}}, "deadlines": {"startSeconds": 20}}, "VolumesNotReady", "missing"
        ),
        "no-room": Case(
            {"runner": {"accelerator": "None", "resources": gpus}, "deadlines": {"startSeconds": 15}},
            "StartDeadlineExceeded",
            "example.com/gpu",
        ),
    }


CASES = tuple(cases(Lab(kube=None, volume=None, images=dict.fromkeys(("busybox", "root"), ""), s3={"endpoint": "", "bucket": "b"})))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table(lab: Lab, kube: Kube) -> Iterator[dict[str, Case]]:
    """Every case applied."""
    table = cases(lab)
    kube.apply(s3_secret("wrong-keys", access="nobody", secret="nothing"))
    kube.apply(*(videojob(name, **case.spec) for name, case in table.items()))
    yield table
    kube.delete("vj", *table, wait=False)


@pytest.mark.parametrize("name", CASES)
def test_a_failure_has_a_reason_and_a_message_that_help(name: str, table: dict[str, Case], lab: Lab, kube: Kube) -> None:
    case, end = table[name], lab.end_of(name, timeout=180)
    verdict = condition(end, "Succeeded")
    assert (verdict["status"], verdict["reason"]) == ("False", case.reason), verdict
    assert case.says in verdict["message"]
    assert condition(end, "Stalled")["status"] == "True"
    assert started_pods(end) <= case.pods


def started_pods(videojob: Manifest) -> int:
    """How many pods the job has had."""
    return int(videojob["status"].get("attempt", 0))


def test_the_retry_limit_is_used_up_and_no_more(table: dict[str, Case], lab: Lab) -> None:
    assert started_pods(lab.end_of("crash-thrice", timeout=240)) == 3


def test_nothing_runs_on_after_a_verdict(table: dict[str, Case], lab: Lab, kube: Kube) -> None:
    for name in table:
        lab.end_of(name, timeout=240)
    kube.run("wait", "pods", "-l", "videojobs.dev/managed=true", "--for=jsonpath={.status.phase}!=Running", check=False)
    alive = [pod for pod in kube.items("pods", selector="videojobs.dev/managed=true") if is_alive(pod, table)]
    assert alive == []


def is_alive(pod: Manifest, table: dict[str, Case]) -> bool:
    """Whether a pod of one of the cases still holds resources."""
    mine = pod["metadata"]["labels"].get("videojobs.dev/name") in table
    return mine and pod["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in pod["metadata"]


