"""
The engine `vqganClip`: optimizes a VQGAN latent so that CLIP rates its image close to the prompts.

A run resolves configuration and packs into settings, loads both networks, chooses a start, or the newest checkpoint,
and then only follows its schedule: iterate, perhaps keep a frame, perhaps move the camera, report, offer a checkpoint.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import torch
from videojob_api.pipelines.vqgan_clip import GENERATOR, PERCEPTOR

from videojob_runner.engine.api import ModelResolver, TaskContext, TaskPlan, TaskResult, config_key
from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX, VqganClipConfig, selected_form
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import Cutouts
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance, deterministic_cudnn
from videojob_runner.engines.vqgan_clip.guidance.memory import fit_to_memory
from videojob_runner.engines.vqgan_clip.run import VIEWS_AT_ONCE, OptimizationRun, checkpointed_chunk_size
from videojob_runner.engines.vqgan_clip.settings import RunSettings, output_size, resolve_settings
from videojob_runner.engines.vqgan_clip.timelapse import timelapse_composer
from videojob_runner.engines.vqgan_clip.video.source_frames import extract_source_frames, first_frame_size
from videojob_runner.errors import BadConfig
from videojob_runner.models.clip.model import Clip, TextTooLong
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import Size, read_image_size
from videojob_runner.torch_utils.precision import resolve_dtype

DEFAULT_PACKS: Final = {role.name: role.default for role in (GENERATOR, PERCEPTOR)}
"""The built-in pack of each role."""
MODELS_CACHED: Final = 2
"""Networks of each kind that stay in memory: for comparing two packs in turn."""
LIBRARIES: Final = ("kornia", "openai-clip", "taming-transformers")


class VqganClip:
    """Pictures and videos from text; see `engine.api.Engine`."""

    Config = VqganClipConfig

    def tasks(self, config: VqganClipConfig) -> Sequence[TaskPlan]:
        """One: `render`, with a frame each time that one is due."""
        return [TaskPlan(name="render", run=partial(self.run, config), key=config_key(config))]

    def run(self, config: VqganClipConfig, context: TaskContext) -> TaskResult:
        """Makes all frames. Raises BadConfig, BadInput, UnsafeCheckpoint, and lets Interrupted pass."""
        packs = {role: open_pack(context.models, role) for role in DEFAULT_PACKS}
        note_versions(context.versions, packs)
        precision = resolve_dtype(config.precision, device=context.device, field=f"{FIELD_PREFIX}.precision")
        generator = load_generator(packs["generator"], context.device, precision)
        perceptor = load_perceptor(packs["perceptor"], context.device, precision)
        source = source_size(config, context)
        sources = source_frames(config, context, factor=generator.factor, source=source)
        settings = resolve_settings(
            config,
            generator=packs["generator"],
            perceptor=packs["perceptor"],
            factor=generator.factor,
            source=source,
            sources=len(sources),
        )
        context.set_frame_count(settings.schedule.frames)
        cutouts = Cutouts(settings.cutouts, target=perceptor.input_size)
        context.versions["precision"] = str(precision).removeprefix("torch.")
        guidance = Guidance(generator=generator, perceptor=perceptor, cutouts=cutouts, precision=precision)
        before = checkpointed_chunk_size(context.checkpoints.latest())
        guidance = fit_to_memory(guidance, size=settings.size, wanted=config.memory, before=before)
        context.versions[VIEWS_AT_ONCE] = str(guidance.chunk_size)
        check_prompt_lengths(guidance, settings, field=f"{FIELD_PREFIX}.{selected_form(config)[0]}.prompts")
        with deterministic_cudnn(config.deterministic):
            run = OptimizationRun.create(config, settings, guidance=guidance, context=context, sources=sources)
            outcome = run.run()
        return replace(outcome, composer=timelapse_composer(config, settings, context))

    def warm_up(self, models: ModelResolver, *, device: str) -> None:
        """Loads both default networks once, which also checks every digest."""
        precision = resolve_dtype(None, device=device, field=f"{FIELD_PREFIX}.precision")
        load_generator(open_pack(models, "generator"), device, precision)
        load_perceptor(open_pack(models, "perceptor"), device, precision)


@lru_cache(maxsize=MODELS_CACHED)
def load_generator(pack: Pack, device: str, precision: torch.dtype) -> Vqgan:
    """The pack's network, loaded once in a process: it is frozen, so runs can share it. Raises BadInput."""
    return Vqgan.load(pack, device=device, precision=precision)


@lru_cache(maxsize=MODELS_CACHED)
def load_perceptor(pack: Pack, device: str, precision: torch.dtype) -> Clip:
    """The same of a CLIP."""
    return Clip.load(pack, device=device, precision=precision)


def open_pack(models: ModelResolver, role: str) -> Pack:
    """The checked pack behind `role`. Raises BadInput or UnsafeCheckpoint."""
    folder = models.folder(role, default=DEFAULT_PACKS[role])
    return Pack.open(folder, kind="vqgan" if role == "generator" else "clip")


def note_versions(versions: dict[str, str], packs: dict[str, Pack]) -> None:
    """Notes which packs and libraries make the frames."""
    versions.update({role: f"{pack.name}@{pack.digest}" for role, pack in packs.items()})
    versions.update({name: importlib.metadata.version(name) for name in LIBRARIES})


def check_prompt_lengths(guidance: Guidance, settings: RunSettings, *, field: str) -> None:
    """Raises BadConfig for a prompt that CLIP cannot read, before any work is done for the ones before it."""
    try:
        texts = [prompt.body for phrase in settings.phrases for prompt in phrase if prompt.kind == "text"]
        guidance.perceptor.tokenize(texts)
    except TextTooLong as error:
        raise BadConfig(str(error), field=field) from error


def source_size(config: VqganClipConfig, context: TaskContext) -> Size | None:
    """The size of the picture whose proportions are wanted, if any. Raises BadInput."""
    if config.style_transfer is not None:
        return first_frame_size(config.style_transfer, context)
    if config.fit == "stretch" or config.init_image is None:
        return None
    field = f"{FIELD_PREFIX}.initImage"
    return read_image_size(context.input_file(config.init_image, field=field), field=field)


def source_frames(config: VqganClipConfig, context: TaskContext, *, factor: int, source: Size | None) -> Sequence[Path]:
    """What a style transfer starts from, one file for each frame; for other forms nothing. Raises BadInput."""
    if config.style_transfer is None:
        return ()
    return extract_source_frames(config.style_transfer, context, size=output_size(config, factor, source=source))
