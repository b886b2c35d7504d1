"""The loop: what it reports and when, and that watching it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from videojob_runner.media.frames import RgbImage
from videojob_runner.training.context import LocalTrainingContext
from videojob_runner.training.module import OptimizeCallback, TrainingDiverged, TrainingModule
from videojob_runner.training.preview import evaluation_mode
from videojob_runner.training.trainer import TrainerConfig, move_batch

from tests.unit.runner.training.toy_training import EagerPreview, KeptFrames, ToyGan, differences, train_toy, weights


class TestWatching:
    def test_previews_frames_and_validation_leave_the_weights_alone(self) -> None:
        unwatched, watched = ToyGan(), ToyGan()
        plain = train_toy(unwatched, config=TrainerConfig(steps=20, ema_decay=0.9))
        preview, frames = EagerPreview(), KeptFrames()
        context = LocalTrainingContext(seed=5, preview=preview, frames=frames)
        config = TrainerConfig(steps=20, ema_decay=0.9, log_every=1, validate_every=3, preview_every=5)
        seen = train_toy(watched, config=config, context=context)
        assert len(preview.images) == 20
        assert sorted(frames.images) == [0, 1, 2, 3, 4]
        assert watched.validations == 7
        assert not differences(weights(unwatched, plain), weights(watched, seen))

    def test_validation_sees_averaged_weights_in_evaluation_mode_without_gradients(self) -> None:
        seen: list[tuple[bool, bool, float]] = []

        class Watched(ToyGan):
            def validate(self) -> Mapping[str, float]:
                weight = self.networks["generator"].get_parameter("4.bias")
                seen.append((self.networks["generator"].training, torch.is_grad_enabled(), float(weight[0])))
                return {"radius": 1.0}

        module = Watched()
        summary = train_toy(module, config=TrainerConfig(steps=5, validate_every=5, ema_decay=0.9))
        assert summary.ema is not None
        average = float(summary.ema.state_dict()["generator.4.bias"][0])
        assert summary.ema.updates == 5
        assert seen == [(False, False, average)]
        assert average != module.networks["generator"].get_parameter("4.bias")[0].item()
        assert all(network.training for network in module.networks.values())

    def test_a_part_that_was_in_evaluation_mode_stays_so(self) -> None:
        network = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
        network[1].eval()
        with evaluation_mode([network]):
            assert not network[0].training
        assert [network.training, network[0].training, network[1].training] == [True, True, False]

    def test_several_images_are_shown_as_a_clip(self) -> None:
        class Clips(ToyGan):
            def preview(self) -> Sequence[RgbImage]:
                return [*super().preview()] * 3

        class ClipPreview(EagerPreview):
            def show_clip(self, images: Any, /, *, fps: float) -> None:
                self.images += [*images]

        preview = ClipPreview()
        train_toy(Clips(), config=TrainerConfig(steps=1), context=LocalTrainingContext(preview=preview))
        assert len(preview.images) == 3


class TestReporting:
    def test_means_are_logged_when_due_and_after_the_last_step(self) -> None:
        rows: dict[int, set[str]] = {}
        context = LocalTrainingContext(log_metrics=lambda step, row: rows.update({step: set(row)}))
        train_toy(ToyGan(), config=TrainerConfig(steps=10, log_every=4), context=context)
        losses = {"discriminator", "generator", "grad_norm"}
        assert rows == {4: losses | {"penalty"}, 8: losses | {"penalty"}, 10: losses | {"penalty"}}

    def test_progress_is_told_after_every_step(self) -> None:
        told: list[tuple[int, int, bool]] = []

        def progress(done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
            told.append((done, total, metrics is not None))

        context = LocalTrainingContext(progress=progress)
        train_toy(ToyGan(), config=TrainerConfig(steps=3, log_every=2), context=context)
        assert told == [(1, 3, False), (2, 3, True), (3, 3, True)]

    def test_the_best_validation_is_remembered(self) -> None:
        class Scripted(ToyGan):
            def validate(self) -> Mapping[str, float]:
                self.validations += 1
                return {"psnr": [1.0, 3.0, 2.0][self.validations - 1]}

        config = {"steps": 6, "validate_every": 2, "best_metric": "psnr"}
        best = train_toy(Scripted(), config=TrainerConfig(**config)).record  # type: ignore[arg-type]
        worst = train_toy(Scripted(), config=TrainerConfig(**config, best_mode="min")).record  # type: ignore[arg-type]
        assert (best.best_value, best.best_step) == (3.0, 4)
        assert (worst.best_value, worst.best_step) == (1.0, 2)

    def test_a_best_metric_that_nobody_measures_is_refused(self) -> None:
        config = TrainerConfig(steps=2, validate_every=1, best_metric="psnr")
        with pytest.raises(ValueError, match="'psnr' is not measured; validate\\(\\) gives radius"):
            train_toy(ToyGan(), config=config)

    def test_a_loss_that_is_no_number_ends_the_training(self) -> None:
        class Exploding(ToyGan):
            def training_step(self, batch: Tensor, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
                return {"loss": torch.tensor(float("nan") if step == 2 else 1.0)}

        with pytest.raises(TrainingDiverged, match="loss is nan within the 4 steps up to 4"):
            train_toy(Exploding(), config=TrainerConfig(steps=10, log_every=4))

    @pytest.mark.parametrize(("name", "value"), [("steps", 0), ("log_every", -1), ("preview_every", -2)])
    def test_impossible_numbers_are_refused(self, name: str, value: int) -> None:
        with pytest.raises(ValueError, match=name):
            TrainerConfig(**{"steps": 3, name: value})  # type: ignore[arg-type]


class TestPrecision:
    def test_bfloat16_multiplies_in_bfloat16_and_keeps_float32_weights(self) -> None:
        kinds: set[torch.dtype] = set()
        module = ToyGan()
        module.networks["discriminator"].register_forward_hook(lambda net, args, out: kinds.add(out.dtype))
        train_toy(module, config=TrainerConfig(steps=2, precision="bfloat16"))
        assert kinds == {torch.bfloat16, torch.float32}  # the penalty is computed in float32
        assert {p.dtype for network in module.networks.values() for p in network.parameters()} == {torch.float32}

    def test_a_second_loss_sees_the_weights_that_the_first_has_changed(self) -> None:
        class Twice(TrainingModule[Tensor]):
            def __init__(self) -> None:
                self.networks = {"net": nn.Linear(2, 1, bias=False)}
                self.optimizers = {"net": torch.optim.SGD(self.networks["net"].parameters(), lr=1.0)}
                self.outputs: list[float] = []

            def training_step(self, batch: Tensor, step: int, optimize: OptimizeCallback) -> Mapping[str, Tensor]:
                for _ in range(2):
                    output = self.networks["net"](torch.ones(1, 2)).sum()
                    self.outputs.append(float(output.detach()))
                    optimize("net", output)
                return {}

        module = Twice()
        train_toy(module, config=TrainerConfig(steps=1, precision="bfloat16"))
        assert module.outputs[1] == pytest.approx(module.outputs[0] - 2, abs=0.05)

    def test_batches_are_moved_whole(self) -> None:
        batch = {"clips": torch.ones(2), "pair": (torch.zeros(1), "text"), "list": [torch.ones(1)]}
        moved = move_batch(batch, "meta")
        assert moved["clips"].is_meta and moved["pair"][0].is_meta and moved["list"][0].is_meta
        assert moved["pair"][1] == "text"
