"""One run: follows the schedule, iterates, keeps frames, moves the camera, reports, and can be saved and resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file

from videojob_runner.engine.api import TaskContext, TaskResult
from videojob_runner.engines.vqgan_clip.config import FIELD_PREFIX, VqganClipConfig, selected_form
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.guidance.targets import PhraseTargets, read_prompt_images
from videojob_runner.engines.vqgan_clip.initial_latent import initial_latent
from videojob_runner.engines.vqgan_clip.latent.encoding import add_codebook_noise, encode_image
from videojob_runner.engines.vqgan_clip.latent.optimizer import IterationResult, LatentOptimizer
from videojob_runner.engines.vqgan_clip.loss_log import LossShareLog
from videojob_runner.engines.vqgan_clip.prompts.grammar import Phrase
from videojob_runner.engines.vqgan_clip.schedule.iterations import Iteration
from videojob_runner.engines.vqgan_clip.settings import RunSettings, init_weight_fields
from videojob_runner.engines.vqgan_clip.video.frame_metadata import frame_metadata
from videojob_runner.engines.vqgan_clip.video.smoother import Smoother
from videojob_runner.engines.vqgan_clip.video.style_transfer import StyleTransferState
from videojob_runner.media.metadata import stringify
from videojob_runner.torch_utils.images import to_pixels, to_tensor
from videojob_runner.torch_utils.random_streams import RandomStreams

LOSS_INTERVAL: Final = 10
"""Iterations between two looks at the loss on devices where looking means waiting."""
STATE_FILE, COUNTERS_FILE, VIEWS_AT_ONCE = "state.safetensors", "counter.json", "viewsAtOnce"


def checkpointed_chunk_size(checkpoint: Path | None) -> int | None:
    """How many views CLIP saw at once in the run that a checkpoint is from; more or fewer would move last bits."""
    if checkpoint is None:
        return None
    views: int | None = json.loads((checkpoint / COUNTERS_FILE).read_text()).get(VIEWS_AT_ONCE)
    return views


def describe_phrase(phrase: Phrase) -> str:
    """The prompts of a phrase for people."""
    return " | ".join(map(str, phrase))


def build_phrase_targets(
    config: VqganClipConfig, settings: RunSettings, *, guidance: Guidance, context: TaskContext
) -> PhraseTargets:
    """The phrases with all their pictures read. Raises BadInput."""
    field, (width, height) = f"{FIELD_PREFIX}.{selected_form(config)[0]}.imagePrompts", settings.size
    pictures = read_prompt_images(settings.phrases, context, area=width * height, field=field)
    return PhraseTargets(guidance, settings.phrases, pictures=pictures, seed=context.seed)


def loss_interval(context: TaskContext) -> int:
    """Iterations between two looks at the loss."""
    return 1 if context.device == "cpu" else LOSS_INTERVAL


def build_loss_share_log(config: VqganClipConfig, settings: RunSettings, context: TaskContext) -> LossShareLog:
    """Where the prompts' shares of the loss are written."""
    return LossShareLog(
        record=context.log_metrics,
        total=settings.schedule.total,
        loss_interval=loss_interval(context),
        phrases=len(settings.phrases),
        init_weight_label=init_weight_fields(config),
    )


@dataclass(slots=True, kw_only=True)
class OptimizationRun:
    """One run under way: `iteration` iterations of the schedule are behind it."""

    config: VqganClipConfig
    settings: RunSettings
    guidance: Guidance
    phrase_targets: PhraseTargets
    latent: LatentOptimizer
    smoother: Smoother
    loss_shares: LossShareLog
    rng: RandomStreams
    context: TaskContext
    style_transfer: StyleTransferState | None = None
    iteration: int = 0
    loss: float | None = None

    @classmethod
    def create(
        cls,
        config: VqganClipConfig,
        settings: RunSettings,
        *,
        guidance: Guidance,
        context: TaskContext,
        sources: Sequence[Path],
    ) -> OptimizationRun:
        """A run at its start or, when there is a checkpoint, where that was written."""
        randomness = (RandomStreams.from_seed_upstream if settings.upstream else RandomStreams.from_seed)(
            context.seed, device=context.device
        )
        style = None
        if (form := config.style_transfer) is not None:
            style = StyleTransferState(
                form=form,
                files=sources,
                size=settings.size,
                guidance=guidance,
                seed=context.seed,
                upstream=settings.upstream,
            )
        if style and style.form.start is None:
            z = style.initial_latent()
        else:
            z = initial_latent(config, settings, generator=guidance.generator, randomness=randomness, context=context)
        run = cls(
            config=config,
            settings=settings,
            guidance=guidance,
            phrase_targets=build_phrase_targets(config, settings, guidance=guidance, context=context),
            latent=LatentOptimizer(z, guidance.generator.codebook, settings.optimizer),
            smoother=Smoother(
                settings.smoothing, frames=settings.schedule.frames, warp=style.warp_latent if style else None
            ),
            loss_shares=build_loss_share_log(config, settings, context),
            rng=randomness,
            context=context,
            style_transfer=style,
        )
        if folder := context.checkpoints.latest():
            run.load(folder)
        return run

    def run(self) -> TaskResult:
        """Does the iterations that are left."""
        schedule = self.settings.schedule
        while self.iteration < schedule.total:
            step = schedule.iteration(self.iteration)
            iteration = self.step(step)
            self.iteration += 1
            self.report_progress(step, iteration)
            self.context.checkpoints.maybe_save(self.iteration, self.save)
        metrics = {} if self.loss is None else {"loss": self.loss}
        return TaskResult(frames=schedule.frames, metrics=metrics)

    def step(self, step: Iteration) -> IterationResult:
        """One iteration with what begins or ends with it."""
        targets, settings, layout = self.phrase_targets.targets(step.phrase), self.settings, None
        if self.style_transfer:
            if step.starts_frame:
                self.style_transfer.start_frame(step.frame, self.latent)
            targets = self.style_transfer.targets(step.frame, targets)
            layout = self.style_transfer.layout(step.frame, lead_done=step.warmup_fraction)
        if step.new_phrase:
            self.latent.start_phrase()
        if step.new_phrase and settings.phrase_noise:
            codebook, draws = self.guidance.generator.codebook, self.rng.host
            z = add_codebook_noise(self.latent.z, codebook, noise=settings.phrase_noise, draws=draws)
            self.latent.reset(z, start=self.latent.start)
        iteration = self.latent.step(
            self.guidance, targets, rate=step.rate, age=step.fade_step, randomness=self.rng, layout=layout
        )
        if self.context.preview.is_due():
            self.context.preview.show(to_pixels(iteration.image))
        if self.style_transfer and step.ends_warmup and settings.upstream:
            self.apply_camera(iteration.image)  # the original saves it as a picture of its own, and starts from that
        if step.shows_start:
            self.save_frame(step.frame, iteration.image)
        if step.is_last_frame:
            self.save_frame(step.frame + 1, self.guidance.render(self.latent.z))
        if step.shows_end and settings.upstream:
            self.end_frame_as_upstream(step, iteration)
        elif step.shows_end:
            self.end_frame(step)
        return iteration

    def end_frame(self, step: Iteration) -> None:
        """Shows the frames that can be shown by now, and moves the camera on from the newest."""
        shown = {frame: self.guidance.render(z) for frame, z in self.smoother.push(self.latent.z)}
        for frame, picture in shown.items():
            self.save_frame(frame, picture)
        if step.moves_camera and self.settings.camera.is_moving:
            self.apply_camera(
                self.guidance.render(self.latent.z) if self.settings.smoothing.is_active else shown[step.frame]
            )

    def end_frame_as_upstream(self, step: Iteration, iteration: IterationResult) -> None:
        """The original shows the picture from before the last step, and moves it before it takes the latent's mean."""
        if step.moves_camera and self.settings.camera.is_moving:
            self.apply_camera(iteration.image)
        if self.settings.smoothing.is_active:
            for frame, z in self.smoother.push(self.latent.z):
                self.save_frame(frame, self.guidance.render(z))
        else:
            self.save_frame(step.frame, iteration.image)

    def apply_camera(self, picture: torch.Tensor) -> None:
        """Goes on from `image` as the camera sees it next."""
        moved = to_tensor(self.settings.camera(to_pixels(picture)), device=self.context.device)
        drawn = self.rng.noise if self.settings.upstream else None
        self.latent.reset(encode_image(self.guidance.generator, moved, draws=drawn))

    def save_frame(self, frame: int, picture: torch.Tensor) -> None:
        """Writes a frame, with the phrase that made it."""
        phrase = describe_phrase(self.settings.phrases[self.settings.schedule.phrases[frame]])
        items = frame_metadata(self.config, phrase=phrase, frame=frame, seed=self.context.seed)
        self.context.frames.write(frame, to_pixels(picture), text=stringify(items))

    def report_progress(self, step: Iteration, iteration: IterationResult) -> None:
        """Tells the progress; the loss is read now and then where reading waits for the device."""
        total = self.settings.schedule.total
        if self.iteration % loss_interval(self.context) == 0 or self.iteration == total:
            self.loss = float(iteration.loss)
        message = f"frame {step.frame + 1} of {self.settings.schedule.frames}"
        self.context.progress(
            self.iteration, total, message, metrics=None if self.loss is None else {"loss": self.loss}
        )
        self.loss_shares.log_if_due(self.iteration, step, iteration)

    def save(self, folder: Path) -> None:
        """Writes all that the rest of the run depends on into an empty folder."""
        style = self.style_transfer.state_dict() if self.style_transfer else {}
        state = {**self.latent.state_dict(), **self.smoother.state_dict(), **self.rng.state_dict(), **style}
        save_file(state, folder / STATE_FILE)
        counter: dict[str, object] = {"done": self.iteration, VIEWS_AT_ONCE: self.guidance.chunk_size}
        counter |= {"torch": torch.__version__, "threads": torch.get_num_threads()}
        (folder / COUNTERS_FILE).write_text(json.dumps(counter))

    def load(self, folder: Path) -> None:
        """Goes on where `save` was called."""
        state = load_file(folder / STATE_FILE)
        self.latent.load_state_dict(state)
        self.smoother.load_state_dict(state, device=self.context.device)
        self.rng.load_state_dict(state)
        if self.style_transfer:
            self.style_transfer.load_state_dict(state)
        self.iteration = int(json.loads((folder / COUNTERS_FILE).read_text())["done"])
