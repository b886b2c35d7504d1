"""Manifests for the command line's tests: each test shows only what matters to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from videojob_api.resource.videojob import VideoJob


def manifest(**spec: Any) -> dict[str, Any]:
    """Two simulated frames, at once, onto a claim."""
    basics: dict[str, Any] = {
        "pipeline": {"vqganClip": {"width": 64, "height": 64, "video": {"prompts": "a red circle", "frames": 2}}},
        "test": {"durationSeconds": 0},
        "output": {"pvc": {"claimName": "videos"}},
        "runner": {"accelerator": "None"},
    }
    return {
        "apiVersion": "videojobs.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "waves"},
        "spec": {name: value for name, value in (basics | spec).items() if value is not None},
    }


def videojob(**spec: Any) -> VideoJob:
    """The same as a model."""
    return VideoJob.model_validate(manifest(**spec))


def write(path: Path, *documents: dict[str, Any]) -> Path:
    """A YAML file of these documents; its path."""
    path.write_text(yaml.safe_dump_all(documents))
    return path
