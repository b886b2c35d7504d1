"""
The state of a training on disk, exact and without pickle: safetensors for tensors, JSON for everything else.

A folder holds `networks`, `ema`, `optimizers` and `rng` as `.safetensors`, and `state.json`. A run that loads it and
goes on has the same weights, bit for bit, as one that was never interrupted (on a CPU with the same torch build and
number of threads, and as many processes).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from videojob_runner.training.distributed import gather_states, rank
from videojob_runner.training.ema import ModelEma
from videojob_runner.training.metrics import RunningMean
from videojob_runner.training.module import BatchSource, StateMismatch, TrainingModule
from videojob_runner.training.optimizer_state import load_optimizer_state, optimizer_state, parameter_names
from videojob_runner.training.rng import derive_seed, rng_state, set_rng_state

FORMAT: Final = 1
"""Raised when older programs could no longer read the folder."""
REQUIRED: Final = frozenset({"worldSize", "record", "source", "means", "optimizers", "schedulers", "emaUpdates"})
STATE_FILE: Final = "state.json"
NETWORKS, EMA, OPTIMIZERS, RNG = (f"{name}.safetensors" for name in ("networks", "ema", "optimizers", "rng"))


@dataclass(kw_only=True, slots=True)
class TrainingRecord:
    """How far a training is."""

    step: int = 0
    """Finished steps."""
    elapsed_seconds: float = 0.0
    """Of all attempts together."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Newest mean losses and validation metrics."""
    best_value: float | None = None
    best_step: int | None = None
    """Value and step of the best validation, by the metric that the trainer's configuration names."""


@dataclass(kw_only=True, slots=True)
class TrainingState:
    """Everything that decides how a training goes on. All processes call `save` and `load`; the main one writes."""

    module: TrainingModule[Any]
    device: str
    seed: int
    """Of processes whose random state was not saved, because there were fewer of them."""
    source: BatchSource[Any]
    ema: ModelEma | None = None
    means: RunningMean = field(default_factory=RunningMean)
    record: TrainingRecord = field(default_factory=TrainingRecord)
    rng: Mapping[str, Tensor] | None = None
    """Random state to save; None: that of this moment, which is right only while the training runs."""

    def save(self, folder: Path) -> None:
        """Writes the state into an empty folder. Raises StateMismatch if something in it is not to be saved."""
        states = gather_states(dict(self.rng or rng_state(self.device, self.module.generators)))
        means = self.means.state_dict()
        if rank() != 0:
            return
        names = parameter_names(self.module.networks)
        optimizers: dict[str, Tensor] = {}
        documents: dict[str, Any] = {}
        for name, optimizer in self.module.optimizers.items():
            tensors, documents[name] = optimizer_state(optimizer, names)
            optimizers |= {f"{name}/{key}": tensor for key, tensor in tensors.items()}
        write_tensors(folder / NETWORKS, network_tensors(self.module.networks))
        write_tensors(folder / OPTIMIZERS, optimizers)
        write_tensors(folder / RNG, {f"{i}/{key}": t for i, state in enumerate(states) for key, t in state.items()})
        if self.ema is not None:
            write_tensors(folder / EMA, self.ema.state_dict())
        document = {
            "format": FORMAT,
            "torch": torch.__version__,
            "worldSize": len(states),
            "record": asdict(self.record),
            "source": self.source.state_dict(),
            "means": means,
            "optimizers": documents,
            "schedulers": {name: scheduler.state_dict() for name, scheduler in self.module.schedulers.items()},
            "emaUpdates": self.ema.updates if self.ema is not None else None,
        }
        (folder / STATE_FILE).write_text(_to_json(document), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """
        Restores what `save` wrote into `folder`. Nothing in it can run code.

        Raises StateMismatch if the folder is damaged, or belongs to another architecture, optimizer or data set.
        """
        document = read_document(folder)
        self._load_networks(folder, document)
        self._load_optimizers(folder, document)
        self._load_rng(folder, document["worldSize"])
        self.source.load_state_dict(document["source"])
        self.means.load_state_dict(document["means"])
        self.record = TrainingRecord(**document["record"])

    def _load_networks(self, folder: Path, document: Mapping[str, Any]) -> None:
        load_networks(folder, self.module.networks)
        if self.ema is not None:
            if document["emaUpdates"] is None:
                raise StateMismatch("the checkpoint has no averaged weights; continue without ema_decay")
            averages = read_tensors(folder / EMA)
            check_tensors(averages, self.ema.state_dict(), where=EMA)
            self.ema.load_state_dict(averages, document["emaUpdates"])

    def _load_optimizers(self, folder: Path, document: Mapping[str, Any]) -> None:
        _check_names("optimizers", document["optimizers"], self.module.optimizers)
        _check_names("schedulers", document["schedulers"], self.module.schedulers)
        tensors, names = read_tensors(folder / OPTIMIZERS), parameter_names(self.module.networks)
        for name, optimizer in self.module.optimizers.items():
            mine = {key.removeprefix(f"{name}/"): t for key, t in tensors.items() if key.startswith(f"{name}/")}
            load_optimizer_state(optimizer, mine, document["optimizers"][name], names)
        for name, scheduler in self.module.schedulers.items():
            scheduler.load_state_dict(document["schedulers"][name])

    def _load_rng(self, folder: Path, saved_processes: int) -> None:
        """A process beyond those that were saved draws from a stream of its own."""
        if rank() >= saved_processes:
            torch.manual_seed(derive_seed(self.seed, rank(), saved_processes))
            return
        prefix = f"{rank()}/"
        states = {
            key.removeprefix(prefix): t for key, t in read_tensors(folder / RNG).items() if key.startswith(prefix)
        }
        missing = rng_state(self.device, self.module.generators).keys() - states.keys()
        if missing:
            raise StateMismatch(
                f"{RNG}: there is no state of {', '.join(sorted(missing))};"
                " continue on the same kind of device with the same generators"
            )
        set_rng_state(states, self.device, self.module.generators)


def network_tensors(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All tensors of the networks' `state_dict` by `<network>.<tensor>`. Raises StateMismatch if one is no tensor."""
    found: dict[str, Tensor] = {}
    for network_name, network in networks.items():
        for name, value in network.state_dict().items():
            if not isinstance(value, Tensor):
                raise StateMismatch(f"{network_name}.{name}: {type(value).__name__} is not saved, only tensors are")
            found[f"{network_name}.{name}"] = value
    return found


def load_networks(folder: Path, networks: Mapping[str, nn.Module]) -> None:
    """Loads the weights of a state's folder, and nothing else. Raises StateMismatch unless names and shapes agree."""
    tensors = read_tensors(folder / NETWORKS)
    check_tensors(tensors, network_tensors(networks), where=NETWORKS)
    for name, network in networks.items():
        network.load_state_dict({key: tensors[f"{name}.{key}"] for key in network.state_dict()})


def check_tensors(saved: Mapping[str, Tensor], present: Mapping[str, Tensor], *, where: str) -> None:
    """Raises StateMismatch, with the first difference and their number, unless names, shapes and types agree."""
    differences = [
        f"{name} is {_describe(saved.get(name))} in the checkpoint and {_describe(present.get(name))} in the module"
        for name in sorted(saved.keys() | present.keys())
        if _describe(saved.get(name)) != _describe(present.get(name))
    ]
    if differences:
        more = f", and {len(differences) - 1} more differ" if len(differences) > 1 else ""
        raise StateMismatch(
            f"{where}: {differences[0]}{more}; continue with the architecture of the checkpoint, or start without it"
        )


def read_document(folder: Path) -> dict[str, Any]:
    """`state.json`. Raises StateMismatch if it is missing, damaged or of another format."""
    try:
        document: dict[str, Any] = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StateMismatch(f"{STATE_FILE}: cannot be read ({error})") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT or REQUIRED - document.keys():
        raise StateMismatch(f"{STATE_FILE}: is not a training state of format {FORMAT}, which this version reads")
    return document


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A safetensors file, on the CPU. Raises StateMismatch if it is missing or damaged."""
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise StateMismatch(f"{path.name}: cannot be read ({error})") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file, readable for all; tensors that share memory are written several times."""
    seen: set[int] = set()
    separate: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        address = plain.untyped_storage().data_ptr()
        separate[name] = plain.clone() if address in seen else plain
        seen.add(address)
    save_file(separate, path)
    path.chmod(0o644)  # safetensors writes for its owner alone


def _check_names(what: str, saved: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    if saved.keys() != present.keys():
        raise StateMismatch(f"{what}: {sorted(saved)} in the checkpoint, {sorted(present)} in the module")


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _to_json(document: Mapping[str, Any]) -> str:
    try:
        return json.dumps(document, indent=1)
    except TypeError as error:
        raise StateMismatch(f"{STATE_FILE}: a scheduler or optimizer option cannot be saved ({error})") from error
