"""
The engine as a plain call, for notebooks and scripts: no cluster, no container, no configuration file.

    made = render(VqganClipConfig(width=64, height=64, image=Image(prompts="a red circle", iterations=250)))
    made.image.save("circle.png")

Frames stay in memory, or go into a folder of the caller's, where a call that was stopped leaves a checkpoint besides:
the same call then goes on. Ctrl-C ends the step under way, saves, and raises KeyboardInterrupt.
"""

from __future__ import annotations

import hashlib
import os
import secrets
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

from videojob_runner.contract.checkpoints import CheckpointStore
from videojob_runner.engine.api import Checkpointer, FrameComposer, FrameSink, ProgressCallback, StopSignal, TaskContext
from videojob_runner.engines.vqgan_clip.config import VqganClipConfig
from videojob_runner.engines.vqgan_clip.engine import VqganClip
from videojob_runner.errors import BadInput, Interrupted
from videojob_runner.media.frames import FrameWriter, RgbImage, clear_frames, read_frame
from videojob_runner.media.limits import MAX_FRAMES
from videojob_runner.process.cuda import cuda_problem
from videojob_runner.process.signals import StopFlag
from videojob_runner.run.pack_resolver import built_in_packs

FRAMES, CHECKPOINTS = "frames", "checkpoints"
"""What is made in the caller's folder."""
NOTEBOOK_UID: Final = "render"
"""The uid in checkpoints."""
SEED_BITS: Final = 53
"""Of a drawn seed: a configuration that repeats it keeps it whole."""


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


def ignore_progress(done: int, total: int, message: str = "", *, metrics: Mapping[str, float] | None = None) -> None:
    """Says nothing."""


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
    """
    Makes the picture or video that `config` describes.

    Pictures that it names lie below `inputs`. `packs` names folders by role (`generator`, `perceptor`); the built-in
    ones serve where it names none. `folder` keeps frames and checkpoints; without one, frames stay in memory. `fps` is
    the rate of the video to come, by which a timelapse counts its seconds and a style transfer takes its frames.
    `device` is `cpu` or `cuda`; absent: CUDA where it works. Raises BadConfig, BadInput and UnsafeCheckpoint as in a
    job, and KeyboardInterrupt after Ctrl-C.
    """
    with interruptible() as stop, open_storage(config, folder, inputs=inputs, stop=stop) as here:
        context = TaskContext(
            inputs=inputs,
            scratch=here.scratch,
            frames=here.frames,
            checkpoints=here.checkpoint,
            progress=progress,
            stop=stop,
            models=FolderModelResolver(packs or {}),
            device=device or ("cpu" if cuda_problem() else "cuda"),
            seed=here.seed,
            fps=fps,
        )
        outcome = VqganClip().run(config, context)
    return RunResult(
        count=outcome.frames,
        read=here.read,
        composer=outcome.composer,
        seed=here.seed,
        metrics=outcome.metrics,
        versions=context.versions,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStorage:
    """Where a call keeps what it makes."""

    frames: FrameSink
    checkpoint: Checkpointer
    seed: int
    read: Callable[[int], RgbImage]
    """Gives back frame `index`."""
    scratch: Path
    """For what the call needs for itself; gone afterwards."""


def open_storage(
    config: VqganClipConfig, folder: Path | None, *, inputs: Path, stop: StopSignal
) -> AbstractContextManager[RunStorage]:
    """The caller's folder, or memory. Raises BadInput when frames would lie among the inputs."""
    if folder is None:
        return memory_storage(config, stop=stop)
    if (folder / FRAMES).resolve() == inputs.resolve():
        raise BadInput(f"folder: frames would lie among the inputs in {inputs}, some of which might go; name another")
    return folder_storage(config, folder, stop=stop)


@contextmanager
def memory_storage(config: VqganClipConfig, *, stop: StopSignal) -> Iterator[RunStorage]:
    """Frames as arrays, and no checkpoints."""
    frames = MemoryFrames()
    with TemporaryDirectory(prefix="videojob-") as scratch:
        yield RunStorage(
            frames=frames,
            checkpoint=NullCheckpointer(stop),
            seed=resolve_seed(config),
            read=frames.pixels.__getitem__,
            scratch=Path(scratch),
        )


@contextmanager
def folder_storage(config: VqganClipConfig, folder: Path, *, stop: StopSignal) -> Iterator[RunStorage]:
    """Frames as PNG files, and checkpoints. Frames of another call go, but for what a checkpoint counts on."""
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    slot = CheckpointStore(
        folder=folder / CHECKPOINTS, uid=NOTEBOOK_UID, digest=digest, stop=stop, clock=time.monotonic
    )
    slot.remove_stale()
    earlier = slot.latest_marker()
    slot.seed = resolve_seed(config) if earlier is None else earlier.seed
    if earlier is None:
        clear_frames(folder / FRAMES)
    with (
        FrameWriter(folder / FRAMES, total=MAX_FRAMES) as writer,
        TemporaryDirectory(prefix=".scratch-", dir=folder) as scratch,
    ):
        slot.before_save, slot.count_frames = writer.flush, lambda: writer.count
        yield RunStorage(
            frames=writer,
            checkpoint=slot,
            seed=slot.seed,
            read=lambda index: read_frame(writer.path(index)),
            scratch=Path(scratch),
        )


def resolve_seed(config: VqganClipConfig) -> int:
    """The configuration's, 0 included, or a new one."""
    return secrets.randbits(SEED_BITS) if config.seed is None else config.seed


@dataclass(frozen=True, slots=True)
class MemoryFrames:
    """Frames by number (`engine.FrameSink`)."""

    pixels: dict[int, RgbImage] = field(default_factory=dict)

    def write(self, index: int, pixels: RgbImage, *, text: Mapping[str, str] | None = None) -> None:
        """Keeps a copy."""
        self.pixels[index] = pixels.copy()


@dataclass(frozen=True, slots=True)
class NullCheckpointer:
    """Nothing is kept, but the run can be stopped (`engine.api.Checkpointer`)."""

    stop: StopSignal

    def latest(self) -> Path | None:
        """There is none."""
        return None

    def maybe_save(self, step: int, write: Callable[[Path], None]) -> None:
        """Raises Interrupted when the run shall stop."""
        if self.stop.is_set():
            raise Interrupted(f"stopped after step {step}; with a folder, the same call would go on from here")


@dataclass(frozen=True, slots=True)
class FolderModelResolver:
    """The models behind the roles (`engine.api.ModelResolver`)."""

    packs: Mapping[str, Path]

    def folder(self, role: str, *, default: str) -> Path:
        """The caller's folder or the built-in one; whether a pack lies there is for its reader to say."""
        return self.packs.get(role) or built_in_packs(os.environ) / default
