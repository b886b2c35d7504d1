"""Checkpoints from the internet as hostile input: nothing that they bring is run, whatever it is called."""

from __future__ import annotations

import io
import pickle
import random
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from videojob_runner.convert import load_state_dict
from videojob_runner.convert import torch_archive as reading
from videojob_runner.errors import BadInput, RunnerError, UnsafeCheckpoint

from tests.unit.runner.convert.checkpoints import lightning, save_lightning

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(7)}


class Call:
    """Pickles as a call of `name` in `module` with `arguments`, whether such a thing exists or not."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def assemble(path: Path, content: bytes, *, scripted: bool = False, **options: Any) -> Path:
    """An archive with this pickle."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        if scripted:
            archive.writestr("archive/constants.pkl", pickle.dumps((), protocol=2))
    return path


def pickled(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps({"state_dict": OrderedDict(), "extra": value}, protocol=protocol)


def test_what_lightning_leaves_in_a_checkpoint_is_passed_over(tmp_path: Path) -> None:
    found = load_state_dict(save_lightning(tmp_path / "a.ckpt", TENSORS))
    assert "pytorch_lightning" not in sys.modules
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_a_checkpoint_of_a_gpu_is_read_without_one(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.arange(6.0)}}, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as archive:
        content, data = archive.read("a/data.pkl"), archive.read("a/data/0")
    place = b"X\x03\x00\x00\x00cpu"
    assert content.count(place) == 1
    path = assemble(tmp_path / "b.ckpt", content.replace(place, b"X\x06\x00\x00\x00cuda:0"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/0", data)
    found = load_state_dict(path)["a"]
    assert found.device.type == "cpu"
    assert found.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_callback_as_an_object_and_hyperparameters_of_a_kind_of_dict_are_passed_over_too(tmp_path: Path) -> None:
    with lightning() as callback:
        module = sys.modules[callback.__module__]
        attributes = type("AttributeDict", (dict,), {"__module__": module.__name__, "__qualname__": "AttributeDict"})
        module.AttributeDict = attributes  # type: ignore[attr-defined]
        kept = callback()
        kept.monitor = "val/rec_loss"
        torch.save(
            {"callbacks": [kept], "hyper_parameters": attributes(lr=1.0), "state_dict": TENSORS}, tmp_path / "a.ckpt"
        )
    assert load_state_dict(tmp_path / "a.ckpt").keys() == TENSORS.keys()


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.parametrize(
    "call", ["posix.system", "builtins.eval", "builtins.getattr", "subprocess.Popen", "torch.load"]
)
def test_a_call_of_anything_but_a_tensor_s_constructor_is_refused_and_not_run(
    tmp_path: Path, call: str, scripted: bool
) -> None:
    proof = tmp_path / "it-ran"
    module, _, name = call.rpartition(".")
    spelled = pickled(Call(exec, f"__import__('pathlib').Path({str(proof)!r}).touch()")).replace(
        b"c__builtin__\nexec\n", f"c{module}\n{name}\n".encode()
    )
    path = assemble(tmp_path / "evil.ckpt", spelled, scripted=scripted)
    with pytest.raises(UnsafeCheckpoint, match=f"tries to call {call}.*nothing was executed"):
        load_state_dict(path)
    assert not proof.exists()


def test_the_bomb_of_these_tests_would_go_off(tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    pickle.loads(pickled(Call(exec, f"__import__('pathlib').Path({str(proof)!r}).touch()")))
    assert proof.exists()


def test_the_bomb_does_not_go_off_when_the_user_calls_it_harmless(tmp_path: Path) -> None:
    path = assemble(tmp_path / "evil.ckpt", pickled(Call(exec, "raise SystemExit")))
    with pytest.raises(UnsafeCheckpoint, match=r"builtins\.exec"):
        load_state_dict(path, placeholder_classes=["builtins.exec"])


def test_a_function_in_a_training_library_s_name_is_a_placeholder_and_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    library = ModuleType("omegaconf")
    evil = type("Evil", (), {"__module__": "omegaconf", "__qualname__": "Evil", "__new__": lambda *_: calls.append(1)})
    library.Evil = evil  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "omegaconf", library)
    torch.save({"state_dict": TENSORS, "extra": Call(evil, "x")}, tmp_path / "a.ckpt")
    assert load_state_dict(tmp_path / "a.ckpt").keys() == TENSORS.keys()
    assert calls == []


def test_an_unknown_class_is_refused_until_the_user_calls_it_harmless(tmp_path: Path) -> None:
    content = pickled(Call(exec, "1")).replace(b"c__builtin__\nexec\n", b"cmain\nSetupCallback\n")
    path = assemble(tmp_path / "a.ckpt", content)
    with pytest.raises(UnsafeCheckpoint, match=r"--inert main\.SetupCallback"):
        load_state_dict(path)
    with pytest.raises(BadInput, match="contains no state dict"):  # it is let through, and there are no tensors in it
        load_state_dict(path, placeholder_classes=["main.SetupCallback"])


@pytest.mark.parametrize("protocol", [0, 4, 5])
def test_imports_in_another_than_torch_s_way_are_refused(tmp_path: Path, protocol: int) -> None:
    with pytest.raises(UnsafeCheckpoint, match="nothing was executed"):
        load_state_dict(assemble(tmp_path / "a.ckpt", pickled(Call(exec, "1"), protocol)))


@pytest.mark.parametrize("extension", [b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"])
def test_the_extension_registry_is_closed(tmp_path: Path, extension: bytes) -> None:
    with pytest.raises(UnsafeCheckpoint, match="imports with EXT"):
        load_state_dict(assemble(tmp_path / "a.ckpt", b"\x80\x02" + extension + b"."))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a checkpoint"),
        (b"<!DOCTYPE html><title>404</title>", "begins with b'<!DOCTYPE html>.*download"),
        (pickle.dumps({"a": 1}, protocol=2), "pre-1.6"),
        (b"PK\x03\x04 and no more", "is not a checkpoint"),
    ],
)
def test_what_is_no_archive_is_bad_input_and_shown(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(BadInput, match=words):
        load_state_dict(tmp_path / "a.ckpt")


def test_a_missing_file_and_a_folder_are_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.ckpt", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            load_state_dict(path)


def test_an_archive_of_something_else_is_bad_input(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadInput, match=r"one of torch: it contains 0 data\.pkl"):
        load_state_dict(tmp_path / "a.zip")


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = assemble(tmp_path / "a.ckpt", pickled(1), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeCheckpoint, match="compressed"):
        load_state_dict(path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_pickles_of_one_name_are_refused(tmp_path: Path) -> None:
    path = assemble(tmp_path / "a.ckpt", pickled(1))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/version", "4\n")
    with pytest.raises(UnsafeCheckpoint, match="duplicate"):
        load_state_dict(path)


def test_a_pickle_of_absurd_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_PICKLE_BYTES", 10)
    with pytest.raises(UnsafeCheckpoint, match="larger than 10 bytes"):
        load_state_dict(assemble(tmp_path / "a.ckpt", pickled(1)))


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 3}}, {"a": "b"}, {1: torch.ones(1)}, {}, 5])
def test_what_is_no_state_dict_is_bad_input(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(BadInput, match="no state dict"):
        load_state_dict(tmp_path / "a.ckpt")


def test_a_tensor_that_reaches_beyond_its_bytes_is_bad_input(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as archive:
        content = archive.read("a/data.pkl")
    assert content.count(b"K\x02K\x03\x86") == 1  # the shape (2, 3)
    path = assemble(tmp_path / "b.ckpt", content.replace(b"K\x02K\x03\x86", b"K\xffK\xff\x86"))
    with zipfile.ZipFile(path, "a") as archive:
        for key in ("0", "1"):
            archive.writestr(f"archive/data/{key}", bytes(24))
    with pytest.raises(BadInput, match="cannot be read"):
        load_state_dict(path)


def test_a_damaged_pickle_never_ends_in_anything_but_an_error_of_ours(tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save({"state_dict": TENSORS, "epoch": 3}, whole)
    with zipfile.ZipFile(whole) as archive:
        content, data = archive.read("archive/data.pkl"), archive.read("archive/data/0")
    draws, outcomes = random.Random(0), set()
    for number in range(300):
        damaged = bytearray(content)
        for _ in range(draws.randint(1, 3)):
            damaged[draws.randrange(len(damaged))] = draws.randrange(256)
        path = assemble(tmp_path / f"{number}.ckpt", bytes(damaged))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("archive/data/0", data)
            archive.writestr("archive/data/1", data)
        outcomes.add(outcome(path))
    assert outcomes == {"dict", "BadInput", "UnsafeCheckpoint"}


def outcome(path: Path) -> str:
    """What reading comes to: tensors, or an error of ours; any other error ends the test."""
    try:
        found: dict[str, Tensor] = load_state_dict(path)
    except RunnerError as error:
        return error.reason
    return type(found).__name__
