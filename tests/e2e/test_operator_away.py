"""The operator is only the operator: jobs go on without it, and what it missed it makes good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Kube, Manifest, has_succeeded, is_over
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


def job_is_complete(job: Manifest) -> bool:
    """Whether a batch Job has its Complete condition."""
    status = job.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(item["type"] == "Complete" and item["status"] == "True" for item in conditions)


@dataclass(frozen=True)
class Story:
    """One absence of the operator: the long job's status before, during and after it, and how all jobs ended."""

    before: Manifest
    away: Manifest
    caught_up: Manifest
    ends: dict[str, Manifest]


LONG, SHORT, FAILING = "long-walk", "lonely-end", "lonely-fail"


@pytest.fixture(scope="module")
def story(lab: E2eEnvironment, kube: Kube) -> Story:
    """Two jobs end while the operator is away, and one gets beyond its 70th percent."""
    kube.apply(
        videojob(LONG, test={"durationSeconds": 60}),
        videojob(SHORT, test={"durationSeconds": 25}),
        videojob(FAILING, test={"durationSeconds": 25, "fail": True}),
    )
    before = {name: kube.until("vj", name, has_begun, timeout=60) for name in (LONG, SHORT, FAILING)}
    with operator_away(kube):
        for name in (SHORT, FAILING):
            kube.until("job", f"{name}-1", job_is_complete, timeout=60)
            assert not is_over(kube.get("vj", name)), "it ended before the operator had gone"
        pod = kube.items("pods", selector=f"videojobs.dev/name={LONG}")[0]["metadata"]["name"]
        wait = 'until grep -Eq " (7[0-9]|8[0-9])% " /video_io/STATUS; do sleep 1; done'
        kube.run("exec", pod, "-c", "runner", "--", "sh", "-c", wait)
        away = kube.get("vj", LONG)
    caught_up = kube.until("vj", LONG, lambda job: percent(job) >= 70, timeout=30)
    ends = {name: lab.end_of(name, timeout=90) for name in before}
    return Story(before[LONG], away, caught_up, ends)


def test_a_job_goes_on_without_the_operator_and_its_progress_catches_up(story: Story) -> None:
    assert percent(story.away) < 70
    assert percent(story.before) < percent(story.caught_up)
    assert has_succeeded(story.ends[LONG])


def test_a_job_that_ends_while_the_operator_is_away_gets_the_right_verdict(story: Story) -> None:
    assert has_succeeded(story.ends[SHORT])
    assert not has_succeeded(story.ends[FAILING])


def has_begun(videojob: Manifest) -> bool:
    """Whether there is any progress."""
    return percent(videojob) > 0


def percent(videojob: Manifest) -> int:
    """Percent in the status; -1 before the first report."""
    status = videojob.get("status")
    progress = status.get("progress") if isinstance(status, dict) else None
    return int(progress["percent"]) if isinstance(progress, dict) else -1
