"""Public VQGAN checkpoints into packs of kind `vqgan`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from videojob_runner.convert.match import fit
from videojob_runner.convert.request import Request
from videojob_runner.convert.taming_config import read_config
from videojob_runner.convert.torch_archive import read_checkpoint
from videojob_runner.errors import BadConfig
from videojob_runner.models.packs.reader import Pack, described
from videojob_runner.models.packs.writer import write_pack
from videojob_runner.models.vqgan.model import Vqgan

TRAINING_ONLY: Final = ("loss.", "discriminator.")
"""Prefixes, after the first stage's own, of what only training needs: LPIPS and the discriminator."""


def convert_vqgan(request: Request, *, config: Path) -> Pack:
    """
    A pack from a checkpoint and the yaml file beside it; weights keep the type that they have.

    Raises BadConfig for the request or the yaml file, BadInput for a checkpoint that does not fit it, and
    UnsafeCheckpoint for one that could run code.
    """
    request.check()
    stage = read_config(config)
    source = request.source()
    with torch.device("meta"):
        try:
            network = Vqgan(stage.architecture)
        except ValueError as error:  # the libraries' own conditions, such as group norm's
            raise BadConfig(f"no network can be built from it: {error}", field="config") from error
    tensors = fit(
        first_stage(read_checkpoint(request.checkpoint, inert=request.inert), stage.prefix), network.state_dict()
    )
    return write_pack(
        request.output,
        tensors,
        kind="vqgan",
        licence=request.licence,
        sources={request.checkpoint.name: source, config.name: described(config)},
        architecture=stage.architecture.model_dump(by_alias=True),
    )


def first_stage(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below `prefix`, without it and without those that only training needs."""
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return {name: tensor for name, tensor in own.items() if not name.startswith(TRAINING_ONLY)}
