"""The IO folder, with names for its places; always absolute, so that nothing depends on the working directory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from videojob_api.contract import layout

from videojob_runner.media.frames import clear_frames


@dataclass(frozen=True, slots=True)
class IoFolder:
    """The folder that VIDEO_IO_PATH names."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> IoFolder:
        """The folder that the environment names, `/video_io` by default."""
        return cls(Path(environment.get(layout.IO_PATH_VARIABLE) or layout.IO_PATH).absolute())

    @property
    def config(self) -> Path:
        """config.json, made by the user or by fetch."""
        return self.root / layout.CONFIG

    @property
    def inputs(self) -> Path:
        """What the configuration's relative paths are relative to."""
        return self.root / layout.INPUT

    @property
    def frames(self) -> Path:
        """Where frames go."""
        return self.root / layout.FRAMES

    @property
    def post(self) -> Path:
        """Where frames of steps after the engine go."""
        return self.root / layout.POST

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go."""
        return self.root / layout.CHECKPOINTS

    @property
    def contact_sheet(self) -> Path:
        """The frames at one glance."""
        return self.root / layout.OUTPUT / "contact-sheet.png"

    @property
    def loss_plot(self) -> Path:
        """The plot of what the engine has reported."""
        return self.root / layout.OUTPUT / "losses.png"

    @property
    def scratch(self) -> Path:
        """What a run keeps for itself."""
        return self.root / "scratch"

    @property
    def work(self) -> Path:
        """What stays between tasks and attempts."""
        return self.root / layout.WORK

    @property
    def artifacts(self) -> Path:
        """Where artifacts go."""
        return self.root / layout.ARTIFACTS

    def video(self, name: str) -> Path:
        """Where the mp4 called `name` goes."""
        return self.root / layout.OUTPUT / name

    def clear_frames(self) -> None:
        """Removes the frames of an earlier run, the engine's and those of the steps after it."""
        clear_frames(self.frames)
        shutil.rmtree(self.post, ignore_errors=True)

    def forget_acknowledgement(self) -> None:
        """Removes the agent's word on an earlier run of the same job."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / layout.ACKNOWLEDGEMENT_FILE).unlink()
