"""What is measured: two networks and one way to use them, the same for every contestant."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from videojob_api.pipelines.vqgan_clip import MemoryOptions

Method = Literal["original", "kornia"]


class BenchConfig(BaseModel):
    """One run of VQGAN+CLIP; travels to contestants as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: Path
    """Folder of a pack of kind `vqgan`."""
    perceptor: Path
    """Folder of a pack of kind `clip`."""
    size: tuple[int, int] = (256, 256)
    """Width and height in pixels."""
    cuts: int = 32
    method: Method = "kornia"
    prompts: tuple[tuple[str, float], ...] = (("a red circle", 1.0), ("blue", -0.5))
    """Texts with their weights."""
    seed: int = 11
    rate: float = 0.1
    init_weight: float = 0.0
    device: str = "cpu"
    tf32: bool = False
    """Whether float32 products may be rounded to TF32 on CUDA, for all contestants."""
    memory: MemoryOptions | None = None
    """How ours spend it; absent: as a job on this machine would."""
    compiled: bool = False
    """Whether our networks go through `torch.compile`."""

    @property
    def prompt(self) -> str:
        """The prompts as one would write them."""
        return " | ".join(f"{text}:{weight:g}" for text, weight in self.prompts)
