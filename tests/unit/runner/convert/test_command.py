"""The converter as the process that the command line starts: options, exit codes, and the commands in the documents."""

from __future__ import annotations

import pickle
import re
import shlex
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from videojob_api.resource.videojob import VideoJob
from videojob_runner.convert.__main__ import main, parser
from videojob_runner.models.packs.reader import Pack

from tests.unit.runner.convert.checkpoints import save_lightning, vqgan_config, vqmodel, write_yaml
from tests.unit.runner.tiny_packs import clip_tensors

MODELS = (Path(__file__).parents[4] / "docs" / "models.md").read_text()


def test_without_a_yaml_file_it_is_a_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(clip_tensors(), tmp_path / "model.pt")
    assert main([str(tmp_path / "model.pt"), str(tmp_path / "small"), "--licence", "MIT"]) == 0
    pack = Pack.open(tmp_path / "small", kind="clip")
    assert capsys.readouterr().out == f"{pack.folder} {pack.digest}\n"
    assert pack.manifest.licence == "MIT"


def test_a_licence_that_nobody_states_is_recorded_as_such(tmp_path: Path) -> None:
    checkpoint = save_lightning(tmp_path / "last.ckpt", vqmodel())
    config = write_yaml(tmp_path / "model.yaml", vqgan_config())
    assert main([str(checkpoint), str(tmp_path / "small"), "--config", str(config)]) == 0
    assert Pack.open(tmp_path / "small", kind="vqgan").manifest.licence == "NOASSERTION"


def test_each_sort_of_refusal_has_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "other.pt")
    with zipfile.ZipFile(tmp_path / "evil.pt", "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(eval, protocol=2))
    calls = {
        64: [tmp_path / "other.pt", tmp_path / "No Name"],
        65: [tmp_path / "other.pt", tmp_path / "small"],
        66: [tmp_path / "evil.pt", tmp_path / "small"],
    }
    for code, arguments in calls.items():
        assert main(list(map(str, arguments))) == code
    errors = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[0] for line in errors] == ["output:", "'other.pt'", "the"]
    assert "builtins.eval" in errors[2]


def test_a_class_that_is_called_harmless_is_passed_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02cmain\nSetupCallback\n.")
    arguments = [str(tmp_path / "a.pt"), str(tmp_path / "small")]
    assert main(arguments) == 66
    assert main([*arguments, "--inert", "main.SetupCallback"]) == 65  # let through, and it holds no tensors


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(clip_tensors(), tmp_path / "model.pt")
    (tmp_path / "file").write_text("not a folder")
    assert main([str(tmp_path / "model.pt"), str(tmp_path / "file" / "small")]) == 70
    assert "cannot be written" in capsys.readouterr().err


COMMANDS = re.findall(r"`(videojob pack convert .*?)`", MODELS)


def test_the_documents_have_a_command_for_each_model() -> None:
    assert len(COMMANDS) == 8 + 9
    assert len({shlex.split(command)[4] for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_the_documents_is_one(command: str) -> None:
    options = parser().parse_args(shlex.split(command)[3:])
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", options.output.name)
    assert options.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", options.sha256)
    assert (options.config is None) == options.checkpoint.name.endswith(".pt")


def test_the_manifest_in_the_documents_is_valid() -> None:
    (fragment,) = re.findall(r"```yaml\n(.*?)```", MODELS, re.DOTALL)
    spec = yaml.safe_load(fragment.replace("sha256:…", f"sha256:{'0' * 64}"))["spec"]
    rest = {"pipeline": {"vqganClip": {"image": {"prompts": "x"}}}, "output": {"pvc": {"claimName": "videos"}}}
    head = {"apiVersion": "videojobs.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "x"}}
    job = VideoJob.model_validate({**head, "spec": {**rest, **spec, "runner": {"accelerator": "None"}}})
    assert [source.role for source in job.spec.models or []] == ["generator", "perceptor"]
