"""Names and types that several packages share: of the child Job, its labels and containers, the token's audience."""

from collections.abc import Mapping
from typing import Any

from videojob_api.base import GROUP

MANAGED_LABEL = f"{GROUP}/managed"
"""Label with the value `true` on every Job and pod of the operator; the informers select by it."""
NAME_LABEL = f"{GROUP}/name"
UID_LABEL = f"{GROUP}/uid"

AGENT, FETCH, RUNNER = "agent", "fetch", "runner"
"""Names of the containers in a job's pod; the pod failure policy and projections select by them."""

Raw = Mapping[str, Any]
"""An object of the Kubernetes API as JSON, to be read."""
JsonObject = dict[str, Any]
"""A part of a manifest, to be written."""


def job_name(videojob: str, *, attempt: int = 1) -> str:
    """The child Job's name, a pure function of the VideoJob's (VJ-13); at most 63 characters for names up to 52."""
    return f"{videojob}-{attempt}"


def audience(*, namespace: str, name: str, uid: str) -> str:
    """The audience of a job's token: bound to one VideoJob by its uid (VJ-3)."""
    return f"{GROUP}/status/{namespace}/{name}/{uid}"


def progress_path(*, namespace: str, name: str) -> str:
    """Path of the progress endpoint for one VideoJob."""
    return f"/v1/namespaces/{namespace}/videojobs/{name}/progress"
