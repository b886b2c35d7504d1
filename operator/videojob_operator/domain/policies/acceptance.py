"""Checks that the schema cannot express, before anything is created for a VideoJob."""

from collections.abc import Iterator

from videojob_api.messages.plan import MAX_PLAN_BYTES, JobRef
from videojob_api.resource.spec import VideoJobSpec

from videojob_operator.domain.manifests.plan import PlanPaths, build_config, build_plan, serialize_plan
from videojob_operator.domain.manifests.volumes import s3_locations
from videojob_operator.domain.names import progress_path
from videojob_operator.domain.observation.observed import SpecProblem
from videojob_operator.domain.settings import ReconcileSettings

MAX_CONFIG_BYTES = 32 * 1024
"""Maximum size of custom.config as JSON, in bytes."""


def find_problem(job: JobRef, spec: VideoJobSpec, settings: ReconcileSettings) -> SpecProblem | None:
    """The first reason why the job cannot run; None if it can be created."""
    return next(_objections(job, spec, settings), None)


def _objections(job: JobRef, spec: VideoJobSpec, settings: ReconcileSettings) -> Iterator[SpecProblem]:
    if not (spec.runner.image or settings.runner_image):
        yield SpecProblem("NoRunnerImage", "spec.runner.image is not set and the operator has no default: set it")
    yield from _endpoints(spec, settings)
    config = len(build_config(job, spec).encode())
    if spec.pipeline.custom and config > MAX_CONFIG_BYTES:
        text = f"spec.pipeline.custom.config is {config} bytes as JSON, more than {MAX_CONFIG_BYTES}"
        yield SpecProblem("ConfigTooLarge", f"{text}: pass large data as an input")
    url = settings.endpoint + progress_path(namespace=job.namespace, name=job.name)
    plan = len(serialize_plan(build_plan(job, spec, PlanPaths(report_url=url))).encode())
    if plan > MAX_PLAN_BYTES:
        text = f"the job's plan has {plan} bytes, more than {MAX_PLAN_BYTES}"
        yield SpecProblem("PlanTooLarge", f"{text}: use fewer or shorter spec.inputs and prompts")


def _endpoints(spec: VideoJobSpec, settings: ReconcileSettings) -> Iterator[SpecProblem]:
    for place in s3_locations(spec):
        plain = place.endpoint is not None and place.endpoint.startswith("http://")
        if plain and place.endpoint not in settings.s3_allowed_endpoints:
            text = f"S3 endpoint {place.endpoint} of bucket {place.bucket} is not https"
            yield SpecProblem("EndpointNotAllowed", f"{text}: use https, or add it to the chart's s3.allowedEndpoints")
