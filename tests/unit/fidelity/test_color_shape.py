"""The classical judge on pictures drawn here, with Pillow, by nobody it knows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.fidelity.evaluators.color_shape import NAMED, ShapeVerdict, classify, nearest_name

SIDE = 64
Point = tuple[float, float]


def corners(count: int, *, radius: float, turn: float, inner: float = 0.0) -> list[Point]:
    steps = count * (2 if inner else 1)
    radii = [radius if not inner or i % 2 == 0 else inner for i in range(steps)]
    angles = [turn + 2 * math.pi * i / steps - math.pi / 2 for i in range(steps)]
    return [(2 * SIDE + r * math.cos(a), 2 * SIDE + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


def plus(radius: float, turn: float) -> list[Point]:
    arm = radius / 3
    outline = [(-arm, -radius), (arm, -radius), (arm, -arm), (radius, -arm), (radius, arm), (arm, arm)]
    outline += [(-x, -y) for x, y in outline]
    cos, sin = math.cos(turn), math.sin(turn)
    return [(2 * SIDE + cos * x - sin * y, 2 * SIDE + sin * x + cos * y) for x, y in outline]


def picture(shape: str, colour: str, background: str, *, radius: float = 70, turn: float = 0.0) -> Image.Image:
    canvas = Image.new("RGB", (4 * SIDE, 4 * SIDE), NAMED[background])
    pen, fill, middle = ImageDraw.Draw(canvas), NAMED[colour], 2 * SIDE
    round_box = (middle - radius, middle - radius, middle + radius, middle + radius)
    match shape:
        case "circle":
            pen.ellipse(round_box, fill=fill)
        case "ring":
            pen.ellipse(round_box, outline=fill, width=int(radius / 2.5))
        case "cross":
            pen.polygon(plus(radius, turn), fill=fill)
        case "star":
            pen.polygon(corners(5, radius=radius, turn=turn, inner=radius * 0.42), fill=fill)
        case _:
            pen.polygon(
                corners(
                    {"triangle": 3, "square": 4}[shape], radius=radius, turn=turn + (math.pi / 4) * (shape == "square")
                ),
                fill=fill,
            )
    return canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "star", "cross", "ring"])
@pytest.mark.parametrize("turn", [0.0, 0.2, -0.35])
@pytest.mark.parametrize("radius", [45.0, 70.0, 100.0])
def test_every_shape_is_named_at_every_size_and_tilt(shape: str, turn: float, radius: float) -> None:
    seen = classify(np.asarray(picture(shape, "yellow", "blue", radius=radius, turn=turn)))
    assert seen == ShapeVerdict(shape, "yellow", "blue")


@pytest.mark.parametrize(("colour", "background"), list(itertools.permutations(NAMED, 2)))
def test_every_pair_of_colours_is_told_apart(colour: str, background: str) -> None:
    seen = classify(np.asarray(picture("circle", colour, background)))
    assert (seen.colour, seen.background, seen.shape) == (colour, background, "circle")


@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "star", "cross", "ring"])
def test_blur_and_noise_do_not_change_the_verdict(shape: str) -> None:
    soft = np.asarray(picture(shape, "green", "white", turn=0.1).filter(ImageFilter.GaussianBlur(0.7)), float)
    noisy = np.clip(soft + np.random.default_rng(3).normal(0, 6, soft.shape), 0, 255).astype(np.uint8)
    assert classify(noisy) == ShapeVerdict(shape, "green", "white")


@pytest.mark.parametrize("shape", ["circle", "square", "triangle", "star", "cross", "ring"])
def test_specks_and_an_uneven_background_do_not_change_the_verdict(shape: str) -> None:
    rng = np.random.default_rng(4)
    image = np.asarray(picture(shape, "white", "purple", radius=80), float)
    image += np.linspace(-18, 18, SIDE)[None, :, None]
    ys, xs = rng.integers(0, SIDE, (2, 40))
    image[ys, xs] = rng.uniform(0, 255, (40, 3))
    assert classify(np.clip(image, 0, 255).astype(np.uint8)) == ShapeVerdict(shape, "white", "purple")


@pytest.mark.parametrize("background", list(NAMED))
def test_an_empty_picture_shows_none(background: str) -> None:
    assert classify(np.asarray(Image.new("RGB", (SIDE, SIDE), NAMED[background]))).shape == "none"


def test_a_smooth_gradient_is_not_taken_for_a_shape() -> None:
    ramp = np.linspace(110, 145, SIDE).astype(np.uint8)
    assert classify(np.broadcast_to(ramp[None, :, None], (SIDE, SIDE, 3)).copy()).shape == "none"


def test_a_larger_picture_gets_the_same_verdict() -> None:
    large = picture("star", "red", "black").resize((160, 160), Image.Resampling.BICUBIC)
    assert classify(np.asarray(large)) == ShapeVerdict("star", "red", "black")


@pytest.mark.parametrize(("rgb", "name"), [((180, 30, 60), "red"), ((90, 90, 95), "gray"), ((255, 255, 200), "white")])
def test_colours_off_the_palette_go_to_the_nearest_name(rgb: tuple[int, int, int], name: str) -> None:
    assert nearest_name(np.array(rgb)) == name
