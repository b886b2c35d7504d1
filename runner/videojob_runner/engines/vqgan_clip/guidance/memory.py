"""
Estimates a run's peak memory before it starts and chooses a plan that fits.

An iteration's peak is what the decoder keeps for its way back, beside the largest of three things: one part of the
views on its way through CLIP, the cutouts on their own way back, or the decoder's work at its largest layer. What
networks keep is counted exactly from their shapes (`models.activation_count`); what work takes besides was measured in
multiples of what it is about. The estimate is within 30 % of the peak that the system then shows.

Of the plans the fastest one that fits is taken. How many views CLIP sees at once moves the last bits of a picture, so
that follows from the job and the limit alone, never from what happens to be free. Whether the decoder computes again
moves none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import nn
from videojob_api.pipelines.vqgan_clip import CutMethod, MemoryOptions

from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.errors import BadInput
from videojob_runner.models.activation_count import decoder_activations, largest_activation, vision_activations
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.system.malloc import disable_heap_trimming
from videojob_runner.system.memory import MemoryLimit, available_memory
from videojob_runner.torch_utils.images import Size

log = logging.getLogger(__name__)

MIB: Final = 1 << 20
PROCESS_BYTES: Final = 420 * MIB
"""Python, torch and the other libraries; on CUDA what its context takes of the device."""
FIRST_ITERATION_BYTES: Final = 80 * MIB
"""What the first iteration leaves behind: kernels made for the shapes at hand, and their scratch memory."""


@dataclass(frozen=True, slots=True)
class CutoutMemory:
    """What cutting out takes for each view, in views; the views and their gradient are among it."""

    during_clip: float
    """While CLIP sees them."""
    peak: float
    """On the way back through the augmentations."""


CUTOUT_MEMORY: Final[Mapping[CutMethod, CutoutMemory]] = {
    "original": CutoutMemory(4.5, 13),
    "sg3": CutoutMemory(3.5, 8),
    "kornia": CutoutMemory(26, 48),
    "nvg": CutoutMemory(26, 42),
    "nrupdated": CutoutMemory(23, 35),
    "latest": CutoutMemory(21, 26),
    "updatedpooling": CutoutMemory(19, 25),
}
"""By method; some of upstream's forms take up to a third more than ours, and the numbers lie between the two."""
CLIP_OVERHEAD: Final = 1.25
"""What CLIP takes for a view, in what it keeps of it."""
DECODER_WORKSPACE: Final = 4.0
"""What the decoder takes at its largest layer, in tensors of its size."""
RECOMPUTE_WORKSPACE: Final = 6.0
"""The same when it computes again."""
SAFETY_FRACTION: Final = 0.9
"""The part of the limit that an estimate may take up."""
SMALL_CHUNK: Final = 8
"""Views at once on a CPU, where more are no faster, and on a GPU where not all of them fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How an iteration spends memory."""

    chunk_size: int
    checkpoint_decoder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimator:
    """What the memory of a run follows from; the networks may be without data."""

    generator: Vqgan
    perceptor: Clip
    size: Size
    cutouts: CutoutOptions
    precision: torch.dtype = torch.float32

    def total_bytes(self, plan: MemoryPlan) -> int:
        """Bytes at the peak of an iteration, with all that is there before it."""
        return PROCESS_BYTES + self.weight_bytes + self.iteration_bytes(plan)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(map(weight_bytes, (self.generator, self.perceptor)))

    def iteration_bytes(self, plan: MemoryPlan) -> int:
        """Bytes at the peak of an iteration, beyond the loaded networks."""
        decoder, (width, height) = self.generator.decoder, self.size
        positions = width * height // self.generator.factor**2
        kept = decoder_activations(decoder, positions, recompute=plan.checkpoint_decoder) * self.precision.itemsize
        work = (
            (RECOMPUTE_WORKSPACE if plan.checkpoint_decoder else DECODER_WORKSPACE)
            * largest_activation(decoder, positions)
            * 4
        )
        return int(
            FIRST_ITERATION_BYTES
            + kept
            + max(work, self.clip_bytes(plan), self.view_bytes * CUTOUT_MEMORY[self.cutouts.method].peak)
        )

    @property
    def view_bytes(self) -> int:
        """Bytes of all views."""
        return self.cutouts.count * 3 * self.perceptor.input_size**2 * 4

    def clip_bytes(self, plan: MemoryPlan) -> float:
        """Bytes of what all cutouts keep, and of CLIP with a part of them."""
        seen = vision_activations(self.perceptor.network.visual) * self.precision.itemsize * CLIP_OVERHEAD
        return (
            self.view_bytes * CUTOUT_MEMORY[self.cutouts.method].during_clip
            + min(plan.chunk_size, self.cutouts.count) * seen
        )

    def plans(self, device: str) -> list[MemoryPlan]:
        """The plans that a run can choose from, the fastest first."""
        count = self.cutouts.count
        few = MemoryPlan(chunk_size=min(SMALL_CHUNK, count))
        first = [few] if device == "cpu" else [MemoryPlan(chunk_size=count), few]
        return [*first, replace(few, checkpoint_decoder=True), MemoryPlan(chunk_size=1, checkpoint_decoder=True)]


def weight_bytes(network: nn.Module) -> int:
    """Bytes of a network's tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def choose_plan(
    demand: MemoryEstimator,
    wanted: MemoryOptions | None,
    *,
    device: str,
    room: MemoryLimit | None,
    before: int | None = None,
) -> MemoryPlan:
    """
    The plan of a run on `device` with so much `room` (None: nobody knows).

    What is `wanted` of it wins, then how many views were seen at once `before` a checkpoint, where that fits. Raises
    BadInput when no plan fits the limit.
    """
    plans = constrain_plans(demand.plans(device), wanted or MemoryOptions(), before=before)
    if room is None:
        return plans[0]
    fitting = [plan for plan in plans if demand.total_bytes(plan) <= SAFETY_FRACTION * room.total]
    if not fitting and before is not None:
        return choose_plan(demand, wanted, device=device, room=room)
    if not fitting:
        raise BadInput(out_of_memory_message(demand, plans[-1], room))
    return prefer_low_memory(fitting, demand, room)


def constrain_plans(plans: list[MemoryPlan], wanted: MemoryOptions, *, before: int | None) -> list[MemoryPlan]:
    """The plans with what is wanted set."""
    views = before if wanted.views_at_once is None else wanted.views_at_once
    changed = [plan if views is None else replace(plan, chunk_size=views) for plan in plans]
    if wanted.recompute is not None:
        changed = [replace(plan, checkpoint_decoder=wanted.recompute) for plan in changed]
    return list(dict.fromkeys(changed))


def prefer_low_memory(fitting: list[MemoryPlan], demand: MemoryEstimator, room: MemoryLimit) -> MemoryPlan:
    """Return the first fitting plan, or its activation-checkpointing variant if currently available memory is low."""
    first = fitting[0]
    alike = [plan for plan in fitting if plan.chunk_size == first.chunk_size]
    for plan in alike:
        if demand.iteration_bytes(plan) <= room.available:
            return plan
    log.warning(
        "about %s of memory are needed, and %s are available now",
        format_gib(demand.iteration_bytes(alike[-1])),
        format_gib(room.available),
    )
    return alike[-1]


def has_headroom(demand: MemoryEstimator, plan: MemoryPlan, room: MemoryLimit | None) -> bool:
    """
    Whether there is room for an iteration twice over: freed memory that is kept lies in pieces, which took up to 45 %
    more. Where nobody knows the room, there is.
    """
    iteration = demand.iteration_bytes(plan)
    return room is None or (
        demand.total_bytes(plan) + iteration <= SAFETY_FRACTION * room.total and 2 * iteration <= room.available
    )


def out_of_memory_message(demand: MemoryEstimator, plan: MemoryPlan, room: MemoryLimit) -> str:
    """Why the leanest plan does not fit, and what can be done."""
    (width, height), count = demand.size, demand.cutouts.count
    parts = f"networks {format_gib(demand.weight_bytes)}, an iteration at {width}x{height} with {count} cutouts"
    remedies = f"smaller width and height, fewer cuts, {FIELD_PREFIX}.memory.viewsAtOnce: 1 and recompute: true"
    return (
        f"{FIELD_PREFIX}: this needs about {format_gib(demand.total_bytes(plan))} of memory "
        f"({parts} {format_gib(demand.iteration_bytes(plan))}), but "
        f"{room.description} is {format_gib(room.total)}. Increase the memory limit, or reduce: {remedies}"
    )


def format_gib(size: float) -> str:
    """Bytes for people."""
    return f"{size / (1 << 30):.1f} GiB"


def fit_to_memory(guidance: Guidance, *, size: Size, wanted: MemoryOptions | None, before: int | None) -> Guidance:
    """The same guidance as it fits for pictures of `size`, see `choose_plan`. Raises BadInput when none fits."""
    demand = MemoryEstimator(
        generator=guidance.generator,
        perceptor=guidance.perceptor,
        size=size,
        cutouts=guidance.cutouts.options,
        precision=guidance.precision,
    )
    device = guidance.device.type
    room = memory_limit(device)
    plan = choose_plan(demand, wanted, device=device, room=room, before=before)
    log.info("about %s of memory: %s", format_gib(demand.total_bytes(plan)), plan)
    if device == "cpu" and has_headroom(demand, plan, room):
        disable_heap_trimming()
    return replace(guidance, chunk_size=plan.chunk_size, checkpoint_decoder=plan.checkpoint_decoder)


def memory_limit(device: str) -> MemoryLimit | None:
    """How much there is for networks on `device`."""
    if device == "cpu":
        return available_memory()
    free, limit = torch.cuda.mem_get_info()
    return MemoryLimit(limit, free, "this GPU's memory")
