"""
What a run does: read config.json, make frames (really, or simulated), make the mp4, say COMPLETED.

Frames of an earlier run go only after config.json has been read, and stay when a checkpoint of this very job counts on
them. Torch is imported only on the way to an engine.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable

from videojob_api.contract.launch import RunMode
from videojob_api.messages.report import Failure

from videojob_runner.contract.checkpoints import CheckpointSlot
from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.job import Job, checked, load_text, peek_uid, read_job
from videojob_runner.contract.metrics_log import MetricsLog, recorded
from videojob_runner.contract.preview import PreviewFile
from videojob_runner.contract.status import NO_UID, StatusWriter
from videojob_runner.engine.api import Outcome, RunContext, WarmsUp
from videojob_runner.engine.registry import engine_names
from videojob_runner.errors import Interrupted
from videojob_runner.media.frames import FrameWriter
from videojob_runner.run.encode import Made, encode_video, summarise
from videojob_runner.run.environment import World
from videojob_runner.run.pack_resolver import PackFolders, built_in_folder
from videojob_runner.run.post_steps import Kept, SharedProgress, prepared
from videojob_runner.run.simulate import frames_to_simulate, simulate
from videojob_runner.versions import differences, program_versions

log = logging.getLogger(__name__)

SEED_BITS = 53
"""Of a drawn seed: every JSON reader keeps such a number whole."""

MOST_FRAMES = 100_000
"""Where only the engine knows how many there will be."""


def work(mode: RunMode, world: World, folder: IoFolder, status: StatusWriter, *, test_seconds: int) -> None:
    """
    One run of PROD, TEST or TEST_FAIL up to its final STATUS; `test_seconds`: how long the latter two take.

    Raises RunnerError, Interrupted, and surprises.
    """
    text = load_text(folder.config)
    folder.forget_acknowledgement()
    status.starting(peek_uid(text) or NO_UID)
    status.versions.update(program_versions(world.environment))
    job = read_job(text)
    if mode is RunMode.PROD:
        made = _generate(job, world, folder, status)
    else:
        made = _simulate(job, world, folder, status, seconds=test_seconds)
    if mode is RunMode.TEST_FAIL:
        status.failed(Failure(reason="TestFail", message="TEST_FAIL was asked for, and here it is"))
    else:
        encode_video(job, folder, status, made)
        if mode is RunMode.PROD:
            summarise(job, folder)
        status.completed(job.video)


def set_up(world: World) -> None:
    """Loads every engine and its default models once. Raises what they raise."""
    device = world.device({})
    packs = PackFolders((), inputs=IoFolder.of(world.environment).inputs, built_in=built_in_folder(world.environment))
    for name in engine_names():
        engine = world.engine(name)
        if isinstance(engine, WarmsUp):
            engine.warm_up(packs, device=device.name)
        log.info("%s is ready on %s", name, device.name)


def _simulate(job: Job, world: World, folder: IoFolder, status: StatusWriter, *, seconds: int) -> Made:
    total = frames_to_simulate(job, seconds=seconds)
    folder.clear()
    with FrameWriter(folder.frames, total=total) as frames:
        _count_frames(status, frames, total=total)
        made = simulate(job, frames, status.progress, seconds=seconds, stop=world.stop, clock=world.clock)
    return Made(Outcome(frames=made))


def _generate(job: Job, world: World, folder: IoFolder, status: StatusWriter) -> Made:
    """Lets the engine work; what the steps after it need is looked at before."""
    engine = world.engine(job.arm)
    prefix = "" if job.is_flat else f"pipeline.{job.arm}."
    config = checked(lambda: engine.Config.model_validate(dict(job.options)), prefix=prefix)
    device = world.device(world.environment)
    status.versions.update(device.versions)
    slot = _checkpoints(job, world, folder, status)
    kept = Kept(folder=folder.post, resume=slot.newest() is not None)
    if not kept.resume:
        folder.clear()
    metrics, preview = MetricsLog(folder=folder.root), PreviewFile(folder=folder.root, clock=world.clock)
    metrics.start(slot.newest())
    slot.company = metrics.keep
    preview.clear()
    with FrameWriter(folder.frames, total=job.frames or MOST_FRAMES) as frames:
        _count_frames(status, frames, total=job.frames)
        _tell(slot, frames, status)
        if world.stop.is_set():
            raise Interrupted("stopped before the first step")
        progress = SharedProgress(recorded(status.progress, metrics), later=(job.frames or 0) if job.post else 0)
        context = RunContext(
            inputs=folder.inputs,
            scratch=folder.scratch,
            frames=frames,
            checkpoint=slot,
            progress=progress,
            preview=preview,
            expect_frames=_expectation(job, status, progress),
            record=metrics.record,
            stop=world.stop,
            models=PackFolders(job.models, inputs=folder.inputs, built_in=built_in_folder(world.environment)),
            device=device.name,
            seed=slot.seed,
            fps=job.fps,
            versions=status.versions,
        )
        steps = prepared(job, context, kept, progress=progress)
        try:
            return Made(engine.run(config, context), steps)
        finally:
            metrics.flush()
            shutil.rmtree(folder.scratch, ignore_errors=True)


def _checkpoints(job: Job, world: World, folder: IoFolder, status: StatusWriter) -> CheckpointSlot:
    """The job's checkpoint slot, with the seed of the run that it continues, or the job's, or a new one."""
    slot = CheckpointSlot(
        folder=folder.checkpoints,
        uid=job.uid,
        digest=job.digest,
        stop=world.stop,
        clock=world.clock,
        versions=status.versions,
        interval=job.checkpoint_seconds,
    )
    slot.drop_foreign()
    earlier = slot.newest_marker()
    if earlier is not None:
        log.info("going on after step %d", earlier.step)
        if changed := differences(earlier.versions, status.versions):
            log.warning("frames may differ from those of a run that was left alone: %s", "; ".join(changed))
        slot.seed = earlier.seed
    else:
        slot.seed = secrets.randbits(SEED_BITS) if job.seed is None else job.seed
    status.versions["seed"] = str(slot.seed)
    return slot


def _tell(slot: CheckpointSlot, frames: FrameWriter, status: StatusWriter) -> None:
    """Has all frames on disk before a checkpoint is written, and the checkpoint say how many there are."""

    def before_saving() -> None:
        frames.flush()
        status.phase("checkpointing")

    slot.before, slot.frames = before_saving, lambda: frames.count


def _count_frames(status: StatusWriter, frames: FrameWriter, *, total: int | None) -> None:
    status.frames_total = total
    status.frames_done = lambda: frames.count


def _expectation(job: Job, status: StatusWriter, progress: SharedProgress) -> Callable[[int], None]:
    """What the engine tells the number of frames: where the form does not say it, nobody else can."""

    def expect(total: int) -> None:
        status.frames_total = total
        progress.later = total if job.post else 0

    return expect
