"""The models take the good manifests and refuse the bad ones at the right field."""

import pytest

from tests import corpus, validation_result


@pytest.mark.parametrize("name", corpus.VALID_CASES)
def test_a_good_manifest_is_taken(name: str) -> None:
    assert validation_result.validate_with_models(corpus.valid_manifest(name)) == validation_result.ValidationResult(
        frozenset()
    )


@pytest.mark.parametrize("name", corpus.INVALID_CASES)
def test_a_bad_manifest_is_refused_at_the_field_to_change(name: str) -> None:
    verdict = validation_result.validate_with_models(corpus.invalid_manifest(name))
    assert verdict.fields == {corpus.INVALID_CASES[name].field}, verdict.text


def test_a_message_holds_field_value_and_remedy() -> None:
    text = validation_result.validate_with_models(corpus.invalid_manifest("an input that climbs")).text
    assert text == (
        "spec.inputs[0].path: must be a relative path without empty parts, '.', '..' or control characters, "
        "like 'seeds/init.png', not 'a/../b'"
    )
