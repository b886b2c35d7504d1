"""A checkpoint and a yaml file that do not fit each other, or us, are refused with the place of the fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from videojob_runner.convert import ConversionRequest, convert_vqgan
from videojob_runner.errors import BadConfig, BadInput, RunnerError

from tests.unit.runner.convert.checkpoints import DDCONFIG, save_lightning, vqgan_config, vqmodel, write_yaml


def refused(folder: Path, kind: type[RunnerError], *, tensors: Any = None, config: Any = None, **request: Any) -> str:
    """What the refusal says; nothing is left behind."""
    checkpoint = save_lightning(folder / "last.ckpt", vqmodel() if tensors is None else tensors)
    yaml = write_yaml(folder / "model.yaml", vqgan_config() if config is None else config)
    asked = ConversionRequest(**{"checkpoint": checkpoint, "output": folder / "out" / "tiny", **request})
    before = sorted(folder.rglob("*"))
    with pytest.raises(kind) as caught:
        convert_vqgan(asked, config=yaml)
    assert sorted(folder.rglob("*")) == before
    return str(caught.value)


def changed(name: str, tensor: Tensor | None) -> dict[str, Tensor]:
    """The checkpoint with one tensor replaced, added or (None) taken away."""
    tensors = {**vqmodel(), name: tensor}
    return {key: value for key, value in tensors.items() if value is not None}


@pytest.mark.parametrize(
    "name", ["quant_conv.bias", "encoder.down.1.block.0.conv1.weight", "quantize.embedding.weight"]
)
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    assert f"lacks the tensors {name}" in refused(tmp_path, BadInput, tensors=changed(name, None))


@pytest.mark.parametrize(
    "name", ["encoder.down.9.conv.weight", "lossy", "first_stage_model.quant_conv.bias", "colorize"]
)
def test_q_42_an_additional_tensor_is_not_passed_over_silently(tmp_path: Path, name: str) -> None:
    text = refused(tmp_path, BadInput, tensors=changed(name, torch.zeros(1)))
    assert text == f"the checkpoint has, in addition to those of the network, the tensors {name}"


def test_many_missing_tensors_are_counted(tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in vqmodel().items() if not name.startswith("encoder.")}
    missing = len(vqmodel()) - len(tensors)
    assert f"and {missing - 3} more" in refused(tmp_path, BadInput, tensors=tensors)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(5), "quant_conv.bias ([5] instead of [4])"),
        (torch.zeros(4, 1), "quant_conv.bias ([4, 1] instead of [4])"),
        (torch.zeros(4, dtype=torch.int64), "quant_conv.bias (torch.int64 instead of torch.float32)"),
        (torch.tensor([0.0, 1.0, float("nan"), 2.0]), "NaN or infinity in the tensors quant_conv.bias"),
        (torch.tensor([0.0, 1.0, float("inf"), 2.0]), "NaN or infinity in the tensors quant_conv.bias"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path, tensor: Tensor, words: str) -> None:
    assert words in refused(tmp_path, BadInput, tensors=changed("quant_conv.bias", tensor))


def test_a_codebook_of_another_size_than_the_yaml_says_is_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, BadInput, config=vqgan_config(n_embed=64))
    assert "quantize.embedding.weight ([32, 4] instead of [64, 4])" in text


def ddconfig(**change: Any) -> dict[str, Any]:
    return vqgan_config(ddconfig={**DDCONFIG, **change})


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (vqgan_config("taming.models.vqgan.VQSegmentationModel"), "model.target", "VQSegmentationModel"),
        (vqgan_config("ldm.models.autoencoder.VQModel"), "model.target", "ldm.models.autoencoder.VQModel"),
        (vqgan_config(n_embed="many"), "model.params.n_embed", "many"),
        (vqgan_config(embed_dim=0), "model.params.embed_dim", "0"),
        (vqgan_config(remap="used.npy"), "model.params.remap", "used.npy"),
        (ddconfig(double_z=True), "model.params.ddconfig.double_z", "True"),
        (ddconfig(in_channels=1), "model.params.ddconfig.in_channels", "1"),
        (ddconfig(resamp_with_conv=False), "model.params.ddconfig.resamp_with_conv", "False"),
        (ddconfig(attn_type="linear"), "model.params.ddconfig.attn_type", "linear"),
        (ddconfig(ch_mult=[]), "model.params.ch_mult", "[]"),
        (ddconfig(ch=10**9), "model.params.ch", "1000000000"),
        ({"model": {"params": {}}}, "model.target", "{}"),
        ({"model": None}, "model", "None"),
        ({}, "model", "None"),
    ],
)
def test_a_yaml_file_that_is_not_ours_names_field_and_value(
    tmp_path: Path, config: Any, field: str, value: str
) -> None:
    text = refused(tmp_path, BadConfig, config=config)
    assert text.startswith(f"{field}: ")
    assert value in text


def test_the_default_of_the_library_for_double_z_is_not_ours_so_it_must_be_said(tmp_path: Path) -> None:
    config = vqgan_config(ddconfig={name: value for name, value in DDCONFIG.items() if name != "double_z"})
    assert refused(tmp_path, BadConfig, config=config).startswith("model.params.ddconfig.double_z: ")


def test_widths_that_group_norm_cannot_divide_are_refused(tmp_path: Path) -> None:
    assert "cannot build a network" in refused(tmp_path, BadConfig, config=ddconfig(ch=33))


@pytest.mark.parametrize(
    "content", [b"", b"a: [", b"\xff\xfe\x00", b"just words", b"!!python/object/apply:os.system [x]"]
)
def test_what_is_no_yaml_of_a_model_is_refused(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "model.yaml"
    config.write_bytes(content)
    request = ConversionRequest(checkpoint=save_lightning(tmp_path / "a.ckpt", vqmodel()), output=tmp_path / "tiny")
    with pytest.raises(BadConfig, match=r"^(config|model)"):
        convert_vqgan(request, config=config)


@pytest.mark.parametrize("name", ["Big", "a b", "-x", "ü", "a" * 64, ".hidden"])
def test_a_folder_whose_name_cannot_be_a_pack_s_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, BadConfig, output=tmp_path / name).startswith("output: ")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert "remove it or choose another" in refused(tmp_path, BadConfig, output=tmp_path / "mine")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    assert "absent.ckpt" in refused(tmp_path, BadInput, checkpoint=tmp_path / "absent.ckpt")


def test_q_43_a_checkpoint_with_another_digest_than_promised_is_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, BadInput, sha256="ab" * 32)
    assert f"instead of {'ab' * 32}" in text
