"""
The yaml beside a public VQGAN checkpoint: which network it is for, and where in the checkpoint that stands.

Its `model.target` is a class of taming-transformers. A transformer (Net2NetTransformer) carries its VQGAN as first
stage, under a prefix of its own. Only what the first stage needs is read: losses, data and schedules are not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from videojob_runner.errors import BadConfig
from videojob_runner.models.vqgan.model import VqganArchitecture

ModelT = TypeVar("ModelT", bound=BaseModel)

VQGANS: Final = {"taming.models.vqgan.VQModel": "nearest", "taming.models.vqgan.GumbelVQ": "gumbel"}
"""The classes of first stages, and how each chooses codes."""
TRANSFORMER_TARGET: Final = "taming.models.cond_transformer.Net2NetTransformer"
FIRST_STAGE_PREFIX: Final = "first_stage_model."
"""Prefix of the VQGAN's tensors in a transformer's checkpoint."""
MAX_CONFIG_BYTES: Final = 1 << 20


class TargetConfig(BaseModel):
    """A class and what it is built with."""

    model_config = ConfigDict(frozen=True)
    target: str
    params: dict[str, Any]


class DecoderConfig(BaseModel):
    """`ddconfig`: encoder and decoder. Values that our networks do not have are refused by their type."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    double_z: Literal[False]
    """Required: the library's own default is True."""
    z_channels: int
    resolution: int
    in_channels: Literal[3]
    out_ch: Literal[3]
    ch: int
    ch_mult: list[int]
    num_res_blocks: int
    attn_resolutions: list[int]
    dropout: float = 0.0
    """Without effect outside training."""
    resamp_with_conv: Literal[True] = True


class VqganParams(BaseModel):
    """`params` of a VQGAN; what is not named here concerns training."""

    model_config = ConfigDict(frozen=True)
    ddconfig: DecoderConfig
    embed_dim: int
    n_embed: int
    remap: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStageSpec:
    """What to build, and the prefix of its tensors in the checkpoint (empty: they are the checkpoint)."""

    architecture: VqganArchitecture
    prefix: str


def read_taming_config(path: Path) -> FirstStageSpec:
    """The first stage that the yaml file describes. Raises BadConfig."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise BadConfig(
                f"{path.name!r} is larger than {MAX_CONFIG_BYTES} bytes; is it the yaml file?", field="config"
            )
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadConfig(f"{str(path)!r} cannot be read as yaml: {error}", field="config") from error
    if not isinstance(content, dict):
        raise BadConfig(
            f"{path.name!r} has no `model`; it must be the yaml file published with the checkpoint", field="config"
        )
    return parse_first_stage(content)


def parse_first_stage(config: Mapping[str, Any]) -> FirstStageSpec:
    """The first stage that a configuration describes. Raises BadConfig."""
    field, prefix = "model", ""
    part = parse_model(TargetConfig, config.get("model"), field)
    if part.target == TRANSFORMER_TARGET:
        field, prefix = "model.params.first_stage_config", FIRST_STAGE_PREFIX
        part = parse_model(TargetConfig, part.params.get("first_stage_config"), field)
    if part.target not in VQGANS:
        known = ", ".join([*VQGANS, *([] if prefix else [TRANSFORMER_TARGET])])
        raise BadConfig(f"{part.target!r} must be one of {known}", field=f"{field}.target")
    params = parse_model(VqganParams, part.params, f"{field}.params")
    return FirstStageSpec(
        architecture=to_pack_architecture(params, field, quantiser=VQGANS[part.target]), prefix=prefix
    )


def to_pack_architecture(params: VqganParams, field: str, *, quantiser: str) -> VqganArchitecture:
    """The same in a pack's words. Raises BadConfig."""
    own = params.ddconfig.model_dump(
        include={"ch", "ch_mult", "num_res_blocks", "attn_resolutions", "resolution", "z_channels"}
    )
    rest = {"embed_dim": params.embed_dim, "codebook_size": params.n_embed, "quantiser": quantiser}
    return parse_model(VqganArchitecture, {**own, **rest}, f"{field}.params")


def parse_model(model: type[ModelT], value: object, field: str) -> ModelT:
    """`value` as a model. Raises BadConfig naming the field, what is wrong, and the value."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([field, *map(str, first["loc"])])
        raise BadConfig(f"{first['msg']}, not {first['input']!r:.100}", field=where) from error
