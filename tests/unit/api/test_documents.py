"""Manifest, report, plan, status and their like: what is written can be read; garbage raises only ValidationError."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from videojob_api.base import Document
from videojob_api.contract.checkpoint import CheckpointIndex, CheckpointMarker
from videojob_api.contract.manifest import Manifest
from videojob_api.contract.status import StatusDetails
from videojob_api.crd.schema import structural_schema
from videojob_api.messages.plan import MAX_PLAN_BYTES, JobPlan
from videojob_api.messages.report import Acknowledgement, FetchResult, Report
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import VideoJobStatus
from videojob_api.resource.storage import MAX_INLINE_BYTES

from tests import generated_specs

DOCUMENTS: list[type[Document]] = [
    Acknowledgement,
    CheckpointIndex,
    FetchResult,
    Manifest,
    CheckpointMarker,
    JobPlan,
    Report,
    StatusDetails,
    VideoJobSpec,
    VideoJobStatus,
]
WRITTEN = {
    model: generated_specs.strategy(structural_schema(model), model.__name__)
    for model in DOCUMENTS
    if model is not VideoJobSpec
} | {VideoJobSpec: generated_specs.SPECS}


@pytest.mark.parametrize("model", DOCUMENTS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_can_be_read(model: type[Document], data: st.DataObject) -> None:
    drawn = data.draw(WRITTEN[model])
    try:
        document = model.model_validate_json(json.dumps(drawn))
    except ValidationError:  # a rule between fields, which the strategy does not know
        assume(False)
    written = document.model_dump_json(by_alias=True, exclude_none=True)
    assert model.model_validate_json(written, by_alias=True, by_name=False) == document


@pytest.mark.parametrize("model", DOCUMENTS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
@example(data=b"[" * 100_000)
@example(data="\ud800")
def test_garbage_raises_nothing_but_validation_errors(model: type[Document], data: st.DataObject | str | bytes) -> None:
    names = st.sampled_from([info.alias or name for name, info in model.model_fields.items()])
    objects = st.dictionaries(names, generated_specs.JSON).map(json.dumps)
    text = data if isinstance(data, str | bytes) else data.draw(st.text() | st.binary() | objects)
    with suppress(ValidationError):
        model.model_validate_json(text)


LEAST: dict[type[Document], dict[str, Any]] = {
    Acknowledgement: {"uid": "u", "published": True},
    FetchResult: {},
    Manifest: {
        "job": {"namespace": "art", "name": "sunset", "uid": "u"},
        "created": "2026-05-01T00:00:00Z",
        "frames": 0,
        "videos": [],
        "files": [],
    },
    Report: {"uid": "u", "sequence": 0, "state": "running", "observedTime": "2026-05-01T00:00:00Z"},
    StatusDetails: {"line": "FAILED u", "uid": "u", "state": "FAILED"},
    VideoJobStatus: {},
}


@pytest.mark.parametrize("model", LEAST)
def test_messages_between_versions_of_ourselves_may_grow(model: type[Document]) -> None:
    newer = model.model_validate_json(json.dumps(LEAST[model] | {"invented": {"later": 1}}))
    assert newer == model.model_validate_json(json.dumps(LEAST[model]))


def test_documents_never_change() -> None:
    result = FetchResult(files=1)
    with pytest.raises(ValidationError, match="frozen"):
        result.files = 2  # type: ignore[misc]


def test_a_plan_with_all_inline_text_that_is_allowed_fits_into_the_environment() -> None:
    quotes = '"' * MAX_INLINE_BYTES  # each of them takes two bytes in JSON
    plan = JobPlan.model_validate(
        {
            "job": {"namespace": "n" * 63, "name": "j" * 52, "uid": "u" * 36},
            "config": "{}",
            "inputs": [{"input": {"path": "a", "inline": quotes}}],
            "output": {"folder": "/out", "url": "pvc://out/"},
        }
    )
    assert len(plan.model_dump_json(by_alias=True, exclude_none=True).encode()) < MAX_PLAN_BYTES
