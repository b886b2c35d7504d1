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

from videojob_runner.contract.checkpoints import CheckpointStore
from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.job import RunnerJob, peek_uid, read_bytes, read_job, validate_config
from videojob_runner.contract.metrics_log import MetricsLog, with_metrics_log
from videojob_runner.contract.preview import PreviewFile
from videojob_runner.contract.status import UNKNOWN_UID, StatusWriter
from videojob_runner.engine.api import SupportsWarmUp, TaskContext, TaskResult
from videojob_runner.engine.registry import engine_names
from videojob_runner.errors import Interrupted
from videojob_runner.media.frames import FrameWriter
from videojob_runner.media.limits import MAX_FRAMES
from videojob_runner.run.encode import RunOutput, encode_video, summarise
from videojob_runner.run.environment import RuntimeEnvironment
from videojob_runner.run.pack_resolver import PackResolver, built_in_packs
from videojob_runner.run.post_steps import CombinedProgress, PostOutput, build_post_steps
from videojob_runner.run.simulate import simulate, simulated_frame_count
from videojob_runner.versions import describe_differences, program_versions

log = logging.getLogger(__name__)

SEED_BITS = 53
"""Of a drawn seed: every JSON reader keeps such a number whole."""


def run_job(
    mode: RunMode, world: RuntimeEnvironment, folder: IoFolder, status: StatusWriter, *, test_seconds: int
) -> None:
    """
    One run of PROD, TEST or TEST_FAIL up to its final STATUS; `test_seconds`: how long the latter two take.

    Raises RunnerError, Interrupted, and surprises.
    """
    text = read_bytes(folder.config)
    folder.forget_acknowledgement()
    status.starting(peek_uid(text) or UNKNOWN_UID)
    status.versions.update(program_versions(world.environment))
    job = read_job(text)
    if mode is RunMode.PROD:
        made = _run_engine(job, world, folder, status)
    else:
        made = _simulate(job, world, folder, status, seconds=test_seconds)
    if mode is RunMode.TEST_FAIL:
        status.failed(Failure(reason="TestFail", message="TEST_FAIL was asked for, and here it is"))
    else:
        encode_video(job, folder, status, made)
        if mode is RunMode.PROD:
            summarise(job, folder)
        status.completed(job.video)


def warm_up_engines(world: RuntimeEnvironment) -> None:
    """Loads every engine and its default models once. Raises what they raise."""
    device = world.choose_device({})
    packs = PackResolver(
        (), inputs=IoFolder.from_environment(world.environment).inputs, built_in=built_in_packs(world.environment)
    )
    for name in engine_names():
        engine = world.load_engine(name)
        if isinstance(engine, SupportsWarmUp):
            engine.warm_up(packs, device=device.name)
        log.info("%s is ready on %s", name, device.name)


def _simulate(
    job: RunnerJob, world: RuntimeEnvironment, folder: IoFolder, status: StatusWriter, *, seconds: int
) -> RunOutput:
    total = simulated_frame_count(job, seconds=seconds)
    folder.clear_frames()
    with FrameWriter(folder.frames, total=total) as frames:
        _count_frames(status, frames, total=total)
        made = simulate(job, frames, status.progress, seconds=seconds, stop=world.stop, clock=world.clock)
    return RunOutput(TaskResult(frames=made))


def _run_engine(job: RunnerJob, world: RuntimeEnvironment, folder: IoFolder, status: StatusWriter) -> RunOutput:
    """Lets the engine work; what the steps after it need is looked at before."""
    engine = world.load_engine(job.pipeline)
    prefix = "" if job.is_legacy else f"pipeline.{job.pipeline}."
    config = validate_config(lambda: engine.Config.model_validate(dict(job.options)), prefix=prefix)
    device = world.choose_device(world.environment)
    status.versions.update(device.versions)
    checkpoints = _checkpoints(job, world, folder, status)
    kept = PostOutput(folder=folder.post, resume=checkpoints.latest() is not None)
    if not kept.resume:
        folder.clear_frames()
    metrics, preview = MetricsLog(folder=folder.root), PreviewFile(folder=folder.root, clock=world.clock)
    metrics.start(checkpoints.latest())
    checkpoints.add_files = metrics.copy_to
    preview.clear()
    with FrameWriter(folder.frames, total=job.frames or MAX_FRAMES) as frames:
        _count_frames(status, frames, total=job.frames)
        _connect(checkpoints, frames, status)
        if world.stop.is_set():
            raise Interrupted("stopped before the first step")
        progress = CombinedProgress(
            with_metrics_log(status.progress, metrics), post_frames=(job.frames or 0) if job.post else 0
        )
        context = TaskContext(
            inputs=folder.inputs,
            scratch=folder.scratch,
            frames=frames,
            checkpoints=checkpoints,
            progress=progress,
            preview=preview,
            set_frame_count=_expectation(job, status, progress),
            log_metrics=metrics.log,
            stop=world.stop,
            models=PackResolver(job.models, inputs=folder.inputs, built_in=built_in_packs(world.environment)),
            device=device.name,
            seed=checkpoints.seed,
            fps=job.fps,
            versions=status.versions,
        )
        steps = build_post_steps(job, context, kept, progress=progress)
        try:
            return RunOutput(engine.run(config, context), steps)
        finally:
            metrics.flush()
            shutil.rmtree(folder.scratch, ignore_errors=True)


def _checkpoints(job: RunnerJob, world: RuntimeEnvironment, folder: IoFolder, status: StatusWriter) -> CheckpointStore:
    """The job's checkpoint slot, with the seed of the run that it continues, or the job's, or a new one."""
    checkpoints = CheckpointStore(
        folder=folder.checkpoints,
        uid=job.uid,
        digest=job.digest,
        stop=world.stop,
        clock=world.clock,
        versions=status.versions,
        interval=job.checkpoint_seconds,
    )
    checkpoints.remove_stale()
    earlier = checkpoints.latest_marker()
    if earlier is not None:
        log.info("going on after step %d", earlier.step)
        if changed := describe_differences(earlier.versions, status.versions):
            log.warning("frames may differ from those of a run that was left alone: %s", "; ".join(changed))
        checkpoints.seed = earlier.seed
    else:
        checkpoints.seed = secrets.randbits(SEED_BITS) if job.seed is None else job.seed
    status.versions["seed"] = str(checkpoints.seed)
    return checkpoints


def _connect(checkpoints: CheckpointStore, frames: FrameWriter, status: StatusWriter) -> None:
    """Has all frames on disk before a checkpoint is written, and the checkpoint say how many there are."""

    def before_saving() -> None:
        frames.flush()
        status.phase("checkpointing")

    checkpoints.before_save, checkpoints.count_frames = before_saving, lambda: frames.count


def _count_frames(status: StatusWriter, frames: FrameWriter, *, total: int | None) -> None:
    status.frames_total = total
    status.frames_done = lambda: frames.count


def _expectation(job: RunnerJob, status: StatusWriter, progress: CombinedProgress) -> Callable[[int], None]:
    """What the engine tells the number of frames: where the form does not say it, nobody else can."""

    def expect(total: int) -> None:
        status.frames_total = total
        progress.post_frames = total if job.post else 0

    return expect
