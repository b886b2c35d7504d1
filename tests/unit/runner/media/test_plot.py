"""The plot of losses."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from videojob_runner.media.plot import (
    BACKGROUND_COLOR,
    COLORS,
    LEFT,
    MARKER_COLOR,
    OVERFLOW_COLOR,
    ROW_PIXELS,
    Axes,
    plot_metrics,
    running_mean,
    split_at,
    ticks,
)


def drawn(target: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(target) as image:
        return np.asarray(image.convert("RGB"))


def places_of(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], colour: tuple[int, int, int]) -> np.ndarray:
    """Row and column of all pixels of a colour between title and legend."""
    rows, columns = np.nonzero((pixels[36:520] == np.array(colour)).all(axis=2))
    return np.stack([rows + 36, columns], axis=1)


def test_a_falling_loss_goes_from_top_left_to_bottom_right(tmp_path: Path) -> None:
    plot_metrics(
        tmp_path / "x" / "plot.png", {"loss": [(step, 1 - step / 200) for step in range(1, 201)]}, title="sunset"
    )
    line = places_of(drawn(tmp_path / "x" / "plot.png"), COLORS[0])
    by_column = line[line[:, 1].argsort()]
    assert np.corrcoef(by_column[:, 1], by_column[:, 0])[0, 1] > 0.999, "rows count downwards"
    assert (by_column[0, 1] < 90, by_column[-1, 1] > 930) == (True, True)


def test_each_series_has_its_colour_and_what_is_not_finite_is_left_out(tmp_path: Path) -> None:
    series = {"a": [(1.0, 0.0), (2.0, float("nan")), (3.0, 1.0)], "b": [(1.0, 1.0), (3.0, 0.0)], "c": []}
    plot_metrics(tmp_path / "plot.png", series, title="")
    pixels = drawn(tmp_path / "plot.png")
    assert len(places_of(pixels, COLORS[0])) > 100
    assert len(places_of(pixels, COLORS[1])) > 100
    assert len(places_of(pixels, COLORS[2])) == 0


def test_a_curve_breaks_off_where_another_part_of_the_run_begins(tmp_path: Path) -> None:
    """High before step 100, low from there on: unbroken, a stroke leads down through the middle."""
    points = [(float(step), float(step < 100)) for step in range(200)]
    for marks, falls in (({}, True), ({100.0: "phrase 2"}, False)):
        plot_metrics(tmp_path / "plot.png", {"loss": points}, title="", marks=marks)
        pixels = drawn(tmp_path / "plot.png")
        middle = places_of(pixels, COLORS[0])[:, 0]
        assert bool(((middle > 200) & (middle < 340)).any()) is falls
        assert (len(places_of(pixels, MARKER_COLOR)) > 400) is not falls, "an upright line from top to bottom"


@pytest.mark.parametrize(("second", "is_named"), [(102.0, False), (150.0, True)])
def test_the_name_of_a_part_is_left_out_where_it_would_run_into_the_one_before(
    tmp_path: Path, second: float, is_named: bool
) -> None:
    for name, word in (("named.png", "phrase 2"), ("bare.png", "")):
        marks = {100.0: "phrase 1", second: word}
        plot_metrics(tmp_path / name, {"loss": [(step, 0.5) for step in range(200)]}, title="", marks=marks)
    assert np.array_equal(drawn(tmp_path / "named.png"), drawn(tmp_path / "bare.png")) is not is_named


def test_more_curves_than_colours_are_gray_and_counted(tmp_path: Path) -> None:
    series = {f"curve {index}": [(1.0, index), (9.0, index)] for index in range(30)}
    plot_metrics(tmp_path / "plot.png", series, title="")
    pixels = drawn(tmp_path / "plot.png")
    assert pixels.shape == (540 + 5 * ROW_PIXELS, 960, 3), "nine names and the rest's, in two columns"
    assert all(len(places_of(pixels, colour)) > 100 for colour in (*COLORS, OVERFLOW_COLOR))


def test_a_name_as_long_as_a_story_stays_in_its_column(tmp_path: Path) -> None:
    series = {f"{index}: {'a red circle on a white background ' * 5}": [(1.0, 0.0), (2.0, 1.0)] for index in (1, 2, 3)}
    plot_metrics(tmp_path / "plot.png", series, title="")
    below = drawn(tmp_path / "plot.png")[540:]
    middle = LEFT + (960 - LEFT - 16) // 2
    assert bool((below[:, middle - 8 : middle - 2] == np.array(BACKGROUND_COLOR)).all())
    assert bool((below[:, -16:] == np.array(BACKGROUND_COLOR)).all())
    assert not bool((below[:, middle - 60 : middle - 20] == np.array(BACKGROUND_COLOR)).all()), "but it uses its room"


def test_a_sum_can_be_seen_beside_the_only_thing_it_is_made_of(tmp_path: Path) -> None:
    same = [(1.0, 0.0), (9.0, 1.0)]
    plot_metrics(tmp_path / "plot.png", {"loss": same, "loss: a": same}, title="")
    pixels = drawn(tmp_path / "plot.png")
    assert all(len(places_of(pixels, colour)) > 500 for colour in COLORS[:2])


def test_pieces_lie_between_the_breaks() -> None:
    points = np.stack([np.arange(6.0), np.arange(6.0)], axis=1)
    assert [piece[:, 0].tolist() for piece in split_at(points, [0.0, 2.0, 2.5, 9.0])] == [[0, 1], [2], [3, 4, 5]]


@pytest.mark.parametrize("points", [[(1.0, 0.5)], [(1.0, 0.0), (2.0, 0.0)], [(1.0, -3.0), (9.0, 1e9)]])
def test_one_value_equal_ones_and_large_ones_can_be_drawn(tmp_path: Path, points: list[tuple[float, float]]) -> None:
    plot_metrics(tmp_path / "plot.png", {"loss": points}, title="t")
    assert len(places_of(drawn(tmp_path / "plot.png"), COLORS[0])) > 0


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        plot_metrics(tmp_path / "plot.png", {"loss": [(1, float("inf"))]}, title="")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.81, 0.96, [0.85, 0.9, 0.95]),
        (1, 300, [50, 100, 150, 200, 250, 300]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_the_running_mean_keeps_ends_and_even_slopes_and_takes_the_noise_away() -> None:
    steps = np.arange(200.0)
    slope = np.stack([steps, 3 * steps], axis=1)
    assert np.allclose(running_mean(slope), slope)
    noisy = np.stack([steps, np.where(steps % 2, 1.0, -1.0)], axis=1)
    assert np.abs(running_mean(noisy)[20:-20, 1]).max() < 0.2
    assert running_mean(noisy)[0, 1] == -1


def test_values_land_where_the_axes_say() -> None:
    frame = Axes(steps=(0, 10), values=(0, 1), left=100, right=200, top=10, bottom=60)
    assert frame.pixels(np.array([[0.0, 0.0], [5.0, 0.5], [10.0, 1.0]])) == [(100, 60), (150, 35), (200, 10)]
