"""Optimizer states as named tensors and JSON values, so that they are saved without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from videojob_runner.training.module import StateMismatch


def parameter_names(networks: Mapping[str, nn.Module]) -> dict[Tensor, str]:
    """The name `<network>.<parameter>` of each parameter; of a shared one the first."""
    names: dict[Tensor, str] = {}
    for network_name, network in networks.items():
        for name, parameter in network.named_parameters():
            names.setdefault(parameter, f"{network_name}.{name}")
    return names


def optimizer_state(optimizer: Optimizer, names: Mapping[Tensor, str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """
    An optimizer's state as tensors by `<parameter>/<entry>`, and everything else as JSON values.

    `names` comes from `parameter_names`. Raises StateMismatch if the optimizer trains another tensor.
    """
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for parameter, entries in optimizer.state.items():
        name = _name_of(parameter, names)
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{name}/{key}"] = value.detach()
            else:
                values.setdefault(name, {})[key] = value
    return tensors, {"groups": [_describe_group(group, names) for group in optimizer.param_groups], "values": values}


def load_optimizer_state(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], document: Mapping[str, Any], names: Mapping[Tensor, str]
) -> None:
    """Restores what `optimizer_state` returned. Raises StateMismatch if the parameter groups are others."""
    present = [_describe_group(group, names) for group in optimizer.param_groups]
    _check_groups(present, document["groups"])
    entries: dict[str, dict[str, Any]] = {name: dict(values) for name, values in document["values"].items()}
    for key, tensor in tensors.items():
        name, _, entry = key.rpartition("/")
        entries.setdefault(name, {})[entry] = tensor
    groups, state, index = [], {}, 0
    for group, saved in zip(optimizer.param_groups, document["groups"], strict=True):
        options = {key: _like(value, group[key]) for key, value in saved.items() if key != "params"}
        indices = list(range(index, index + len(group["params"])))
        state.update({i: entries[name] for i, name in zip(indices, saved["params"], strict=True) if name in entries})
        groups.append({**options, "params": indices})
        index += len(indices)
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _name_of(parameter: Tensor, names: Mapping[Tensor, str]) -> str:
    if parameter not in names:
        raise StateMismatch(
            f"an optimizer trains a tensor of shape {list(parameter.shape)} that belongs to none of the module's"
            " networks; make it an nn.Parameter of a network and name that in `networks`"
        )
    return names[parameter]


def _describe_group(group: Mapping[str, Any], names: Mapping[Tensor, str]) -> dict[str, Any]:
    described: dict[str, Any] = {"params": [_name_of(parameter, names) for parameter in group["params"]]}
    for key, value in group.items():
        if isinstance(value, torch.Tensor):
            raise StateMismatch(f"optimizer option {key!r} is a tensor, which is not saved; give it as a number")
        if key != "params":
            described[key] = value
    return described


def _check_groups(present: list[dict[str, Any]], saved: list[dict[str, Any]]) -> None:
    if [group["params"] for group in present] != [group["params"] for group in saved]:
        counts = [len(group["params"]) for group in saved], [len(group["params"]) for group in present]
        raise StateMismatch(f"the optimizer's groups hold other parameters: {counts[0]} saved, {counts[1]} present")
    for now, before in zip(present, saved, strict=True):
        if now.keys() != before.keys():
            other = ", ".join(sorted(now.keys() ^ before.keys()))
            raise StateMismatch(f"the saved optimizer has other options ({other}); use the one it was trained with")


def _like(value: Any, present: Any) -> Any:
    """A value read from JSON in the type of the present one: lists become tuples."""
    return tuple(value) if isinstance(present, tuple) else value
