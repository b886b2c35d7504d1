"""OpenAI's CLIP files, TorchScript archives and plain state dicts, into packs of kind `clip`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from videojob_runner.convert.match import fit
from videojob_runner.convert.request import Request
from videojob_runner.convert.torch_archive import read_checkpoint
from videojob_runner.errors import BadInput
from videojob_runner.models.clip.architecture import ClipShape, NoClip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.packs.writer import write_pack

STATED: Final = {
    "input_resolution": "image_resolution",
    "context_length": "context_length",
    "vocab_size": "vocab_size",
}
"""Numbers that OpenAI's files hold as tensors, and which size each repeats."""


def convert_clip(request: Request) -> Pack:
    """
    A pack from a CLIP file; weights keep the types that they have.

    Raises BadConfig for the request, BadInput for a file that is no CLIP, and UnsafeCheckpoint for one that could run
    code.
    """
    request.check()
    source = request.source()
    tensors = read_checkpoint(request.checkpoint, inert=request.inert)
    try:
        shape = ClipShape.of(tensors)
    except NoClip as error:
        raise BadInput(f"{request.checkpoint.name!r} is no CLIP: {error}; for a VQGAN say --config") from error
    return write_pack(
        request.output,
        fit(without_numbers(tensors, shape), shape.build().state_dict()),
        kind="clip",
        licence=request.licence,
        sources={request.checkpoint.name: source},
        architecture={
            "inputResolution": shape.image_resolution,
            "contextLength": shape.context_length,
            "embedDim": shape.embed_dim,
        },
    )


def without_numbers(tensors: Mapping[str, Tensor], shape: ClipShape) -> dict[str, Tensor]:
    """The tensors without those that repeat a size. Raises BadInput when one says another size."""
    for name in STATED.keys() & tensors.keys():
        size = getattr(shape, STATED[name])
        if tensors[name].numel() != 1 or int(tensors[name]) != size:
            raise BadInput(f"the checkpoint says {name} {tensors[name].tolist()!s:.40}, but its tensors say {size}")
    return {name: tensor for name, tensor in tensors.items() if name not in STATED}
