"""
The pod of a job: agent as native sidecar, fetch as init container, then the runner; Pod Security `restricted`.

The runner is the only container whose image a user can choose, so it gets the fewest rights: no token, no credentials,
no writable claim. Agent and fetch run the operator's image with a read-only root file system.
"""

from videojob_api.contract import layout
from videojob_api.contract.launch import run_mode, runner_command, runner_environment
from videojob_api.messages.plan import JobRef
from videojob_api.resource.spec import PodOptions, VideoJobSpec

from videojob_operator.domain.manifests.plan import PlanPaths, build_plan, grace_period, serialize_plan
from videojob_operator.domain.manifests.scratch import scratch_size
from videojob_operator.domain.manifests.volumes import PodVolumes, build_volumes
from videojob_operator.domain.names import AGENT, FETCH, RUNNER, JsonObject, progress_path
from videojob_operator.domain.settings import ReconcileSettings

SIDECAR_RESOURCES = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}}
"""Resources of agent and fetch: mostly idle; at most a few parts of an upload in memory."""
AGENT_COMMANDS = {AGENT: "watch", FETCH: "fetch"}
"""Subcommand of the agent that each container runs."""
CONTAINER_SECURITY_CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod_spec(job: JobRef, spec: VideoJobSpec, settings: ReconcileSettings) -> JsonObject:
    """The pod's spec, for a spec that `acceptance` accepts."""
    volumes, plan = build_volumes(job, spec), _plan(job, spec, settings)
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_period(spec),
        "securityContext": _pod_security(spec, settings),
        "initContainers": [
            _helper(AGENT, plan, settings, volumes=volumes, spec=spec) | {"restartPolicy": "Always"},
            _helper(FETCH, plan, settings, volumes=volumes, spec=spec),
        ],
        "containers": [_runner(spec, settings, volumes=volumes)],
        "volumes": volumes.volumes,
        **_placement(spec.pod),
    }


def run_as_user(spec: VideoJobSpec, settings: ReconcileSettings) -> int:
    """The user of agent, fetch and built-in runner, and the group that owns the volumes."""
    return (spec.pod.run_as_user if spec.pod else None) or settings.run_as_user


def _plan(job: JobRef, spec: VideoJobSpec, settings: ReconcileSettings) -> str:
    url = settings.endpoint + progress_path(namespace=job.namespace, name=job.name)
    return serialize_plan(build_plan(job, spec, PlanPaths(report_url=url)))


def _pod_security(spec: VideoJobSpec, settings: ReconcileSettings) -> JsonObject:
    group = run_as_user(spec, settings)
    return {
        "runAsNonRoot": True,
        "fsGroup": group,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _user(number: int) -> JsonObject:
    return {"runAsUser": number, "runAsGroup": number}


def _helper(
    name: str, plan: str, settings: ReconcileSettings, *, volumes: PodVolumes, spec: VideoJobSpec
) -> JsonObject:
    environment = {"HOME": "/tmp", layout.PLAN_VARIABLE: _literal(plan)}  # noqa: S108 - a volume of the pod's own
    if name == AGENT and settings.endpoint_ca:
        environment[layout.CA_VARIABLE] = settings.endpoint_ca
    return {
        "name": name,
        "image": settings.agent_image,
        **_pull_policy(settings),
        "command": ["python3", "-m", "videojob_agent", AGENT_COMMANDS[name]],
        "env": _env(environment),
        "resources": SIDECAR_RESOURCES,
        "securityContext": CONTAINER_SECURITY_CONTEXT
        | _user(run_as_user(spec, settings))
        | {"readOnlyRootFilesystem": True},
        "volumeMounts": volumes.mounts[name],
    }


def _runner(spec: VideoJobSpec, settings: ReconcileSettings, *, volumes: PodVolumes) -> JsonObject:
    return {
        "name": RUNNER,
        "image": spec.runner.image or settings.runner_image,
        **_pull_policy(settings),
        **_command(spec),
        "env": _env(_environment(spec)),
        "resources": _resources(spec),
        "securityContext": CONTAINER_SECURITY_CONTEXT | _runner_user(spec, settings),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": volumes.mounts[RUNNER],
    }


def _runner_user(spec: VideoJobSpec, settings: ReconcileSettings) -> JsonObject:
    """The built-in image runs as any user; a custom one as its own, which the kubelet rejects if it is root."""
    if spec.pipeline.custom and not (spec.pod and spec.pod.run_as_user):
        return {}
    return _user(run_as_user(spec, settings))


def _command(spec: VideoJobSpec) -> JsonObject:
    custom = spec.pipeline.custom
    if custom is not None:
        overrides = {"command": custom.command, "args": custom.args}
        return {name: value for name, value in overrides.items() if value}
    return {"command": runner_command(spec, run_mode(spec), program=("python3", "exec.py"))}


def _environment(spec: VideoJobSpec) -> dict[str, str]:
    home = {"HOME": "/tmp"}  # noqa: S108 - a volume of the pod's own
    return home | runner_environment(spec, run_mode(spec), io_path=layout.IO_PATH)


def _env(variables: dict[str, str]) -> list[JsonObject]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _literal(value: str) -> str:
    """
    Escape `$` as `$$`, because the kubelet expands `$(NAME)`; users' own commands, arguments and variables are not
    escaped.
    """
    return value.replace("$", "$$")


def _resources(spec: VideoJobSpec) -> JsonObject:
    """The user's resources, with the scratch volume's size as default request for ephemeral storage."""
    overrides = spec.runner.resources
    limits, requests = dict((overrides and overrides.limits) or {}), dict((overrides and overrides.requests) or {})
    if "ephemeral-storage" not in limits:
        requests.setdefault("ephemeral-storage", scratch_size(spec).request)
    return {name: values for name, values in (("limits", limits), ("requests", requests)) if values}


def _pull_policy(settings: ReconcileSettings) -> JsonObject:
    return {"imagePullPolicy": settings.image_pull_policy} if settings.image_pull_policy else {}


def _placement(pod: PodOptions | None) -> JsonObject:
    if pod is None:
        return {}
    overrides = {
        "imagePullSecrets": [{"name": name} for name in pod.image_pull_secrets or []],
        "serviceAccountName": pod.service_account_name,
        "nodeSelector": pod.node_selector,
        "tolerations": pod.tolerations,
        "affinity": pod.affinity,
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
        "schedulerName": pod.scheduler_name,
    }
    return {name: value for name, value in overrides.items() if value}
