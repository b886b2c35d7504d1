"""A training may be interrupted anywhere: it ends in the same weights, bit for bit."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from videojob_runner.training.context import LocalTrainingContext
from videojob_runner.training.module import StateMismatch
from videojob_runner.training.state import load_networks, network_tensors, write_tensors
from videojob_runner.training.trainer import Trainer, TrainerConfig

from tests.unit.runner.training.toy_training import (
    FolderCheckpoints,
    Stopped,
    ToyGan,
    differences,
    toy_loader,
    train_toy,
    weights,
)


def interrupt(folder: Path, after: list[int], config: TrainerConfig | None = None) -> None:
    with pytest.raises(Stopped):
        train_toy(
            ToyGan(), config=config, context=LocalTrainingContext(seed=5, checkpoints=FolderCheckpoints(folder, after))
        )


def resume(folder: Path, module: ToyGan, config: TrainerConfig | None = None) -> Any:
    torch.manual_seed(999)  # a new process has other global random numbers
    torch.rand(17)
    return train_toy(module, config=config, context=LocalTrainingContext(seed=5, checkpoints=FolderCheckpoints(folder)))


class TestResuming:
    @pytest.mark.parametrize("step", [1, 20, 39])
    def test_twenty_steps_and_twenty_more_are_forty_steps(self, tmp_path: Path, step: int) -> None:
        whole = ToyGan()
        summary = train_toy(whole)
        interrupt(tmp_path, [step])
        parts = ToyGan(seed=77)  # whatever it begins with is replaced
        continued = resume(tmp_path, parts)
        assert not differences(weights(whole, summary), weights(parts, continued))

    def test_a_training_that_is_stopped_after_every_step_too(self, tmp_path: Path) -> None:
        whole = ToyGan()
        config = TrainerConfig(steps=8, ema_decay=0.9)
        summary = train_toy(whole, config=config)
        for step in range(1, 8):
            interrupt(tmp_path, [step], config)
        parts = ToyGan()
        assert not differences(weights(whole, summary), weights(parts, resume(tmp_path, parts, config)))

    def test_logged_means_do_not_depend_on_interruptions(self, tmp_path: Path) -> None:
        def logged_by(checkpoints: FolderCheckpoints) -> dict[int, dict[str, float]]:
            rows: dict[int, dict[str, float]] = {}
            context = LocalTrainingContext(
                seed=5, checkpoints=checkpoints, log_metrics=lambda step, row: rows.update({step: dict(row)})
            )
            try:
                train_toy(ToyGan(), context=context)
            except Stopped:
                rows |= logged_by(FolderCheckpoints(tmp_path))
            return rows

        whole = logged_by(FolderCheckpoints(tmp_path / "none"))
        assert sorted(whole) == [7, 14, 21, 28, 35, 40]
        assert logged_by(FolderCheckpoints(tmp_path, [20])) == whole

    def test_learning_rates_and_optimizer_steps_go_on(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        whole, parts = ToyGan(), ToyGan()
        train_toy(whole)
        resume(tmp_path, parts)
        for name, scheduler in whole.schedulers.items():
            assert parts.schedulers[name].state_dict() == scheduler.state_dict()
        steps = [state["step"].item() for state in parts.optimizers["generator"].state.values()]
        assert steps == [40.0] * len(steps)
        assert parts.optimizers["generator"].param_groups[0]["betas"] == (0.5, 0.9)

    def test_a_finished_training_is_not_trained_again(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [40])
        module = ToyGan()
        summary = resume(tmp_path, module)
        whole = ToyGan()
        assert not differences(weights(whole, train_toy(whole)), weights(module, summary))
        assert summary.record.step == 40 and summary.record.metrics

    def test_more_steps_continue_a_finished_training(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [40])
        longer = TrainerConfig(steps=50, log_every=7, ema_decay=0.9)
        whole, parts = ToyGan(), ToyGan()
        train_toy(whole, config=longer)
        resume(tmp_path, parts, longer)
        assert not differences(weights(whole), weights(parts))

    def test_elapsed_time_adds_up_over_attempts(self, tmp_path: Path) -> None:
        times = iter(range(1000))

        def seconds(checkpoints: FolderCheckpoints) -> float:
            context = LocalTrainingContext(checkpoints=checkpoints)
            config = TrainerConfig(steps=4)
            trainer = Trainer(config=config, context=context, source=toy_loader(), clock=lambda: float(next(times)))
            return trainer.fit(ToyGan()).record.elapsed_seconds

        with pytest.raises(Stopped):
            seconds(FolderCheckpoints(tmp_path, [2]))
        assert seconds(FolderCheckpoints(tmp_path)) == 4.0

    def test_the_callers_random_numbers_are_left_alone(self) -> None:
        torch.manual_seed(4)
        expected = torch.rand(3)
        torch.manual_seed(4)
        train_toy(ToyGan(), config=TrainerConfig(steps=2))
        assert torch.equal(torch.rand(3), expected)

    def test_workers_do_not_change_the_weights(self, tmp_path: Path) -> None:
        alone, helped = ToyGan(), ToyGan()
        config = TrainerConfig(steps=5)
        train_toy(alone, config=config)
        train_toy(helped, config=config, workers=1)
        assert not differences(weights(alone), weights(helped))


class TestTheFolder:
    def test_it_holds_nothing_but_safetensors_and_json(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        files = sorted(path.name for path in (tmp_path / "step-000020").iterdir())
        assert files == [
            "ema.safetensors",
            "networks.safetensors",
            "optimizers.safetensors",
            "rng.safetensors",
            "state.json",
        ]

    def test_nothing_is_unpickled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise AssertionError("something was unpickled")

        interrupt(tmp_path, [20])
        for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
            monkeypatch.setattr(module, name, refuse)
        resume(tmp_path, ToyGan())

    def test_a_pickle_under_the_name_of_tensors_is_refused(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        torch.save({"a": torch.ones(1)}, tmp_path / "step-000020" / "networks.safetensors")
        with pytest.raises(StateMismatch, match=r"networks\.safetensors: cannot be read"):
            resume(tmp_path, ToyGan())

    def test_shared_weights_are_saved_and_loaded(self, tmp_path: Path) -> None:
        one = nn.Linear(2, 2)
        shared = nn.Sequential(one, one)
        write_tensors(tmp_path / "networks.safetensors", network_tensors({"net": shared}))
        fresh = nn.Linear(2, 2)
        load_networks(tmp_path, {"net": nn.Sequential(fresh, fresh)})
        assert torch.equal(fresh.weight, one.weight)

    def test_weights_alone_can_be_loaded(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        module = ToyGan(seed=9)
        load_networks(tmp_path / "step-000020", module.networks)
        saved = load_file(tmp_path / "step-000020" / "networks.safetensors")
        assert torch.equal(module.networks["generator"].state_dict()["0.weight"], saved["generator.0.weight"])


class TestWhatDoesNotFit:
    def test_another_width_is_named(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        with pytest.raises(StateMismatch) as refused:
            resume(tmp_path, ToyGan(width=16))
        message = str(refused.value)
        assert "discriminator.0.bias is float32 [8] in the checkpoint and float32 [16] in the module" in message
        assert "more differ" in message
        assert "continue with the architecture of the checkpoint" in message

    def test_another_optimizer_is_named(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        module = ToyGan()
        discriminator = module.networks["discriminator"]
        module.optimizers = {**module.optimizers, "discriminator": torch.optim.Adam(discriminator.parameters())}
        with pytest.raises(StateMismatch, match="other options"):
            resume(tmp_path, module)

    def test_an_optimizer_of_other_parameters_is_refused(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        module = ToyGan()
        few = list(module.networks["generator"].parameters())[:2]
        module.optimizers = {**module.optimizers, "generator": torch.optim.Adam(few, betas=(0.5, 0.9))}
        with pytest.raises(StateMismatch, match="other parameters"):
            resume(tmp_path, module)

    def test_a_trained_tensor_outside_the_networks_cannot_be_saved(self, tmp_path: Path) -> None:
        module = ToyGan()
        extra = nn.Parameter(torch.zeros(3))
        module.optimizers["generator"].add_param_group({"params": [extra]})
        module.schedulers = {}
        context = LocalTrainingContext(checkpoints=FolderCheckpoints(tmp_path, [1]))
        with pytest.raises(StateMismatch, match=r"shape \[3\] that belongs to none"):
            train_toy(module, context=context, config=TrainerConfig(steps=1))

    def test_other_data_is_refused(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        context = LocalTrainingContext(checkpoints=FolderCheckpoints(tmp_path))
        trainer = Trainer(config=TrainerConfig(steps=40, ema_decay=0.9), context=context, source=toy_loader(seed=4))
        with pytest.raises(ValueError, match="data has seed 3, this one 4"):
            trainer.fit(ToyGan())

    def test_another_generator_is_refused(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        module = ToyGan()
        module.generators = {**module.generators, "views": torch.Generator()}
        with pytest.raises(StateMismatch, match=r"no state of generator\.views"):
            resume(tmp_path, module)

    def test_averages_that_were_not_saved_are_missed(self, tmp_path: Path) -> None:
        plain = TrainerConfig(steps=40)
        interrupt(tmp_path, [20], plain)
        with pytest.raises(StateMismatch, match="no averaged weights; continue without ema_decay"):
            resume(tmp_path, ToyGan())

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}'])
    def test_a_damaged_document_is_refused(self, tmp_path: Path, content: str) -> None:
        interrupt(tmp_path, [20])
        (tmp_path / "step-000020" / "state.json").write_text(content)
        with pytest.raises(StateMismatch, match=r"state\.json"):
            resume(tmp_path, ToyGan())

    def test_a_missing_tensor_is_named(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        path = tmp_path / "step-000020" / "networks.safetensors"
        tensors = load_file(path)
        del tensors["generator.4.bias"]
        save_file(tensors, path)
        with pytest.raises(StateMismatch, match=r"generator\.4\.bias is missing in the checkpoint"):
            resume(tmp_path, ToyGan())

    def test_the_document_is_json_that_people_can_read(self, tmp_path: Path) -> None:
        interrupt(tmp_path, [20])
        document = json.loads((tmp_path / "step-000020" / "state.json").read_text())
        assert document["record"]["step"] == 20
        assert document["source"] == {"position": 160, "size": 20, "seed": 3}
