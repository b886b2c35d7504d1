"""The frames of TEST mode and the contact sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from videojob_runner.media.contact_sheet import GAP_PIXELS, evenly_spaced, write_contact_sheet
from videojob_runner.media.frames import save_png
from videojob_runner.media.text_frames import simulated_frame, title_card, wrap_text


def test_the_text_wraps_at_thirty_columns() -> None:
    lines = wrap_text("Unique ID: " + "x" * 40 + " Frame: 1 of 30").split("\n")
    assert max(len(line) for line in lines) <= 30
    assert "".join(lines).replace(" ", "") == "UniqueID:" + "x" * 40 + "Frame:1of30"


@pytest.mark.parametrize("size", [(480, 480), (64, 48), (16, 16), (33, 31)])
def test_a_simulated_frame_has_the_size_asked_for(size: tuple[int, int]) -> None:
    assert simulated_frame("a b", index=0, total=3, size=size).shape == (size[1], size[0], 3)


def test_the_first_of_thousands_of_frames_has_a_bar_of_no_width() -> None:
    assert simulated_frame("a b", index=0, total=4000, size=(64, 64)).shape == (64, 64, 3)


def test_the_text_stands_in_the_middle_in_white() -> None:
    frame = simulated_frame("sunset", index=4, total=30, size=(480, 480)).astype(int)
    rows, columns = np.nonzero(frame.min(axis=2) > 250)
    assert len(rows) > 500, "there is white writing"
    assert (rows.min() + rows.max()) / 2 == pytest.approx(240, abs=20)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(240, abs=20)


def test_frames_of_other_ids_and_numbers_look_different() -> None:
    def text_of(uid: str, index: int) -> bytes:
        frame = simulated_frame(uid, index=index, total=9, size=(240, 240))
        return bytes(frame.min(axis=2) > 250)

    assert len({text_of("a", 0), text_of("b", 0), text_of("a", 1)}) == 3


def test_the_bar_is_full_with_the_last_frame_only() -> None:
    def share(index: int) -> float:
        bottom = simulated_frame("a", index=index, total=4, size=(200, 100))[-1].astype(int)
        return float((bottom[:, 0] > 200).mean())

    assert [share(index) for index in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.01)


@pytest.mark.parametrize("text", ["Sunrise", "a very long story " * 12])
def test_a_title_card_is_white_on_black_and_leaves_a_margin(text: str) -> None:
    card = title_card(text, size=(320, 192))
    rows, columns = np.nonzero(card.min(axis=2) > 200)
    assert len(rows) > 50
    assert (rows.min() > 2, rows.max() < 189, columns.min() > 2, columns.max() < 317) == (True,) * 4
    assert (rows.min() + rows.max()) / 2 == pytest.approx(96, abs=8)
    assert np.median(card) == 0


@pytest.mark.parametrize("text", ["", "   ", "word " * 300])
def test_a_title_card_has_its_size_whatever_stands_on_it(text: str) -> None:
    assert title_card(text, size=(64, 48)).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("total", "wanted", "chosen"),
    [(3, 5, [0, 1, 2]), (10, 4, [0, 3, 6, 9]), (100, 2, [0, 99]), (7, 1, [0]), (0, 4, [])],
)
def test_cells_are_spread_evenly_with_both_ends(total: int, wanted: int, chosen: list[int]) -> None:
    assert evenly_spaced(total, wanted) == chosen


def test_a_contact_sheet_shows_first_and_last_frame_in_its_corners(tmp_path: Path) -> None:
    paths = []
    for index in range(10):
        paths.append(tmp_path / f"{index:05}.png")
        save_png(paths[-1], np.full((32, 64, 3), 25 * index, dtype=np.uint8), {})
    write_contact_sheet(paths, tmp_path / "sheets" / "sheet.png", cells=6, columns=3, side=48)
    with Image.open(tmp_path / "sheets" / "sheet.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape == (2 * (48 + GAP_PIXELS) + GAP_PIXELS, 3 * (48 + GAP_PIXELS) + GAP_PIXELS, 3)
    assert sheet[GAP_PIXELS + 24, GAP_PIXELS + 40].tolist() == [0, 0, 0]
    assert sheet[-GAP_PIXELS - 24, -GAP_PIXELS - 8].tolist() == [225, 225, 225]


def test_a_contact_sheet_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        write_contact_sheet([], tmp_path / "sheet.png")
