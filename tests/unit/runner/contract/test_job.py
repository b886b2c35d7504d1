"""config.json in both forms: what it means, and what a wrong one is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from videojob_runner.contract.job import RunnerJob, peek_uid, read_bytes, read_job, validate_config, video_name
from videojob_runner.errors import BadConfig

from tests.unit.runner.fakes import LEGACY_CONFIG, RUNNER_CONFIG


def ours(**arm: Any) -> dict[str, Any]:
    return RUNNER_CONFIG | {"pipeline": {"vqganClip": RUNNER_CONFIG["pipeline"]["vqganClip"] | arm}}


def read(document: Any) -> RunnerJob:
    return read_job(json.dumps(document).encode())


def read_pipeline(**pipeline: Any) -> RunnerJob:
    return read(RUNNER_CONFIG | {"pipeline": pipeline})


def test_our_form_is_read_into_a_job() -> None:
    job = read(ours(seed=7) | {"name": "my sunset", "encoding": {"fps": 12, "crf": 30}})
    assert (job.uid, job.video, job.pipeline, job.frames, job.size) == (
        "4711",
        "my_sunset.mp4",
        "vqganClip",
        3,
        (32, 32),
    )
    assert (job.fps, job.crf, job.seed, job.is_legacy) == (12, 30, 7, False)
    assert job.options["video"]["prompts"] == "a red circle"


def test_how_often_to_save_is_no_part_of_the_question() -> None:
    often, seldom = (read(RUNNER_CONFIG | {"checkpoint": {"intervalSeconds": seconds}}) for seconds in (5, 600))
    assert (often.checkpoint_seconds, seldom.checkpoint_seconds) == (5, 600)
    assert (read(RUNNER_CONFIG).checkpoint_seconds, read(LEGACY_CONFIG).checkpoint_seconds) == (300, 300)
    assert often.digest == seldom.digest == read(RUNNER_CONFIG).digest
    assert often.digest != read(ours(seed=7)).digest


def test_the_pipeline_says_how_many_frames_there_will_be_and_how_large() -> None:
    image = read_pipeline(vqganClip={"width": 640, "image": {"prompts": "x", "iterations": 100, "saveEvery": 30}})
    assert (image.frames, image.simulated_frames, image.size) == (4, 4, (640, 256))
    foreign = read_pipeline(custom={"config": {"video": {"frames": 3}}})
    assert (foreign.pipeline, foreign.frames, foreign.simulated_frames, foreign.size) == (
        "custom",
        None,
        None,
        (480, 480),
    )


def test_the_title_is_the_prompts_if_there_are_any() -> None:
    assert read(RUNNER_CONFIG).title == read(LEGACY_CONFIG).title == "a red circle"
    assert read(LEGACY_CONFIG | {"prompt": " a cat || dots |"}).title == "a cat | dots"
    assert read(LEGACY_CONFIG | {"prompt": "", "target_images": "cat.png"}).title is None
    assert read_pipeline(custom={"config": {"form": {"prompts": "x"}}}).title is None


def test_the_flat_form_means_a_timelapse() -> None:
    job = read(LEGACY_CONFIG | {"lr": 0.03, "seed": 5, "init_image": "0.jpg", "title_time": 1, "init_rest_time": 0.5})
    assert (job.uid, job.video, job.pipeline, job.fps, job.is_legacy) == ("a b", "a_b.mp4", "vqganClip", 24, True)
    assert job.options == {
        "width": 32, "height": 32, "initImage": "0.jpg", "seed": 5, "cuts": 64, "cutMethod": "nvg",
        "learningRate": 0.03,
        "timelapse": {
            "prompts": "a red circle", "iterations": 3, "learningRateGrowth": 1.02, "learningRateCap": 0.1,
            "titleSeconds": 1, "fadeSeconds": 0.5,
        },
    }  # fmt: skip


def test_q_11_the_flat_form_makes_one_frame_more_than_num_frames_but_not_in_test_mode() -> None:
    job = read(LEGACY_CONFIG | {"num_frames": 30})
    assert (job.frames, job.simulated_frames) == (31, 30)


def test_the_flat_forms_defaults_are_those_of_the_specification() -> None:
    """§1.4."""
    job = read(LEGACY_CONFIG)
    timelapse = job.options["timelapse"]
    assert (job.options["learningRate"], timelapse["titleSeconds"], timelapse["fadeSeconds"]) == (0.02, 3.5, 2.5)


def test_the_cap_of_the_flat_form_holds_for_the_first_rate_too() -> None:
    assert read(LEGACY_CONFIG | {"lr": 0.5}).options["learningRate"] == 0.1


@pytest.mark.parametrize("image", ["", "None", None])
def test_the_flat_forms_ways_of_saying_no_picture_all_work(image: str | None) -> None:
    assert "initImage" not in read(LEGACY_CONFIG | {"init_image": image}).options


def test_minus_one_asks_for_a_drawn_seed_and_zero_is_a_seed() -> None:
    assert read(LEGACY_CONFIG | {"seed": -1}).seed is None
    assert read(LEGACY_CONFIG | {"seed": 0}).seed == 0


def test_the_names_of_before_september_2021_are_understood() -> None:
    job = read({"prompts": "a cat", "unique_id": 1234567890, "max_iterations": 30, "images_interval": 5})
    assert (job.uid, job.frames, job.options["timelapse"]["prompts"], job.size) == (
        "1234567890",
        31,
        "a cat",
        (480, 480),
    )


def test_empty_items_of_a_flat_prompt_are_dropped() -> None:
    assert (
        read(LEGACY_CONFIG | {"prompt": " | a cat:0.5 ||dots|"}).options["timelapse"]["prompts"] == "a cat:0.5 | dots"
    )


def test_target_images_of_the_flat_form_are_image_prompts_and_may_stand_alone() -> None:
    both = read(LEGACY_CONFIG | {"target_images": "cat.png:0.5|| b.jpg"}).options["timelapse"]
    assert both["imagePrompts"] == "cat.png:0.5 | b.jpg"
    assert "imagePrompts" not in read(LEGACY_CONFIG | {"target_images": " |"}).options["timelapse"]
    alone = read(LEGACY_CONFIG | {"prompt": "", "target_images": "cat.png"}).options["timelapse"]
    assert (alone["imagePrompts"], "prompts" in alone) == ("cat.png", False)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (LEGACY_CONFIG | {"num_frames": 0}, "num_frames: .*greater than or equal to 1, not 0"),
        (LEGACY_CONFIG | {"num_frames": -3}, "num_frames: .*not -3"),
        (LEGACY_CONFIG | {"fps": 0}, "fps: .*greater than 0"),
        (LEGACY_CONFIG | {"prompt": " | "}, "prompt: .*no prompt"),
        (LEGACY_CONFIG | {"width": 0}, "width: .*not 0"),
        ({key: value for key, value in LEGACY_CONFIG.items() if key != "prompt"}, "prompt: is required"),
        (RUNNER_CONFIG | {"apiVersion": "runner.videojobs.dev/v9"}, "apiVersion: .*runner.videojobs.dev/v1"),
        (RUNNER_CONFIG | {"colour": "red"}, "colour: is no field here"),
        (ours(video={"prompts": "x", "frames": 0}), r"pipeline\.vqganClip\.video\.frames: .*not 0"),
        (ours(widht=3), r"pipeline\.vqganClip\.widht: is no field here"),
        (RUNNER_CONFIG | {"pipeline": {}}, "pipeline: .*exactly one"),
        ([1], "one JSON object"),
    ],
)
def test_a_wrong_configuration_is_told_its_field_and_what_would_be_right(document: Any, says: str) -> None:
    with pytest.raises(BadConfig, match=says) as caught:
        read(document)
    assert caught.value.exit_code == 64


@pytest.mark.parametrize("text", [b"", b"{", b"\x00", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_has_no_uid_and_is_refused(text: bytes) -> None:
    assert peek_uid(text) is None
    with pytest.raises(BadConfig, match="JSON"):
        read_job(text)


@pytest.mark.parametrize(
    ("document", "uid"),
    [(LEGACY_CONFIG, "a b"), (RUNNER_CONFIG, "4711"), ({"unique_id": 7}, "7"), ({"uid": "u", "pipeline": 3}, "u"),
     ({}, None), ([], None),
     ({"unique_id": "  "}, None), ({"unique_id": "a\nb"}, None), ({"uid": "x" * 254}, None), ({"uid": {}}, None)],
)  # fmt: skip
def test_the_uid_is_found_even_when_the_rest_is_wrong_and_only_if_it_fits_into_a_line(
    document: Any, uid: str | None
) -> None:
    assert peek_uid(json.dumps(document).encode()) == uid


def test_an_engines_own_model_is_told_about_in_the_words_of_the_resource() -> None:
    class Config(BaseModel):
        cuts: int

    with pytest.raises(BadConfig, match=r"pipeline\.x\.cuts: .*, not 'many'"):
        validate_config(lambda: Config.model_validate({"cuts": "many"}), prefix="pipeline.x.")


def test_a_missing_configuration_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=f"there is no {tmp_path}/config.json"):
        read_bytes(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a b", "a_b.mp4"),
        ("../../etc/passwd", "______etc_passwd.mp4"),
        ("-y", "_y.mp4"),
        (".hidden", "_hidden.mp4"),
        ("a\\b\tc", "a_b_c.mp4"),
        ("sonnenuntergang-ü", "sonnenuntergang-ü.mp4"),
        ("ü" * 300, "ü" * 100 + ".mp4"),
    ],
)
def test_a_videos_name_is_never_an_option_or_a_path(name: str, file: str) -> None:
    assert video_name(name) == file


def test_the_digest_changes_with_the_question_and_not_with_the_order_of_keys() -> None:
    turned: dict[str, Any] = json.loads(json.dumps(dict(reversed(RUNNER_CONFIG.items()))))
    jobs: list[RunnerJob] = [read(RUNNER_CONFIG), read(turned), read(ours(seed=1))]
    assert jobs[0].digest == jobs[1].digest != jobs[2].digest
