"""
The plan: everything fetch and agent need, resolved from the spec, so that they need not know VideoJobs.

The same function serves the pod and a run without a cluster; only the paths differ: where claims are mounted, where
credentials are stored, where reports are sent.
"""

import json
from dataclasses import dataclass
from typing import Any

from videojob_api.contract import layout
from videojob_api.contract.config import RunnerConfig
from videojob_api.messages.plan import InputPlan, JobPlan, JobRef, OutputPlan, ReportPlan
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.storage import Input, S3Prefix, VolumeClaim

CLAIMS_ROOT = "/mnt/claims"
OUTPUT_MOUNT = "/mnt/output"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanPaths:
    """Paths and URLs of the processes that execute the plan; the defaults are those of the pod."""

    io_path: str = layout.IO_PATH
    claims_root: str = CLAIMS_ROOT
    """Each input claim is mounted at `<claims_root>/<claimName>`."""
    output_mount: str = OUTPUT_MOUNT
    """Mount path of the output claim."""
    output_folder: str | None = None
    """Publish into exactly this folder instead of `spec.output`: for a run without a cluster."""
    credentials_root: str | None = layout.CREDENTIALS_ROOT
    report_url: str | None = None
    """URL of the progress endpoint; None: no reports."""
    can_retry: bool = True
    """True if there may be another attempt that resumes from checkpoints at the output."""
    fetch_seconds: int | None = None
    """Seconds for which fetch retries an unavailable store; None: `startSeconds`."""


def build_plan(job: JobRef, spec: VideoJobSpec, places: PlanPaths) -> JobPlan:
    """Build the plan of one job."""
    return JobPlan(
        job=job,
        config=build_config(job, spec),
        inputs=[_input(item, places) for item in spec.inputs or []],
        output=output_plan(job, spec, places),
        report=ReportPlan(url=places.report_url, token_path=layout.TOKEN_PATH) if places.report_url else None,
        io_path=places.io_path,
        credentials_root=places.credentials_root,
        custom_runner=spec.pipeline.custom is not None,
        publishes_checkpoints=places.can_retry and writes_checkpoints(spec),
        flush_seconds=flush_seconds(grace_period(spec)),
        fetch_seconds=places.fetch_seconds or spec.deadlines.start_seconds,
        publish_seconds=spec.deadlines.publish_seconds,
    )


def serialize_plan(plan: JobPlan) -> str:
    """The plan as the value of an environment variable."""
    return plan.model_dump_json(by_alias=True, exclude_none=True)


def build_config(job: JobRef, spec: VideoJobSpec) -> str:
    """config.json: the built-in runner's form, or the user's own object with the job's uid added."""
    if spec.pipeline.custom is not None:
        return _compact({"uid": job.uid, "unique_id": job.uid} | (spec.pipeline.custom.config or {}))
    config = RunnerConfig(
        uid=job.uid,
        name=job.name,
        pipeline=spec.pipeline,
        models=spec.models,
        encoding=spec.encoding,
        post=spec.post,
        checkpoint=spec.checkpoint,
    )
    return config.model_dump_json(by_alias=True, exclude_none=True)


def writes_checkpoints(spec: VideoJobSpec) -> bool:
    """True if the built-in runner does real work: custom images manage their own state, and tests have none."""
    return spec.pipeline.custom is None and spec.test is None


def grace_period(spec: VideoJobSpec) -> int:
    """Seconds between SIGTERM and SIGKILL for the whole pod."""
    return spec.pod.termination_grace_period_seconds if spec.pod else 120


def flush_seconds(grace: int) -> int:
    """The agent's half of the grace period: on deletion the runner saves its checkpoint in the other half."""
    return max(1, grace // 2)


def _input(item: Input, places: PlanPaths) -> InputPlan:
    copied = item.pvc is not None and item.access == "Copy"
    mount = f"{places.claims_root}/{item.pvc.claim_name}" if item.pvc and copied else None
    return InputPlan(input=item, mount_path=mount)


def output_plan(job: JobRef, spec: VideoJobSpec, places: PlanPaths) -> OutputPlan:
    """Resolve the output destination (folder or S3 prefix) of one job."""
    exclusive = spec.output.layout == "Flat"
    run = "" if exclusive else f"{job.name}/{job.uid}/"
    if places.output_folder is not None:
        return OutputPlan(folder=places.output_folder, url=f"file://{places.output_folder}/", exclusive=exclusive)
    if spec.output.s3 is not None:
        return _bucket(spec.output.s3, run, exclusive=exclusive)
    return _folder(spec.output.pvc or VolumeClaim(claim_name="none"), places.output_mount, run=run, exclusive=exclusive)


def output_url(job: JobRef, spec: VideoJobSpec) -> str:
    """URL of the folder or S3 prefix that one job publishes into, as it is shown in the status."""
    return output_plan(job, spec, PlanPaths()).url


def _bucket(s3: S3Prefix, run: str, *, exclusive: bool) -> OutputPlan:
    prefix = _folder_name(s3.prefix) + run
    return OutputPlan(
        s3=s3.model_copy(update={"prefix": prefix}), url=f"s3://{s3.bucket}/{prefix}", exclusive=exclusive
    )


def _folder(claim: VolumeClaim, mount: str, *, run: str, exclusive: bool) -> OutputPlan:
    path = _folder_name(claim.sub_path or "") + run
    return OutputPlan(folder=f"{mount}/{path}".rstrip("/"), url=f"pvc://{claim.claim_name}/{path}", exclusive=exclusive)


def _folder_name(path: str) -> str:
    """The path without surrounding slashes and with one at its end; empty for the root."""
    bare = path.strip("/")
    return f"{bare}/" if bare else ""


def _compact(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
