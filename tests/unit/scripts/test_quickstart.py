"""`make quickstart`: what it leaves, and what it says where it cannot begin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from PIL import Image

from scripts import quickstart
from scripts.demo_display import ROOT


def test_video_and_contact_sheet_lie_in_the_target_folder(tmp_path: Path) -> None:
    published, target = tmp_path / "published", tmp_path / "target"
    (published / "frames").mkdir(parents=True)
    target.mkdir()
    (published / "quickstart.mp4").write_bytes(b"video")
    for index in range(3):
        Image.new("RGB", (8, 8)).save(published / "frames" / f"{index:06}.png")
    video, sheet = quickstart.collect_film(published, target)
    assert video.read_bytes() == b"video"
    with Image.open(sheet) as image:
        assert image.size == (3 * 196 + 4, 200)


def test_too_little_space_is_said_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="free some space"):
        quickstart.require_space(tmp_path, needed=10**18)


def test_a_command_that_make_does_not_know_ends_with_the_list() -> None:
    done = subprocess.run(["make", "-s", "qickstart"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "make: there is no qickstart" in done.stderr
    assert "quickstart " in done.stdout
