"""The artifacts of one job: folders below `output/artifacts/` (`engine.api.ArtifactSink`)."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from videojob_api.contract.checkpoint import MAX_CHECKPOINT_BYTES, MAX_CHECKPOINT_FILES
from videojob_api.contract.layout import ARTIFACTS, OUTPUT
from videojob_api.contract.manifest import ManifestArtifact

from videojob_runner.atomic import atomic_folder
from videojob_runner.engine.api import Artifact

NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
CHECKPOINT_FOLDER: Final = "artifacts"
"""Within a checkpoint."""


class ArtifactRecord(ManifestArtifact):
    """A published artifact, as the records of tasks keep it."""

    checkpointed: bool
    files: int
    size: int
    """Bytes."""

    def manifest_entry(self) -> ManifestArtifact:
        """What the manifest says about it."""
        return ManifestArtifact(name=self.name, kind=self.kind, path=self.path, digest=self.digest)


@dataclass(slots=True)
class ArtifactFolder:
    """The artifacts below `root`; those that other runs left there count only once a task is found finished."""

    root: Path
    published: dict[str, ArtifactRecord] = field(default_factory=dict)

    def publish(self, artifact: Artifact) -> Path:
        """See `engine.api.ArtifactSink`."""
        if not NAME.fullmatch(artifact.name):
            raise ValueError(f"artifact {artifact.name!r}: use up to 63 lower-case letters, digits, dots and dashes")
        record = describe_artifact(artifact)
        earlier = self.published.get(artifact.name)
        if earlier is not None and earlier.digest != record.digest:
            raise ValueError(f"artifact {artifact.name!r} was published before with other content; use another name")
        self._check_limits(record)
        target = self.root / artifact.name
        if target.is_dir() and folder_digest(target) == record.digest:
            shutil.rmtree(artifact.path)
        else:
            make_readable(artifact.path)
            replace_folder(artifact.path, target)
        self.published[artifact.name] = record
        return target

    def folder(self, name: str) -> Path:
        """See `engine.api.ArtifactSink`."""
        if name not in self.published:
            raise KeyError(f"there is no artifact {name!r}, only {sorted(self.published)}")
        return self.root / name

    def manifest_entries(self) -> list[ManifestArtifact]:
        """What the manifest says about those that were published."""
        return [record.manifest_entry() for record in self.published.values()]

    def folders(self) -> dict[str, Path]:
        """The folders of those that were published, by name."""
        return {name: self.root / name for name in self.published}

    def missing(self, records: Iterable[ArtifactRecord]) -> list[str]:
        """Names of those that are not here, or not with the content that was recorded."""
        return [record.name for record in records if not self._is_present(record)]

    def copy_to(self, checkpoint: Path, names: Iterable[str]) -> None:
        """Copies those of `names` that checkpoints carry into the folder of one."""
        for record in map(self.published.__getitem__, names):
            if record.checkpointed:
                shutil.copytree(self.root / record.name, checkpoint / CHECKPOINT_FOLDER / record.name)

    def restore(self, checkpoint: Path, records: Iterable[ArtifactRecord]) -> None:
        """Copies from a checkpoint's folder what is missing here and lies there."""
        for record in records:
            source = checkpoint / CHECKPOINT_FOLDER / record.name
            if record.checkpointed and source.is_dir() and not self._is_present(record):
                shutil.rmtree(self.root / record.name, ignore_errors=True)
                with atomic_folder(self.root / record.name) as growing:
                    shutil.copytree(source, growing, dirs_exist_ok=True)

    def remove_others(self) -> None:
        """Removes what earlier runs left here and this one has not published."""
        for path in self.root.iterdir() if self.root.is_dir() else ():
            if path.name not in self.published:
                shutil.rmtree(path)

    def _is_present(self, record: ArtifactRecord) -> bool:
        folder = self.root / record.name
        return folder.is_dir() and folder_digest(folder) == record.digest

    def _check_limits(self, record: ArtifactRecord) -> None:
        carried = [one for one in {**self.published, record.name: record}.values() if one.checkpointed]
        files, size = sum(one.files for one in carried), sum(one.size for one in carried)
        if files > MAX_CHECKPOINT_FILES or size > MAX_CHECKPOINT_BYTES:
            raise ValueError(
                f"artifact {record.name!r}: checkpoints would carry {files} files and {size} bytes, and can carry "
                f"{MAX_CHECKPOINT_FILES} and {MAX_CHECKPOINT_BYTES}; publish it with checkpointed=False"
            )


def describe_artifact(artifact: Artifact) -> ArtifactRecord:
    """Its record. Raises ValueError for an empty folder, or one with links or devices in it."""
    files = list_files(artifact.path)
    if not files:
        raise ValueError(f"artifact {artifact.name!r}: there is no file in {artifact.path}")
    return ArtifactRecord(
        name=artifact.name,
        kind=artifact.kind,
        path=f"{ARTIFACTS.removeprefix(f'{OUTPUT}/')}/{artifact.name}",
        digest=folder_digest(artifact.path),
        checkpointed=artifact.checkpointed,
        files=len(files),
        size=sum(path.stat().st_size for path in files),
    )


def list_files(folder: Path) -> list[Path]:
    """All files below a folder, by path. Raises ValueError for anything but files and folders."""
    entries = sorted(folder.rglob("*"))
    for path in entries:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path} is neither a file nor a folder; artifacts hold plain files only")
    return [path for path in entries if path.is_file()]


def folder_digest(folder: Path) -> str:
    """`sha256:` and the sha256 of what `sha256sum` prints for all its files by path: digest, two spaces, path."""
    lines = []
    for path in list_files(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def make_readable(folder: Path) -> None:
    """Lets everybody read a folder: some libraries write for the owner alone, and the agent is somebody else."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def replace_folder(source: Path, target: Path) -> None:
    """Renames `source` to `target`, on the same disk; what was there goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    source.rename(target)
    shutil.rmtree(old, ignore_errors=True)
