"""
config.json in either form, read once into what the rest of the runner works with.

Reading goes in two steps: `peek_uid` takes the uid from anything that is JSON, so that even a bad configuration fails
under its own name; `read_job` then checks the whole document, without importing any engine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from videojob_api.config import FlatConfig, RunnerConfig
from videojob_api.spec import ModelSource

from videojob_runner.contract import flat
from videojob_runner.contract.errors import BadConfig

ModelT = TypeVar("ModelT", bound=BaseModel)

DEFAULT_SIZE = 480
LARGEST_SIDE = 8192
LONGEST_UID = 253
LONGEST_NAME = 200
"""Bytes of the video's base name; file systems take 255 with the ending and our temporary prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work, as config.json says it."""

    uid: str
    video: str
    """File name of the mp4."""
    arm: str
    """Which pipeline, and so which engine."""
    options: Mapping[str, Any]
    """The arm as a document, for the engine's own model to check."""
    frames: int | None
    """How many frames there will be; None when only the engine knows."""
    size: tuple[int, int]
    """Width and height in pixels."""
    fps: float
    crf: int = 23
    seed: int | None = None
    models: tuple[ModelSource, ...] = ()
    is_flat: bool = False
    digest: str
    """sha256 of what was asked for: a checkpoint of another question is of no use."""


def load_document(path: Path) -> dict[str, Any]:
    """config.json as a dictionary. Raises BadConfig when there is none or it is no JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadConfig(f"there is no {path}; put the configuration there") from None
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{path} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadConfig(f"{path} must hold a JSON object, not {type(document).__name__}")
    return document


def peek_uid(document: Mapping[str, Any]) -> str:
    """The uid that a configuration of either form claims. Raises BadConfig when it has none that fits into STATUS."""
    field = "uid" if "apiVersion" in document else "unique_id"
    uid = document.get(field)
    if isinstance(uid, int) and not isinstance(uid, bool):
        uid = str(uid)
    if not isinstance(uid, str) or not uid.strip():
        raise BadConfig(f"is required and must be a text, not {uid!r}", field=field)
    if len(uid) > LONGEST_UID or not uid.isprintable():
        raise BadConfig(f"must be at most {LONGEST_UID} printable characters, not {uid[:40]!r}", field=field)
    return uid


def read_job(document: Mapping[str, Any]) -> Job:
    """The job that config.json describes. Raises BadConfig with the field, the value and what would be right."""
    read = _read_ours if "apiVersion" in document else _read_flat
    job = read(document)
    for field, side in zip(("width", "height"), job.size, strict=True):
        if not 1 <= side <= LARGEST_SIDE:
            raise BadConfig(f"must be within 1…{LARGEST_SIDE}, not {side}", field=field)
    return job


def video_name(name: str) -> str:
    """The mp4's file name: spaces and separators become `_`, and it is neither an option, nor hidden, nor a way up."""
    plain = re.sub(r"[\s/\\\x00-\x1f\x7f]", "_", name).replace("..", "__")
    plain = re.sub(r"^[-.]", "_", plain)
    return plain.encode()[:LONGEST_NAME].decode(errors="ignore") + ".mp4"


def checked(validate: Callable[[], ModelT], *, prefix: str = "") -> ModelT:
    """What `validate` returns; a ValidationError becomes a BadConfig that names its first field, after `prefix`."""
    try:
        return validate()
    except ValidationError as error:
        first = error.errors()[0]
        field = prefix + ".".join(str(part) for part in first["loc"])
        value = "" if first["type"] == "missing" else f", not {str(first['input'])[:80]!r}"
        raise BadConfig(f"{first['msg']}{value}", field=field) from None


def digest_of(document: Mapping[str, Any]) -> str:
    """sha256 of a JSON document, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _read_ours(document: Mapping[str, Any]) -> Job:
    config = checked(lambda: RunnerConfig.model_validate(document))
    arms = config.pipeline.model_dump(mode="json", by_alias=True, exclude_none=True)
    if len(arms) != 1:
        raise BadConfig(f"must hold exactly one pipeline, not {len(arms)}", field="pipeline")
    [(arm, options)] = arms.items()
    return Job(
        uid=config.uid,
        video=video_name(config.name or config.uid),
        arm=arm,
        options=options,
        frames=frames_of(options),
        size=(options.get("width", DEFAULT_SIZE), options.get("height", DEFAULT_SIZE)),
        fps=config.encoding.fps,
        crf=config.encoding.crf,
        seed=options.get("seed"),
        models=tuple(config.models or ()),
        digest=digest_of(document),
    )


def _read_flat(document: Mapping[str, Any]) -> Job:
    config = checked(lambda: FlatConfig.model_validate(flat.renamed(document)))
    options = flat.engine_options(config)
    return Job(
        uid=config.unique_id,
        video=video_name(config.unique_id),
        arm=flat.ARM,
        options=options,
        frames=config.num_frames,
        size=(config.width, config.height),
        fps=config.fps,
        seed=options.get("seed"),
        is_flat=True,
        digest=digest_of(document),
    )


def frames_of(options: Mapping[str, Any]) -> int | None:
    """How many frames a pipeline's form makes: `video` its frames, `image` one for each `saveEvery` and the last."""
    if "video" in options:
        return int(options["video"]["frames"])
    if "image" in options:
        iterations, every = int(options["image"]["iterations"]), options["image"].get("saveEvery")
        return -(-iterations // int(every)) if every else 1
    return None
