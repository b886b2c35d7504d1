"""Finding engines, and the seam's own promises."""

from pathlib import Path

import pytest
from videojob_api.pipelines import PIPELINES
from videojob_api.validation.core import to_wire
from videojob_runner.engine.api import TaskContext
from videojob_runner.engine.registry import built_in_engines, engine_names, load_engine
from videojob_runner.errors import BadConfig, BadInput

from tests.unit.runner.fakes import FakeEngine, RunnerHarness


def test_an_engine_is_found_by_its_folder_and_its_class() -> None:
    assert built_in_engines() == {"vqganClip": "videojob_runner.engines.vqgan_clip:VqganClip"}
    assert "vqganClip" in engine_names()


def test_every_pipeline_that_needs_no_image_of_its_own_has_an_engine() -> None:
    ours = {to_wire(name): model for name, model in PIPELINES.items() if not model.NEEDS_OWN_IMAGE}
    assert set(ours) == set(built_in_engines())
    assert all(issubclass(load_engine(name).Config, model) for name, model in ours.items())


def test_an_unknown_engine_is_told_which_there_are() -> None:
    with pytest.raises(BadConfig, match=r"pipeline\.custom: this image has no engine for it, only for .*vqganClip"):
        load_engine("custom")


@pytest.fixture
def context(tmp_path: Path) -> TaskContext:
    engine, bench = FakeEngine(), RunnerHarness(tmp_path, {"prompt": "x", "unique_id": "u", "num_frames": 3})
    from videojob_api.contract.launch import RunMode

    assert bench.run(RunMode.PROD, engine=engine) == 0
    return engine.contexts[0]


def test_an_input_file_is_found_below_the_input_folder(context: TaskContext) -> None:
    (context.inputs / "seeds").mkdir()
    (context.inputs / "seeds" / "0.png").write_bytes(b"x")
    assert context.input_file("seeds/0.png", field="initImage").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../STATUS", "/etc/passwd", "way-out"])
def test_an_input_file_never_lies_elsewhere(context: TaskContext, name: str) -> None:
    (context.inputs / "way-out").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match=r"initImage: .* lies outside the input folder"):
        context.input_file(name, field="initImage")


@pytest.mark.parametrize("name", ["no.png", "."])
def test_a_missing_input_file_says_what_to_do(context: TaskContext, name: str) -> None:
    with pytest.raises(BadInput, match=r"initImage: there is no file .* add it to spec\.inputs") as caught:
        context.input_file(name, field="initImage")
    assert caught.value.exit_code == 65
