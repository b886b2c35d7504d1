"""Averages of weights, optimizer steps, schedules, random states, previews and exported packs."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from videojob_runner.training.ema import ModelEma
from videojob_runner.training.export import PackDescription, export_networks, export_pack
from videojob_runner.training.preview import evaluation, film_strip, image_grid, to_rgb_image
from videojob_runner.training.rng import derive_seed, preserve_rng, seed_rng
from videojob_runner.training.schedules import constant, cosine_decay, linear_decay, polynomial_decay
from videojob_runner.training.step import Optimize


def scalar(value: float) -> nn.Module:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


class TestModelEma:
    def test_it_follows_the_recurrence_with_a_warm_up_of_the_decay(self) -> None:
        network = scalar(0.0)
        ema = ModelEma({"net": network}, 0.5)
        expected = 0.0
        for t, value in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]):
            nn.init.constant_(network.get_parameter("weight"), value)
            ema.update()
            decay = min(0.5, (1 + t) / (10 + t))
            expected = decay * expected + (1 - decay) * value
            assert ema.state_dict()["net.weight"].item() == pytest.approx(expected)
        assert ema.updates == 10

    def test_it_lends_its_weights_for_a_block_even_if_that_fails(self) -> None:
        network = scalar(1.0)
        ema = ModelEma({"net": network}, 0.9)
        nn.init.constant_(network.get_parameter("weight"), 3.0)
        with pytest.raises(RuntimeError), ema.apply():
            assert network.get_parameter("weight").item() == 1.0
            raise RuntimeError
        assert network.get_parameter("weight").item() == 3.0
        assert ema.state_dict()["net.weight"].item() == 1.0

    def test_buffers_are_averaged_and_counters_copied(self) -> None:
        network = nn.BatchNorm1d(2)
        ema = ModelEma({"norm": network}, 0.9)
        network(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
        ema.update()
        assert network.running_mean is not None
        torch.testing.assert_close(ema.state_dict()["norm.running_mean"], 0.9 * network.running_mean)
        assert ema.state_dict()["norm.num_batches_tracked"].item() == 1

    def test_training_after_the_block_goes_on_with_the_live_weights(self) -> None:
        network = scalar(2.0)
        optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
        ema = ModelEma({"net": network}, 0.9)
        with ema.apply():
            pass
        network(torch.ones(1, 1)).sum().backward()
        optimizer.step()
        assert network.get_parameter("weight").item() == 1.0
        assert ema.state_dict()["net.weight"].item() == 2.0

    @pytest.mark.parametrize("decay", [-0.1, 1.0])
    def test_a_decay_that_averages_nothing_is_refused(self, decay: float) -> None:
        with pytest.raises(ValueError, match="0 ≤ decay < 1"):
            ModelEma({}, decay)


class TestOptimize:
    def test_it_steps_clips_and_returns_the_norm_before(self) -> None:
        network = nn.Linear(2, 1, bias=False)
        before = network.weight.detach().clone()
        optimize = Optimize({"net": torch.optim.SGD(network.parameters(), lr=1.0)}, clip_norm=1.0)
        norm = optimize("net", network(torch.tensor([[3.0, 4.0]])).sum())
        assert norm.item() == pytest.approx(5)
        torch.testing.assert_close(network.weight.detach(), before - torch.tensor([[0.6, 0.8]]), atol=1e-6, rtol=0)

    def test_the_limit_of_a_call_goes_before_the_default(self) -> None:
        network = scalar(0.0)
        optimize = Optimize({"net": torch.optim.SGD(network.parameters(), lr=1.0)}, clip_norm=1.0)
        optimize("net", 10 * network(torch.ones(1, 1)).sum(), clip_norm=2.0)
        assert network.get_parameter("weight").item() == pytest.approx(-2, abs=1e-5)

    def test_a_generator_s_loss_leaves_no_gradient_in_its_discriminator(self) -> None:
        generator, discriminator = scalar(1.0), scalar(1.0)
        optimize = Optimize({"generator": torch.optim.SGD(generator.parameters(), lr=0.1)})
        optimize("generator", discriminator(generator(torch.ones(1, 1))).sum())
        assert discriminator.get_parameter("weight").grad is None

    def test_gradients_of_another_loss_are_not_added(self) -> None:
        network = scalar(0.0)
        network.get_parameter("weight").grad = torch.full((1, 1), 100.0)
        Optimize({"net": torch.optim.SGD(network.parameters(), lr=1.0)})("net", network(torch.ones(1, 1)).sum())
        assert network.get_parameter("weight").item() == -1.0

    def test_an_unknown_name_is_refused_with_those_that_exist(self) -> None:
        optimizer = torch.optim.SGD(scalar(0.0).parameters())
        with pytest.raises(ValueError, match="no optimizer 'd'; the module has generator"):
            Optimize({"generator": optimizer})("d", torch.zeros((), requires_grad=True))


class TestSchedules:
    def test_values(self) -> None:
        assert [constant(warmup=4)(step) for step in (0, 1, 3, 4, 99)] == [0.25, 0.5, 1.0, 1.0, 1.0]
        assert [linear_decay(100, start=50)(step) for step in (0, 50, 75, 100, 120)] == [1, 1, 0.5, 0, 0]
        cosine = cosine_decay(110, warmup=10, floor=0.1)
        assert [cosine(step) for step in (0, 9, 10, 60, 110, 500)] == pytest.approx([0.1, 1, 1, 0.55, 0.1, 0.1])
        root = polynomial_decay(100, power=0.5)
        assert [root(step) for step in (0, 75, 100)] == pytest.approx([1, 0.5, 0])

    def test_they_are_pure_functions_of_the_step(self) -> None:
        factor = cosine_decay(10, warmup=2)
        assert [factor(step) for step in (7, 0, 7)] == [factor(7), factor(0), factor(7)]


class TestRandomStates:
    def test_a_preserved_block_changes_no_later_draw(self) -> None:
        own = torch.Generator().manual_seed(2)
        torch.manual_seed(1)
        expected = torch.rand(2), torch.rand(2, generator=own)
        own.manual_seed(2)
        torch.manual_seed(1)
        with preserve_rng("cpu", {"own": own}):
            torch.rand(5)
            torch.rand(5, generator=own)
        assert torch.equal(torch.rand(2), expected[0])
        assert torch.equal(torch.rand(2, generator=own), expected[1])

    def test_a_seeded_block_is_reproducible_and_leaves_no_trace(self) -> None:
        torch.manual_seed(1)
        expected = torch.rand(2)
        torch.manual_seed(1)
        drawn = []
        for _ in range(2):
            with seed_rng(5, "cpu"):
                drawn.append(torch.rand(1).item())
        assert drawn[0] == drawn[1]
        assert torch.equal(torch.rand(2), expected)

    def test_derived_seeds_differ_and_stay_the_same(self) -> None:
        seeds = [derive_seed(7, *path) for path in [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]]
        assert len(set(seeds)) == 6
        assert all(0 <= seed < 2**63 for seed in seeds)
        assert derive_seed(7, 1) == int(np.random.SeedSequence(7, spawn_key=(1,)).generate_state(1, np.uint64)[0]) >> 1


class TestPreviews:
    def test_values_are_scaled_rounded_and_clamped(self) -> None:
        image = torch.tensor([-1.5, -1.0, 0.0, 1.0]).reshape(1, 2, 2)
        assert to_rgb_image(image, low=-1)[..., 0].tolist() == [[0, 0], [128, 255]]
        assert to_rgb_image(image, low=-1).shape == (2, 2, 3)

    def test_a_grid_goes_row_by_row(self) -> None:
        images = torch.arange(4).div(4).reshape(4, 1, 1, 1).expand(4, 3, 2, 2)
        grid = image_grid(images, columns=2, padding=1)
        assert grid.shape == (7, 7, 3)
        assert grid[1::3, 1::3, 0][:2, :2].tolist() == [[0, 64], [128, 191]]
        assert grid[0].max() == 0

    def test_a_film_strip_has_a_clip_in_each_row(self) -> None:
        clips = torch.rand(2, 5, 3, 4, 6)
        assert film_strip(clips, padding=2).shape == (2 * 6 + 2, 5 * 8 + 2, 3)

    def test_evaluation_leaves_modes_weights_and_random_numbers(self) -> None:
        network = scalar(1.0)
        ema = ModelEma({"net": network}, 0.5)
        nn.init.constant_(network.get_parameter("weight"), 2.0)
        state = torch.get_rng_state()
        with evaluation({"net": network}, device="cpu", ema=ema):
            torch.rand(3)
            assert network.get_parameter("weight").item() == 1.0
        assert network.training and network.get_parameter("weight").item() == 2.0
        assert torch.equal(torch.get_rng_state(), state)


class TestExport:
    def test_the_pack_names_size_and_digest_of_its_weights(self, tmp_path: Path) -> None:
        description = PackDescription(name="toy", kind="pix2pix", architecture={"channels": 3}, defaults={"fps": 12})
        export_networks(tmp_path / "toy", {"generator": scalar(0.5)}, description)
        document = json.loads((tmp_path / "toy" / "pack.json").read_text())
        content = (tmp_path / "toy" / "weights.safetensors").read_bytes()
        assert document["files"] == {
            "weights.safetensors": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        }
        assert (document["apiVersion"], document["kind"]) == ("packs.videojobs.dev/v1", "pix2pix")
        assert document["architecture"] == {"channels": 3}
        weights = load_file(tmp_path / "toy" / "weights.safetensors")
        assert weights["generator.weight"].dtype == torch.float16
        assert weights["generator.weight"].item() == 0.5

    def test_counters_keep_their_type(self, tmp_path: Path) -> None:
        description = PackDescription(name="toy", kind="toy")
        export_pack(tmp_path, {"n": torch.tensor(70_000)}, description)
        assert load_file(tmp_path / "weights.safetensors")["n"].item() == 70_000

    def test_a_weight_that_half_precision_cannot_hold_is_refused(self, tmp_path: Path) -> None:
        description = PackDescription(name="toy", kind="toy")
        with pytest.raises(OverflowError, match="w: a weight is too large"):
            export_pack(tmp_path, {"w": torch.tensor([1e6])}, description)
        export_pack(tmp_path, {"w": torch.tensor([1e6])}, description, dtype=torch.bfloat16)
        assert math.isclose(load_file(tmp_path / "weights.safetensors")["w"].item(), 1e6, rel_tol=0.01)
