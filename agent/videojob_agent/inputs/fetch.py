"""
What happens before the runner: the destination is tried, inputs and checkpoints are brought, config.json is written.

The destination comes first, so that a job which could not be published never holds a device. Each input is checked
while it streams and gets its name only when it is right; what an earlier attempt has left at the output is brought
back; config.json comes last, so a runner that finds it finds everything.

A store that is away is waited for (`Retrying`); whatever a person must change first fails at once, before any work.
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

from videojob_agent.checkpoints.restorer import Restoring
from videojob_agent.errors import (
    AgentError,
    DigestMismatch,
    OutputOccupied,
    UnsafePath,
)
from videojob_agent.files.safe_directory import Folder
from videojob_agent.files.safe_names import safe_name
from videojob_agent.files.scratch import writing_to_scratch
from videojob_agent.files.verify import verified
from videojob_agent.inputs.retry import Retrying, nobody
from videojob_agent.inputs.sources import Stream, streams
from videojob_agent.json_log import Events
from videojob_agent.stores import Store


def fetch(
    plan: JobPlan,
    store: Store,
    *,
    events: Events,
    sleep: Callable[[float], object],
    clock: Callable[[], float] = time.monotonic,
    say: Callable[[str], object] = nobody,
) -> FetchResult:
    """Does everything, and returns how much was brought; `say` is told why it waits. Raises AgentError."""
    retrying = Retrying(limit=plan.fetch_seconds, events=events, sleep=sleep, clock=clock, say=say)
    retrying(partial(check_destination, plan, store))
    with Folder.open(Path(plan.io_path), create=True) as io, io.below(INPUT, create=True) as folder:
        say("")  # words that an earlier fetch in this pod has left
        sizes: list[int] = []
        for item in plan.inputs:
            brought = retrying(partial(bring, item, folder, root=_root(plan)))
            events("input brought", path=item.input.path, files=len(brought), bytes=sum(brought))
            sizes.extend(brought)
        resumed = retrying(Restoring(plan, store, io, events=events).run)
        with writing_to_scratch(), io.replacing(CONFIG) as file:
            file.write(plan.config.encode())
    return FetchResult(files=len(sizes), bytes=sum(sizes), resumed_step=resumed)


def check_destination(plan: JobPlan, store: Store) -> None:
    """Raises AgentError when the output could not be published, or lies where another job's manifest is."""
    store.probe()
    content = store.manifest() if plan.output.exclusive else None
    if content is not None and owner(content) != plan.job.uid:
        raise OutputOccupied(
            f"{plan.output.url} already holds the manifest of another job; choose another prefix, or layout PerRun"
        )


def bring(plan: InputPlan, folder: Folder, *, root: Path | None) -> Sequence[int]:
    """Brings one input below `folder`; sizes of its files in bytes. A mounted input is only checked."""
    item = plan.input
    try:
        if safe_name(item.path) == CONFIG.removeprefix(f"{INPUT}/"):
            raise UnsafePath("the name config.json belongs to the job's configuration; choose another")
        if item.access == "Mount":
            _check_mount(plan)
            return []
        return [_write(item, name, stream, folder) for name, stream in streams(plan, credentials_root=root)]
    except AgentError as error:
        raise error.about(f"input {item.path!r}") from error


def _write(item: Input, name: str, stream: Stream, folder: Folder) -> int:
    with writing_to_scratch(), folder.replacing(name) as file:
        return sum(file.write(chunk) for chunk in checked(stream, item, name=name))


def checked(stream: Stream, item: Input, *, name: str) -> Stream:
    """`stream` itself; raises SizeMismatch or DigestMismatch instead of ending when it is not what `item` promises."""
    if name != item.path and (item.sha256 or item.size_bytes is not None):
        raise DigestMismatch("sha256 and sizeBytes are for one file, and this input is a folder; leave them out")
    yield from verified(stream, size=item.size_bytes, sha256=item.sha256)


def _check_mount(plan: InputPlan) -> None:
    """A mounted input must be there, and be right when it promises a size or a digest."""
    if plan.mount_path is None or (plan.input.sha256 is None and plan.input.size_bytes is None):
        return
    for name, stream in streams(plan, credentials_root=None):
        for _chunk in checked(stream, plan.input, name=name):
            pass


def owner(manifest: bytes) -> str | None:
    """The uid of the job whose manifest this is; None for a manifest of something else."""
    try:
        return Manifest.model_validate_json(manifest).job.uid
    except ValidationError:
        return None


def _root(plan: JobPlan) -> Path | None:
    return Path(plan.credentials_root) if plan.credentials_root else None
