"""config.json in both forms: what is written can be read, and what is wrong is told by field, value and remedy."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from videojob_api.contract.config import InvalidConfig, LegacyConfig, RunnerConfig, read_config
from videojob_api.pipelines.vqgan_clip import Image

from tests import generated_specs

FLAT: dict[str, Any] = {"prompt": "a red circle", "unique_id": "job 1", "num_frames": 30}
OURS: dict[str, Any] = {
    "apiVersion": "runner.videojobs.dev/v1",
    "uid": "u-1",
    "pipeline": {"vqganClip": {"image": {"prompts": "a red circle"}}},
}


def read_flat(**fields: Any) -> LegacyConfig:
    """The flat form with some fields given, or left out by ..."""
    document = {name: value for name, value in (FLAT | fields).items() if value is not ...}
    config = read_config(json.dumps(document))
    assert isinstance(config, LegacyConfig)
    return config


def test_our_form_is_known_by_its_version() -> None:
    config = read_config(json.dumps(OURS))
    assert isinstance(config, RunnerConfig)
    assert config.uid == "u-1"
    assert config.pipeline.vqgan_clip is not None
    assert config.pipeline.vqgan_clip.image == Image(prompts="a red circle")


def test_our_form_is_known_by_its_pipeline_too() -> None:
    assert read_config(json.dumps({k: v for k, v in OURS.items() if k != "apiVersion"})) == read_config(
        json.dumps(OURS)
    )


def test_the_flat_form_has_the_defaults_of_the_original_container() -> None:
    config = read_flat()
    assert (config.width, config.height, config.seed, config.fps, config.lr) == (480, 480, -1, 24, 0.02)
    assert (config.title_time, config.init_rest_time, config.target_images) == (3.5, 2.5, "")


@pytest.mark.parametrize("nothing", ["", "None", None, ...])
def test_no_start_picture_can_be_said_in_four_ways(nothing: Any) -> None:
    """Bugs 1 and 2 of the original (§1.14)."""
    assert read_flat(init_image=nothing).init_image is None


@pytest.mark.parametrize("nothing", ["", "None", None, ...])
def test_no_target_picture_can_be_said_in_four_ways(nothing: Any) -> None:
    assert read_flat(target_images=nothing).target_images == ""


def test_the_names_of_older_files_are_understood() -> None:
    assert read_flat(prompt=..., num_frames=..., prompts="x | y", max_iterations=3) == read_flat(
        prompt="x | y", num_frames=3
    )


def test_the_newer_name_wins() -> None:
    assert read_flat(prompts="old", max_iterations=1) == read_flat()
    assert read_flat(prompt=None, prompts="old").prompt == "old"


def test_a_number_may_stand_for_the_id() -> None:
    assert read_flat(unique_id=1234567890).unique_id == "1234567890"


def test_fields_the_original_ignored_are_ignored() -> None:
    assert read_flat(images_interval=5, note={"any": "thing"}) == read_flat()


def test_a_byte_order_mark_is_no_matter() -> None:
    assert read_config(b"\xef\xbb\xbf" + json.dumps(FLAT).encode()) == read_flat()


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"num_frames": 0}, "num_frames", "greater than or equal to 1, not 0"),
        ({"num_frames": -3}, "num_frames", "not -3"),
        ({"num_frames": ...}, "num_frames", "is required"),
        ({"num_frames": "30"}, "num_frames", "not '30'"),
        ({"num_frames": True}, "num_frames", "not True"),
        ({"prompt": ...}, "prompt", "is required"),
        ({"unique_id": ...}, "unique_id", "is required"),
        ({"unique_id": " "}, "unique_id", "one line"),
        ({"unique_id": "a\nFAILED a"}, "unique_id", "not 'a\\nFAILED a'"),
        ({"unique_id": True}, "unique_id", "not True"),
        ({"init_image": "../../etc/passwd"}, "init_image", "relative path"),
        ({"init_image": "/etc/passwd"}, "init_image", "relative path"),
        ({"width": 0}, "width", "not 0"),
        ({"fps": 0}, "fps", "greater than 0"),
        ({"lr": -1}, "lr", "greater than 0"),
        ({"seed": -2}, "seed", "not -2"),
    ],
)
def test_a_wrong_flat_file_is_told_its_field(wrong: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_flat(**wrong)
    assert caught.value.field == field
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"apiVersion": "runner.videojobs.dev/v9"}, "apiVersion", "runner.videojobs.dev/v1"),
        ({"uid": ""}, "uid", "one line"),
        ({"name": "../up"}, "name", "file name"),
        ({"name": "-rf"}, "name", "file name"),
        ({"pipeline": {}}, "pipeline", "exactly one"),
        ({"pipeline": {"vqganClip": {}}}, "pipeline.vqganClip", "exactly one of image, video"),
        ({"pipeline": {"vqgan_clip": {}}}, "pipeline.vqgan_clip", "no field here"),
        ({"models": [{"role": "generator"}]}, "models[0]", "exactly one of builtin, input"),
        ({"encoding": {"fps": 0}}, "encoding.fps", "not 0"),
    ],
)
def test_a_wrong_file_of_ours_is_told_its_field(wrong: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_config(json.dumps(OURS | wrong))
    assert caught.value.field == field
    assert says in str(caught.value)


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_flat(num_frames=0, width=0)
    assert [problem.field for problem in caught.value.problems] == ["num_frames", "width"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"text"', b"\xff", '{"a": NaN', "[" * 100_000, "\ud800"])
def test_what_is_no_json_object_is_a_bad_config(text: str | bytes) -> None:
    with pytest.raises(InvalidConfig, match=r"config\.json must"):
        read_config(text)


def test_a_long_wrong_value_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_flat(init_image="../" * 1000)
    assert len(str(caught.value)) < 300


@settings(max_examples=50, deadline=None)
@given(generated_specs.SPECS)
def test_what_is_written_in_our_form_can_be_read(spec: dict[str, Any]) -> None:
    parts = {name: spec[name] for name in ("pipeline", "models", "encoding") if name in spec}
    config = RunnerConfig.model_validate(OURS | parts, by_alias=True, by_name=False)
    assert read_config(config.model_dump_json(by_alias=True, exclude_none=True)) == config


KEYS = st.sampled_from([*FLAT, *OURS, "init_image", "width", "models", "encoding", "seed"]) | st.text(max_size=5)


@given(st.text() | st.binary() | st.dictionaries(KEYS, generated_specs.JSON).map(json.dumps))
@example('{"pipeline": {"vqganClip": {"image": {"prompts": "\\ud800"}}}, "uid": "u"}')
def test_garbage_raises_nothing_but_bad_config(text: str | bytes) -> None:
    try:
        read_config(text)
    except InvalidConfig as error:
        assert error.problems
