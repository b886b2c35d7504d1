"""
Brings files from `output/` to the store, and commits.

A file is stored again only when it was written to since; a file that changes while it is read is not taken for stored.
While the runner works, a file counts as complete when it has not changed for two seconds, which is also true of files
that were renamed into place. Frames that an earlier attempt has stored are known by their digests and not sent again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from pydantic import ValidationError
from videojob_api.contract.checkpoint import checkpoint_prefix
from videojob_api.contract.layout import OUTPUT
from videojob_api.contract.manifest import Manifest, ManifestFile
from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import Published

from videojob_agent.errors import AlreadyCommitted, CredentialsRefused, OutputNotReadable, OutputOccupied, ScratchFailed
from videojob_agent.files.safe_directory import Entry, Folder
from videojob_agent.publish.output_files import frame_files, is_frame, is_video, output_files
from videojob_agent.stores import Store
from videojob_agent.stores.upload import store_file

SETTLED_SECONDS = 2.0
PARALLEL = 4
"""Files stored side by side; a large one has parallel parts of its own."""
MOST_VIDEOS = 8
"""Names of videos in a report."""


@dataclass(slots=True)
class Settling:
    """Which files have stopped changing; `clock` counts seconds."""

    clock: Callable[[], float]
    _since: dict[str, tuple[Entry, float]] = field(default_factory=dict)

    def is_settled(self, entry: Entry) -> bool:
        """Whether `entry` was seen just like this at least two seconds ago."""
        now = self.clock()
        before, since = self._since.get(entry.name, (None, now))
        if before != entry:
            self._since[entry.name] = (entry, now)
            return False
        return now - since >= SETTLED_SECONDS


class Publisher:
    """
    Publishes one job. `clock` counts seconds; `now` is the wall clock of the manifest.

    `lying` is asked, before the first frame is stored, what an earlier attempt has stored under which name.
    """

    def __init__(
        self,
        plan: JobPlan,
        store: Store,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        lying: Callable[[], Iterable[ManifestFile]] = tuple,
    ) -> None:
        self.store = store
        self._plan = plan
        self._now = now
        self._settling = Settling(clock)
        self._ask = lying
        self._lying: Mapping[str, ManifestFile] | None = None
        self._stored: dict[str, tuple[Entry, ManifestFile]] = {}
        self._last: Sequence[Entry] = ()
        self._digest: str | None = None

    @property
    def published(self) -> Published:
        """What lies at the destination by now."""
        files = [entry for entry, _ in self._stored.values()]
        videos = sorted(entry.name for entry in files if is_video(entry))
        return Published(
            frames=sum(map(is_frame, files)),
            bytes=sum(entry.size for entry in files),
            manifest_digest=self._digest,
            url=self._plan.output.url,
            videos=videos[:MOST_VIDEOS],
        )

    @property
    def has_video(self) -> bool:
        """Whether the newest listing of everything holds an mp4."""
        return any(map(is_video, self._last))

    def sync_frames(self, *, settled: bool) -> bool:
        """Stores frames that changed; those still settling wait when `settled` says so. True: none is left."""
        if not self._exists:
            return True
        with self._output() as output:
            return self._sync(output, frame_files(output), settled=settled)

    def sync_first(self, count: int) -> list[ManifestFile] | None:
        """Stores the first frames, which are complete; None when there are not so many, or one changed meanwhile."""
        if not self._exists:
            return [] if count == 0 else None
        with self._output() as output:
            frames = frame_files(output)[:count]
            is_stored = len(frames) == count and self._sync(output, frames, settled=False)
        return [self._stored[entry.name][1] for entry in frames] if is_stored else None

    def sync_all(self, *, settled: bool) -> bool:
        """The same for everything in `output/`: frames, videos, the rest."""
        if not self._exists:
            return True
        with self._output() as output:
            self._last = [entry for entry in output_files(output) if not entry.name.startswith(self._reserved)]
            return self._sync(output, self._last, settled=settled)

    def commit(self, versions: dict[str, str]) -> None:
        """Writes the manifest of what the last `sync_all` found. Raises OutputOccupied, or what the store raises."""
        manifest = self._manifest(versions).model_dump_json(by_alias=True, indent=1).encode()
        try:
            self.store.commit(manifest)
        except AlreadyCommitted as error:  # another job, or ourselves: an answer that was lost, an earlier pod
            if not self.adopt():
                url = self._plan.output.url
                raise CredentialsRefused(f"{url} holds a manifest that may not be read; allow s3:GetObject") from error
        else:
            self._digest = sha256_of(manifest)

    def adopt(self) -> bool:
        """Takes over a manifest that an earlier pod of this very job has committed. Raises OutputOccupied."""
        content = self.store.manifest()
        if content is None:
            return False
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError:
            manifest = None
        if manifest is None or manifest.job.uid != self._plan.job.uid:
            raise OutputOccupied(f"{self._plan.output.url} holds the manifest of another job; choose another prefix")
        self._digest = sha256_of(content)
        self._stored = {file.path: (Entry(file.path, file.size), file) for file in manifest.files}
        return True

    @property
    def _exists(self) -> bool:
        return os.path.lexists(Path(self._plan.io_path) / OUTPUT)

    @property
    def _reserved(self) -> str:
        """What names of the runner's files may not begin with: the agent's own files lie there."""
        return checkpoint_prefix(self._plan.job.uid)

    @contextmanager
    def _output(self) -> Iterator[Folder]:
        """The runner's output folder, never made here: it must belong to the runner."""
        try:
            with Folder.open(Path(self._plan.io_path)) as io, io.below(OUTPUT) as output:
                yield output
        except PermissionError as error:
            raise OutputNotReadable(f"the agent may not read {error.filename or OUTPUT}; modes 0644, 0755") from error
        except OSError as error:
            raise ScratchFailed(f"{OUTPUT}: {error.strerror or error}") from error

    def _sync(self, output: Folder, files: Sequence[Entry], *, settled: bool) -> bool:
        if files and self._lying is None:
            self._lying = {file.path: file for file in self._ask()}
        due = [entry for entry in files if self._stored.get(entry.name, (None,))[0] != entry]
        ready = [entry for entry in due if not settled or self._settling.is_settled(entry)]
        frames = [entry for entry in ready if is_frame(entry)]
        rest = [entry for entry in ready if not is_frame(entry)]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="store") as pool:
            done = [stored for group in (frames, rest) for stored in pool.map(partial(self._put, output), group)]
        return len(ready) == len(due) and all(done)

    def _put(self, output: Folder, entry: Entry) -> bool:
        """Stores one file; False when it changed meanwhile or is gone."""
        lying = (self._lying or {}).get(entry.name)
        stored = store_file(self.store, output, entry, name=entry.name, lying=lying)
        if stored:
            self._stored[entry.name] = (entry, stored)
        return stored is not None

    def _manifest(self, versions: dict[str, str]) -> Manifest:
        return Manifest(
            job=self._plan.job,
            created=self._now(),
            frames=sum(map(is_frame, self._last)),
            videos=[entry.name for entry in self._last if is_video(entry)],
            files=[self._stored[entry.name][1] for entry in self._last],
            versions=versions,
        )


def sha256_of(content: bytes) -> str:
    """`sha256:` and the digest in hexadecimal."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
