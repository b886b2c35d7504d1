"""Jobs of several tasks: stopped anywhere and resumed, changed, continued, and their artifacts."""

from __future__ import annotations

import json
import logging
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from videojob_api.contract.launch import RunMode
from videojob_runner.contract.checkpoints import CheckpointStore
from videojob_runner.contract.preview import PreviewFile
from videojob_runner.notebook import run

from tests.toy_engine.engine import LineEngine
from tests.toy_engine.pipeline import ToyLine
from tests.unit.runner.fakes import RUNNER_CONFIG, RunnerHarness

STEPS, FRAMES = 6, 5
SAVES = STEPS + FRAMES
"""Times that a job calls `maybe_save`."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class LineJob(RunnerHarness):
    """A job of the toy engine in a folder of its own."""

    def __init__(self, root: Path, *, models: list[dict[str, str]] | None = None, **options: Any) -> None:
        root.mkdir(exist_ok=True)
        super().__init__(root)
        self.configure_line(models=models, **options)

    def configure_line(self, *, models: list[dict[str, str]] | None = None, **options: Any) -> None:
        # The document's pipeline must be one of ours: the toy's options travel as its prompt.
        self.options = {"steps": STEPS, "frames": FRAMES, "seed": 3} | options
        config = json.loads(json.dumps(RUNNER_CONFIG))
        video = {"prompts": json.dumps(self.options), "frames": FRAMES}
        config["pipeline"]["vqganClip"] |= {"seed": 3, "video": video}
        self.configure(config | ({"models": models} if models else {}))

    def make(self, *, stop_at: int | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> int:
        """The exit code of a run that is stopped at the `stop_at`th call of `maybe_save`, counted from 1."""
        engine = LineEngine()
        engine.Config = FromPrompt
        if stop_at is None or monkeypatch is None:
            return self.run(RunMode.PROD, engine=engine)
        calls, save = [0], CheckpointStore.maybe_save

        def counting(store: CheckpointStore, step: int, write: Any, /) -> None:
            calls[0] += 1
            if calls[0] == stop_at:
                self.stop.handle(signal.SIGTERM)
            save(store, step, write)

        with monkeypatch.context() as patch:
            patch.setattr(CheckpointStore, "maybe_save", counting)
            return self.run(RunMode.PROD, engine=engine)

    def made(self) -> dict[str, bytes]:
        """All that is published, but for the video."""
        output = self.root / "output"
        found = [path for part in ("artifacts", "frames") for path in sorted((output / part).rglob("*"))]
        named = {str(path.relative_to(output)): path for path in found if path.is_file()}
        return {name: path.read_bytes() for name, path in named.items()}


class FromPrompt(ToyLine):
    """The toy's options out of a prompt."""

    @classmethod
    def model_validate(cls, document: Any, **_: Any) -> Any:  # type: ignore[override]
        return ToyLine.model_validate_json(document["video"]["prompts"])


def on_new_disk(job: LineJob, root: Path) -> LineJob:
    """The same job where only checkpoints and frames were brought back."""
    other = LineJob(root, **job.options)
    shutil.copytree(job.root / "checkpoints", root / "checkpoints")
    shutil.copytree(job.root / "output" / "frames", root / "output" / "frames")
    return other


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    job = LineJob(tmp_path_factory.mktemp("undisturbed"))
    assert job.make() == 0, job.failure
    assert job.status == "COMPLETED 4711 4711.mp4"
    return job.made()


def test_the_job_makes_two_packs_and_five_frames(undisturbed: dict[str, bytes]) -> None:
    assert {name.rpartition("/")[0] for name in undisturbed} == {"artifacts/line", "artifacts/line-training", "frames"}
    assert len([name for name in undisturbed if name.startswith("frames/")]) == FRAMES


@pytest.mark.parametrize("disk", ["same", "new"])
@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("stop_at", range(1, SAVES + 1))
def test_a_job_that_is_stopped_at_any_step_goes_on_to_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: dict[str, bytes],
    stop_at: int,
    carried: bool,
    disk: str,
) -> None:
    job = LineJob(tmp_path / "first", carried=carried)
    assert job.make(stop_at=stop_at, monkeypatch=monkeypatch) == 75
    expected = stop_at if stop_at <= STEPS else 10**9 + stop_at - STEPS
    assert [path.name for path in (job.root / "checkpoints").iterdir()] == [f"step-{expected:012}"]
    again = LineJob(job.root, carried=carried) if disk == "same" else on_new_disk(job, tmp_path / "second")
    assert again.make() == 0, again.failure
    assert again.made() == undisturbed


def test_a_changed_key_redoes_exactly_the_tasks_from_there_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    job = LineJob(tmp_path)
    assert job.make() == 0, job.failure
    packs = {name: data for name, data in job.made().items() if name.startswith("artifacts")}
    job.configure_line(frames=3)
    assert job.make() == 0, job.failure
    assert "task train is finished already" in caplog.text
    assert len(job.frames) == 3
    assert {name: data for name, data in job.made().items() if name.startswith("artifacts")} == packs
    job.configure_line(rate=0.2)
    assert job.make() == 0, job.failure
    assert "task train runs again: its configuration, or that of a task before it, has changed" in caplog.text
    assert job.made()["artifacts/line/weights.safetensors"] != packs["artifacts/line/weights.safetensors"]


def test_more_steps_continue_the_training_of_another_job(tmp_path: Path) -> None:
    """In notebooks, where `packs` names the state that the first call has published."""
    config = ToyLine(steps=10, seed=3)
    straight = run(LineEngine(), config, folder=tmp_path / "straight", device="cpu")
    first = run(LineEngine(), ToyLine(steps=6, seed=3), folder=tmp_path / "first", device="cpu")
    steps: list[int] = []
    second = run(
        LineEngine(),
        config.model_copy(update={"resume": True}),
        folder=tmp_path / "second",
        device="cpu",
        packs={"checkpoint": first.artifacts["line-training"]},
        progress=lambda done, *_, **__: steps.append(done),
    )
    assert steps[0] == 10_000 * 3 // 4 * 7 // 10, "the 7th of 10 steps, in three of four parts of the job"
    for name in ("line", "line-training"):
        for path in straight.artifacts[name].iterdir():
            assert (second.artifacts[name] / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_second_job_uses_an_artifact_as_an_input(tmp_path: Path) -> None:
    first, second = (
        LineJob(tmp_path / "first"),
        LineJob(tmp_path / "second", steps=8, resume=True, models=[{"role": "checkpoint", "input": "start"}]),
    )
    assert first.make() == 0, first.failure
    shutil.copytree(first.root / "output" / "artifacts" / "line-training", second.root / "input" / "start")
    assert second.make() == 0, second.failure
    state = json.loads((second.root / "output" / "artifacts" / "line-training" / "state.json").read_text())
    assert state["record"]["step"] == 8


def test_previews_change_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, bytes]
) -> None:
    monkeypatch.setattr(PreviewFile, "is_due", lambda preview: True)
    job = LineJob(tmp_path)
    assert job.make() == 0, job.failure
    assert (tmp_path / "preview.png").exists()
    assert job.made() == undisturbed


def test_a_job_that_only_trains_shows_its_previews(tmp_path: Path) -> None:
    job = LineJob(tmp_path, frames=0)
    assert job.make() == 0, job.failure
    assert job.status == "COMPLETED 4711 4711.mp4"
    assert len(job.frames) == 1 + STEPS // 2


def test_status_names_artifacts_and_metrics_carry_the_task_s_name(tmp_path: Path) -> None:
    job = LineJob(tmp_path)
    assert job.make() == 0, job.failure
    assert [(one.name, one.kind, one.path) for one in job.details.artifacts] == [
        ("line", "pack", "artifacts/line"),
        ("line-training", "pack", "artifacts/line-training"),
    ]
    assert job.details.metrics.keys() == {"train/loss"}
    assert "6,train/loss," in (tmp_path / "metrics.csv").read_text()
