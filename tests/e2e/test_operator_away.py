"""The operator is only the operator: jobs go on without it, and what it missed it makes good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.kube import Kube, has_succeeded
from tests.e2e.lab import Lab
from tests.e2e.manifests import videojob

SYSTEM = "videojob-system"


@contextmanager
def operator_away(kube: Kube) -> Iterator[None]:
    """Scales the operator to nothing, waits until its pod is gone, and brings it back."""
    system = kube.at(SYSTEM)
    system.run("scale", "deployment/videojob", "--replicas=0")
    system.until_gone("pods", selector="app.kubernetes.io/name=videojob", timeout=60)
    try:
        yield
    finally:
        system.run("scale", "deployment/videojob", "--replicas=1")
        system.run("rollout", "status", "deployment/videojob", "--timeout=90s")


def job_is_complete(job: dict[str, object]) -> bool:
    """Whether a batch Job has its Complete condition."""
    status = job.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(item["type"] == "Complete" and item["status"] == "True" for item in conditions)


def test_a_job_goes_on_without_the_operator_and_its_progress_catches_up(lab: Lab, kube: Kube) -> None:
    kube.apply(videojob("long-walk", test={"durationSeconds": 100}))
    before = kube.until("vj", "long-walk", lambda job: percent(job) > 0, timeout=60)
    with operator_away(kube):
        pod = kube.items("pods", selector="videojobs.dev/name=long-walk")[0]["metadata"]["name"]
        wait = 'until grep -Eq " (7[0-9]|8[0-9])% " /video_io/STATUS; do sleep 1; done'
        kube.run("exec", pod, "-c", "runner", "--", "sh", "-c", wait)
        assert percent(kube.get("vj", "long-walk")) < 70
    caught_up = kube.until("vj", "long-walk", lambda job: percent(job) >= 70, timeout=30)
    assert percent(before) < percent(caught_up)
    assert has_succeeded(lab.end_of("long-walk", timeout=90))


def test_a_job_that_ends_while_the_operator_is_away_gets_the_right_verdict(lab: Lab, kube: Kube) -> None:
    kube.apply(
        videojob("lonely-end", test={"durationSeconds": 8}),
        videojob("lonely-fail", test={"durationSeconds": 8, "fail": True}),
    )
    for name in ("lonely-end", "lonely-fail"):
        kube.until("vj", name, lambda job: percent(job) > 0, timeout=60)
    with operator_away(kube):
        for name in ("lonely-end", "lonely-fail"):
            kube.until("job", f"{name}-1", job_is_complete, timeout=60)
    assert has_succeeded(lab.end_of("lonely-end", timeout=30))
    failed = lab.end_of("lonely-fail", timeout=30)
    assert not has_succeeded(failed)


def percent(videojob: dict[str, object]) -> int:
    """Percent in the status; -1 before the first report."""
    status = videojob.get("status")
    progress = status.get("progress") if isinstance(status, dict) else None
    return int(progress["percent"]) if isinstance(progress, dict) else -1
