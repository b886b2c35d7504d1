"""`videojob run` as its users meet it: a process with arguments, an exit code, and files."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from videojob_cli.local.runner_process import parent_death_signal

from tests.unit.cli.manifests import manifest, write

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "CUDA_VISIBLE_DEVICES": ""}
PATIENCE_SECONDS = 180


def environment(folder: Path) -> dict[str, str]:
    return ENVIRONMENT | {"TMPDIR": str(folder)}


def command(folder: Path, body: dict[str, Any], *options: str) -> list[str]:
    path = write(folder / "manifest.yaml", body)
    return [sys.executable, "-m", "videojob_cli", "run", str(path), "--output", str(folder / "out"), *options]


def run(folder: Path, body: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, body, *options),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run that went well, and its folder."""
    folder = tmp_path_factory.mktemp("good")
    return folder, run(folder, manifest(), "--io", str(folder / "io"))


Good = tuple[Path, subprocess.CompletedProcess[str]]


def test_a_good_run_ends_with_0_and_says_where_everything_lies(good: Good) -> None:
    folder, done = good
    assert done.returncode == 0, done.stderr
    video, listing = map(Path, done.stdout.split())
    assert video.name == "waves.mp4"
    assert video.stat().st_size > 0
    assert listing.name == "manifest.json"
    assert listing.is_relative_to(folder / "out/waves")


def test_the_manifest_lists_what_lies_there(good: Good) -> None:
    folder, _ = good
    (path,) = folder.rglob("manifest.json")
    listed = {item["path"]: item["sha256"] for item in json.loads(path.read_text())["files"]}
    found = {str(file.relative_to(path.parent)): file for file in path.parent.rglob("*") if file.is_file()}
    assert listed == {
        name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in found.items() if name != "manifest.json"
    }
    assert len([name for name in listed if name.startswith("frames/")]) == 2


def test_the_logs_of_agent_and_runner_stay_in_the_io_folder(good: Good) -> None:
    folder, _ = good
    events = [json.loads(line)["event"] for line in (folder / "io/agent.log").read_text().splitlines()]
    assert events[-1] == "publishing ended"
    assert (folder / "io/runner.log").exists()


def test_a_job_that_is_told_to_fail_ends_with_1_and_the_reason(tmp_path: Path) -> None:
    done = run(tmp_path, manifest(test={"durationSeconds": 0, "fail": True}))
    assert done.returncode == 1
    assert "waves failed" in done.stderr
    assert "TEST_FAIL" in done.stderr
    assert not list(tmp_path.rglob("manifest.json"))


def test_a_failed_runs_io_folder_is_kept_and_named_and_a_good_ones_is_not(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    assert run(tmp_path / "good", manifest()).returncode == 0
    failed = run(tmp_path, manifest(), "--mode", "TEST_FAIL")
    (kept,) = tmp_path.rglob("videojob-*")
    assert f"The IO folder is kept: {kept}" in failed.stderr
    assert (kept / "STATUS").exists()


def test_the_mode_may_be_chosen_on_the_command_line(tmp_path: Path) -> None:
    assert run(tmp_path, manifest(), "--mode", "TEST_FAIL").returncode == 1


def test_the_mode_for_image_builds_is_refused_with_the_choices(tmp_path: Path) -> None:
    done = run(tmp_path, manifest(), "--mode", "SETUP")
    assert done.returncode == 2
    assert "'SETUP' is not one of PROD, TEST, TEST_FAIL" in done.stderr


def test_a_wrong_input_ends_with_65_before_the_runner_starts(tmp_path: Path) -> None:
    wrong = [{"path": "note.txt", "inline": "hello", "sha256": "0" * 64}]
    done = run(tmp_path, manifest(inputs=wrong), "--io", str(tmp_path / "io"))
    assert done.returncode == 65
    assert "DigestMismatch: input 'note.txt'" in done.stderr
    assert not (tmp_path / "io/runner.log").exists()


def test_a_wrong_manifest_ends_with_64_and_names_the_field(tmp_path: Path) -> None:
    done = run(tmp_path, manifest(encoding={"fps": 0}))
    assert done.returncode == 64
    assert "spec.encoding.fps" in done.stderr


def test_an_io_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "io").mkdir()
    (tmp_path / "io/STATUS").write_text("COMPLETED old old.mp4")
    done = run(tmp_path, manifest(), "--io", str(tmp_path / "io"))
    assert done.returncode == 64
    assert "must be empty" in done.stderr


def test_a_foreign_container_is_left_to_those_who_run_containers(tmp_path: Path) -> None:
    custom = manifest(pipeline={"custom": {}}, test=None, runner={"image": "acme/art:1", "accelerator": "None"})
    done = run(tmp_path, custom)
    assert done.returncode == 64
    assert "docker run" in done.stderr
    assert "acme/art:1" in done.stderr


def test_an_accelerator_that_is_required_and_absent_ends_with_65_and_the_remedy(tmp_path: Path) -> None:
    runner = {"accelerator": "Required", "resources": {"limits": {"nvidia.com/gpu": 1}}}
    done = run(tmp_path, manifest(test=None, runner=runner))
    assert done.returncode == 65, done.stderr
    assert "NoDevice" in done.stderr
    assert "set runner.accelerator to None" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_its_frames_and_ends_with_75(tmp_path: Path, number: signal.Signals) -> None:
    body = manifest(
        pipeline={"vqganClip": {"width": 64, "height": 64, "video": {"prompts": "a circle", "frames": 4000}}},
        test={"durationSeconds": 4000},
    )
    with subprocess.Popen(
        command(tmp_path, body, "--io", str(tmp_path / "io")),
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(tmp_path / "io/output/frames/00000.png", process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 75, errors
    (frame,) = list(tmp_path.glob("out/waves/*/frames/00000.png"))
    assert frame.stat().st_size > 0
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.skipif(not parent_death_signal(), reason="needs setpriv (util-linux)")
def test_a_command_that_is_killed_leaves_no_runner_behind(tmp_path: Path) -> None:
    body = manifest(test={"durationSeconds": 4000})
    with subprocess.Popen(
        command(tmp_path, body, "--io", str(tmp_path / "io")),
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(tmp_path / "io/STATUS", process)
        process.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while runners_of(tmp_path / "io") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runners_of(tmp_path / "io") == []


def runners_of(io: Path) -> list[str]:
    """Processes whose environment names this IO folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"VIDEO_IO_PATH={io}".encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        if time.monotonic() > deadline or process.poll() is not None:
            pytest.fail(f"{path} never came; the command ended with {process.poll()}")
        time.sleep(0.05)
