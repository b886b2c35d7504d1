"""
Where the things of a cluster are on this machine.

A claim is a folder with its name; the output is laid out in it as it would be on the claim. Buckets are the real ones,
opened with the AWS identity of whoever runs the command.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from videojob_api.messages.plan import JobPlan, JobRef, OutputPlan
from videojob_api.resource.storage import Output, VolumeClaim
from videojob_api.resource.videojob import VideoJob
from videojob_operator.domain.manifests.plan import PlanPaths, build_plan

FETCH_SECONDS = 60
"""Seconds during which an unavailable store is retried; short, because a user waits at the terminal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalPaths:
    """What the command line says. `claims` holds a folder for each claim; `output` stands for the output's own."""

    io: Path
    claims: Path = Path()
    output: Path | None = None


def build_local_plan(job: VideoJob, places: LocalPaths, *, now: datetime) -> JobPlan:
    """The plan that the operator would make, with this machine's places in it."""
    ref = JobRef(namespace=job.metadata.namespace, name=job.metadata.name, uid=local_uid(now))
    spec, output = job.spec, places.output
    if output is None and spec.output.pvc is not None:
        output = places.claims / spec.output.pvc.claim_name
    if output is not None and spec.output.s3 is not None:
        folder = Output(pvc=VolumeClaim(claim_name="local"), layout=spec.output.layout)
        spec = spec.model_copy(update={"output": folder})
    where = PlanPaths(
        io_path=str(places.io),
        claims_root=str(places.claims.resolve()),
        output_mount=str((output or Path()).resolve()),
        credentials_root=None,
        can_retry=False,
        fetch_seconds=FETCH_SECONDS,
    )
    # Without a kubelet nothing is mounted, so Mount becomes Copy.
    inputs = [item.model_copy(update={"access": "Copy"}) for item in spec.inputs or []]
    plan = build_plan(ref, spec.model_copy(update={"inputs": inputs}), where)
    return plan.model_copy(update={"output": _with_address(plan.output)})


def local_uid(now: datetime) -> str:
    """Return a unique uid that sorts by time."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _with_address(output: OutputPlan) -> OutputPlan:
    return output.model_copy(update={"url": Path(output.folder).as_uri() + "/"}) if output.folder else output
