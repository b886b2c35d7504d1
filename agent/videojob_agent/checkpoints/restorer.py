"""
Brings back what an earlier attempt has left at the output: a checkpoint, and the frames that it counts on (VJ-48).

Everything is checked against the index while it streams, and lies aside until all of it is right; then the frames get
their place, and the checkpoint last. The newest checkpoint wins that is whole, its frames included; where none is, the
attempt begins anew and says so. Leftovers never fail a job: only a store that is away or a full disk does. A store that
refuses to give out what the index lists has not damaged it: keys that have run out in the middle are waited for.

What turned out to be damaged leaves the index before anything gets its place. The agent, which starts earlier, reads
the index only when it sees a frame, and takes what stands there for stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

from videojob_api.contract.checkpoint import PublishedCheckpoint
from videojob_api.contract.layout import CHECKPOINTS, FRAMES
from videojob_api.contract.manifest import ManifestFile
from videojob_api.messages.plan import JobPlan

from videojob_agent.checkpoints.index import Carried
from videojob_agent.errors import BucketNotFound, CheckpointRefused, CredentialsRefused, Refused, StorageRefused
from videojob_agent.files.safe_directory import Folder
from videojob_agent.files.scratch import writing_to_scratch
from videojob_agent.files.verify import verified
from videojob_agent.json_log import Events
from videojob_agent.stores import Store

ASIDE = ".videojob/restored"
PARALLEL = 8
"""Files brought side by side: frames are many and small."""
FRAME = re.compile(r"frames/[0-9]{5,}\.png")


class Restoring:
    """One job's, into its IO folder."""

    def __init__(self, plan: JobPlan, store: Store, io: Folder, *, events: Events) -> None:
        self._carried = Carried(store, plan.job.uid, events=events)
        self._wanted = plan.publishes_checkpoints
        self._io = io
        self._events = events
        self._aside: set[str] | None = None
        """What lies aside and is right; None when nothing is."""

    def run(self) -> int | None:
        """Does it; the step that the attempt goes on after, None when it begins anew. Raises AgentError."""
        if not self._wanted or not self._carried.index.checkpoints:
            return None
        with writing_to_scratch():
            self._begin()
            frames = self._carried.index.frames
            whole = self._bring_frames(frames)
            checkpoint = next(self._whole(whole), None)
            self._correct(checkpoint, frames[:whole])
            if checkpoint:
                self._place(checkpoint, surplus=frames[checkpoint.frames :])
            self._io.remove_tree(ASIDE)
        if checkpoint is None:
            self._events("beginning anew", message="no checkpoint at the output is whole")
            return None
        self._events("going on", step=checkpoint.step, frames=checkpoint.frames)
        return checkpoint.step

    def _begin(self) -> None:
        """The first try begins with nothing; the next one, after a store was away, goes on with what has come."""
        if self._aside is None:
            self._io.remove_tree(ASIDE)
            self._aside = set()

    def _bring_frames(self, frames: list[ManifestFile]) -> int:
        """Brings every frame that any checkpoint counts on; how many have come well, from the first on."""
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="restore") as pool:
            return sum(1 for _ in takewhile(bool, pool.map(self._bring_frame, frames)))

    def _whole(self, frames: int) -> Iterator[PublishedCheckpoint]:
        """The checkpoints that can be gone on from, newest first."""
        for checkpoint in self._carried.index.checkpoints:
            if checkpoint.frames > frames:
                self._pass_over(checkpoint, f"it counts on {checkpoint.frames} frames, of which {frames} are whole")
            elif all(self._bring_file(checkpoint, file) for file in checkpoint.files):
                yield checkpoint

    def _bring_frame(self, file: ManifestFile) -> bool:
        return FRAME.fullmatch(file.path) is not None and self._brought(file, file.path, to=file.path) is None

    def _bring_file(self, checkpoint: PublishedCheckpoint, file: ManifestFile) -> bool:
        name = self._carried.name(checkpoint, file)
        fault = self._brought(file, name, to=f"{checkpoint.folder}/{file.path}")
        if fault:
            self._pass_over(checkpoint, f"{file.path}: {fault}")
        return fault is None

    def _brought(self, file: ManifestFile, name: str, *, to: str) -> Refused | None:
        """Brings one file aside; what is wrong with it. Raises Trouble, and OSError for the IO folder."""
        aside = self._aside if self._aside is not None else set()
        if to in aside:
            return None
        try:
            with self._io.replacing(f"{ASIDE}/{to}") as target:
                for chunk in verified(self._carried.store.read(name), size=file.size, sha256=file.sha256):
                    target.write(chunk)
        except (BucketNotFound, CredentialsRefused, StorageRefused) as error:
            raise CheckpointRefused(f"{name}: {error}") from error
        except Refused as error:
            return error
        aside.add(to)
        return None

    def _correct(self, checkpoint: PublishedCheckpoint | None, frames: list[ManifestFile]) -> None:
        """Takes what is damaged, and what counts on it, out of the index."""
        index = self._carried.index
        left = index.checkpoints[index.checkpoints.index(checkpoint) :] if checkpoint else []
        if (left, frames) != (index.checkpoints, index.frames):
            self._carried.replace(left, frames)

    def _place(self, checkpoint: PublishedCheckpoint, *, surplus: list[ManifestFile]) -> None:
        """Gives the frames and the checkpoint their places."""
        self._aside = None
        for file in surplus:
            self._io.remove(f"{ASIDE}/{file.path}")
        if checkpoint.frames:
            self._io.move(f"{ASIDE}/frames", FRAMES)
        self._io.move(f"{ASIDE}/{checkpoint.folder}", f"{CHECKPOINTS}/{checkpoint.folder}")

    def _pass_over(self, checkpoint: PublishedCheckpoint, why: str) -> None:
        self._events("checkpoint passed over", step=checkpoint.step, message=why)
