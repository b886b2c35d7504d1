"""
Engines as plain calls, for notebooks and scripts: no cluster, no container, no configuration file.

    made = render(VqganClipConfig(width=64, height=64, image=Image(prompts="a red circle", iterations=250)))
    made.image.save("circle.png")

Frames stay in memory, or go into a folder of the caller's, where a call that was stopped leaves a checkpoint besides:
the same call then goes on. Ctrl-C ends the step under way, saves, and raises KeyboardInterrupt.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from pydantic import BaseModel

from videojob_runner.engine.api import ConfigT, Engine, FrameComposer, ProgressCallback, StopSignal
from videojob_runner.engine.null import NullCheckpointer, ignore_progress
from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.engine import VqganClip
from videojob_runner.errors import BadInput, Interrupted
from videojob_runner.media.frames import RgbImage
from videojob_runner.media.limits import MAX_FRAMES
from videojob_runner.process.cuda import cuda_problem
from videojob_runner.process.signals import StopFlag
from videojob_runner.run.artifacts import ArtifactFolder
from videojob_runner.run.context import RunObservers, build_context
from videojob_runner.run.pack_resolver import built_in_packs
from videojob_runner.run.storage import RunFolders, RunStorage, open_checkpoints, open_storage, resolve_seed
from videojob_runner.run.tasks import TaskRunner

FRAMES, CHECKPOINTS, ARTIFACTS, WORK = "frames", "checkpoints", "artifacts", "work"
"""What is made in the caller's folder."""
NOTEBOOK_UID: Final = "render"
"""The uid in checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a call has made."""

    count: int
    """How many frames there are."""
    read: Callable[[int], RgbImage]
    """Gives frame `index` (0-based): height × width × 3, RGB, 0…255."""
    seed: int
    """The configuration's, or the one that was drawn."""
    metrics: Mapping[str, float]
    """Last values, such as the loss."""
    composer: FrameComposer | None = None
    """What a timelapse shows instead of its frames."""
    versions: Mapping[str, str]
    """Packs with their digests, and libraries."""
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    """Folders of trained packs, data sets and reports, by name."""

    @property
    def image(self) -> Image.Image:
        """The last frame."""
        return Image.fromarray(self.read(self.count - 1))

    def frames(self) -> Iterator[RgbImage]:
        """All of them in order."""
        return map(self.read, range(self.count))

    def video(self) -> Iterable[RgbImage]:
        """What its video shows, as `media.encode.write_mp4` takes it: the frames, or the film of a timelapse."""
        return self.composer(self.count, self.read) if self.composer else self.frames()


def render(
    config: VqganClipConfig,
    *,
    inputs: Path = Path(),
    packs: Mapping[str, Path] | None = None,
    folder: Path | None = None,
    fps: float = 24.0,
    device: str | None = None,
    progress: ProgressCallback = ignore_progress,
) -> RunResult:
    """Makes the image or video that `config` describes: `run` with the engine vqganClip."""
    return run(
        VqganClip(), config, inputs=inputs, packs=packs, folder=folder, fps=fps, device=device, progress=progress
    )


def run(
    engine: Engine[ConfigT],
    config: ConfigT,
    *,
    inputs: Path = Path(),
    packs: Mapping[str, Path] | None = None,
    folder: Path | None = None,
    fps: float = 24.0,
    device: str | None = None,
    progress: ProgressCallback = ignore_progress,
) -> RunResult:
    """
    Runs all tasks of a job with this configuration.

    Files that it names lie below `inputs`. `packs` names folders by role (`generator`, `perceptor`); the built-in ones
    serve where it names none. `folder` keeps frames, checkpoints and artifacts; without one, frames stay in memory and
    artifacts are lost. `fps` is the rate of the video to come, by which a timelapse counts its seconds and a style
    transfer takes its frames. `device` is `cpu` or `cuda`; absent: CUDA where it works. Raises BadConfig, BadInput and
    UnsafeCheckpoint as in a job, and KeyboardInterrupt after Ctrl-C.
    """
    named = packs or {}
    with interruptible() as stop, open_run(config, folder, inputs=inputs, stop=stop) as storage:
        context = build_context(
            storage,
            FolderModelResolver(named),
            RunObservers(progress=progress),
            stop=stop,
            device=device or ("cpu" if cuda_problem() else "cuda"),
            fps=fps,
            versions={},
        )
        identity = [NOTEBOOK_UID, *(f"{role}={path.resolve()}" for role, path in sorted(named.items()))]
        made = TaskRunner(plans=engine.tasks(config), context=context, storage=storage, identity=identity).run()
    return RunResult(
        count=made.frames,
        read=storage.read_frame,
        composer=made.composer,
        seed=storage.seed,
        metrics=made.metrics,
        versions=context.versions,
        artifacts={} if folder is None else storage.artifacts.folders(),
    )


@contextmanager
def interruptible() -> Iterator[StopFlag]:
    """
    A flag that the first Ctrl-C sets, after which the run's Interrupted becomes a KeyboardInterrupt; the second raises
    that at once. Only the main thread sees Ctrl-C.
    """
    stop = StopFlag(exit_now=raise_interrupt)
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, stop.handle) if main else None
    try:
        yield stop
    except Interrupted as error:
        raise KeyboardInterrupt(str(error)) from error
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


def raise_interrupt(_code: int) -> None:
    """What the second Ctrl-C does."""
    raise KeyboardInterrupt("stopped at once")


def open_run(
    config: BaseModel, folder: Path | None, *, inputs: Path, stop: StopSignal
) -> AbstractContextManager[RunStorage]:
    """The caller's folder, or memory. Raises BadInput when frames would lie among the inputs."""
    seed = getattr(config, "seed", None)
    if folder is None:
        return memory_storage(inputs, seed=seed, stop=stop)
    if (folder / FRAMES).resolve() == inputs.resolve():
        raise BadInput(f"folder: frames would lie among the inputs in {inputs}, some of which might go; name another")
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    checkpoints = open_checkpoints(
        folder / CHECKPOINTS, uid=NOTEBOOK_UID, digest=digest, seed=seed, stop=stop, clock=time.monotonic
    )
    return open_storage(local_folders(folder, inputs=inputs), checkpoints, total=MAX_FRAMES)


def local_folders(folder: Path, *, inputs: Path) -> RunFolders:
    """What is made in a folder of the caller's."""
    return RunFolders(
        inputs=inputs,
        frames=folder / FRAMES,
        artifacts=folder / ARTIFACTS,
        work=folder / WORK,
        scratch=folder / ".scratch",
    )


@contextmanager
def memory_storage(inputs: Path, *, seed: int | None, stop: StopSignal) -> Iterator[RunStorage]:
    """Frames as arrays, and no checkpoints."""
    frames = MemoryFrames()
    with TemporaryDirectory(prefix="videojob-") as temporary:
        folders = local_folders(Path(temporary), inputs=inputs)
        folders.work.mkdir()
        yield RunStorage(
            folders=folders,
            frames=frames,
            count_frames=lambda: len(frames.pixels),
            read_frame=frames.pixels.__getitem__,
            checkpoints=NullCheckpointer(stop.is_set, remedy="with a folder, the same call would go on from here"),
            artifacts=ArtifactFolder(folders.artifacts),
            seed=resolve_seed(seed),
        )


@dataclass(frozen=True, slots=True)
class MemoryFrames:
    """Frames by number (`engine.FrameSink`)."""

    pixels: dict[int, RgbImage] = field(default_factory=dict)

    def write(self, index: int, image: RgbImage, /, *, text: Mapping[str, str] | None = None) -> None:
        """Keeps a copy."""
        self.pixels[index] = image.copy()


@dataclass(frozen=True, slots=True)
class FolderModelResolver:
    """The models behind the roles (`engine.api.ModelResolver`)."""

    packs: Mapping[str, Path]

    def folder(self, role: str, *, default: str) -> Path:
        """The caller's folder or the built-in one; whether a pack lies there is for its reader to say."""
        return self.packs.get(role) or built_in_packs(os.environ) / default
