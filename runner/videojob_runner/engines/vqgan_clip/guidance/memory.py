"""
How much memory a run will take, told before it starts, and how it is made to fit.

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

from videojob_runner.engines.vqgan_clip.config import FIELD
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.errors import BadInput
from videojob_runner.models.activation_count import kept_by_decoder, kept_by_tower, largest_tensor
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.system.malloc import keep_freed_memory
from videojob_runner.system.memory import Room, main_memory
from videojob_runner.torch_utils.images import Size

log = logging.getLogger(__name__)

MIB: Final = 1 << 20
PROGRAM: Final = 420 * MIB
"""Python, torch and the other libraries; on CUDA what its context takes of the device."""
FIRST: Final = 80 * MIB
"""What the first iteration leaves behind: kernels made for the shapes at hand, and their scratch memory."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What cutting out takes for each view, in views; the views and their gradient are among it."""

    kept: float
    """While CLIP sees them."""
    most: float
    """On the way back through the augmentations."""


CUTS: Final[Mapping[CutMethod, Cut]] = {
    "original": Cut(4.5, 13),
    "sg3": Cut(3.5, 8),
    "kornia": Cut(26, 48),
    "nvg": Cut(26, 42),
    "nrupdated": Cut(23, 35),
    "latest": Cut(21, 26),
    "updatedpooling": Cut(19, 25),
}
"""By method; some of upstream's forms take up to a third more than ours, and the numbers lie between the two."""
SEEING: Final = 1.25
"""What CLIP takes for a view, in what it keeps of it."""
WORK: Final = 4.0
"""What the decoder takes at its largest layer, in tensors of its size."""
WORK_AGAIN: Final = 6.0
"""The same when it computes again."""
FITS: Final = 0.9
"""The part of the limit that an estimate may take up."""
FEW: Final = 8
"""Views at once on a CPU, where more are no faster, and on a GPU where not all of them fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an iteration spends memory."""

    views_at_once: int
    recompute: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the memory of a run follows from; the networks may be without data."""

    generator: Vqgan
    perceptor: Clip
    size: Size
    cutouts: CutoutOptions
    precision: torch.dtype = torch.float32

    def total(self, plan: Plan) -> int:
        """Bytes at the peak of an iteration, with all that is there before it."""
        return PROGRAM + self.networks + self.iteration(plan)

    @property
    def networks(self) -> int:
        """Bytes of all weights."""
        return sum(map(weight_bytes, (self.generator, self.perceptor)))

    def iteration(self, plan: Plan) -> int:
        """Bytes at the peak of an iteration, beyond the loaded networks."""
        decoder, (width, height) = self.generator.decoder, self.size
        positions = width * height // self.generator.factor**2
        kept = kept_by_decoder(decoder, positions, recompute=plan.recompute) * self.precision.itemsize
        work = (WORK_AGAIN if plan.recompute else WORK) * largest_tensor(decoder, positions) * 4
        return int(FIRST + kept + max(work, self.seeing(plan), self.views * CUTS[self.cutouts.method].most))

    @property
    def views(self) -> int:
        """Bytes of all views."""
        return self.cutouts.count * 3 * self.perceptor.side**2 * 4

    def seeing(self, plan: Plan) -> float:
        """Bytes of what all cutouts keep, and of CLIP with a part of them."""
        seen = kept_by_tower(self.perceptor.network.visual) * self.precision.itemsize * SEEING
        return self.views * CUTS[self.cutouts.method].kept + min(plan.views_at_once, self.cutouts.count) * seen

    def plans(self, device: str) -> list[Plan]:
        """The plans that a run can choose from, the fastest first."""
        count = self.cutouts.count
        few = Plan(views_at_once=min(FEW, count))
        first = [few] if device == "cpu" else [Plan(views_at_once=count), few]
        return [*first, replace(few, recompute=True), Plan(views_at_once=1, recompute=True)]


def weight_bytes(network: nn.Module) -> int:
    """Bytes of a network's tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def choose(
    demand: Demand, wanted: MemoryOptions | None, *, device: str, room: Room | None, before: int | None = None
) -> Plan:
    """
    The plan of a run on `device` with so much `room` (None: nobody knows).

    What is `wanted` of it wins, then how many views were seen at once `before` a checkpoint, where that fits. Raises
    BadInput when no plan fits the limit.
    """
    plans = allowed(demand.plans(device), wanted or MemoryOptions(), before=before)
    if room is None:
        return plans[0]
    fitting = [plan for plan in plans if demand.total(plan) <= FITS * room.limit]
    if not fitting and before is not None:
        return choose(demand, wanted, device=device, room=room)
    if not fitting:
        raise BadInput(complaint(demand, plans[-1], room))
    return thrifty(fitting, demand, room)


def allowed(plans: list[Plan], wanted: MemoryOptions, *, before: int | None) -> list[Plan]:
    """The plans with what is wanted set."""
    views = before if wanted.views_at_once is None else wanted.views_at_once
    changed = [plan if views is None else replace(plan, views_at_once=views) for plan in plans]
    if wanted.recompute is not None:
        changed = [replace(plan, recompute=wanted.recompute) for plan in changed]
    return list(dict.fromkeys(changed))


def thrifty(fitting: list[Plan], demand: Demand, room: Room) -> Plan:
    """The first of the fitting plans, or its like that computes again where memory is short at this moment."""
    first = fitting[0]
    alike = [plan for plan in fitting if plan.views_at_once == first.views_at_once]
    for plan in alike:
        if demand.iteration(plan) <= room.free:
            return plan
    log.warning(
        "about %s of memory will be needed, and %s are free now", told(demand.iteration(alike[-1])), told(room.free)
    )
    return alike[-1]


def is_ample(demand: Demand, plan: Plan, room: Room | None) -> bool:
    """
    Whether there is room for an iteration twice over: freed memory that is kept lies in pieces, which took up to 45 %
    more. Where nobody knows the room, there is.
    """
    iteration = demand.iteration(plan)
    return room is None or (demand.total(plan) + iteration <= FITS * room.limit and 2 * iteration <= room.free)


def complaint(demand: Demand, plan: Plan, room: Room) -> str:
    """Why the leanest plan does not fit, and what can be done."""
    (width, height), count = demand.size, demand.cutouts.count
    parts = f"networks {told(demand.networks)}, an iteration at {width}x{height} with {count} cutouts"
    remedies = f"smaller width and height, fewer cuts, {FIELD}.memory.viewsAtOnce: 1 and recompute: true"
    return (
        f"{FIELD}: this takes about {told(demand.total(plan))} of memory ({parts} {told(demand.iteration(plan))}), but "
        f"{room.of} is {told(room.limit)}. Give it more, or ask for less: {remedies}"
    )


def told(size: float) -> str:
    """Bytes for people."""
    return f"{size / (1 << 30):.1f} GiB"


def within_memory(guidance: Guidance, *, size: Size, wanted: MemoryOptions | None, before: int | None) -> Guidance:
    """The same guidance as it fits for pictures of `size`, see `choose`. Raises BadInput when none fits."""
    demand = Demand(
        generator=guidance.generator,
        perceptor=guidance.perceptor,
        size=size,
        cutouts=guidance.cutouts.options,
        precision=guidance.precision,
    )
    device = guidance.device.type
    room = room_on(device)
    plan = choose(demand, wanted, device=device, room=room, before=before)
    log.info("about %s of memory: %s", told(demand.total(plan)), plan)
    if device == "cpu" and is_ample(demand, plan, room):
        keep_freed_memory()
    return replace(guidance, views_at_once=plan.views_at_once, recompute=plan.recompute)


def room_on(device: str) -> Room | None:
    """How much there is for networks on `device`."""
    if device == "cpu":
        return main_memory()
    free, limit = torch.cuda.mem_get_info()
    return Room(limit, free, "this GPU's memory")
