"""Projects raw API objects (JSON) to typed facts; keeps only the fields that `decide` needs."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pydantic import ValidationError
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import Condition, VideoJobStatus

from videojob_operator.domain.conditions import EPOCH
from videojob_operator.domain.names import Raw
from videojob_operator.domain.observation.observed import (
    CONTROLLER_NAME,
    ContainerExit,
    ObservedCondition,
    ObservedContainer,
    ObservedJob,
    ObservedPod,
    ObservedVideoJob,
    PodRefusal,
    SpecProblem,
)

MESSAGE_LIMIT = 4096


def parse_time(value: object) -> datetime | None:
    """An RFC 3339 text as an aware datetime; None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def project_videojob(raw: Raw) -> ObservedVideoJob:
    """Project a VideoJob; a spec that cannot be parsed becomes `spec_error`."""
    meta = raw["metadata"]
    spec, invalid = _spec(raw.get("spec"))
    return ObservedVideoJob(
        namespace=meta.get("namespace", "default"),
        name=meta["name"],
        uid=meta["uid"],
        created=parse_time(meta.get("creationTimestamp")) or EPOCH,
        status=_status(raw.get("status")),
        spec=spec,
        spec_error=invalid,
        generation=meta.get("generation", 1),
        resource_version=meta.get("resourceVersion", ""),
        deleting="deletionTimestamp" in meta,
        managed_by=(raw.get("spec") or {}).get("managedBy") or CONTROLLER_NAME,
    )


def _spec(raw: object) -> tuple[VideoJobSpec | None, SpecProblem | None]:
    try:
        return VideoJobSpec.model_validate(raw), None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(("spec", *map(str, first["loc"])))
        return None, SpecProblem("InvalidSpec", f"{field}: {first['msg']}, not {str(first['input'])[:200]!r}")


def _status(raw: object) -> VideoJobStatus:
    """The status; if it cannot be parsed (another version's) its conditions are kept: a verdict is final."""
    try:
        return VideoJobStatus.model_validate(raw or {})
    except ValidationError:
        conditions = raw.get("conditions") if isinstance(raw, Mapping) else None
        return VideoJobStatus(conditions=list(_readable(conditions)))


def _readable(conditions: object) -> Iterable[Condition]:
    for raw in conditions if isinstance(conditions, list) else []:
        try:
            yield Condition.model_validate(raw)
        except ValidationError:
            continue


def project_job(raw: Raw) -> ObservedJob:
    """Project a batch/v1 Job."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    owner = _controller(meta)
    return ObservedJob(
        uid=meta["uid"],
        name=meta["name"],
        owner_uid=owner.get("uid", ""),
        owner_kind=owner.get("kind", ""),
        created=parse_time(meta.get("creationTimestamp")) or EPOCH,
        suspend=bool(spec.get("suspend")),
        active_deadline_seconds=spec.get("activeDeadlineSeconds"),
        deleting="deletionTimestamp" in meta,
        active=status.get("active") or 0,
        terminating=status.get("terminating") or 0,
        failed=status.get("failed") or 0,
        succeeded=status.get("succeeded") or 0,
        started=parse_time(status.get("startTime")),
        conditions=_conditions(status),
    )


def project_pod(raw: Raw) -> ObservedPod:
    """Project a pod of a Job; `job_uid` is its controller's."""
    meta, status = raw["metadata"], raw.get("status") or {}
    states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return ObservedPod(
        uid=meta["uid"],
        name=meta["name"],
        job_uid=_controller(meta).get("uid", ""),
        created=parse_time(meta.get("creationTimestamp")) or EPOCH,
        phase=status.get("phase", "Pending"),
        node=(raw.get("spec") or {}).get("nodeName"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        deletion_deadline=parse_time(meta.get("deletionTimestamp")),
        conditions=_conditions(status),
        containers={state["name"]: _container(state) for state in states},
    )


def project_refusal(raw: Raw) -> PodRefusal:
    """Project an events.k8s.io/v1 FailedCreate event, also one with the deprecated core/v1 timestamps."""
    meta, created = raw["metadata"], parse_time(raw["metadata"].get("creationTimestamp")) or EPOCH
    first = parse_time(raw.get("deprecatedFirstTimestamp")) or parse_time(raw.get("eventTime")) or created
    series = (raw.get("series") or {}).get("lastObservedTime")
    return PodRefusal(
        uid=meta["uid"],
        name=meta["name"],
        job_uid=(raw.get("regarding") or {}).get("uid", ""),
        message=str(raw.get("note") or "")[:1024],
        created=first,
        last=parse_time(series) or parse_time(raw.get("deprecatedLastTimestamp")) or first,
    )


def _controller(meta: Raw) -> Raw:
    return next((ref for ref in meta.get("ownerReferences") or [] if ref.get("controller")), {})


def _conditions(status: Raw) -> Mapping[str, ObservedCondition]:
    return {
        raw["type"]: ObservedCondition(
            type=raw["type"],
            status=raw.get("status", "Unknown"),
            reason=raw.get("reason") or "",
            message=raw.get("message") or "",
            last_transition_time=parse_time(raw.get("lastTransitionTime")),
        )
        for raw in status.get("conditions") or []
    }


def _container(raw: Raw) -> ObservedContainer:
    state = raw.get("state") or {}
    waiting, running, ended = (state.get(kind) or {} for kind in ("waiting", "running", "terminated"))
    return ObservedContainer(
        name=raw["name"],
        waiting_reason=waiting.get("reason") or "",
        waiting_message=waiting.get("message") or "",
        started_at=parse_time(running.get("startedAt") or ended.get("startedAt")),
        exit=_exit(ended) if ended else None,
    )


def _exit(raw: Raw) -> ContainerExit:
    return ContainerExit(
        code=raw.get("exitCode", 0),
        reason=raw.get("reason") or "",
        message=(raw.get("message") or "")[-MESSAGE_LIMIT:],
        finished_at=parse_time(raw.get("finishedAt")),
    )
