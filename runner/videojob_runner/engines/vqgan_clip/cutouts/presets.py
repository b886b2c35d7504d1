"""
What is done to the views of each cut method, in order (specification vqgan-clip §2.9.3).

By default the original programs' mistakes are mended: shifts go in both directions (Q-35), sharpness sharpens and
geometry leaves no black borders (Q-36). `upstream` keeps all of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import kornia.augmentation as kornia
from pydantic import Field
from videojob_api.base import Document
from videojob_api.pipelines.vqgan_clip import Augment

from videojob_runner.engines.vqgan_clip.cutouts.steps import (
    AugmentationStep,
    GaussianNoise,
    KorniaStep,
    StepFactory,
    StepOrWarp,
    compose_warps,
)

Probability = Annotated[float, Field(ge=0, le=1)]

DEFAULT_AUGMENTS: Final[tuple[Augment, ...]] = ("Af", "Pe", "Ji", "Er")
DEFAULT_NOISE: Final = 0.1


class AugmentationOptions(Document):
    """Ranges and chances of `kornia` and `nvg` cutouts; a range of 0 leaves a step out."""

    flip_chance: Probability = 0.5
    """Mirror left and right."""
    turn_degrees: Annotated[float, Field(ge=0, le=180)] = 30.0
    """Largest turn either way."""
    shift: Annotated[tuple[Probability, Probability], Field(strict=False)] = (0.1, 0.1)
    """Largest shift across and down, as parts of the side."""
    affine_chance: Probability = 0.8
    """Of turning and shifting."""
    perspective: Probability = 0.2
    """How far corners may move inward, in halves of the side."""
    perspective_chance: Probability = 0.4
    sharpness: Probability = 0.3
    """Upper bound: how much of the difference from a 3×3 blur is added; with `upstream`, how much of it is left."""
    sharpness_chance: Probability = 0.4
    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.01
    """Of hue and saturation."""
    jitter_chance: Probability = 0.7
    noise: Annotated[float, Field(ge=0, le=1)] = DEFAULT_NOISE
    """Upper bound of the deviation of the normal noise added at the end; not clamped."""


def kornia_steps(options: AugmentationOptions, *, upstream: bool) -> list[AugmentationStep]:
    """`kornia`, and `updated` of the command line: a mirror, colours, geometry."""
    jitter, sharpness = color_steps(options, upstream=upstream)
    return compose_warps(
        [*with_flip([*jitter, *sharpness], options, upstream=upstream), *geometric_steps(options, upstream=upstream)]
    )


def nvg_steps(options: AugmentationOptions, *, upstream: bool) -> list[AugmentationStep]:
    """The container's own order: colours jitter after the geometry."""
    jitter, sharpness = color_steps(options, upstream=upstream)
    return compose_warps(
        [*with_flip(sharpness, options, upstream=upstream), *geometric_steps(options, upstream=upstream), *jitter]
    )


def with_flip(parts: list[StepOrWarp], options: AugmentationOptions, *, upstream: bool) -> list[StepOrWarp]:
    """The parts after a mirror. It commutes with colours, so ours comes last and joins the geometry that follows."""
    if not options.flip_chance:
        return parts
    mirror = StepFactory(upstream).geometric(kornia.RandomHorizontalFlip(p=options.flip_chance))
    return [mirror, *parts] if upstream else [*parts, mirror]


def color_steps(options: AugmentationOptions, *, upstream: bool) -> tuple[list[StepOrWarp], list[StepOrWarp]]:
    """The jitter and the sharpness step of `kornia` and `nvg`, each a list of one or none."""
    workshop, hue = StepFactory(upstream), options.jitter
    jitter = workshop.jitter(chance=options.jitter_chance, hue=hue, saturation=hue)
    sharpness = workshop.sharpness(options.sharpness, chance=options.sharpness_chance)
    return [jitter] if hue else [], [sharpness] if options.sharpness else []


def geometric_steps(options: AugmentationOptions, *, upstream: bool) -> list[StepOrWarp]:
    """Turn with shift, and perspective, of `kornia` and `nvg`."""
    workshop, turn = StepFactory(upstream), options.turn_degrees
    affine = workshop.affine(turn, shift=options.shift, chance=options.affine_chance, padding_mode="border")
    perspective = workshop.perspective(options.perspective, chance=options.perspective_chance)
    moves = turn or any(workshop.shift(*options.shift))
    return [*([affine] if moves else []), *([perspective] if options.perspective else [])]


def pooling_steps(*, upstream: bool) -> list[AugmentationStep]:
    """The fixed steps of `updatedpooling`."""
    workshop = StepFactory(upstream)
    return compose_warps(
        [
            workshop.affine(15.0, shift=(0.1, 0.1), chance=0.7, padding_mode="border"),
            workshop.perspective(0.7, chance=0.7),
            workshop.jitter(chance=0.7, hue=0.1, saturation=0.1),
            random_erasing(),
        ]
    )


def random_erasing() -> AugmentationStep:
    """A black rectangle, the same in all views."""
    return KorniaStep(kornia.RandomErasing((0.1, 0.4), (0.3, 1 / 0.3), same_on_batch=True, p=0.7))


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetOptions:
    """What the codes of `latest` and `nrupdated` are made with."""

    workshop: StepFactory
    degrees: float
    """Largest turn of `Af`."""
    distortion: float
    """Of `Pe`, in halves of the side."""
    side: int
    """Pixels of a view."""

    def affine(self) -> StepOrWarp:
        """`Af`: also sheared, along x alone; black outside in the original."""
        shear = (-5.0, 5.0, 0.0, 0.0)
        return self.workshop.affine(self.degrees, shift=(0.1, 0.1), chance=0.7, shear=shear, padding_mode="zeros")

    def resized_crop(self) -> AugmentationStep:
        """`Re`, for all views or none."""
        sides, ranges = (self.side, self.side), {"scale": (0.1, 1.0), "ratio": (0.75, 4 / 3)}
        return KorniaStep(kornia.RandomResizedCrop(sides, p=0.5, cropping_mode="resample", **ranges))


AUGMENTS: Final[dict[Augment, Callable[[PresetOptions], list[StepOrWarp]]]] = {
    "Af": lambda kit: [kit.affine()],
    "Cr": lambda kit: [],  # crops to the side that every view has already
    "Er": lambda kit: [random_erasing()],
    "Et": lambda kit: [KorniaStep(kornia.RandomElasticTransform((63, 63), (32.0, 32.0), (1.0, 1.0), p=0.7))],
    "Gn": lambda kit: [GaussianNoise(deviation=1.0, chance=0.5)],
    "Ji": lambda kit: [kit.workshop.jitter(chance=0.7, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)],
    "Pe": lambda kit: [kit.workshop.perspective(kit.distortion, chance=0.7)],
    "Re": lambda kit: [kit.resized_crop()],
    "Ro": lambda kit: [kit.workshop.geometric(kornia.RandomRotation(15.0, p=0.7))],
    "Sh": lambda kit: [kit.workshop.sharpness(0.3, chance=0.5)],
    "Ts": lambda kit: [KorniaStep(kornia.RandomThinPlateSpline(0.8, same_on_batch=True, p=0.7))],
}
"""The codes of the command line."""


def steps_from_codes(augments: Sequence[Augment], kit: PresetOptions) -> list[AugmentationStep]:
    """The steps behind the codes, in their order."""
    return compose_warps([part for code in augments for part in AUGMENTS[code](kit)])


def latest_steps(augments: Sequence[Augment], *, side: int, upstream: bool) -> list[AugmentationStep]:
    """The codes on pooled pictures."""
    return steps_from_codes(
        augments, PresetOptions(workshop=StepFactory(upstream), degrees=15.0, distortion=0.7, side=side)
    )


def nrupdated_steps(augments: Sequence[Augment], *, side: int, upstream: bool) -> list[AugmentationStep]:
    """The codes on crops."""
    return steps_from_codes(
        augments, PresetOptions(workshop=StepFactory(upstream), degrees=30.0, distortion=0.5, side=side)
    )
