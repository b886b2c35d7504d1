"""Public VQGAN checkpoints into packs of kind `vqgan`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from videojob_runner.convert.match import match_state_dict
from videojob_runner.convert.request import ConversionRequest
from videojob_runner.convert.taming_config import read_taming_config
from videojob_runner.convert.torch_archive import load_state_dict
from videojob_runner.errors import BadConfig
from videojob_runner.models.packs.reader import Pack, file_info
from videojob_runner.models.packs.writer import write_pack
from videojob_runner.models.vqgan.model import Vqgan

TRAINING_ONLY_PREFIXES: Final = ("loss.", "discriminator.")
"""Prefixes, after the first stage's own, of what only training needs: LPIPS and the discriminator."""


def convert_vqgan(request: ConversionRequest, *, config: Path) -> Pack:
    """
    A pack from a checkpoint and the yaml file beside it; weights keep the type that they have.

    Raises BadConfig for the request or the yaml file, BadInput for a checkpoint that does not fit it, and
    UnsafeCheckpoint for one that could run code.
    """
    request.validate()
    stage = read_taming_config(config)
    source = request.packed_file()
    with torch.device("meta"):
        try:
            network = Vqgan(stage.architecture)
        except ValueError as error:  # the libraries' own conditions, such as group norm's
            raise BadConfig(f"cannot build a network from it: {error}", field="config") from error
    tensors = match_state_dict(
        select_first_stage(
            load_state_dict(request.checkpoint, placeholder_classes=request.placeholder_classes), stage.prefix
        ),
        network.state_dict(),
    )
    return write_pack(
        request.output,
        tensors,
        kind="vqgan",
        licence=request.licence,
        sources={request.checkpoint.name: source, config.name: file_info(config)},
        architecture=stage.architecture.model_dump(by_alias=True),
    )


def select_first_stage(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below `prefix`, without it and without those that only training needs."""
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return {name: tensor for name, tensor in own.items() if not name.startswith(TRAINING_ONLY_PREFIXES)}
