"""Packs as hostile input: what is opened, what is refused and with which exit code."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from videojob_runner.errors import BadInput, RunnerError, UnsafeCheckpoint
from videojob_runner.models.packs.reader import Pack, to_float32

from tests.unit.runner.tiny_packs import write_pack

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "small", {"a": torch.arange(3.0).half(), "n": torch.tensor(7)}, kind="vqgan")


def edit(folder: Path, change: Change) -> None:
    path = folder / "pack.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_good_pack_has_its_tensors_and_the_digest_of_its_pack_json(folder: Path) -> None:
    pack = Pack.open(folder, kind="vqgan")
    assert pack.name == "small"
    assert pack.digest == "sha256:" + hashlib.sha256((folder / "pack.json").read_bytes()).hexdigest()
    assert pack.tensors()["a"].tolist() == [0, 1, 2]


def test_half_precision_becomes_full_and_integers_stay(folder: Path) -> None:
    tensors = to_float32(Pack.open(folder, kind="vqgan").tensors())
    assert (tensors["a"].dtype, tensors["n"].dtype) == (torch.float32, torch.int64)


def test_several_files_are_one_pack(folder: Path, tmp_path: Path) -> None:
    other = write_pack(tmp_path / "other", {"b": torch.ones(2)}, kind="vqgan") / "model.safetensors"
    add(folder, "second.safetensors", other.read_bytes())
    assert Pack.open(folder, kind="vqgan").tensors().keys() == {"a", "b", "n"}


def add(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit(folder, lambda pack: pack["files"].update({name: entry}))


def test_a_tensor_in_two_files_is_refused(folder: Path) -> None:
    add(folder, "second.safetensors", (folder / "model.safetensors").read_bytes())
    with pytest.raises(BadInput, match="'a' is contained in more than one file"):
        Pack.open(folder, kind="vqgan").tensors()


def test_q_43_one_changed_byte_is_unsafe(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UnsafeCheckpoint, match="sha256"):
        Pack.open(folder, kind="vqgan")


def test_another_length_is_unsafe(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(UnsafeCheckpoint, match="bytes instead of"):
        Pack.open(folder, kind="vqgan")


def test_a_link_is_unsafe_even_when_it_leads_to_the_right_bytes(folder: Path, tmp_path: Path) -> None:
    weights = (folder / "model.safetensors").rename(tmp_path / "elsewhere")
    (folder / "model.safetensors").symlink_to(weights)
    with pytest.raises(UnsafeCheckpoint, match="is a link"):
        Pack.open(folder, kind="vqgan")


@pytest.mark.parametrize("name", ["weights.pt", "weights.CKPT", "pytorch_model.bin", "a.pkl", "b.pth"])
def test_a_format_that_runs_code_is_unsafe_by_its_name_alone(folder: Path, name: str) -> None:
    add(folder, name, pickle.dumps({"a": 1}))
    with pytest.raises(UnsafeCheckpoint, match="can run code"):
        Pack.open(folder, kind="vqgan")


def test_a_pickle_called_safetensors_is_never_unpickled(folder: Path) -> None:
    add(folder, "model.safetensors", pickle.dumps(Bomb()))
    with pytest.raises(BadInput, match="not a valid safetensors file"):
        Pack.open(folder, kind="vqgan").tensors()


class Bomb:
    """Fails the test when somebody unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a weight file was unpickled",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pack: pack.update(apiVersion="packs.videojobs.dev/v9"), "apiVersion"),
        (lambda pack: pack.update(licence=""), "licence"),
        (lambda pack: pack.update(kind="a kind"), "kind"),
        (lambda pack: pack.update(surprise=1), "surprise"),
        (lambda pack: pack.update(name="Not A Name"), "name"),
        (lambda pack: pack.update(files={}), "files"),
        (lambda pack: pack["files"]["model.safetensors"].update(sha256="abc"), "sha256"),
        (lambda pack: pack["files"]["model.safetensors"].update(size=-1), "size"),
        (lambda pack: pack["files"].update({"absent.safetensors": {"size": 1, "sha256": "0" * 64}}), "absent"),
    ],
)
def test_a_pack_json_that_is_wrong_names_what(folder: Path, change: Change, words: str) -> None:
    edit(folder, change)
    with pytest.raises(BadInput, match=words):
        Pack.open(folder, kind="vqgan")


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "a/b", ".hidden", "-rf", "", "a\n"])
def test_a_file_name_that_leaves_the_folder_is_refused(folder: Path, name: str) -> None:
    edit(folder, lambda pack: pack["files"].update({name: {"size": 1, "sha256": "0" * 64}}))
    with pytest.raises(BadInput, match="files"):
        Pack.open(folder, kind="vqgan")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b" " * (1 << 20) + b" "])
def test_a_pack_json_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "pack.json").write_bytes(content)
    with pytest.raises(BadInput):
        Pack.open(folder, kind="vqgan")


def test_a_folder_without_pack_json_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="convert the weights into a pack"):
        Pack.open(tmp_path, kind="clip")


def test_a_pack_of_another_kind_does_not_fit_the_role(folder: Path) -> None:
    with pytest.raises(BadInput, match="'vqgan', but this role needs 'clip'"):
        Pack.open(folder, kind="clip")


def test_a_pack_without_weights_is_refused(folder: Path) -> None:
    add(folder, "card.md", b"# no weights")
    edit(folder, lambda pack: pack["files"].pop("model.safetensors"))
    with pytest.raises(BadInput, match="no tensors"):
        Pack.open(folder, kind="vqgan").tensors()


def test_the_exit_codes_are_those_of_the_contract() -> None:
    codes: list[type[RunnerError]] = [UnsafeCheckpoint, BadInput]
    assert [int(error.exit_code) for error in codes] == [66, 65]
