"""The real API server takes the good manifests and refuses the bad ones at the field that the models name."""

from __future__ import annotations

import pytest

from tests import corpus, validation_result
from tests.apiserver.api.dry_run import DryRunValidator

pytestmark = pytest.mark.apiserver


@pytest.fixture(scope="module")
def taken(judge: DryRunValidator) -> dict[str, validation_result.Verdict]:
    """Verdicts of the good cases, asked for all at once."""
    return dict(zip(corpus.GOOD, judge.creations(map(corpus.good, corpus.GOOD)), strict=True))


@pytest.fixture(scope="module")
def refused(judge: DryRunValidator) -> dict[str, validation_result.Verdict]:
    """Verdicts of the bad cases, asked for all at once."""
    return dict(zip(corpus.BAD, judge.creations(map(corpus.bad, corpus.BAD)), strict=True))


def test_there_are_enough_cases() -> None:
    assert len(corpus.GOOD) >= 15
    assert len(corpus.BAD) >= 40


@pytest.mark.parametrize("name", corpus.GOOD)
def test_a_good_manifest_is_taken(taken: dict[str, validation_result.Verdict], name: str) -> None:
    assert taken[name].good, taken[name].text


@pytest.mark.parametrize("name", corpus.BAD)
def test_a_bad_manifest_is_refused_at_the_field_to_change(
    refused: dict[str, validation_result.Verdict], name: str
) -> None:
    case = corpus.BAD[name]
    assert case.field in refused[name].fields, refused[name].text
    assert case.field in refused[name].text
    assert case.says in refused[name].text
    assert refused[name].fields == validation_result.of_models(corpus.bad(name)).fields
