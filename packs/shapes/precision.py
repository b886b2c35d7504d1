"""What the packs are trained in: half of the products in bfloat16, where the CPU has it."""

from __future__ import annotations

from typing import Final

import torch
from videojob_runner.torch_utils.precision import has_native_bfloat16

HAS_BFLOAT16: Final = has_native_bfloat16("cpu")
"""A CPU that imitates the type takes some hundred times as long as in float32."""


def bf16_autocast(*, wanted: bool = True) -> torch.autocast:
    """A context in which networks multiply in bfloat16; on a CPU that only imitates it, and unless wanted, float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted and HAS_BFLOAT16)
