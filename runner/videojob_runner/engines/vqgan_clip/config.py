"""The engine's configuration: the resource's fields, under a name that is not the engine's own."""

from __future__ import annotations

from videojob_api.pipelines import VqganClip as VqganClipConfig

__all__ = ["VqganClipConfig"]
