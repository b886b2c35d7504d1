"""
Publishes files from `output/` to the store, and commits the manifest.

A file is stored again only after it was modified; a file that changes while it is read does not count as stored. While
the runner works, a file counts as complete when it has not changed for two seconds; files that were renamed into place
satisfy that too. Frames that an earlier attempt has stored are recognized by digest and not sent again.
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
from videojob_api.contract.manifest import Manifest, ManifestArtifact, ManifestFile
from videojob_api.messages.plan import JobPlan
from videojob_api.messages.report import Published

from videojob_agent.errors import AlreadyCommitted, CredentialsRefused, OutputNotReadable, OutputOccupied, ScratchFailed
from videojob_agent.files.safe_directory import DirectoryEntry, SafeDirectory
from videojob_agent.publish.output_files import is_frame, is_video, list_frames, list_output_files
from videojob_agent.stores import Store
from videojob_agent.stores.upload import upload_file

STABLE_SECONDS = 2.0
MAX_PARALLEL_UPLOADS = 4
"""Files uploaded in parallel; a large one has parallel parts of its own."""
MAX_VIDEOS_REPORTED = 8
"""Maximum number of video names in a report."""


@dataclass(slots=True)
class StabilityTracker:
    """Tracks which files have stopped changing; `clock` counts seconds."""

    clock: Callable[[], float]
    _since: dict[str, tuple[DirectoryEntry, float]] = field(default_factory=dict)

    def is_stable(self, entry: DirectoryEntry) -> bool:
        """True if `entry` has been unchanged for at least two seconds."""
        now = self.clock()
        previous, since = self._since.get(entry.name, (None, now))
        if previous != entry:
            self._since[entry.name] = (entry, now)
            return False
        return now - since >= STABLE_SECONDS


class Publisher:
    """
    Publishes one job's files.

    `clock` counts seconds; `now` is the wall clock of the manifest. `already_stored` is called before the first frame
    is stored and returns the files that an earlier attempt has stored.
    """

    def __init__(
        self,
        plan: JobPlan,
        store: Store,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        already_stored: Callable[[], Iterable[ManifestFile]] = tuple,
    ) -> None:
        self.store = store
        self._plan = plan
        self._now = now
        self._stability = StabilityTracker(clock)
        self._list_already_stored = already_stored
        self._already_stored: Mapping[str, ManifestFile] | None = None
        self._stored: dict[str, tuple[DirectoryEntry, ManifestFile]] = {}
        self._last: Sequence[DirectoryEntry] = ()
        self._digest: str | None = None

    @property
    def published(self) -> Published:
        """What has been stored at the destination so far."""
        files = [entry for entry, _ in self._stored.values()]
        videos = sorted(entry.name for entry in files if is_video(entry))
        return Published(
            frames=sum(map(is_frame, files)),
            bytes=sum(entry.size for entry in files),
            manifest_digest=self._digest,
            url=self._plan.output.url,
            videos=videos[:MAX_VIDEOS_REPORTED],
        )

    @property
    def has_video(self) -> bool:
        """True if the newest full listing contains an mp4."""
        return any(map(is_video, self._last))

    def sync_frames(self, *, only_stable: bool) -> bool:
        """Store modified frames, only stable ones with `only_stable`; return True if none is left."""
        if not self._exists:
            return True
        with self._output() as output:
            return self._sync(output, list_frames(output), only_stable=only_stable)

    def sync_frames_up_to(self, count: int) -> list[ManifestFile] | None:
        """Store the first `count` frames; None if there are fewer, or one changed meanwhile."""
        if not self._exists:
            return [] if count == 0 else None
        with self._output() as output:
            frames = list_frames(output)[:count]
            is_stored = len(frames) == count and self._sync(output, frames, only_stable=False)
        return [self._stored[entry.name][1] for entry in frames] if is_stored else None

    def sync_all(self, *, only_stable: bool) -> bool:
        """Store all modified files of `output/`, only stable ones with `only_stable`; return True if none is left."""
        if not self._exists:
            return True
        with self._output() as output:
            self._last = [entry for entry in list_output_files(output) if not entry.name.startswith(self._reserved)]
            return self._sync(output, self._last, only_stable=only_stable)

    def commit(self, versions: dict[str, str], *, artifacts: Sequence[ManifestArtifact] = ()) -> None:
        """
        Commit the manifest of the last `sync_all`, with those `artifacts` whose files it published.

        Raises OutputOccupied, or AgentError from the store.
        """
        manifest = self._manifest(versions, artifacts).model_dump_json(by_alias=True, indent=1).encode()
        try:
            self.store.commit(manifest)
        except AlreadyCommitted as error:  # another job, or ourselves: an answer that was lost, an earlier pod
            if not self.adopt_manifest():
                url = self._plan.output.url
                raise CredentialsRefused(f"{url} holds a manifest that may not be read; allow s3:GetObject") from error
        else:
            self._digest = sha256_digest(manifest)

    def adopt_manifest(self) -> bool:
        """
        Adopt a manifest that an earlier pod of this job has committed; False if there is none.

        Raises OutputOccupied for another job's manifest.
        """
        content = self.store.manifest()
        if content is None:
            return False
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError:
            manifest = None
        if manifest is None or manifest.job.uid != self._plan.job.uid:
            raise OutputOccupied(f"{self._plan.output.url} holds the manifest of another job; choose another prefix")
        self._digest = sha256_digest(content)
        self._stored = {file.path: (DirectoryEntry(file.path, file.size), file) for file in manifest.files}
        return True

    @property
    def _exists(self) -> bool:
        return os.path.lexists(Path(self._plan.io_path) / OUTPUT)

    @property
    def _reserved(self) -> str:
        """Prefix that the runner's files must not have: the agent stores its checkpoints there."""
        return checkpoint_prefix(self._plan.job.uid)

    @contextmanager
    def _output(self) -> Iterator[SafeDirectory]:
        """Open the runner's output directory; the agent never creates it, because the runner must own it."""
        try:
            with SafeDirectory.open(Path(self._plan.io_path)) as io, io.subdirectory(OUTPUT) as output:
                yield output
        except PermissionError as error:
            raise OutputNotReadable(
                f"the agent cannot read {error.filename or OUTPUT}; files need mode 0644, folders 0755"
            ) from error
        except OSError as error:
            raise ScratchFailed(f"{OUTPUT}: {error.strerror or error}") from error

    def _sync(self, output: SafeDirectory, files: Sequence[DirectoryEntry], *, only_stable: bool) -> bool:
        if files and self._already_stored is None:
            self._already_stored = {file.path: file for file in self._list_already_stored()}
        due = [entry for entry in files if self._stored.get(entry.name, (None,))[0] != entry]
        ready = [entry for entry in due if not only_stable or self._stability.is_stable(entry)]
        frames = [entry for entry in ready if is_frame(entry)]
        rest = [entry for entry in ready if not is_frame(entry)]
        with ThreadPoolExecutor(MAX_PARALLEL_UPLOADS, thread_name_prefix="store") as pool:
            done = [stored for group in (frames, rest) for stored in pool.map(partial(self._put, output), group)]
        return len(ready) == len(due) and all(done)

    def _put(self, output: SafeDirectory, entry: DirectoryEntry) -> bool:
        """Store one file; return False if it changed meanwhile or does not exist."""
        already_stored = (self._already_stored or {}).get(entry.name)
        stored = upload_file(self.store, output, entry, name=entry.name, already_stored=already_stored)
        if stored:
            self._stored[entry.name] = (entry, stored)
        return stored is not None

    def _manifest(self, versions: dict[str, str], artifacts: Sequence[ManifestArtifact]) -> Manifest:
        return Manifest(
            job=self._plan.job,
            created=self._now(),
            frames=sum(map(is_frame, self._last)),
            videos=[entry.name for entry in self._last if is_video(entry)],
            files=[self._stored[entry.name][1] for entry in self._last],
            artifacts=[one for one in artifacts if any(e.name.startswith(f"{one.path}/") for e in self._last)],
            versions=versions,
        )


def sha256_digest(content: bytes) -> str:
    """`sha256:` and the digest in hexadecimal."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
