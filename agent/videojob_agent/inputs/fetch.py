"""
Prepares the IO folder before the runner starts: probe the destination, fetch inputs and checkpoints, write config.json.

The destination is probed first, so that a job whose output could not be published never occupies a device. Each input
is verified while it streams and gets its name only when it is valid; then the checkpoint of an earlier attempt is
restored; config.json is written last, so a runner that finds it finds everything.

An unavailable store is retried (`Retrier`); errors that a person must fix fail at once, before any work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pydantic import ValidationError
from videojob_api.contract.layout import CONFIG, INPUT
from videojob_api.contract.manifest import Manifest
from videojob_api.messages.plan import InputPlan, JobPlan
from videojob_api.messages.report import FetchResult
from videojob_api.resource.storage import Input

from videojob_agent.checkpoints.restorer import CheckpointRestorer
from videojob_agent.errors import (
    AgentError,
    DigestMismatch,
    OutputOccupied,
    UnsafePath,
)
from videojob_agent.files.safe_directory import SafeDirectory
from videojob_agent.files.safe_names import check_name
from videojob_agent.files.scratch import translate_scratch_errors
from videojob_agent.files.verify import verify_stream
from videojob_agent.inputs.retry import Retrier, ignore_message
from videojob_agent.inputs.sources import ByteStream, open_streams
from videojob_agent.json_log import JsonLog
from videojob_agent.stores import Store


def fetch(
    plan: JobPlan,
    store: Store,
    *,
    log: JsonLog,
    sleep: Callable[[float], object],
    clock: Callable[[], float] = time.monotonic,
    on_message: Callable[[str], object] = ignore_message,
) -> FetchResult:
    """
    Fetch everything; return the number of files and bytes. `on_message` receives why it waits.

    Raises AgentError.
    """
    retry = Retrier(limit=plan.fetch_seconds, log=log, sleep=sleep, clock=clock, on_message=on_message)
    retry(partial(check_destination, plan, store))
    with SafeDirectory.open(Path(plan.io_path), create=True) as io, io.subdirectory(INPUT, create=True) as folder:
        on_message("")  # the note of an earlier fetch in this pod
        sizes: list[int] = []
        for item in plan.inputs:
            item_sizes = retry(partial(fetch_input, item, folder, root=_root(plan)))
            log("input fetched", path=item.input.path, files=len(item_sizes), bytes=sum(item_sizes))
            sizes.extend(item_sizes)
        resumed = retry(CheckpointRestorer(plan, store, io, log=log).restore)
        with translate_scratch_errors(), io.atomic_writer(CONFIG) as file:
            file.write(plan.config.encode())
    return FetchResult(files=len(sizes), bytes=sum(sizes), resumed_step=resumed)


def check_destination(plan: JobPlan, store: Store) -> None:
    """Raise AgentError if the output could not be published, or if another job's manifest is at the destination."""
    store.probe()
    content = store.manifest() if plan.output.exclusive else None
    if content is not None and manifest_owner(content) != plan.job.uid:
        raise OutputOccupied(
            f"{plan.output.url} already holds the manifest of another job; choose another prefix, or layout PerRun"
        )


def fetch_input(plan: InputPlan, folder: SafeDirectory, *, root: Path | None) -> Sequence[int]:
    """Fetch one input into `folder`; return the sizes of its files in bytes. A mounted input is only verified."""
    item = plan.input
    try:
        if check_name(item.path) == CONFIG.removeprefix(f"{INPUT}/"):
            raise UnsafePath("the name config.json is reserved for the job's configuration; choose another")
        if item.access == "Mount":
            _check_mount(plan)
            return []
        return [_write(item, name, stream, folder) for name, stream in open_streams(plan, credentials_root=root)]
    except AgentError as error:
        raise error.with_context(f"input {item.path!r}") from error


def _write(item: Input, name: str, stream: ByteStream, folder: SafeDirectory) -> int:
    with translate_scratch_errors(), folder.atomic_writer(name) as file:
        return sum(file.write(chunk) for chunk in verify_input(stream, item, name=name))


def verify_input(stream: ByteStream, item: Input, *, name: str) -> ByteStream:
    """Yield `stream`; raise SizeMismatch or DigestMismatch at its end if it does not match `item`."""
    if name != item.path and (item.sha256 or item.size_bytes is not None):
        raise DigestMismatch("sha256 and sizeBytes apply to a single file, but this input is a folder; remove them")
    yield from verify_stream(stream, size=item.size_bytes, sha256=item.sha256)


def _check_mount(plan: InputPlan) -> None:
    """Verify a mounted input that specifies a size or a digest."""
    if plan.mount_path is None or (plan.input.sha256 is None and plan.input.size_bytes is None):
        return
    for name, stream in open_streams(plan, credentials_root=None):
        for _chunk in verify_input(stream, plan.input, name=name):
            pass


def manifest_owner(manifest: bytes) -> str | None:
    """The uid of the job that a manifest belongs to; None if it is not a valid manifest."""
    try:
        return Manifest.model_validate_json(manifest).job.uid
    except ValidationError:
        return None


def _root(plan: JobPlan) -> Path | None:
    return Path(plan.credentials_root) if plan.credentials_root else None
