"""Upscaling networks: what is taken for one, and that tiles, factors and names of tensors change nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from torch import Tensor
from videojob_runner.errors import BadInput
from videojob_runner.media.frames import RgbImage
from videojob_runner.media.limits import scaled_size
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.upscaler.model import Upscaler

from tests.unit.runner.tiny_packs import write_pack


def esrgan(scale: int = 4, *, channels: int = 3, shuffle: int | None = None) -> dict[str, Tensor]:
    """Random weights under the names of the first ESRGAN; small, so that pictures stay within 0…1."""
    inner = channels * (shuffle or 1) ** 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = ESRGAN(in_nc=inner, out_nc=channels, num_filters=8, num_blocks=1, scale=scale, shuffle_factor=shuffle)
        return {name: tensor.detach().half() for name, tensor in net.state_dict().items()}


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under the names in Real-ESRGAN's published files."""
    plain = {
        "model.0": "conv_first",
        "model.1.sub.1": "conv_body",
        "model.3": "conv_up1",
        "model.6": "conv_up2",
        "model.8": "conv_hr",
        "model.10": "conv_last",
    }
    named = {}
    for name, tensor in tensors.items():
        stem, kind = name.rsplit(".", 1)
        inner = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0", stem)
        named[f"{plain[stem] if inner is None else 'body.{}.rdb{}.conv{}'.format(*inner.groups())}.{kind}"] = tensor
    return named


def pack(folder: Path, tensors: dict[str, Tensor]) -> Pack:
    return Pack.open(write_pack(folder / "tiny", tensors, kind="upscaler"), kind="upscaler")


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> Upscaler:
    return Upscaler.load(pack(tmp_path_factory.mktemp("packs"), esrgan()))


@pytest.fixture
def picture() -> RgbImage:
    rows, columns = np.mgrid[0:70, 0:90]
    return np.stack([rows * 3, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def test_the_network_says_how_much_it_enlarges(upscaler: Upscaler, picture: RgbImage) -> None:
    assert upscaler.scale == 4
    assert upscaler.upscale(picture).shape == (280, 360, 3)


def test_a_picture_goes_through_the_network_that_the_pack_holds(upscaler: Upscaler, picture: RgbImage) -> None:
    net = ESRGAN(num_filters=8, num_blocks=1, scale=4)
    net.load_state_dict({name: tensor.float() for name, tensor in esrgan().items()})
    with torch.no_grad():
        made = net(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)[0].clamp(0, 1)
    expected = (made * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(upscaler.upscale(picture), expected)


def test_files_of_the_first_and_of_the_newer_program_are_the_same_network(
    upscaler: Upscaler, tmp_path: Path, picture: RgbImage
) -> None:
    newer = Upscaler.load(pack(tmp_path, renamed(esrgan())))
    assert np.array_equal(newer.upscale(picture), upscaler.upscale(picture))


def test_the_double_network_of_real_esrgan_takes_any_size(tmp_path: Path) -> None:
    double = Upscaler.load(pack(tmp_path, esrgan(4, shuffle=2)))
    assert double.scale == 2
    assert double.upscale(np.zeros((33, 35, 3), dtype=np.uint8)).shape == (66, 70, 3)


def test_the_small_network_of_real_esrgan_is_one_of_the_family(tmp_path: Path, picture: RgbImage) -> None:
    with torch.random.fork_rng(devices=[]):
        small = Compact(num_feat=8, num_conv=2, upscale=4).state_dict()
    assert Upscaler.load(pack(tmp_path, small)).upscale(picture).shape == (280, 360, 3)


@pytest.mark.parametrize("tile", [32, 40, 64, 89])
def test_tiles_leave_no_seam(upscaler: Upscaler, picture: RgbImage, tile: int) -> None:
    whole, tiled = upscaler.upscale(picture).astype(int), upscaler.upscale(picture, tile=tile).astype(int)
    assert tiled.shape == whole.shape
    assert np.abs(tiled - whole).max() <= 1


@pytest.mark.parametrize("scale", [1.5, 2, 3, 4, 4.1, 6])
def test_any_factor_is_the_network_s_result_resampled(upscaler: Upscaler, picture: RgbImage, scale: float) -> None:
    size = (round(90 * scale), round(70 * scale))
    resampled = Image.fromarray(upscaler.upscale(picture)).resize(size, Image.Resampling.LANCZOS)
    assert np.array_equal(upscaler.upscale(picture, scale=scale), np.asarray(resampled))


def test_the_smallest_picture_is_enlarged_too(upscaler: Upscaler) -> None:
    assert upscaler.upscale(np.full((1, 1, 3), 200, dtype=np.uint8)).shape == (4, 4, 3)


def test_loading_moves_no_global_generator_and_leaves_nothing_to_train(tmp_path: Path) -> None:
    opened, before = pack(tmp_path, esrgan()), torch.get_rng_state()
    network = Upscaler.load(opened).network
    assert torch.equal(before, torch.get_rng_state())
    assert not any(parameter.requires_grad for parameter in network.model.parameters())


class TestRefusals:
    @pytest.mark.parametrize("scale", [1, 0.5, 0, -4, 17, float("nan")])
    def test_a_factor_that_does_not_enlarge_or_is_absurd(self, upscaler: Upscaler, scale: float) -> None:
        with pytest.raises(ValueError, match=f"scale must be above 1 and at most 16, not {scale}"):
            upscaler.upscale(np.zeros((4, 4, 3), dtype=np.uint8), scale=scale)

    def test_a_result_that_no_video_can_hold(self) -> None:
        with pytest.raises(ValueError, match="4097×16 times 4 has a side above 16384"):
            scaled_size(4097, 16, 4)
        assert scaled_size(4096, 16, 4) == (16384, 64)

    def test_a_tile_smaller_than_its_overlap(self, upscaler: Upscaler, picture: RgbImage) -> None:
        with pytest.raises(ValueError, match="tile must be at least 32 pixels, not 16"):
            upscaler.upscale(picture, tile=16)

    def test_weights_of_something_else(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="'tiny' contains no network that spandrel supports"):
            Upscaler.load(pack(tmp_path, {"weight": torch.zeros(3)}))

    def test_weights_with_a_hole(self, tmp_path: Path) -> None:
        tensors = esrgan()
        del tensors["model.1.sub.0.RDB2.conv3.0.weight"]
        with pytest.raises(BadInput, match="contains no network that spandrel supports"):
            Upscaler.load(pack(tmp_path, tensors))

    def test_a_network_for_grey_pictures(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="not for RGB images: it expects 1 channels"):
            Upscaler.load(pack(tmp_path, esrgan(channels=1)))

    def test_a_network_that_enlarges_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="ESRGAN network that does not enlarge images"):
            Upscaler.load(pack(tmp_path, esrgan(1)))

    def test_a_pack_of_another_kind(self, generator_folder: Path) -> None:
        with pytest.raises(BadInput, match="is of kind 'vqgan', but this role needs 'upscaler'"):
            Pack.open(generator_folder, kind="upscaler")
