"""Any container that keeps the file contract is a runner: here a shell and nothing else."""

from __future__ import annotations

from tests.e2e.kube import condition, has_succeeded
from tests.e2e.lab import Lab
from tests.e2e.manifests import shell, videojob

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


def test_a_shell_script_is_a_runner_with_live_progress(lab: Lab, film: list[dict[str, object]]) -> None:
    spec = shell(KEEPS_THE_CONTRACT, image=lab.images["busybox"])
    run = lab.watch(videojob("foreign", inputs=film, **spec), timeout=90)
    percents = {item["status"]["progress"]["percent"] for item in run.seen if "progress" in item.get("status", {})}
    assert has_succeeded(run.end), run.end["status"]
    assert len(percents) >= 3
    assert (run.folder / "walk.mp4").stat().st_size > 0
    assert len(list((run.folder / "frames").glob("*.png"))) == 6


def test_completed_without_a_video_is_a_failure(lab: Lab) -> None:
    spec = shell(FORGETS_THE_VIDEO, image=lab.images["busybox"])
    run = lab.watch(videojob("forgetful", **spec), timeout=90)
    verdict = condition(run.end, "Succeeded")
    assert verdict["status"] == "False"
    assert "mp4" in verdict["message"]
    assert not (run.folder / "manifest.json").exists()
