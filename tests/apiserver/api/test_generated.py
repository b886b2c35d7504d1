"""
Hundreds of generated specs, good and bad: the models and the real API server agree on verdict and fields.

Whatever field the models name, the server names too. It may name one more: it evaluates a rule between fields even
when one of these fields is malformed by itself, where the models stop.
"""

from __future__ import annotations

import json

import pytest
from videojob_api.resource.spec import VideoJobSpec

from tests import generated_specs, validation_result
from tests.apiserver.api.dry_run import DryRunValidator

pytestmark = pytest.mark.apiserver

COUNT = 500


def test_models_and_server_blame_the_same_fields_of_generated_specs(judge: DryRunValidator) -> None:
    manifests = generated_specs.good_and_bad(COUNT)
    ours = [validation_result.validate_with_models(each) for each in manifests]
    theirs = judge.creations(manifests)
    differing = [
        f"{json.dumps(each)[:2000]}\nmodels: {own.text}\nserver: {other.text}"
        for each, own, other in zip(manifests, ours, theirs, strict=True)
        if own.good != other.good or not own.fields <= other.fields
    ]
    assert not differing, "\n\n".join(differing[:3])
    assert len(manifests) == COUNT
    assert all(verdict.good for verdict in theirs[: COUNT // 2])
    assert sum(not verdict.good for verdict in theirs) > COUNT // 3


def test_the_server_adds_the_defaults_of_the_models(judge: DryRunValidator) -> None:
    for manifest in generated_specs.good_and_bad(20)[:10]:
        wanted = VideoJobSpec.model_validate(manifest["spec"])
        made = VideoJobSpec.model_validate(judge.created(manifest)["spec"])
        assert made == wanted
