"""Any container that keeps the file contract is a runner: here a shell and nothing else."""

from __future__ import annotations

import shutil
import subprocess

import imageio_ffmpeg

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Manifest, condition, has_succeeded
from tests.e2e.manifests import CLAIM, shell_runner, videojob

ASSETS = "assets"

# The picture and the film are prepared by the test and travel as inputs: a busybox cannot draw.
KEEPS_THE_CONTRACT = """
cd /video_io; mkdir -p output/frames
for i in 0 1 2 3 4 5; do
  cp input/frame.png output/frames/0000$i.png
  printf 'IN_PROGRESS %s %s%% %ss' walk $((i * 16)) $((5 - i)) > STATUS.new; mv STATUS.new STATUS
  sleep 2
done
cp input/film.mp4 output/walk.mp4
printf 'COMPLETED walk walk.mp4' > STATUS.new; mv STATUS.new STATUS
"""
FORGETS_THE_VIDEO = "cd /video_io; mkdir -p output/frames; printf 'COMPLETED walk walk.mp4' > STATUS"


def ahead(lab: E2eEnvironment) -> list[Manifest]:
    """One of each."""
    keeps, forgets = (
        shell_runner(script, image=lab.images["busybox"]) for script in (KEEPS_THE_CONTRACT, FORGETS_THE_VIDEO)
    )
    return [videojob("foreign", inputs=film(lab), **keeps), videojob("forgetful", **forgets)]


def film(lab: E2eEnvironment) -> list[Manifest]:
    """Inputs of the shell runner, which can draw nothing itself: a frame and a film on the claim."""
    folder = lab.volume / ASSETS
    folder.mkdir(exist_ok=True)
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    source = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=6:duration=1"]
    subprocess.run([ffmpeg, "-y", *source, "-pix_fmt", "yuv420p", folder / "film.mp4"], check=True, capture_output=True)
    subprocess.run([ffmpeg, "-y", *source, "-frames:v", "1", folder / "frame.png"], check=True, capture_output=True)
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, 65532, 65532)
    return [
        {"path": name, "pvc": {"claimName": CLAIM, "subPath": f"{ASSETS}/{name}"}} for name in ("film.mp4", "frame.png")
    ]


def test_a_shell_script_is_a_runner_with_live_progress(lab: E2eEnvironment) -> None:
    run = lab.result("foreign")
    percents = {item["status"]["progress"]["percent"] for item in run.versions if "progress" in item.get("status", {})}
    assert has_succeeded(run.last), run.last["status"]
    assert len(percents) >= 3
    assert (run.folder / "walk.mp4").stat().st_size > 0
    assert len(list((run.folder / "frames").glob("*.png"))) == 6


def test_completed_without_a_video_is_a_failure(lab: E2eEnvironment) -> None:
    run = lab.result("forgetful")
    verdict = condition(run.last, "Succeeded")
    assert verdict["status"] == "False"
    assert "mp4" in verdict["message"]
    assert not (run.folder / "manifest.json").exists()
