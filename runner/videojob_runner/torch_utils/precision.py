"""What the networks compute in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from videojob_api.pipelines.vqgan_clip import Precision

from videojob_runner.errors import BadConfig

DTYPES: Final[Mapping[Precision, torch.dtype]] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BF16_CAPABILITIES: Final = ("avx512_bf16", "amx_bf16", "bf16")
"""Any of which, on x86 or ARM, stands for arithmetic in bfloat16."""


def has_native_bfloat16(device: str) -> bool:
    """Whether the device does so natively. A CPU that imitates it takes some hundred times float32's time."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(torch.cpu.get_capabilities().get(name, False) for name in BF16_CAPABILITIES)


def resolve_dtype(wanted: Precision | None, *, device: str, field: str) -> torch.dtype:
    """
    What is wanted; or bfloat16 where CUDA computes it natively, and float32 elsewhere, as upstream does.

    Raises BadConfig naming `field` for bfloat16 on a device that only imitates it.
    """
    native = has_native_bfloat16(device)
    if wanted == "bfloat16" and not native:
        message = (
            f"this node's {device} has no native bfloat16 support and would be very slow; use float32 or another node"
        )
        raise BadConfig(message, field=field)
    if wanted is not None:
        return DTYPES[wanted]
    return torch.bfloat16 if native and device.startswith("cuda") else torch.float32
