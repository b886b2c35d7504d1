"""
Ten seeded moments for each form at which a pod goes, by all the ways in which pods go: every output equals that of the
job that was left alone.

Two moments to a job, so that some attempts go on from what another continuation has saved; every other job publishes to
the bucket. `make resume` runs this, `make test` does not: it takes minutes of both cores.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from devcluster.cluster.node import Node
from tests.e2e.disruptions import DisruptedRun, Disruption, Disruptor
from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Manifest
from tests.e2e.manifests import S3_KEYS, resumable, s3_output, s3_secret
from tests.e2e.outputs import comparable_output

pytestmark = pytest.mark.resume

STEPS = 60
"""Of every form; pods go in the first two thirds."""
WAYS = ("deleted", "deleted", "killed", "forced", "suspended")
JOBS, EACH = 5, 2
SIDE_BY_SIDE = 5
"""Jobs at once: one that waits for its next pod leaves the cores to others."""

PICTURE = "P2\n4 4\n3\n" + "{} 3 2 1\n" * 4
VIDEO = {"prompts": "a red circle", "frames": 5, "iterationsForFirstFrame": 20, "iterationsPerFrame": 10}
STYLE = {"prompts": "a red circle", "source": "walk", "iterationsForFirstFrame": 20, "iterationsPerFrame": 10}
FORMS: dict[str, Manifest] = {
    "image": {"image": {"prompts": "a red circle", "iterations": STEPS, "saveEvery": 10}},
    "video": {"video": VIDEO | {"zoom": 1.02, "smoother": {"length": 3}}},
    "style-transfer": {"styleTransfer": STYLE | {"smoother": {"length": 3}}},
    "timelapse": {"timelapse": {"prompts": "a red circle", "iterations": STEPS, "titleSeconds": 0}},
}
FILM = [{"path": f"walk/{shade}.pgm", "inline": PICTURE.format(*[shade] * 4)} for shade in range(4)]
CASES = [(form, number) for form in FORMS for number in range(JOBS)]

Key = tuple[str, int | None]
"""A form, and the number of a job; None for the one that is left alone."""


def moments(form: str, number: int) -> list[Disruption]:
    """When and how the pods of a job go: the same every time."""
    draws = random.Random(f"{form} {number}")
    steps = sorted(draws.sample(range(3, STEPS * 2 // 3), EACH))
    return [Disruption(draws.choice(WAYS), step, delay=draws.random()) for step in steps]


def job(lab: E2eEnvironment, form: str, number: int | None) -> Manifest:
    """The manifest of a job."""
    name = f"{form}-{'alone' if number is None else number}"
    inputs = {"inputs": FILM} if "styleTransfer" in FORMS[form] else {}
    to_bucket = {"output": s3_output(lab.s3, secret=S3_KEYS)} if number and number % 2 else {}
    return resumable(name, FORMS[form], **inputs, **to_bucket)


@pytest.fixture(scope="module")
def lives(lab: E2eEnvironment, node: Node) -> Iterator[Mapping[Key, Future[DisruptedRun]]]:
    """All jobs, as many at once as make sense."""
    lab.kube.apply(s3_secret(S3_KEYS, access=lab.s3["access"], secret=lab.s3["secret"]))
    fate = Disruptor(lab.kube, node)
    keys: list[Key] = [*((form, None) for form in FORMS), *CASES]
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="lives") as threads:
        yield {
            (form, number): threads.submit(
                fate.run, job(lab, form, number), [] if number is None else moments(form, number)
            )
            for form, number in keys
        }


@pytest.mark.parametrize(("form", "number"), CASES)
def test_the_output_is_that_of_the_job_that_was_left_alone(
    lab: E2eEnvironment, bucket: Any, lives: Mapping[Key, Future[DisruptedRun]], form: str, number: int
) -> None:
    disturbed, alone = lives[form, number].result(), lives[form, None].result()
    planned = moments(form, number)
    print(f"{form} {number}: {planned} went on after {disturbed.resumed_steps}")
    assert comparable_output(lab, bucket, disturbed.end) == comparable_output(lab, bucket, alone.end)
    assert all(
        step is not None and step >= moment.step for step, moment in zip(disturbed.resumed_steps, planned, strict=True)
    )


def test_there_are_ten_moments_for_each_form_and_every_way_comes_up() -> None:
    for form in FORMS:
        assert len([moment for number in range(JOBS) for moment in moments(form, number)]) == 10
    assert {moment.kind for form, number in CASES for moment in moments(form, number)} == set(WAYS)
