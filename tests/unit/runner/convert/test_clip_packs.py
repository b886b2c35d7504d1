"""OpenAI's CLIP files become packs: TorchScript archives and plain state dicts alike."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from videojob_runner.convert import ConversionRequest
from videojob_runner.convert.clip import convert_clip
from videojob_runner.errors import BadInput
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack

from tests.unit.runner.convert.checkpoints import save_lightning, save_scripted, vqmodel
from tests.unit.runner.tiny_packs import SIDE, clip_tensors

NUMBERS = {
    "input_resolution": torch.tensor(SIDE),
    "context_length": torch.tensor(77),
    "vocab_size": torch.tensor(49408),
}


def mixed(*, resnet: bool) -> dict[str, Tensor]:
    """A CLIP as OpenAI stores it: most weights in half precision, norms and embeddings in full."""
    full = ("ln_", "bn", "downsample.1", "embedding", "logit_scale")
    return {
        name: tensor.float() if tensor.is_floating_point() and any(word in name for word in full) else tensor
        for name, tensor in clip_tensors(resnet=resnet).items()
    }


def convert(path: Path) -> Pack:
    return convert_clip(ConversionRequest(checkpoint=path, output=path.with_name("tiny"), licence="MIT"))


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.fixture(scope="module", params=[False, True], ids=["ViT", "ResNet"])
def tensors(request: pytest.FixtureRequest) -> dict[str, Tensor]:
    return mixed(resnet=request.param)


def test_a_state_dict_keeps_its_weights_bit_by_bit_and_its_types(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    pack = convert(save(tmp_path / "model.pt", {**tensors, **NUMBERS}))
    stored = load_file(pack.folder / "model.safetensors")
    assert stored.keys() == tensors.keys()
    assert all(torch.equal(stored[name], tensors[name]) for name in tensors)
    assert all(stored[name].dtype == tensors[name].dtype for name in tensors)


def test_a_torchscript_archive_gives_the_same_pack_as_its_state_dict(
    tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    full = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    (tmp_path / "plain").mkdir()
    plain = convert(save(tmp_path / "plain" / "model.pt", full))
    scripted = convert(save_scripted(tmp_path / "model.pt", tensors))
    assert scripted.manifest.files == plain.manifest.files
    assert scripted.manifest.architecture == plain.manifest.architecture


def test_it_embeds_pictures_and_texts(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    perceptor = Clip.load(convert(save(tmp_path / "model.pt", tensors)))
    assert perceptor.input_size == SIDE
    assert perceptor.encode_image(torch.rand(2, 3, SIDE, SIDE)).shape == (2, 16)
    texts = perceptor.encode_text(["a red circle", "a blue star"])
    assert texts.isfinite().all()
    assert not torch.allclose(texts[0], texts[1])


def test_the_pack_says_what_it_is(tmp_path: Path) -> None:
    pack = convert(save(tmp_path / "model.pt", mixed(resnet=False)))
    written = json.loads((pack.folder / "pack.json").read_text())
    assert (written["kind"], written["licence"], list(written["sources"])) == ("clip", "MIT", ["model.pt"])
    assert written["architecture"] == {"inputResolution": SIDE, "contextLength": 77, "embedDim": 16}


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
def test_the_code_in_a_torchscript_archive_is_not_even_compiled(tmp_path: Path) -> None:
    honest, spoilt = save_scripted(tmp_path / "honest.pt", mixed(resnet=False)), tmp_path / "spoilt.pt"
    with zipfile.ZipFile(honest) as source, zipfile.ZipFile(spoilt, "w") as target:
        for name in source.namelist():
            is_code = "/code/" in name
            target.writestr(name, b"this is ( no code" if is_code else source.read(name))
    with pytest.raises(RuntimeError):
        torch.jit.load(str(spoilt))  # type: ignore[no-untyped-call]
    assert convert(spoilt).manifest.kind == "clip"


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_contradicts_the_tensors_is_refused(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "model.pt", {**mixed(resnet=False), **NUMBERS, name: torch.tensor(5)})
    with pytest.raises(BadInput, match=f"says {name} 5, but its tensors say"):
        convert(path)


@pytest.mark.parametrize("resnet", [False, True])
def test_every_tensor_is_asked_for_and_no_other_is_taken(tmp_path: Path, resnet: bool) -> None:
    whole = mixed(resnet=resnet)
    bias = "visual.bn1.bias" if resnet else "visual.ln_pre.bias"
    less = {name: tensor for name, tensor in whole.items() if name != bias}
    for tensors, words in (
        (less, f"lacks the tensors {bias}"),
        (
            {**whole, "visual.extra": torch.zeros(1)},
            r"has, in addition to those of the network, the tensors visual\.extra",
        ),
        ({**whole, bias: torch.zeros(3)}, r"in another shape the tensors .*\[3\] instead of"),
    ):
        with pytest.raises(BadInput, match=words):
            convert(save(tmp_path / "model.pt", tensors))


def test_a_vqgan_without_its_yaml_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"is not a CLIP model: .*--config"):
        convert(save_lightning(tmp_path / "last.ckpt", vqmodel()))


def test_q_41_a_clip_is_never_loaded_as_torchscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_scripted(tmp_path / "model.pt", mixed(resnet=False))
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("TorchScript was loaded"))
    convert(path)
    assert not [name for name in sys.modules if name.startswith("__torch__")]
