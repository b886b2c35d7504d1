"""
The engine `vqganClip`: a VQGAN's latent is optimised until CLIP finds its picture close to the prompts.

A run resolves configuration and packs into settings, loads both networks, chooses a start, or the newest checkpoint,
and then only follows its schedule: iterate, perhaps keep a frame, perhaps move the camera, report, offer a checkpoint.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file

from videojob_runner.contract.engine import Models, Outcome, RunContext
from videojob_runner.contract.errors import BadConfig
from videojob_runner.engines.vqgan_clip.about import frame_items
from videojob_runner.engines.vqgan_clip.config import FIELD, VqganClipConfig, form
from videojob_runner.engines.vqgan_clip.cutouts import Cutouts
from videojob_runner.engines.vqgan_clip.film import film
from videojob_runner.engines.vqgan_clip.guidance import Guidance, repeating
from videojob_runner.engines.vqgan_clip.latents import encoded, shaken
from videojob_runner.engines.vqgan_clip.memory import within_memory
from videojob_runner.engines.vqgan_clip.optimise import Iteration, Latent
from videojob_runner.engines.vqgan_clip.pictures import Size, picture_size, to_pixels, to_tensor
from videojob_runner.engines.vqgan_clip.precision import precision_of
from videojob_runner.engines.vqgan_clip.prompts import Phrase
from videojob_runner.engines.vqgan_clip.randomness import Randomness
from videojob_runner.engines.vqgan_clip.schedule import Step
from videojob_runner.engines.vqgan_clip.settings import Settings, held_by, resolve, sides
from videojob_runner.engines.vqgan_clip.shares import ShareLog
from videojob_runner.engines.vqgan_clip.smoother import Smoother
from videojob_runner.engines.vqgan_clip.sources import first_size, source_files
from videojob_runner.engines.vqgan_clip.starts import first_latent
from videojob_runner.engines.vqgan_clip.style import Style
from videojob_runner.engines.vqgan_clip.targets import Story, read_pictures
from videojob_runner.media.metadata import as_texts
from videojob_runner.models.clip import Clip, TextTooLong
from videojob_runner.models.packs import Pack
from videojob_runner.models.vqgan import Vqgan

DEFAULT_PACKS: Final = {"generator": "shapes-vqgan", "perceptor": "shapes-clip"}
"""The built-in pack of each role."""
LOADED: Final = 2
"""Networks of each kind that stay in memory: for comparing two packs in turn."""
LIBRARIES: Final = ("kornia", "openai-clip", "taming-transformers")
LOSS_EVERY: Final = 10
"""Iterations between two looks at the loss on devices where looking means waiting."""
STATE_FILE, COUNTER_FILE, VIEWS_AT_ONCE = "state.safetensors", "counter.json", "viewsAtOnce"


class VqganClip:
    """Pictures and videos from text; see `contract.engine.Engine`."""

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


def seen_at_once(checkpoint: Path | None) -> int | None:
    """How many views CLIP saw at once in the run that a checkpoint is from; more or fewer would move last bits."""
    if checkpoint is None:
        return None
    views: int | None = json.loads((checkpoint / COUNTER_FILE).read_text()).get(VIEWS_AT_ONCE)
    return views


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


def in_words(phrase: Phrase) -> str:
    """The prompts of a phrase for people."""
    return " | ".join(map(str, phrase))


def begin_story(config: VqganClipConfig, settings: Settings, *, guidance: Guidance, context: RunContext) -> Story:
    """The phrases with all their pictures read. Raises BadInput."""
    field, (width, height) = f"{FIELD}.{form(config)[0]}.imagePrompts", settings.size
    pictures = read_pictures(settings.story, context, area=width * height, field=field)
    return Story(guidance, settings.story, pictures=pictures, seed=context.seed)


def looks(context: RunContext) -> int:
    """Iterations between two looks at the loss."""
    return 1 if context.device == "cpu" else LOSS_EVERY


def share_log(config: VqganClipConfig, settings: Settings, context: RunContext) -> ShareLog:
    """Where the prompts' shares of the loss are written."""
    return ShareLog(
        record=context.record,
        total=settings.schedule.total,
        looks=looks(context),
        phrases=len(settings.story),
        held_by=held_by(config),
    )


@dataclass(slots=True, kw_only=True)
class Run:
    """One run under way: `done` iterations of the schedule are behind it."""

    config: VqganClipConfig
    settings: Settings
    guidance: Guidance
    story: Story
    latent: Latent
    smoother: Smoother
    shares: ShareLog
    randomness: Randomness
    context: RunContext
    style: Style | None = None
    done: int = 0
    loss: float | None = None

    @classmethod
    def begin(
        cls,
        config: VqganClipConfig,
        settings: Settings,
        *,
        guidance: Guidance,
        context: RunContext,
        sources: Sequence[Path],
    ) -> Run:
        """A run at its start or, when there is a checkpoint, where that was written."""
        randomness = (Randomness.as_upstream if settings.upstream else Randomness.of)(
            context.seed, device=context.device
        )
        style = None
        if (form := config.style_transfer) is not None:
            style = Style(
                form=form,
                files=sources,
                size=settings.size,
                guidance=guidance,
                seed=context.seed,
                upstream=settings.upstream,
            )
        if style and style.form.start is None:
            z = style.start()
        else:
            z = first_latent(config, settings, generator=guidance.generator, randomness=randomness, context=context)
        run = cls(
            config=config,
            settings=settings,
            guidance=guidance,
            story=begin_story(config, settings, guidance=guidance, context=context),
            latent=Latent(z, guidance.generator.codebook, settings.descent),
            smoother=Smoother(
                settings.smoothing, frames=settings.schedule.frames, carry=style.carried if style else None
            ),
            shares=share_log(config, settings, context),
            randomness=randomness,
            context=context,
            style=style,
        )
        if folder := context.checkpoint.newest():
            run.load(folder)
        return run

    def finish(self) -> Outcome:
        """Does the iterations that are left."""
        schedule = self.settings.schedule
        while self.done < schedule.total:
            step = schedule.step(self.done)
            iteration = self.iterate(step)
            self.done += 1
            self.report(step, iteration)
            self.context.checkpoint.visit(self.done, self.save)
        metrics = {} if self.loss is None else {"loss": self.loss}
        return Outcome(frames=schedule.frames, metrics=metrics)

    def iterate(self, step: Step) -> Iteration:
        """One iteration with what begins or ends with it."""
        targets, settings, layout = self.story.targets(step.phrase), self.settings, None
        if self.style:
            if step.begins:
                self.style.begin(step.frame, self.latent)
            targets = self.style.targets(step.frame, targets)
            layout = self.style.layout(step.frame, lead_done=step.lead_done)
        if step.new_phrase:
            self.latent.begin_phrase()
        if step.new_phrase and settings.phrase_noise:
            codebook, draws = self.guidance.generator.codebook, self.randomness.host
            z = shaken(self.latent.z, codebook, noise=settings.phrase_noise, draws=draws)
            self.latent.restart(z, start=self.latent.start)
        iteration = self.latent.step(
            self.guidance, targets, rate=step.rate, age=step.age, randomness=self.randomness, layout=layout
        )
        if self.context.preview.is_wanted():
            self.context.preview.show(to_pixels(iteration.picture))
        if self.style and step.ends_lead and settings.upstream:
            self.move(iteration.picture)  # the original saves it as a picture of its own, and starts from that
        if step.shows_start:
            self.keep(step.frame, iteration.picture)
        if step.closes:
            self.keep(step.frame + 1, self.guidance.show(self.latent.z))
        if step.shows_end and settings.upstream:
            self.end_frame_as_upstream(step, iteration)
        elif step.shows_end:
            self.end_frame(step)
        return iteration

    def end_frame(self, step: Step) -> None:
        """Shows the frames that can be shown by now, and moves the camera on from the newest."""
        shown = {frame: self.guidance.show(z) for frame, z in self.smoother.take(self.latent.z)}
        for frame, picture in shown.items():
            self.keep(frame, picture)
        if step.moves_camera and self.settings.camera.moves:
            self.move(self.guidance.show(self.latent.z) if self.settings.smoothing.acts else shown[step.frame])

    def end_frame_as_upstream(self, step: Step, iteration: Iteration) -> None:
        """The original shows the picture from before the last step, and moves it before it takes the latent's mean."""
        if step.moves_camera and self.settings.camera.moves:
            self.move(iteration.picture)
        if self.settings.smoothing.acts:
            for frame, z in self.smoother.take(self.latent.z):
                self.keep(frame, self.guidance.show(z))
        else:
            self.keep(step.frame, iteration.picture)

    def move(self, picture: torch.Tensor) -> None:
        """Goes on from `picture` as the camera sees it next."""
        moved = to_tensor(self.settings.camera(to_pixels(picture)), device=self.context.device)
        drawn = self.randomness.noise if self.settings.upstream else None
        self.latent.restart(encoded(self.guidance.generator, moved, draws=drawn))

    def keep(self, frame: int, picture: torch.Tensor) -> None:
        """Writes a frame, with the phrase that made it."""
        phrase = in_words(self.settings.story[self.settings.schedule.phrases[frame]])
        items = frame_items(self.config, phrase=phrase, frame=frame, seed=self.context.seed)
        self.context.frames.write(frame, to_pixels(picture), text=as_texts(items))

    def report(self, step: Step, iteration: Iteration) -> None:
        """Tells the progress; the loss is read now and then where reading waits for the device."""
        total = self.settings.schedule.total
        if self.done % looks(self.context) == 0 or self.done == total:
            self.loss = float(iteration.loss)
        message = f"frame {step.frame + 1} of {self.settings.schedule.frames}"
        self.context.progress(self.done, total, message, metrics=None if self.loss is None else {"loss": self.loss})
        self.shares.visit(self.done, step, iteration)

    def save(self, folder: Path) -> None:
        """Writes all that the rest of the run depends on into an empty folder."""
        style = self.style.state() if self.style else {}
        state = {**self.latent.state(), **self.smoother.state(), **self.randomness.state(), **style}
        save_file(state, folder / STATE_FILE)
        counter: dict[str, object] = {"done": self.done, VIEWS_AT_ONCE: self.guidance.views_at_once}
        counter |= {"torch": torch.__version__, "threads": torch.get_num_threads()}
        (folder / COUNTER_FILE).write_text(json.dumps(counter))

    def load(self, folder: Path) -> None:
        """Goes on where `save` was called."""
        state = load_file(folder / STATE_FILE)
        self.latent.restore(state)
        self.smoother.restore(state, device=self.context.device)
        self.randomness.restore(state)
        if self.style:
            self.style.restore(state)
        self.done = int(json.loads((folder / COUNTER_FILE).read_text())["done"])
