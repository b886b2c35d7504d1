"""One run: follows the schedule, iterates, keeps frames, moves the camera, reports, and can be saved and resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file

from videojob_runner.engine.api import Outcome, RunContext
from videojob_runner.engines.vqgan_clip.config import FIELD, VqganClipConfig, form
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.guidance.targets import Story, read_pictures
from videojob_runner.engines.vqgan_clip.initial_latent import first_latent
from videojob_runner.engines.vqgan_clip.latent.encoding import encoded, shaken
from videojob_runner.engines.vqgan_clip.latent.optimizer import Iteration, Latent
from videojob_runner.engines.vqgan_clip.loss_log import ShareLog
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase
from videojob_runner.engines.vqgan_clip.schedule.iterations import Step
from videojob_runner.engines.vqgan_clip.settings import Settings, held_by
from videojob_runner.engines.vqgan_clip.video.frame_metadata import frame_items
from videojob_runner.engines.vqgan_clip.video.smoother import Smoother
from videojob_runner.engines.vqgan_clip.video.style_transfer import Style
from videojob_runner.media.metadata import as_texts
from videojob_runner.torch_utils.images import to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import Randomness

LOSS_EVERY: Final = 10
"""Iterations between two looks at the loss on devices where looking means waiting."""
STATE_FILE, COUNTER_FILE, VIEWS_AT_ONCE = "state.safetensors", "counter.json", "viewsAtOnce"


def seen_at_once(checkpoint: Path | None) -> int | None:
    """How many views CLIP saw at once in the run that a checkpoint is from; more or fewer would move last bits."""
    if checkpoint is None:
        return None
    views: int | None = json.loads((checkpoint / COUNTER_FILE).read_text()).get(VIEWS_AT_ONCE)
    return views


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
