"""What counts as output of a runner that may be anybody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.publish.output_files import is_frame, is_video, list_frames, list_output_files


@pytest.fixture
def output(tmp_path: Path) -> Iterator[SafeDirectory]:
    with SafeDirectory.open(tmp_path / "output", create=True) as folder:
        yield folder


def make(output: SafeDirectory, *names: str, content: bytes = b"x") -> None:
    for name in names:
        path = output.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(output: SafeDirectory) -> list[str]:
    return [entry.name for entry in list_output_files(output)]


def test_frames_come_first_then_videos_then_the_rest(output: SafeDirectory) -> None:
    make(output, "a.txt", "z.mp4", "frames/00001.png", "frames/00000.png", "a.mp4", "logs/run.log", "frames/notes.txt")
    assert names(output) == [
        "frames/00000.png",
        "frames/00001.png",
        "a.mp4",
        "z.mp4",
        "a.txt",
        "frames/notes.txt",
        "logs/run.log",
    ]


def test_halves_links_devices_and_our_own_name_are_left_out(output: SafeDirectory) -> None:
    make(output, "v.mp4", ".v.mp4.part", ".cache/x", "manifest.json", "frames/.00000.png.part", "bad\x1bname.png")
    (output.path / "link.png").symlink_to("/etc/passwd")
    (output.path / "linked").symlink_to("/etc")
    os.mkfifo(output.path / "fifo.png")
    assert names(output) == ["v.mp4"]


def test_a_file_with_a_second_name_is_left_out(output: SafeDirectory, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("secret")
    os.link(tmp_path / "elsewhere", output.path / "stolen.png")
    assert names(output) == []


def test_a_manifest_in_a_folder_below_is_the_runners_own_affair(output: SafeDirectory) -> None:
    make(output, "data/manifest.json")
    assert names(output) == ["data/manifest.json"]


def test_frames_alone_can_be_listed(output: SafeDirectory) -> None:
    make(output, "v.mp4", "frames/00001.png", "frames/00000.png", "frames/deep/00002.png", "frames/notes.txt")
    assert [entry.name for entry in list_frames(output)] == ["frames/00000.png", "frames/00001.png"]


def test_no_frames_folder_means_no_frames(output: SafeDirectory) -> None:
    assert list_frames(output) == []


def test_a_linked_frames_folder_is_not_entered(output: SafeDirectory, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/0.png").touch()
    (output.path / "frames").symlink_to(tmp_path / "secret")
    assert list_frames(output) == []
    assert names(output) == []


def test_an_empty_mp4_is_no_video(output: SafeDirectory) -> None:
    make(output, "v.mp4", content=b"")
    make(output, "w.mp4", "below/x.mp4")
    assert [entry.name for entry in list_output_files(output) if is_video(entry)] == ["w.mp4"]


def test_a_frame_is_a_png_in_the_frames_folder(output: SafeDirectory) -> None:
    make(output, "0.png", "frames/0.png", "frames/0.jpg")
    assert [entry.name for entry in list_output_files(output) if is_frame(entry)] == ["frames/0.png"]
