"""Steps after the frames, in whole runs: what is kept, what the video is, what is refused before the engine works."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from spandrel.architectures.ESRGAN import ESRGAN
from videojob_api.contract.launch import RunMode
from videojob_runner.engine.api import TaskContext
from videojob_runner.media.frames import RgbImage, list_frames, read_frame
from videojob_runner.media.metadata import read_metadata

from tests.unit.runner.fakes import RUNNER_CONFIG, FakeEngine, RunnerHarness
from tests.unit.runner.media.clips import tone, video
from tests.unit.runner.tiny_packs import write_pack


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of built-in packs: an upscaler by 2 of random weights."""
    folder = tmp_path_factory.mktemp("builtin")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        tensors = ESRGAN(num_filters=8, num_blocks=1, scale=2).state_dict()
    write_pack(folder / "shapes-upscaler", tensors, kind="upscaler")
    return folder


class Studio(RunnerHarness):
    """A bench whose job has steps after its frames."""

    def __init__(self, root: Path, packs: Path, *steps: dict[str, Any], **fields: Any) -> None:
        super().__init__(root, RUNNER_CONFIG | {"post": list(steps)} | fields)
        self.environment["VIDEOJOB_PACKS"] = str(packs)

    @property
    def large(self) -> list[Path]:
        return list_frames(self.root / "output" / "post" / "1-upscale")

    def shown(self) -> tuple[int, tuple[int, int], float, bool]:
        """Frames of the video, its size, its rate, and whether it has sound."""
        with av.open(str(self.root / "output" / "4711.mp4")) as container:
            stream = container.streams.video[0]
            count, size = sum(1 for _ in container.decode(stream)), (stream.width, stream.height)
            return count, size, float(stream.average_rate or 0), bool(container.streams.audio)


UPSCALE = {"upscale": {"scale": 3}}
SMOOTHER = {"interpolate": {"fps": 48}}
SOUND = {"audio": {"input": "song.mp3"}}


def test_the_steps_are_done_in_their_order_and_the_engine_s_frames_stay(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, UPSCALE, SMOOTHER, SOUND)
    tone(tmp_path / "input" / "song.mp3", seconds=1, codec="libmp3lame")
    assert studio.run(RunMode.PROD) == 0, studio.failure
    assert studio.status == "COMPLETED 4711 4711.mp4"
    assert studio.shown() == (6, (96, 96), 48, True)
    assert [read_frame(path).shape for path in studio.large] == [(96, 96, 3)] * 3
    assert [read_frame(tmp_path / "output" / "frames" / name).shape for name in studio.frames] == [(32, 32, 3)] * 3


def test_a_large_frame_says_what_the_small_one_says(tmp_path: Path, packs: Path) -> None:
    class Saying(FakeEngine):
        def run(self, config: Any, context: TaskContext) -> Any:
            outcome = super().run(config, context)
            for index in range(self.frames):
                pixels = np.full((32, 32, 3), 50 + index, dtype=np.uint8)
                context.frames.write(index, pixels, text={"seed": str(index)})
            return outcome

    studio = Studio(tmp_path, packs, UPSCALE)
    assert studio.run(RunMode.PROD, engine=Saying()) == 0
    assert [read_metadata(path) for path in studio.large] == [{"seed": "0"}, {"seed": "1"}, {"seed": "2"}]


def test_the_pack_that_enlarged_is_written_down(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, UPSCALE)
    studio.run(RunMode.PROD)
    assert studio.details.versions["upscaler"].startswith("shapes-upscaler@sha256:")


def test_a_pack_among_the_inputs_enlarges_too(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, {"upscale": {}}, models=[{"role": "upscaler", "input": "mine"}])
    (packs / "shapes-upscaler").rename(tmp_path / "input" / "mine")
    try:
        assert studio.run(RunMode.PROD) == 0, studio.failure
        assert studio.shown()[1] == (128, 128)
    finally:
        (tmp_path / "input" / "mine").rename(packs / "shapes-upscaler")


def test_the_progress_counts_the_frames_of_the_steps_and_never_goes_back(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, UPSCALE)
    seen: list[tuple[int, str]] = []

    def look() -> None:
        line = studio.status.split() if (tmp_path / "STATUS").exists() else []
        if "IN_PROGRESS" in line:
            seen.append((int(line[2][:-1]), studio.details.message))

    studio.clock.on_look = look
    studio.run(RunMode.PROD)
    percents = [percent for percent, _ in seen]
    assert percents == sorted(percents)
    assert {0, 16, 33, 50, 66, 83} >= set(percents) >= {16, 50, 66}, "three frames made, three enlarged"
    assert "after the engine: frame 2 of 3" in {message for _, message in seen}


def test_where_only_the_engine_knows_how_many_frames_there_will_be_the_steps_are_done_too(
    tmp_path: Path, packs: Path
) -> None:
    studio = Studio(tmp_path, packs, UPSCALE, pipeline={"custom": {"config": {"x": 1}}})
    assert studio.run(RunMode.PROD) == 0, studio.failure
    assert studio.shown()[:2] == (3, (96, 96))


def test_frames_that_only_the_engine_can_count_are_counted_among_the_steps_once_it_has_told(
    tmp_path: Path, packs: Path
) -> None:
    studio = Studio(tmp_path, packs, UPSCALE, pipeline={"custom": {"config": {"x": 1}}})
    engine = FakeEngine(before=lambda context: context.set_frame_count(3))
    assert studio.run(RunMode.PROD, engine=engine) == 0, studio.failure
    percents = [line.split()[2] for line in studio.clock.lines if "IN_PROGRESS" in line]
    assert {"0%", "16%", "33%", "50%"} <= set(percents), "three frames made, three enlarged"


def test_a_run_that_is_stopped_among_the_steps_keeps_what_is_large_already(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, UPSCALE)

    def stop_at_the_second() -> None:
        told = (tmp_path / "STATUS.json").exists() and studio.details.message
        if told == "after the engine: frame 1 of 3" and not studio.stop.is_set():
            studio.stop.handle(signal.SIGTERM)

    studio.clock.on_look = stop_at_the_second
    assert studio.run(RunMode.PROD) == 75
    assert 1 <= len(studio.large) < 3
    assert studio.videos == []


def test_what_an_earlier_job_left_does_not_count(tmp_path: Path, packs: Path) -> None:
    first = Studio(tmp_path, packs, UPSCALE, {"upscale": {"scale": 2}})
    assert first.run(RunMode.PROD) == 0
    assert sorted(path.name for path in (tmp_path / "output" / "post").iterdir()) == ["1-upscale", "2-upscale"]
    second = Studio(tmp_path, packs, {"upscale": {"scale": 2}})
    assert second.run(RunMode.PROD) == 0
    assert [path.name for path in (tmp_path / "output" / "post").iterdir()] == ["1-upscale"]
    assert read_frame(second.large[0]).shape == (64, 64, 3)


def test_what_a_film_shows_goes_through_the_steps_too(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, UPSCALE)

    def there_and_back(count: int, read: Callable[[int], RgbImage]) -> Iterator[RgbImage]:
        return map(read, [*range(count), *reversed(range(count))])

    assert studio.run(RunMode.PROD, engine=FakeEngine(film=there_and_back)) == 0, studio.failure
    assert studio.shown()[:2] == (6, (96, 96))
    assert len(studio.large) == 6


def test_a_test_leaves_the_steps_out(tmp_path: Path) -> None:
    studio = Studio(tmp_path, tmp_path / "no packs", UPSCALE, SMOOTHER, SOUND)
    assert studio.run(RunMode.TEST) == 0
    assert studio.shown() == (3, (32, 32), 24, False)


class TestRefusalsBeforeTheEngineWorks:
    def refused(self, studio: Studio) -> tuple[int, str]:
        engine = FakeEngine()
        code = studio.run(RunMode.PROD, engine=engine)
        assert engine.contexts == [], "the engine must not have worked for nothing"
        return code, studio.failure[1]

    def test_a_song_that_is_not_there(self, tmp_path: Path, packs: Path) -> None:
        code, message = self.refused(Studio(tmp_path, packs, UPSCALE, SOUND))
        assert code == 65
        assert message.startswith("post[1].audio.input: there is no file 'song.mp3'")

    def test_a_song_that_is_silent(self, tmp_path: Path, packs: Path) -> None:
        studio = Studio(tmp_path, packs, {"audio": {"input": "a.mp4"}})
        video(tmp_path / "input" / "a.mp4", 2, fps=5)
        code, message = self.refused(studio)
        assert (code, "'a.mp4' has no audio track" in message) == (65, True)

    def test_a_missing_pack(self, tmp_path: Path) -> None:
        code, message = self.refused(Studio(tmp_path, tmp_path / "none", UPSCALE))
        assert (code, message.startswith("models.upscaler: there is no pack")) == (65, True)

    def test_a_picture_larger_than_a_video_can_be(self, tmp_path: Path, packs: Path) -> None:
        steps = [{"upscale": {"scale": 16}}] * 3
        code, message = self.refused(Studio(tmp_path, packs, *steps))
        assert code == 64
        assert message.startswith("post[2].upscale.scale: 8192×8192 times 16 has a side above 16384")

    def test_fewer_frames_by_interpolation(self, tmp_path: Path, packs: Path) -> None:
        code, message = self.refused(Studio(tmp_path, packs, {"interpolate": {"fps": 12}}))
        assert code == 64
        assert message.startswith("post: each interpolate.fps must be more than encoding.fps")


def test_the_configuration_repeats_the_steps(tmp_path: Path, packs: Path) -> None:
    studio = Studio(tmp_path, packs, SMOOTHER)
    assert json.loads((tmp_path / "input" / "config.json").read_text())["post"] == [SMOOTHER]
    assert studio.run(RunMode.PROD) == 0
    assert studio.shown()[0] == 6
