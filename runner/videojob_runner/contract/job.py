"""
config.json in either form, read once into what the rest of the runner works with.

Reading goes in two steps: `peek_uid` takes the uid from anything that looks like it, so that even a bad configuration
fails under its own name; `read_job` then checks the whole document, without importing any engine.
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
from videojob_api.contract import config as documents
from videojob_api.contract import legacy
from videojob_api.contract.config import LegacyConfig, RunnerConfig, read_config
from videojob_api.resource.post import PostStep
from videojob_api.resource.spec import CheckpointPolicy, ModelSource
from videojob_api.validation.problems import field_problems

from videojob_runner.errors import BadConfig

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_UID_CHARS = 253
MAX_NAME_BYTES = 200
"""Bytes of the video's base name; file systems take 255 with the ending and our temporary prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerJob:
    """One piece of work, as config.json says it."""

    uid: str
    video: str
    """File name of the mp4."""
    pipeline: str
    """Which pipeline, and so which engine."""
    options: Mapping[str, Any]
    """The arm as a document, for the engine's own model to check."""
    frames: int | None
    """How many frames there will be; None when only the engine knows."""
    simulated_frames: int | None
    """How many TEST makes; None: as many as its duration takes."""
    size: tuple[int, int]
    """Width and height in pixels."""
    fps: float
    crf: int = 23
    seed: int | None = None
    title: str | None = None
    """In the video's metadata."""
    models: tuple[ModelSource, ...] = ()
    post: tuple[PostStep, ...] = ()
    checkpoint_seconds: float = CheckpointPolicy().interval_seconds
    is_legacy: bool = False
    digest: str
    """sha256 of what was asked for: a checkpoint of another question is of no use."""


def read_bytes(path: Path) -> bytes:
    """config.json as it lies there. Raises BadConfig when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BadConfig(f"there is no {path}; put the configuration there") from None


def peek_uid(text: bytes) -> str | None:
    """The uid that a configuration of either form claims, right or wrong otherwise; None without a usable one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    claimed = [document.get(field) for field in ("uid", "unique_id")] if isinstance(document, dict) else []
    return next((str(uid) for uid in claimed if isinstance(uid, str | int) and _fits_into_status(str(uid))), None)


def read_job(text: bytes) -> RunnerJob:
    """The job that config.json describes. Raises BadConfig with the field, the value and what would be right."""
    try:
        config = read_config(text)
        fingerprinted = config.model_dump_json(exclude={"checkpoint"})  # how often to save is no part of it
        digest = hashlib.sha256(fingerprinted.encode()).hexdigest()
        return _ours(config, digest) if isinstance(config, RunnerConfig) else _flat(config, digest)
    except documents.InvalidConfig as error:
        raise BadConfig(str(error)) from None


def _fits_into_status(uid: str) -> bool:
    return bool(uid.strip()) and uid.isprintable() and len(uid) <= MAX_UID_CHARS


def video_name(name: str) -> str:
    """The mp4's file name: spaces and separators become `_`, and it is neither an option, nor hidden, nor a way up."""
    plain = re.sub(r"[\s/\\\x00-\x1f\x7f]", "_", name).replace("..", "__")
    plain = re.sub(r"^[-.]", "_", plain)
    return plain.encode()[:MAX_NAME_BYTES].decode(errors="ignore") + ".mp4"


def validate_config(validate: Callable[[], ModelT], *, prefix: str = "") -> ModelT:
    """What `validate` returns; a ValidationError becomes a BadConfig that names each field, after `prefix`."""
    try:
        return validate()
    except ValidationError as error:
        raise BadConfig("; ".join(f"{prefix}{problem}" for problem in field_problems(error))) from None


def _ours(config: RunnerConfig, digest: str) -> RunnerJob:
    arm, pipeline = config.pipeline.member()
    options = pipeline.model_dump(mode="json", by_alias=True, exclude_none=True)
    return RunnerJob(
        uid=config.uid,
        video=video_name(config.name or config.uid),
        pipeline=arm,
        options=options,
        frames=pipeline.frame_count(),
        simulated_frames=pipeline.frame_count(),
        size=pipeline.frame_size(),
        fps=config.encoding.fps,
        crf=config.encoding.crf,
        seed=options.get("seed"),
        title=pipeline.title(),
        models=tuple(config.models or ()),
        post=tuple(config.post or ()),
        checkpoint_seconds=config.checkpoint.interval_seconds,
        digest=digest,
    )


def _flat(config: LegacyConfig, digest: str) -> RunnerJob:
    options = legacy.pipeline_from_legacy(config)
    return RunnerJob(
        uid=config.unique_id,
        video=video_name(config.unique_id),
        pipeline=legacy.LEGACY_PIPELINE,
        options=options,
        frames=legacy.frame_count(config),
        simulated_frames=config.num_frames,
        size=(config.width, config.height),
        fps=config.fps,
        seed=options.get("seed"),
        title=legacy.title(config),
        is_legacy=True,
        digest=digest,
    )
