"""A new pipeline brings its rules along: nothing else is written for it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from videojob_api.crd.schema import structural_schema
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.validation.problems import field_problems
from videojob_operator.domain.manifests.scratch import scratch_size

from tests import corpus
from tests.toy_pipeline import Text2Video, ToyPipelines, ToySpec

PIPELINE = "spec.pipeline"
GENERATE: dict[str, Any] = {PIPELINE: {"text2video": {"generate": {}}}}
FILM = {"path": "film", "inline": "x"}


def spec(edits: dict[str, Any]) -> ToySpec:
    return ToySpec.model_validate(corpus.with_edits(corpus.BASE, GENERATE | edits)["spec"])


def training(dataset: str, *inputs: str) -> dict[str, Any]:
    return {
        PIPELINE: {"text2video": {"train": {"dataset": dataset}}},
        "spec.inputs": [FILM | {"path": path} for path in inputs],
    }


@pytest.mark.parametrize(
    "edits",
    [
        {},
        training("film", "film"),
        training("film/1", "film"),
        training("film", "film/0.mp4", "film/1.mp4"),
        {f"{PIPELINE}.text2video.generate.firstFrame": "film", "spec.inputs": [FILM]},
        {"spec.models": [{"role": "generator", "input": "film"}], "spec.inputs": [FILM]},
        corpus.CUSTOM,
        {PIPELINE: corpus.BASE["spec"]["pipeline"]},
    ],
)
def test_a_good_spec_is_taken(edits: dict[str, Any]) -> None:
    spec(edits)


@pytest.mark.parametrize(
    ("edits", "field", "message"),
    [
        ({PIPELINE: {}}, "pipeline", "exactly one of vqganClip, custom, text2video must be given"),
        ({f"{PIPELINE}.text2video": {}}, "pipeline.text2video", "exactly one of train, generate must be given"),
        (
            {f"{PIPELINE}.text2video.train": {"dataset": "film"}, "spec.inputs": [FILM]},
            "pipeline.text2video",
            "exactly one of train, generate must be given",
        ),
        (
            training("films", "film"),
            "pipeline.text2video.train.dataset",
            "must be the path of one of the inputs, lie below one, or hold some",
        ),
        (
            {f"{PIPELINE}.text2video.generate.firstFrame": "film", "spec.inputs": [FILM | {"path": "film/0.png"}]},
            "pipeline.text2video.generate.firstFrame",
            "must be the path of one of the inputs, or lie below one",
        ),
        (
            {"spec.models": [{"role": "perceptor", "builtin": "shapes-clip"}]},
            "models",
            "pipeline.text2video has the role generator only",
        ),
    ],
)
def test_a_bad_spec_is_refused_at_the_field_to_change(edits: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        spec(edits)
    [problem] = field_problems(caught.value)
    assert (problem.field, problem.expected) == (field, message)


def test_the_schema_holds_the_same_rules_in_cel() -> None:
    schema = structural_schema(ToySpec)
    rules = {
        rule["fieldPath"]: rule["rule"] for rule in schema["x-kubernetes-validations"] if "text2video" in str(rule)
    }
    here = "self.pipeline.text2video"
    assert rules[".pipeline.text2video.train.dataset"].startswith(
        f"!has({here}) || !has({here}.train) || (has(self.inp"
    )
    assert rules[".pipeline.text2video.generate.firstFrame"].startswith(
        f"!has({here}) || !has({here}.generate) || !has({here}.generate.firstFrame) || (has(self.inputs)"
    )
    assert rules[".models"] == (f"!has({here}) || !has(self.models) || self.models.all(m, m.role in ['generator'])")
    [forms] = schema["properties"]["pipeline"]["properties"]["text2video"]["x-kubernetes-validations"]
    assert forms["rule"] == "[has(self.train), has(self.generate)].filter(given, given).size() == 1"


def test_the_rules_of_other_pipelines_stay_as_they_are() -> None:
    ours = [rule for rule in ToySpec.rules if "text2video" not in rule.cel]
    assert ours == list(VideoJobSpec.rules)


def test_it_is_registered_by_its_field_and_answers_for_itself() -> None:
    assert list(ToyPipelines.pipelines()) == ["vqgan_clip", "custom", "text2video"]
    name, pipeline = spec(GENERATE).pipeline.member()
    assert (name, pipeline) == ("text2video", Text2Video.model_validate({"generate": {}}))
    assert (pipeline.form()[0], pipeline.frame_count(), pipeline.is_training()) == ("generate", 16, False)
    assert spec(training("film", "film")).pipeline.member()[1].is_training()


def test_the_operator_asks_it_for_disk() -> None:
    video = 16 * 480 * 480 * 3 * 0.1
    size = scratch_size(spec(GENERATE))
    assert int(size.request) == pytest.approx(16 * 1000 + video + 1024**3, abs=1)
    assert size.limit == size.request
    assert scratch_size(spec(training("film", "film"))).limit is None
