"""
Small checkpoints that look like the public ones: the libraries' own tensor names, and what Lightning leaves in them.

The class of the callback exists only while it is being pickled, as on the machine that trained the model.
"""

from __future__ import annotations

import sys
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import yaml
from clip.model import build_model
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


def training_only() -> dict[str, Tensor]:
    """Some of the tensors of the loss, under their real names."""
    names = (
        "loss.perceptual_loss.scaling_layer.shift",
        "loss.perceptual_loss.net.slice1.0.weight",
        "loss.perceptual_loss.lin0.model.1.weight",
        "loss.discriminator.main.0.weight",
        "loss.discriminator.main.3.num_batches_tracked",
    )
    return {name: torch.ones(2) for name in names}


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


def save_scripted(path: Path, tensors: dict[str, Tensor]) -> Path:
    """
    A TorchScript archive as OpenAI's: the traced network, with its three numbers as buffers.

    `tensors` are those of `tiny_packs.clip_tensors`.
    """
    network = build_model({name: tensor.clone() for name, tensor in tensors.items()}).float()
    network.load_state_dict(tensors)
    side = network.visual.input_resolution
    for name, number in {"input_resolution": side, "context_length": 77, "vocab_size": 49408}.items():
        network.__dict__.pop(name, None)  # a buffer cannot take an attribute's name
        network.register_buffer(name, torch.tensor(number))
    inputs = (torch.zeros(1, 3, side, side), torch.zeros(1, 77, dtype=torch.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, inputs, check_trace=False).save(str(path))  # type: ignore[no-untyped-call]
    return path


def vqmodel(seed: int = 0) -> dict[str, Tensor]:
    """The state dict of a VQModel in float32, losses included."""
    return {**{name: tensor.float() for name, tensor in vqgan_tensors(seed).items()}, **training_only()}


GUMBEL_DDCONFIG = {**DDCONFIG, "z_channels": 4}
"""Latents go into the logits, so the latent's width is the codes'."""


def gumbelvq() -> dict[str, Tensor]:
    """The state dict of a GumbelVQ; its logits and its codes are drawn apart, so the nearest code is not the chosen."""
    draws = torch.Generator().manual_seed(0)
    wide = {name: tensor.float() for name, tensor in vqgan_tensors().items() if not name.startswith("quantize.")}
    narrow = {
        "encoder.conv_out.weight": wide["encoder.conv_out.weight"][:4],
        "encoder.conv_out.bias": wide["encoder.conv_out.bias"][:4],
        "decoder.conv_in.weight": wide["decoder.conv_in.weight"][:, :4],
        "quant_conv.weight": torch.eye(4).view(4, 4, 1, 1),
        "quant_conv.bias": torch.zeros(4),
        "post_quant_conv.weight": torch.eye(4).view(4, 4, 1, 1),
        "post_quant_conv.bias": torch.zeros(4),
        "quantize.embed.weight": torch.randn(32, 4, generator=draws),
        "quantize.proj.weight": torch.randn(32, 4, 1, 1, generator=draws) * 10,
        "quantize.proj.bias": torch.randn(32, generator=draws),
    }
    return {**wide, **narrow}


def gumbel_config() -> dict[str, Any]:
    """The yaml beside it, as that of the OpenImages model: its losses and schedule name classes of their own."""
    schedule = {"target": "taming.lr_scheduler.LambdaWarmUpCosineScheduler", "params": {"warm_up_steps": 0}}
    more = {"kl_weight": 1e-08, "temperature_scheduler_config": schedule, "ddconfig": GUMBEL_DDCONFIG}
    return vqgan_config("taming.models.vqgan.GumbelVQ", **more)


def transformer(first_stage: dict[str, Tensor]) -> dict[str, Tensor]:
    """A Net2NetTransformer's state dict around a first stage's, with the names of its other parts."""
    others = ("transformer.tok_emb.weight", "transformer.blocks.0.attn.mask", "transformer.head.weight")
    condition = ("cond_stage_model.quant_conv.weight", "cond_stage_model.colorize", "permuter.forward_shuffle_idx")
    return {
        **{name: torch.ones(2) for name in (*others, *condition)},
        **{f"first_stage_model.{name}": tensor for name, tensor in first_stage.items()},
    }


def transformer_config(first_stage: dict[str, Any]) -> dict[str, Any]:
    """The yaml beside it, as that of sflckr."""
    condition = {"target": "taming.models.vqgan.VQSegmentationModel", "params": {"n_embed": 256}}
    gpt = {"target": "taming.modules.transformer.mingpt.GPT", "params": {"vocab_size": 1024, "n_layer": 24}}
    params = {"first_stage_config": first_stage, "cond_stage_config": condition, "transformer_config": gpt}
    return {"model": {"target": "taming.models.cond_transformer.Net2NetTransformer", "params": params}}
