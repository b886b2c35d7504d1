"""Two processes train as one: over gloo on this machine's loopback."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.multiprocessing.spawn import start_processes
from videojob_runner.training.distributed import all_any, average, rank, world_size

from tests.unit.runner.training import gloo_processes
from tests.unit.runner.training.gloo_processes import STOP_AT, run_process, train_plain


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes have left."""
    folder = tmp_path_factory.mktemp("gloo")
    multiprocessing.set_forkserver_preload([gloo_processes.__name__])  # so that torch is imported once
    start_processes(run_process, args=(str(folder),), nprocs=2, start_method="forkserver")  # type: ignore[no-untyped-call]
    train_plain(folder, 0, 1)
    return folder


def load(results: Path, name: str) -> dict[str, Tensor]:
    return dict(load_file(results / f"{name}.safetensors"))


def test_half_a_batch_in_each_of_two_processes_is_a_whole_batch_in_one(results: Path) -> None:
    alone = load(results, "plain-0-of-1")
    for process in (0, 1):
        together = load(results, f"plain-{process}-of-2")
        assert together.keys() == alone.keys()
        for name, tensor in alone.items():
            torch.testing.assert_close(together[name], tensor, atol=1e-5, rtol=0)


def test_both_processes_have_the_same_weights_bit_for_bit(results: Path) -> None:
    one, other = (load(results, f"plain-{process}-of-2") for process in (0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_all_processes_save_and_stop_when_the_main_one_does(results: Path) -> None:
    for process in (0, 1):
        assert load(results, f"found-{process}")["stopped"].tolist() == [False, True, False]
    assert sorted(path.name for path in (results / "parts").iterdir()) == ["step-000002", f"step-{STOP_AT:06}"]
    assert not (results / "nowhere").exists()


def test_the_random_states_of_all_processes_are_saved(results: Path) -> None:
    states = load_file(results / "parts" / f"step-{STOP_AT:06}" / "rng.safetensors")
    assert sorted(states) == ["0/cpu", "0/generator.noise", "1/cpu", "1/generator.noise"]
    assert not torch.equal(states["0/cpu"], states["1/cpu"])


def test_a_resumed_training_of_two_processes_ends_in_the_same_weights(results: Path) -> None:
    for process in (0, 1):
        whole, parts = load(results, f"whole-{process}"), load(results, f"parts-{process}")
        assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []


def test_flags_means_and_parameters_are_shared(results: Path) -> None:
    for process in (0, 1):
        found = load(results, f"found-{process}")
        assert found["any"].tolist() == [True, False]
        assert found["mean"].tolist() == [1.5, 4.0]
        assert found["weight"].tolist() == [1.0, 1.0, 1.0]


def test_a_single_process_needs_no_group() -> None:
    assert (rank(), world_size()) == (0, 1)
    assert all_any(True) and not all_any(False)
    assert average(torch.ones(2)).tolist() == [1, 1]
