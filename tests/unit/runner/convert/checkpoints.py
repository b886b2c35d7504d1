"""
Small checkpoints that look like the public ones: the libraries' own tensor names, and what Lightning leaves in them.

The class of the callback exists only while it is being pickled, as on the machine that trained the model.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import yaml
from torch import Tensor

from tests.unit.runner.tiny_packs import vqgan_tensors

DDCONFIG: dict[str, Any] = {
    "double_z": False,
    "z_channels": 8,
    "resolution": 16,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 1],
    "num_res_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.0,
}
"""`tiny_packs.ARCHITECTURE` in taming's words."""


def vqgan_params(**change: Any) -> dict[str, Any]:
    """`params` of a VQModel as the ImageNet models' yaml has them, losses included."""
    loss = {"target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator", "params": {"disc_start": 0}}
    ours = {"embed_dim": 4, "n_embed": 32, "ddconfig": DDCONFIG, "lossconfig": loss, "monitor": "val/rec_loss"}
    return {**ours, **change}


def vqgan_config(target: str = "taming.models.vqgan.VQModel", **change: Any) -> dict[str, Any]:
    """The yaml beside a VQGAN checkpoint."""
    return {"model": {"base_learning_rate": 4.5e-06, "target": target, "params": vqgan_params(**change)}}


def write_yaml(path: Path, content: Any) -> Path:
    """A yaml file; its path."""
    path.write_text(yaml.safe_dump(content))
    return path


def training_only(prefix: str = "") -> dict[str, Tensor]:
    """Some of the tensors of the loss, under their real names."""
    names = (
        "loss.perceptual_loss.scaling_layer.shift",
        "loss.perceptual_loss.net.slice1.0.weight",
        "loss.perceptual_loss.lin0.model.1.weight",
        "loss.discriminator.main.0.weight",
        "loss.discriminator.main.3.num_batches_tracked",
    )
    return {f"{prefix}{name}": torch.ones(2) for name in names}


@contextmanager
def lightning() -> Iterator[Any]:
    """The class ModelCheckpoint under the name that pickles know it by; gone afterwards."""
    names = ("pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.model_checkpoint")
    modules = {name: ModuleType(name) for name in names}
    callback = type("ModelCheckpoint", (), {"__module__": names[-1], "__qualname__": "ModelCheckpoint"})
    modules[names[-1]].ModelCheckpoint = callback  # type: ignore[attr-defined]
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(modules)
    try:
        yield callback
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


def save_lightning(path: Path, tensors: dict[str, Tensor], **more: Any) -> Path:
    """A checkpoint as Lightning 1.0 to 1.4 writes it: callbacks by class, optimizers, the state dict."""
    with lightning() as callback:
        state = {"best_model_score": torch.tensor(0.5), "best_model_path": "last.ckpt"}
        moments = {"state": {0: {"step": 7, "exp_avg": torch.zeros(2, 2)}}, "param_groups": [{"lr": 4.5e-06}]}
        content = {
            "epoch": 1,
            "global_step": 7,
            "pytorch-lightning_version": "1.0.8",
            "callbacks": {callback: state},
            "optimizer_states": [moments],
            "lr_schedulers": [],
            "state_dict": OrderedDict(tensors),
            **more,
        }
        torch.save(content, path)
    return path


def vqmodel(seed: int = 0) -> dict[str, Tensor]:
    """The state dict of a VQModel in float32, losses included."""
    return {**{name: tensor.float() for name, tensor in vqgan_tensors(seed).items()}, **training_only()}
