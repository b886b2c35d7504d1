"""Public VQGAN checkpoints become packs that the engine makes pictures with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from videojob_runner.convert import Request, convert_vqgan
from videojob_runner.engines.vqgan_clip import VqganClip, VqganClipConfig
from videojob_runner.models.packs import Pack
from videojob_runner.models.vqgan import Vqgan

from tests.unit.runner.convert.checkpoints import save_lightning, vqgan_config, vqmodel, write_yaml
from tests.unit.runner.engines.vqgan_clip_fakes import Packs, World
from tests.unit.runner.tiny_packs import ARCHITECTURE


def convert(folder: Path, tensors: dict[str, Tensor], config: object, name: str = "tiny") -> Pack:
    checkpoint = save_lightning(folder / f"{name}.ckpt", tensors)
    request = Request(checkpoint=checkpoint, output=folder / name, licence="MIT")
    return convert_vqgan(request, config=write_yaml(folder / f"{name}.yaml", config))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return convert(tmp_path_factory.mktemp("vqmodel"), vqmodel(), vqgan_config())


def test_a_vqmodel_keeps_its_weights_bit_by_bit_and_leaves_its_losses_behind(pack: Pack) -> None:
    stored, original = load_file(pack.folder / "model.safetensors"), vqmodel()
    assert stored.keys() == {name for name in original if not name.startswith("loss.")}
    assert all(torch.equal(tensor, original[name]) and tensor.dtype == torch.float32 for name, tensor in stored.items())


def test_the_pack_says_what_it_is_and_what_it_came_from(pack: Pack) -> None:
    written = json.loads((pack.folder / "pack.json").read_text())
    assert (written["name"], written["kind"], written["licence"]) == ("tiny", "vqgan", "MIT")
    assert written["architecture"] == ARCHITECTURE
    for name in ("tiny.ckpt", "tiny.yaml"):
        content = (pack.folder.parent / name).read_bytes()
        assert written["sources"][name] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_everybody_may_read_the_pack(pack: Pack) -> None:
    assert pack.folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in pack.folder.iterdir()} == {0o644}


def test_it_generates(pack: Pack, perceptor_folder: Path, tmp_path: Path) -> None:
    world = World(Packs(pack.folder, perceptor_folder), tmp_path)
    image = {"prompts": "a red circle", "iterations": 2}
    config = VqganClipConfig.model_validate({"width": 16, "height": 16, "cutMethod": "original", "image": image})
    VqganClip().run(config, world.context())
    assert world.frames.pixels[0].shape == (16, 16, 3)
    assert world.frames.pixels[0].std() > 0


def test_it_loads_as_the_network_it_was(pack: Pack) -> None:
    loaded = Vqgan.load(Pack.open(pack.folder, kind="vqgan"))
    assert torch.equal(loaded.codebook, vqmodel()["quantize.embedding.weight"])
