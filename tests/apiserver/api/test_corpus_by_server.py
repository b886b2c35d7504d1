"""The real API server takes the good manifests and refuses the bad ones at the field that the models name."""

from __future__ import annotations

import pytest

from tests import corpus, validation_result
from tests.apiserver.api.dry_run import DryRunValidator

pytestmark = pytest.mark.apiserver


@pytest.fixture(scope="module")
def taken(judge: DryRunValidator) -> dict[str, validation_result.ValidationResult]:
    """Verdicts of the good cases, asked for all at once."""
    return dict(zip(corpus.VALID_CASES, judge.creations(map(corpus.valid_manifest, corpus.VALID_CASES)), strict=True))


@pytest.fixture(scope="module")
def refused(judge: DryRunValidator) -> dict[str, validation_result.ValidationResult]:
    """Verdicts of the bad cases, asked for all at once."""
    return dict(
        zip(corpus.INVALID_CASES, judge.creations(map(corpus.invalid_manifest, corpus.INVALID_CASES)), strict=True)
    )


def test_there_are_enough_cases() -> None:
    assert len(corpus.VALID_CASES) >= 15
    assert len(corpus.INVALID_CASES) >= 40


@pytest.mark.parametrize("name", corpus.VALID_CASES)
def test_a_good_manifest_is_taken(taken: dict[str, validation_result.ValidationResult], name: str) -> None:
    assert taken[name].good, taken[name].text


@pytest.mark.parametrize("name", corpus.INVALID_CASES)
def test_a_bad_manifest_is_refused_at_the_field_to_change(
    refused: dict[str, validation_result.ValidationResult], name: str
) -> None:
    case = corpus.INVALID_CASES[name]
    assert case.field in refused[name].fields, refused[name].text
    assert case.field in refused[name].text
    assert case.says in refused[name].text
    assert refused[name].fields == validation_result.validate_with_models(corpus.invalid_manifest(name)).fields
