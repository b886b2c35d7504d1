"""
The engine `vqganClip`: a VQGAN's latent is optimised until CLIP finds its picture close to the prompts.

A run resolves configuration and packs into settings, loads both networks, chooses a start, or the newest checkpoint,
and then only follows its schedule: iterate, perhaps keep a frame, perhaps move the camera, report, offer a checkpoint.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from videojob_api.pipelines.vqgan_clip import GENERATOR, PERCEPTOR

from videojob_runner.engine.api import Models, Outcome, RunContext
from videojob_runner.engines.vqgan_clip.config import FIELD, VqganClipConfig, form
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import Cutouts
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance, repeating
from videojob_runner.engines.vqgan_clip.guidance.memory import within_memory
from videojob_runner.engines.vqgan_clip.run import VIEWS_AT_ONCE, Run, seen_at_once
from videojob_runner.engines.vqgan_clip.settings import Settings, resolve, sides
from videojob_runner.engines.vqgan_clip.timelapse import film
from videojob_runner.engines.vqgan_clip.video.source_frames import first_size, source_files
from videojob_runner.errors import BadConfig
from videojob_runner.models.clip.model import Clip, TextTooLong
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import Size, picture_size
from videojob_runner.torch_utils.precision import precision_of

DEFAULT_PACKS: Final = {role.name: role.default for role in (GENERATOR, PERCEPTOR)}
"""The built-in pack of each role."""
LOADED: Final = 2
"""Networks of each kind that stay in memory: for comparing two packs in turn."""
LIBRARIES: Final = ("kornia", "openai-clip", "taming-transformers")


class VqganClip:
    """Pictures and videos from text; see `engine.api.Engine`."""

    Config = VqganClipConfig

    def run(self, config: VqganClipConfig, context: RunContext) -> Outcome:
        """Makes all frames. Raises BadConfig, BadInput, UnsafeCheckpoint, and lets Interrupted pass."""
        packs = {role: open_pack(context.models, role) for role in DEFAULT_PACKS}
        record_versions(context.versions, packs)
        precision = precision_of(config.precision, device=context.device, field=f"{FIELD}.precision")
        generator = load_generator(packs["generator"], context.device, precision)
        perceptor = load_perceptor(packs["perceptor"], context.device, precision)
        source = source_size(config, context)
        sources = source_frames(config, context, factor=generator.factor, source=source)
        settings = resolve(
            config,
            generator=packs["generator"],
            perceptor=packs["perceptor"],
            factor=generator.factor,
            source=source,
            sources=len(sources),
        )
        context.expect_frames(settings.schedule.frames)
        cutouts = Cutouts(settings.cutouts, target=perceptor.side)
        context.versions["precision"] = str(precision).removeprefix("torch.")
        guidance = Guidance(generator=generator, perceptor=perceptor, cutouts=cutouts, precision=precision)
        before = seen_at_once(context.checkpoint.newest())
        guidance = within_memory(guidance, size=settings.size, wanted=config.memory, before=before)
        context.versions[VIEWS_AT_ONCE] = str(guidance.views_at_once)
        check_texts(guidance, settings, field=f"{FIELD}.{form(config)[0]}.prompts")
        with repeating(config.deterministic):
            run = Run.begin(config, settings, guidance=guidance, context=context, sources=sources)
            outcome = run.finish()
        return replace(outcome, film=film(config, settings, context))

    def warm_up(self, models: Models, *, device: str) -> None:
        """Loads both default networks once, which also checks every digest."""
        precision = precision_of(None, device=device, field=f"{FIELD}.precision")
        load_generator(open_pack(models, "generator"), device, precision)
        load_perceptor(open_pack(models, "perceptor"), device, precision)


@lru_cache(maxsize=LOADED)
def load_generator(pack: Pack, device: str, precision: torch.dtype) -> Vqgan:
    """The pack's network, loaded once in a process: it is frozen, so runs can share it. Raises BadInput."""
    return Vqgan.load(pack, device=device, precision=precision)


@lru_cache(maxsize=LOADED)
def load_perceptor(pack: Pack, device: str, precision: torch.dtype) -> Clip:
    """The same of a CLIP."""
    return Clip.load(pack, device=device, precision=precision)


def open_pack(models: Models, role: str) -> Pack:
    """The checked pack behind `role`. Raises BadInput or UnsafeCheckpoint."""
    folder = models.folder(role, default=DEFAULT_PACKS[role])
    return Pack.open(folder, kind="vqgan" if role == "generator" else "clip")


def record_versions(versions: dict[str, str], packs: dict[str, Pack]) -> None:
    """Notes which packs and libraries make the frames."""
    versions.update({role: f"{pack.name}@{pack.digest}" for role, pack in packs.items()})
    versions.update({name: importlib.metadata.version(name) for name in LIBRARIES})


def check_texts(guidance: Guidance, settings: Settings, *, field: str) -> None:
    """Raises BadConfig for a prompt that CLIP cannot read, before any work is done for the ones before it."""
    try:
        texts = [prompt.body for phrase in settings.story for prompt in phrase if prompt.kind == "text"]
        guidance.perceptor.tokens(texts)
    except TextTooLong as error:
        raise BadConfig(str(error), field=field) from error


def source_size(config: VqganClipConfig, context: RunContext) -> Size | None:
    """The size of the picture whose proportions are wanted, if any. Raises BadInput."""
    if config.style_transfer is not None:
        return first_size(config.style_transfer, context)
    if config.fit == "stretch" or config.init_image is None:
        return None
    field = f"{FIELD}.initImage"
    return picture_size(context.input_file(config.init_image, field=field), field=field)


def source_frames(config: VqganClipConfig, context: RunContext, *, factor: int, source: Size | None) -> Sequence[Path]:
    """What a style transfer starts from, one file for each frame; for other forms nothing. Raises BadInput."""
    if config.style_transfer is None:
        return ()
    return source_files(config.style_transfer, context, size=sides(config, factor, source=source))
