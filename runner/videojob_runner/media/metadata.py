"""
How a picture or a video came about, written into it (specification §4.7).

Items are pairs of a name and a value, in order: `text_prompts`, `seed` and so on; what is absent or empty is kept as an
empty text (upstream did so with 0 as well, which for us is a seed like any other). A PNG holds one text chunk for each.
A JPEG holds them twice: for people as EXIF, in the fields that file managers show, and for programs as JSON in its
comment, since a list joined by commas cannot be taken apart again once a prompt holds one. An mp4 holds the prompts as
its title and the JSON as its comment.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from videojob_runner.errors import BadInput
from videojob_runner.media.frames import RgbImage

SOFTWARE: Final = "VideoJob"
TITLE: Final = "text_prompts"
"""The item that serves as a title."""
JPEG_QUALITY: Final = 95
"""Without visible blocks; upstream's 75 shows them (quirk Q-17)."""

_PNG, _JPEG = (".png",), (".jpg", ".jpeg")
_SOFTWARE, _XP_TITLE, _XP_COMMENT, _EXIF_FOLDER, _USER_COMMENT = 0x0131, 0x9C9B, 0x9C9C, 0x8769, 0x9286
_EXIF, _COMMENT = b"\xff\xe1", b"\xff\xfe"
"""Markers of the JPEG segments that hold metadata."""

Items = Mapping[str, object]


def stringify(items: Items) -> dict[str, str]:
    """Every value as text; None and empty lists as the empty one."""
    return {name: "" if value is None or value == [] else str(value) for name, value in items.items()}


def save_image(path: Path, pixels: RgbImage, items: Items | None = None) -> None:
    """
    Writes H×W×3 of uint8 in the format that the ending of `path` says, with its items if there are any.

    Raises ValueError for items in a format that has no place for them, and whatever Pillow says.
    """
    if items:
        _kind(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")  # the ending tells Pillow the format
    try:
        image = Image.fromarray(pixels)
        if _is(path, _JPEG):
            image.save(part, quality=JPEG_QUALITY)
        else:
            image.save(part)
        if items:
            write_metadata(part, items)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_metadata(path: Path, items: Items) -> None:
    """Gives an existing PNG or JPEG these items instead of its own; no pixel changes. Raises ValueError, BadInput."""
    content = _kind(path)[1](path, stringify(items))
    part = path.with_name(f".{path.name}.meta")
    part.write_bytes(content)
    part.replace(path)


def read_metadata(path: Path) -> dict[str, str]:
    """The items of a PNG or JPEG of ours; none: an empty mapping. Raises ValueError for other endings, BadInput."""
    return _kind(path)[0](path)


def copy_metadata(source: Path, target: Path) -> None:
    """
    Gives `target` the items of `source`: a picture to a picture, or each of a folder to its namesake in the other.

    Formats may differ. Raises BadInput, before anything is written, when a picture has no namesake.
    """
    if source.is_dir():
        pictures = [path for path in sorted(source.iterdir()) if _is(path, (*_PNG, *_JPEG))]
        for picture in pictures:
            if not (target / picture.name).is_file():
                raise BadInput(
                    f"{target.name!r} has no {picture.name!r}; each image needs a file of the same name there"
                )
        for picture in pictures:
            copy_metadata(picture, target / picture.name)
    elif items := read_metadata(source):
        write_metadata(target, items)


def mp4_metadata(items: Items) -> dict[str, str]:
    """The items as `Encoding.metadata`: a title for people, everything for programs, and who made it."""
    texts = stringify(items)
    title = {"title": texts[TITLE]} if texts.get(TITLE) else {}
    return title | {"comment": _as_json(texts), "description": f"made by {SOFTWARE}"}


def _is(path: Path, endings: tuple[str, ...]) -> bool:
    return path.suffix.lower() in endings


def _read_png(path: Path) -> dict[str, str]:
    with _opened(path) as image:
        return {str(key): str(value) for key, value in image.text.items()} if isinstance(image, PngImageFile) else {}


def _read_jpeg(path: Path) -> dict[str, str]:
    with _opened(path) as image:
        comment = image.info.get("comment", b"")
    try:
        found = json.loads(comment)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _with_png_items(path: Path, texts: Mapping[str, str]) -> bytes:
    chunks, buffer = PngInfo(), io.BytesIO()
    for name, value in texts.items():
        chunks.add_text(name, value)
    with _opened(path) as image:
        image.save(buffer, format="PNG", pnginfo=chunks)
    return buffer.getvalue()


def _with_jpeg_items(path: Path, texts: Mapping[str, str]) -> bytes:
    """The file with both segments behind its start; the compressed picture is taken over byte by byte."""
    with _opened(path) as image:
        exif = image.getexif()  # which may say how a phone was held
    _tell(exif, texts)
    content = path.read_bytes()
    segments = _segment(_EXIF, exif.tobytes()) + _segment(_COMMENT, _as_json(texts).encode())
    return content[:2] + segments + _without_metadata(content)


def _without_metadata(content: bytes) -> bytes:
    """What follows a JPEG's start, but for its EXIF and comment segments."""
    at, kept = 2, b""
    while content[at : at + 1] == b"\xff" and content[at + 1] not in (0xDA, 0xD9):  # the picture itself, or the end
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if content[at : at + 2] not in (_EXIF, _COMMENT):
            kept += content[at:end]
        at = end
    return kept + content[at:]


def _segment(marker: bytes, payload: bytes) -> bytes:
    if len(payload) > 65_533:
        raise ValueError(f"a JPEG holds at most 65533 bytes of metadata, not {len(payload)}; save a PNG instead")
    return marker + (len(payload) + 2).to_bytes(2, "big") + payload


def _tell(exif: Image.Exif, texts: Mapping[str, str]) -> None:
    everything = ", ".join(f"{name}: {value}" for name, value in texts.items())
    exif[_SOFTWARE] = SOFTWARE
    exif[_XP_TITLE] = _for_windows(next(iter(texts.values()), ""))
    exif[_XP_COMMENT] = _for_windows(everything)
    exif.get_ifd(_EXIF_FOLDER)[_USER_COMMENT] = b"UNICODE\x00" + everything.encode("utf-16-le")


def _for_windows(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\x00\x00"


def _as_json(texts: Mapping[str, str]) -> str:
    return json.dumps(dict(texts), ensure_ascii=False)


def _opened(path: Path) -> Image.Image:
    if not path.is_file():
        raise BadInput(f"there is no file {path.name!r}")
    try:
        return Image.open(path)
    except OSError as error:
        raise BadInput(f"{path.name!r} is not a readable image: {error}") from error


_Read = Callable[[Path], dict[str, str]]
_With = Callable[[Path, Mapping[str, str]], bytes]
_KINDS: Final[Mapping[tuple[str, ...], tuple[_Read, _With]]] = {
    _PNG: (_read_png, _with_png_items),
    _JPEG: (_read_jpeg, _with_jpeg_items),
}


def _kind(path: Path) -> tuple[_Read, _With]:
    for endings, kind in _KINDS.items():
        if _is(path, endings):
            return kind
    raise ValueError(f"{path.name!r} cannot store metadata; use .png, .jpg or .jpeg, or omit the metadata")
