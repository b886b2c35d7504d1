"""A job whose pod is taken away goes on where it was, and its output is that of a job that was left alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.kube import condition
from tests.e2e.lab import Lab
from tests.e2e.manifests import RESUMED_AT
from tests.e2e.outputs import outcome


@pytest.mark.parametrize("name", ["deleted", "killed"])
def test_a_job_whose_pod_is_taken_away_gives_the_same_output(lab: Lab, bucket: Any, name: str) -> None:
    life, undisturbed = lab.lives[name].result(), lab.lives["undisturbed"].result()
    assert outcome(lab, bucket, life.end) == outcome(lab, bucket, undisturbed.end)
    assert (life.end["status"]["attempt"], undisturbed.end["status"]["attempt"]) == (2, 1)


@pytest.mark.parametrize("name", ["deleted", "killed"])
def test_the_second_attempt_goes_on_where_the_first_one_has_saved_and_says_so(lab: Lab, name: str) -> None:
    life = lab.lives[name].result()
    [step] = life.resumed
    assert step is not None
    assert step >= RESUMED_AT
    assert f"going on after step {step}" in condition(life.running, "Running")["message"]
