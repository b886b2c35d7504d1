"""What is written into pictures and videos, read back by other programs' means."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from videojob_runner.errors import BadInput
from videojob_runner.media.encode import VideoEncoding, write_mp4
from videojob_runner.media.frames import RgbImage, read_frame
from videojob_runner.media.metadata import (
    copy_metadata,
    mp4_metadata,
    read_metadata,
    save_image,
    stringify,
    write_metadata,
)

from tests.unit.runner.media.clips import brightening

ITEMS = {"text_prompts": "海の夕日, calm: 0.5 | Öl", "iterations": 100, "init_image": None, "seed": 0, "list": []}
TEXTS = {"text_prompts": "海の夕日, calm: 0.5 | Öl", "iterations": "100", "init_image": "", "seed": "0", "list": ""}


@pytest.fixture
def picture() -> RgbImage:
    smooth = np.linspace(0, 255, 32 * 24 * 3).reshape(24, 32, 3)
    return smooth.astype(np.uint8)


def test_what_is_empty_is_kept_as_an_empty_text_and_a_seed_of_0_is_not_empty() -> None:
    assert stringify(ITEMS) == TEXTS


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.JPG"])
def test_every_item_comes_back_in_order_in_any_language(tmp_path: Path, picture: RgbImage, name: str) -> None:
    save_image(tmp_path / name, picture, ITEMS)
    assert list(read_metadata(tmp_path / name).items()) == list(TEXTS.items())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_png_has_one_text_chunk_for_each_item(tmp_path: Path, picture: RgbImage) -> None:
    save_image(tmp_path / "a.png", picture, {"text_prompts": "a red circle", "seed": 7})
    content = (tmp_path / "a.png").read_bytes()
    assert b"tEXttext_prompts\x00a red circle" in content
    assert b"tEXtseed\x007" in content
    assert np.array_equal(read_frame(tmp_path / "a.png"), picture)


def test_a_jpeg_shows_people_title_comment_and_maker(tmp_path: Path, picture: RgbImage) -> None:
    save_image(tmp_path / "a.jpg", picture, {"text_prompts": "a red circle", "seed": 7})
    with Image.open(tmp_path / "a.jpg") as image:
        exif = image.getexif()
        comment = exif.get_ifd(0x8769)[0x9286]
    assert exif[0x0131] == "VideoJob"
    assert exif[0x9C9B].decode("utf-16-le") == "a red circle\0"
    assert exif[0x9C9C].decode("utf-16-le") == "text_prompts: a red circle, seed: 7\0"
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-le") == "text_prompts: a red circle, seed: 7"
    assert 0x9003 not in exif.get_ifd(0x8769), "no invented date"


def test_items_do_not_touch_the_picture(tmp_path: Path, picture: RgbImage) -> None:
    for name in ("a.png", "a.jpg"):
        save_image(tmp_path / name, picture)
        plain = read_frame(tmp_path / name)
        write_metadata(tmp_path / name, ITEMS)
        write_metadata(tmp_path / name, {"seed": 8})
        assert np.array_equal(read_frame(tmp_path / name), plain)
        assert read_metadata(tmp_path / name) == {"seed": "8"}


def test_a_photograph_keeps_what_says_how_the_phone_was_held(tmp_path: Path, picture: RgbImage) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif)
    write_metadata(tmp_path / "a.jpg", ITEMS)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getexif()[0x0112] == 6


def test_a_jpeg_is_as_good_as_the_eye_wants(tmp_path: Path, picture: RgbImage) -> None:
    save_image(tmp_path / "a.jpg", picture)
    assert np.abs(read_frame(tmp_path / "a.jpg").astype(int) - picture).mean() < 2


@pytest.mark.parametrize("name", ["a.bmp", "a.webp", "a.png", "a.jpg"])
def test_without_items_any_format_of_pillow_will_do(tmp_path: Path, picture: RgbImage, name: str) -> None:
    save_image(tmp_path / name, picture)
    assert read_frame(tmp_path / name).shape == picture.shape


def test_items_where_they_have_no_place_are_refused_before_anything_is_written(
    tmp_path: Path, picture: RgbImage
) -> None:
    with pytest.raises(ValueError, match=r"'a\.bmp' cannot store metadata; use \.png"):
        save_image(tmp_path / "a.bmp", picture, ITEMS)
    assert list(tmp_path.iterdir()) == []


def test_pillow_s_own_words_reach_the_caller(tmp_path: Path, picture: RgbImage) -> None:
    with pytest.raises(ValueError, match="unknown file extension"):
        save_image(tmp_path / "a.picture", picture)


def test_a_prompt_as_long_as_a_book_does_not_fit_into_a_jpeg(tmp_path: Path, picture: RgbImage) -> None:
    with pytest.raises(ValueError, match=r"at most 65533 bytes.*save a PNG"):
        save_image(tmp_path / "a.jpg", picture, {"text_prompts": "x" * 40_000})
    assert list(tmp_path.iterdir()) == []


class TestCopying:
    @pytest.mark.parametrize(("source", "target"), [("a.png", "b.png"), ("a.jpg", "b.jpg"), ("a.png", "b.jpeg")])
    def test_a_picture_gets_another_s_items_and_keeps_its_format(
        self, tmp_path: Path, picture: RgbImage, source: str, target: str
    ) -> None:
        save_image(tmp_path / source, picture, ITEMS)
        save_image(tmp_path / target, picture[::-1].copy())
        before = read_frame(tmp_path / target)
        copy_metadata(tmp_path / source, tmp_path / target)
        assert read_metadata(tmp_path / target) == TEXTS
        assert np.array_equal(read_frame(tmp_path / target), before)
        with Image.open(tmp_path / target) as image:
            assert image.format == ("PNG" if target.endswith("png") else "JPEG")

    def test_a_source_without_items_takes_none_away(self, tmp_path: Path, picture: RgbImage) -> None:
        save_image(tmp_path / "a.jpg", picture)
        save_image(tmp_path / "b.png", picture, ITEMS)
        copy_metadata(tmp_path / "a.jpg", tmp_path / "b.png")
        assert read_metadata(tmp_path / "b.png") == TEXTS

    def test_a_folder_gives_each_picture_its_namesake_s_items(self, tmp_path: Path, picture: RgbImage) -> None:
        for folder in ("from", "to"):
            (tmp_path / folder).mkdir()
            for index in range(3):
                items = {"seed": index + 1} if folder == "from" else None
                save_image(tmp_path / folder / f"0000{index}.png", picture, items)
        (tmp_path / "from" / "notes.txt").write_text("not a picture")
        copy_metadata(tmp_path / "from", tmp_path / "to")
        assert [read_metadata(path)["seed"] for path in sorted((tmp_path / "to").iterdir())] == ["1", "2", "3"]

    def test_a_missing_namesake_is_named_before_anything_is_written(self, tmp_path: Path, picture: RgbImage) -> None:
        for folder, count in (("from", 2), ("to", 1)):
            (tmp_path / folder).mkdir()
            for index in range(count):
                items = {"seed": 5} if folder == "from" else None
                save_image(tmp_path / folder / f"0000{index}.png", picture, items)
        with pytest.raises(BadInput, match=r"'to' has no '00001\.png'"):
            copy_metadata(tmp_path / "from", tmp_path / "to")
        assert read_metadata(tmp_path / "to" / "00000.png") == {}


def test_a_stranger_s_comment_is_not_taken_for_items(tmp_path: Path, picture: RgbImage) -> None:
    for comment in (b"holiday", b"[1]", b"\xff\xfe"):
        Image.fromarray(picture).save(tmp_path / "a.jpg", comment=comment)
        assert read_metadata(tmp_path / "a.jpg") == {}


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=f"there is no file '{name}'"):
        read_metadata(tmp_path / name)
    (tmp_path / name).write_text("a poem")
    with pytest.raises(BadInput, match=f"'{name}' is not a readable image"):
        write_metadata(tmp_path / name, ITEMS)


def test_an_mp4_has_the_prompts_as_title_and_everything_as_comment(tmp_path: Path) -> None:
    about = mp4_metadata(ITEMS)
    write_mp4(tmp_path / "a.mp4", brightening(2), VideoEncoding(metadata=about))
    with av.open(str(tmp_path / "a.mp4")) as video:
        assert video.metadata["title"] == ITEMS["text_prompts"]
        assert json.loads(video.metadata["comment"]) == TEXTS
        assert video.metadata["description"] == "made by VideoJob"


def test_without_prompts_there_is_no_title() -> None:
    assert "title" not in mp4_metadata({"seed": 7})
