"""The plain call for notebooks and scripts: what it gives back, where frames go, how it is stopped and goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from pydantic import ValidationError
from videojob_runner.engines.vqgan_clip import (
    Image,
    StyleTransfer,
    Timelapse,
    Video,
    VqganClipConfig,
)
from videojob_runner.engines.vqgan_clip.engine import load_generator, load_perceptor
from videojob_runner.errors import BadConfig, BadInput
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.models.packs.reader import Pack
from videojob_runner.notebook import RunResult, render

from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

VIDEO = VqganClipConfig(
    width=16,
    height=16,
    seed=7,
    learning_rate=0.5,
    video=Video(prompts="a ^ b", frames=4, iterations_per_frame=2, iterations_for_first_frame=1, zoom=1.1),
)
PICTURE = VqganClipConfig(width=24, height=16, learning_rate=0.5, image=Image(prompts="a red circle", iterations=3))

Call = Callable[..., RunResult]


@pytest.fixture
def call(generator_folder: Path, perceptor_folder: Path) -> Call:
    """`render` on the tiny packs, on the CPU."""
    packs = {"generator": generator_folder, "perceptor": perceptor_folder}

    def of(config: VqganClipConfig, **options: Any) -> RunResult:
        return render(config, **{"packs": packs, "device": "cpu", **options})

    return of


def shown(made: RunResult) -> list[bytes]:
    return [frame.tobytes() for frame in made.frames()]


def test_it_makes_the_frames_that_a_job_makes(call: Call, world: HarnessFactory) -> None:
    made = call(VIDEO)
    fields = VIDEO.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert (made.count, made.seed) == (4, 7)
    assert shown(made) == run(world(seed=7), **fields).pictures()
    assert made.metrics.keys() == {"loss"}
    assert made.versions["generator"].startswith("tiny-vqgan@sha256:")


def test_the_picture_is_the_last_frame(call: Call, tmp_path: Path) -> None:
    made = call(PICTURE)
    assert made.image.size == (24, 16)
    made.image.save(tmp_path / "circle.png")
    with Picture.open(tmp_path / "circle.png") as picture:
        assert np.array_equal(np.asarray(picture), made.read(0))


def test_q_23_without_a_seed_one_is_drawn_and_told_and_zero_is_a_seed(call: Call) -> None:
    first, second = call(PICTURE), call(PICTURE)
    assert first.seed != second.seed
    again = call(PICTURE.model_copy(update={"seed": first.seed}))
    assert shown(again) == shown(first)
    zero = PICTURE.model_copy(update={"seed": 0})
    assert call(zero).seed == 0
    assert shown(call(zero)) == shown(call(zero))


def test_a_video_becomes_an_mp4(call: Call, tmp_path: Path) -> None:
    made = call(VIDEO)
    assert write_mp4(tmp_path / "video.mp4", made.frames(), VideoEncoding(fps=10)) == 4


def test_progress_is_told_after_each_iteration(call: Call) -> None:
    told: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
        told.append((done, total, message))

    call(PICTURE, progress=progress)
    assert told == [(done, 3, "frame 1 of 1") for done in (1, 2, 3)]


def interrupting(at: int, *, times: int = 1) -> Callable[..., None]:
    """A progress report that presses Ctrl-C after iteration `at`."""

    def progress(done: int, *_: object, **__: object) -> None:
        if done == at:
            for _time in range(times):
                signal.raise_signal(signal.SIGINT)

    return progress


def test_q_46_ctrl_c_is_not_swallowed_and_the_same_call_goes_on_to_the_very_same_bytes(
    call: Call, tmp_path: Path
) -> None:
    undisturbed, handler = call(VIDEO), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="after step 6"):
        call(VIDEO, folder=tmp_path, progress=interrupting(6))
    assert signal.getsignal(signal.SIGINT) is handler
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["00000.png", "00001.png"]
    seen: list[int] = []
    made = call(VIDEO, folder=tmp_path, progress=lambda done, *_, **__: seen.append(done))
    assert seen == [7, 8, 9]
    assert shown(made) == shown(undisturbed)


def test_a_call_that_goes_on_keeps_the_seed_that_was_drawn(call: Call, tmp_path: Path) -> None:
    config = VIDEO.model_copy(update={"seed": None})
    with pytest.raises(KeyboardInterrupt):
        call(config, folder=tmp_path, progress=interrupting(4))
    made = call(config, folder=tmp_path)
    assert shown(made) == shown(call(VIDEO.model_copy(update={"seed": made.seed})))


def test_a_second_ctrl_c_ends_at_once_and_one_without_a_folder_says_what_a_folder_would_do(call: Call) -> None:
    with pytest.raises(KeyboardInterrupt, match="at once"):
        call(VIDEO, progress=interrupting(2, times=2))
    with pytest.raises(KeyboardInterrupt, match="with a folder"):
        call(VIDEO, progress=interrupting(2))


def test_it_works_in_a_thread_of_a_server_too(call: Call) -> None:
    made: list[RunResult] = []
    thread = threading.Thread(target=lambda: made.append(call(PICTURE)))
    thread.start()
    thread.join()
    assert made[0].count == 1


class TestQ25:
    """Folders: what is ours goes, what is not stays."""

    def test_q_25_parents_are_made_and_only_frames_of_ours_are_deleted(self, call: Call, tmp_path: Path) -> None:
        folder = tmp_path / "deep" / "down"
        call(VIDEO, folder=folder)
        keep = folder / "frames" / "frame_1.jpg"
        keep.write_bytes(b"mine")
        (folder / "frames" / "sub").mkdir()
        call(PICTURE, folder=folder)
        assert sorted(path.name for path in (folder / "frames").iterdir()) == ["00000.png", "frame_1.jpg", "sub"]
        assert keep.read_bytes() == b"mine"

    def test_q_25_frames_among_the_inputs_are_refused(self, call: Call, tmp_path: Path) -> None:
        source = tmp_path / "frames" / "00000.png"
        source.parent.mkdir()
        source.write_bytes(b"the source")
        with pytest.raises(BadInput, match="among the inputs"):
            call(PICTURE, folder=tmp_path, inputs=source.parent)
        assert source.read_bytes() == b"the source"


def test_q_38_without_cuda_the_cpu_does_it(generator_folder: Path, perceptor_folder: Path) -> None:
    """On a machine with CUDA, `device` absent means that."""
    packs = {"generator": generator_folder, "perceptor": perceptor_folder}
    made = render(PICTURE, packs=packs)
    assert made.versions["precision"] in {"float32", "bfloat16"}
    assert made.count == 1


def test_q_44_networks_are_loaded_once_in_a_process(generator_folder: Path, perceptor_folder: Path) -> None:
    generators = [load_generator(Pack.open(generator_folder, kind="vqgan"), "cpu", torch.float32) for _ in range(2)]
    perceptors = [load_perceptor(Pack.open(perceptor_folder, kind="clip"), "cpu", torch.float32) for _ in range(2)]
    assert generators[0] is generators[1]
    assert perceptors[0] is perceptors[1]


def test_mistakes_are_refused_at_the_door(call: Call, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="iterations"):
        Image(prompts="x", iterations=0)
    with pytest.raises(BadConfig, match=r"image\.prompts.*character 2"):
        call(VqganClipConfig(width=16, height=16, image=Image(prompts="a:")))
    with pytest.raises(BadInput, match=r"pack\.json"):
        call(PICTURE, packs={"generator": tmp_path})
    with pytest.raises(BadInput, match="no file"):
        call(PICTURE.model_copy(update={"init_image": "seed.png"}), inputs=tmp_path)


def test_q_17_no_frame_goes_through_a_lossy_format(call: Call, tmp_path: Path) -> None:
    saved = call(VIDEO, folder=tmp_path)
    assert {path.suffix for path in (tmp_path / "frames").iterdir()} == {".png"}
    assert shown(saved) == shown(call(VIDEO))


def test_a_timelapse_s_video_is_its_film_and_the_other_s_are_their_frames(call: Call) -> None:
    form = Timelapse(prompts="a", iterations=2, title_seconds=0.5)
    made = call(VqganClipConfig(width=16, height=16, timelapse=form), fps=10)
    assert made.count == 3
    assert len(list(made.video())) == 5 + 2 * (2 * 5 + 1)
    still = call(PICTURE)
    assert [frame.tobytes() for frame in still.video()] == shown(still)


@pytest.mark.parametrize("kept", [True, False])
def test_a_style_transfer_takes_a_video_apart_and_leaves_nothing_of_it(call: Call, tmp_path: Path, kept: bool) -> None:
    levels = [np.full((16, 16, 3), 60 * index, np.uint8) for index in range(4)]
    write_mp4(tmp_path / "in" / "film.mp4", levels, VideoEncoding(fps=8))
    form = StyleTransfer(prompts="a", source="film.mp4", iterations_per_frame=1)
    folder = tmp_path / "out" if kept else None
    made = call(VqganClipConfig(width=16, height=16, style_transfer=form), inputs=tmp_path / "in", folder=folder, fps=4)
    assert made.count == 2
    if kept:
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["frames"]
