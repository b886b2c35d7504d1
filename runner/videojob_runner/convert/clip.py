"""OpenAI's CLIP files, TorchScript archives and plain state dicts, into packs of kind `clip`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from videojob_runner.convert.match import match_state_dict
from videojob_runner.convert.request import ConversionRequest
from videojob_runner.convert.torch_archive import load_state_dict
from videojob_runner.errors import BadInput
from videojob_runner.models.clip.architecture import ClipArchitecture, NotAClip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.packs.writer import write_pack

SIZE_BUFFERS: Final = {
    "input_resolution": "image_resolution",
    "context_length": "context_length",
    "vocab_size": "vocab_size",
}
"""Numbers that OpenAI's files hold as tensors, and which size each repeats."""


def convert_clip(request: ConversionRequest) -> Pack:
    """
    A pack from a CLIP file; weights keep the types that they have.

    Raises BadConfig for the request, BadInput for a file that is no CLIP, and UnsafeCheckpoint for one that could run
    code.
    """
    request.validate()
    source = request.packed_file()
    tensors = load_state_dict(request.checkpoint, placeholder_classes=request.placeholder_classes)
    try:
        shape = ClipArchitecture.from_state_dict(tensors)
    except NotAClip as error:
        raise BadInput(
            f"{request.checkpoint.name!r} is not a CLIP model: {error}; for a VQGAN pass --config"
        ) from error
    return write_pack(
        request.output,
        match_state_dict(drop_size_buffers(tensors, shape), shape.build().state_dict()),
        kind="clip",
        licence=request.licence,
        sources={request.checkpoint.name: source},
        architecture={
            "inputResolution": shape.image_resolution,
            "contextLength": shape.context_length,
            "embedDim": shape.embed_dim,
        },
    )


def drop_size_buffers(tensors: Mapping[str, Tensor], shape: ClipArchitecture) -> dict[str, Tensor]:
    """The tensors without those that repeat a size. Raises BadInput when one says another size."""
    for name in SIZE_BUFFERS.keys() & tensors.keys():
        size = getattr(shape, SIZE_BUFFERS[name])
        if tensors[name].numel() != 1 or int(tensors[name]) != size:
            raise BadInput(f"the checkpoint says {name} {tensors[name].tolist()!s:.40}, but its tensors say {size}")
    return {name: tensor for name, tensor in tensors.items() if name not in SIZE_BUFFERS}
