"""
The child Job: one per VideoJob for its whole lifetime, with retries inside it (VJ-12, VJ-13).

Pod failure policy, in order: a disrupted pod is ignored and not counted; exit codes for errors that a retry cannot fix
fail the Job; every other failure counts against `spec.retry.limit`. Each rule names its container, because a rule
without a name would apply to the sidecar's exit code as well.
"""

from videojob_api.base import API_VERSION, KIND
from videojob_api.contract.exit_codes import NON_RETRIABLE
from videojob_api.messages.plan import JobRef
from videojob_api.resource.spec import VideoJobSpec

from videojob_operator.domain.manifests.pod import pod_spec
from videojob_operator.domain.names import FETCH, MANAGED_LABEL, NAME_LABEL, RUNNER, UID_LABEL, JsonObject, job_name
from videojob_operator.domain.settings import ReconcileSettings


def job_manifest(job: JobRef, spec: VideoJobSpec, settings: ReconcileSettings) -> JsonObject:
    """The Job to create. Without TTL: an expired Job would look like one that a client has deleted."""
    labels = {MANAGED_LABEL: "true", NAME_LABEL: job.name, UID_LABEL: job.uid}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(job.name),
            "namespace": job.namespace,
            "labels": labels,
            "ownerReferences": [_owner(job)],
        },
        "spec": {
            "suspend": spec.suspend,
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": spec.retry.limit,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": pod_failure_policy()},
            **_active_deadline(spec),
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(job, spec, settings)},
        },
    }


def pod_failure_policy() -> list[JsonObject]:
    """The Job's pod failure policy."""
    disrupted = {"type": "DisruptionTarget", "status": "True"}
    return [{"action": "Ignore", "onPodConditions": [disrupted]}, _final(RUNNER), _final(FETCH)]


def _final(container: str) -> JsonObject:
    codes = {"containerName": container, "operator": "In", "values": sorted(map(int, NON_RETRIABLE))}
    return {"action": "FailJob", "onExitCodes": codes}


def _owner(job: JobRef) -> JsonObject:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": job.name,
        "uid": job.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _active_deadline(spec: VideoJobSpec) -> JsonObject:
    seconds = spec.deadlines.active_seconds
    return {} if seconds is None else {"activeDeadlineSeconds": seconds}
