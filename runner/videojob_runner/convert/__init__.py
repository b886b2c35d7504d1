"""
Public checkpoints into packs: what `videojob pack convert` does, and a notebook may do as well.

    request = ConversionRequest(checkpoint=Path("last.ckpt"), output=Path("models/vqgan-f16-16384"), licence="MIT")
    pack = convert_vqgan(request, config=Path("model.yaml"))

CLIPs are `videojob_runner.convert.clip.convert_clip`'s, not imported here: openai-clip takes seconds to import.
"""

from videojob_runner.convert.request import ConversionRequest
from videojob_runner.convert.torch_archive import load_state_dict
from videojob_runner.convert.vqgan import convert_vqgan

__all__ = ["ConversionRequest", "convert_vqgan", "load_state_dict"]
