"""
What a run does: read config.json, make frames (really, or simulated), make the mp4, say COMPLETED.

Frames of an earlier run go only after config.json has been read, and stay when a checkpoint of this very job counts on
them. Torch is imported only on the way to an engine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from videojob_api.contract.launch import RunMode
from videojob_api.messages.report import Failure

from videojob_runner.contract.checkpoints import CheckpointStore
from videojob_runner.contract.io_folder import IoFolder
from videojob_runner.contract.job import RunnerJob, peek_uid, read_bytes, read_job, validate_config
from videojob_runner.contract.metrics_log import MetricsLog
from videojob_runner.contract.preview import PreviewFile
from videojob_runner.contract.status import UNKNOWN_UID, StatusWriter
from videojob_runner.engine.api import SupportsWarmUp, TaskResult
from videojob_runner.engine.registry import engine_names
from videojob_runner.errors import Interrupted
from videojob_runner.media.frames import FrameWriter
from videojob_runner.media.limits import MAX_FRAMES
from videojob_runner.run.context import RunObservers, build_context
from videojob_runner.run.encode import RunOutput, encode_video, summarise
from videojob_runner.run.environment import RuntimeEnvironment
from videojob_runner.run.pack_resolver import PackResolver, built_in_packs
from videojob_runner.run.post_steps import CombinedProgress, PostOutput, build_post_steps
from videojob_runner.run.simulate import simulate, simulated_frame_count
from videojob_runner.run.storage import RunFolders, claim_work, open_checkpoints, open_storage
from videojob_runner.run.tasks import TaskRunner
from videojob_runner.versions import program_versions

log = logging.getLogger(__name__)


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
        status.frames_total, status.frames_done = total, lambda: frames.count
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
    claim_work(folder.work, uid=job.uid)
    saving = partial(status.phase, "checkpointing")
    with open_storage(_folders(folder), checkpoints, total=job.frames or MAX_FRAMES, before_save=saving) as storage:
        status.frames_total, status.frames_done = job.frames, storage.count_frames
        if world.stop.is_set():
            raise Interrupted("stopped before the first step")
        progress = CombinedProgress(status.progress, post_frames=(job.frames or 0) if job.post else 0)
        context = build_context(
            storage,
            PackResolver(job.models, inputs=folder.inputs, built_in=built_in_packs(world.environment)),
            RunObservers(
                progress=progress,
                preview=preview,
                log_metrics=metrics.log,
                set_frame_count=_expectation(job, status, progress),
            ),
            stop=world.stop,
            device=device.name,
            fps=job.fps,
            versions=status.versions,
        )
        steps = build_post_steps(job, context, kept, progress=progress)
        status.artifacts = storage.artifacts.manifest_entries
        identity = [job.uid, *(model.model_dump_json() for model in job.models)]
        tasks = TaskRunner(
            plans=engine.tasks(config), context=context, storage=storage, identity=identity, set_phase=status.begin_task
        )
        try:
            return RunOutput(tasks.run(), steps)
        finally:
            metrics.flush()


def _checkpoints(job: RunnerJob, world: RuntimeEnvironment, folder: IoFolder, status: StatusWriter) -> CheckpointStore:
    checkpoints = open_checkpoints(
        folder.checkpoints,
        uid=job.uid,
        digest=job.digest,
        seed=job.seed,
        stop=world.stop,
        clock=world.clock,
        versions=status.versions,
        interval=job.checkpoint_seconds,
    )
    status.versions["seed"] = str(checkpoints.seed)
    return checkpoints


def _folders(folder: IoFolder) -> RunFolders:
    return RunFolders(
        inputs=folder.inputs,
        frames=folder.frames,
        artifacts=folder.artifacts,
        work=folder.work,
        scratch=folder.scratch,
    )


def _expectation(job: RunnerJob, status: StatusWriter, progress: CombinedProgress) -> Callable[[int], None]:
    """What the engine tells the number of frames: where the form does not say it, nobody else can."""

    def expect(total: int) -> None:
        status.frames_total = total
        progress.post_frames = total if job.post else 0

    return expect
