"""Frames on disk: their names, their atomic appearance, and how failures surface."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from videojob_runner.media.frames import FrameWriter, RgbImage, clear_frames, list_frames, read_frame, save_png


def picture(value: int, size: tuple[int, int] = (4, 6)) -> RgbImage:
    return np.full((*size, 3), value, dtype=np.uint8)


def test_frames_are_numbered_from_zero_with_five_digits(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "frames", total=3) as frames:
        for index in range(3):
            frames.write(index, picture(index))
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["00000.png", "00001.png", "00002.png"]


@pytest.mark.parametrize(
    ("total", "last", "name"),
    [(10_000, 9_999, "09999.png"), (100_000, 99_999, "99999.png"), (100_001, 7, "000007.png")],
)
def test_numbers_are_as_wide_as_the_highest_one_so_names_sort_like_frames(
    tmp_path: Path, total: int, last: int, name: str
) -> None:
    assert FrameWriter(tmp_path, total=total).path(last).name == name


def test_a_frame_comes_back_as_it_was_written_together_with_its_text(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with FrameWriter(tmp_path, total=1) as frames:
        frames.write(0, pixels, text={"seed": "7"})
    assert np.array_equal(read_frame(tmp_path / "00000.png"), pixels)
    with Image.open(tmp_path / "00000.png") as image:
        assert image.text == {"seed": "7"}  # type: ignore[attr-defined]


def test_the_writer_takes_a_copy_so_an_engine_may_reuse_its_buffer(tmp_path: Path) -> None:
    buffer = picture(10)
    with FrameWriter(tmp_path, total=2) as frames:
        frames.write(0, buffer)
        buffer[:] = 99
        frames.write(1, buffer)
    assert (read_frame(tmp_path / "00000.png") == 10).all()


def test_a_watcher_never_sees_half_a_frame(tmp_path: Path) -> None:
    done, broken, seen = threading.Event(), [], set()

    def watch() -> None:
        while not done.is_set():
            for path in tmp_path.glob("*.png"):
                try:
                    read_frame(path)
                    seen.add(path.name)
                except (OSError, SyntaxError) as error:
                    broken.append((path.name, error))

    watcher = threading.Thread(target=watch)
    watcher.start()
    noise = np.random.default_rng(2).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    with FrameWriter(tmp_path, total=12) as frames:
        for index in range(12):
            frames.write(index, noise)
    done.set()
    watcher.join()
    assert broken == []
    assert {path.name for path in tmp_path.iterdir()} == {f"{index:05}.png" for index in range(12)}


def test_a_failed_write_surfaces_at_the_next_flush(tmp_path: Path) -> None:
    frames = FrameWriter(tmp_path / "frames", total=2)
    (tmp_path / "frames").rmdir()
    frames.write(0, picture(1))
    with pytest.raises(FileNotFoundError):
        frames.close()


def test_a_failed_write_surfaces_in_a_long_run_without_any_flush(tmp_path: Path) -> None:
    frames = FrameWriter(tmp_path / "frames", total=9, depth=2)
    (tmp_path / "frames").rmdir()
    frames.write(0, picture(1))
    frames.write(1, picture(1))
    with pytest.raises(FileNotFoundError):
        frames.write(2, picture(1))


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_pictures_of_another_shape_or_type_are_refused_at_the_door(tmp_path: Path, bad: RgbImage) -> None:
    with pytest.raises(ValueError, match="H×W×3 of uint8"):
        FrameWriter(tmp_path, total=1).write(0, bad)


def test_clearing_takes_frames_and_halves_of_frames_and_nothing_else(tmp_path: Path) -> None:
    for name in ("00000.png", "123456.png", ".00001.png.part", "mine.png", "0001.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    clear_frames(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001.png", "mine.png", "notes.txt"]


def test_clearing_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    clear_frames(tmp_path / "nothing")
    assert list_frames(tmp_path / "nothing") == []


def test_a_gap_between_frames_is_an_error_and_not_a_shorter_video(tmp_path: Path) -> None:
    for index in (0, 1, 3):
        save_png(tmp_path / f"{index:05}.png", picture(index), {})
    with pytest.raises(ValueError, match="frame 2 is missing"):
        list_frames(tmp_path)


def test_frames_are_listed_by_number(tmp_path: Path) -> None:
    with FrameWriter(tmp_path, total=11) as frames:
        for index in reversed(range(11)):
            frames.write(index, picture(index))
    assert [path.stem for path in list_frames(tmp_path)] == [f"{index:05}" for index in range(11)]
    assert frames.count == 11
