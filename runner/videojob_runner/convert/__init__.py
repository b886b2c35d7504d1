"""
Public checkpoints into packs: what `videojob pack convert` does, and a notebook may do as well.

    request = Request(checkpoint=Path("last.ckpt"), output=Path("models/vqgan-f16-16384"), licence="MIT")
    pack = convert_vqgan(request, config=Path("model.yaml"))
    pack = convert_clip(Request(checkpoint=Path("ViT-B-32.pt"), output=Path("models/clip-vit-b-32"), licence="MIT"))
"""

from videojob_runner.convert.checkpoint import read_checkpoint
from videojob_runner.convert.clip import convert_clip
from videojob_runner.convert.pack import Request
from videojob_runner.convert.vqgan import convert_vqgan

__all__ = ["Request", "convert_clip", "convert_vqgan", "read_checkpoint"]
