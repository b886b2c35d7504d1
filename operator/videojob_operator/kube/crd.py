"""Checks at startup that the VideoJob CRD is installed and recent enough for this operator (VJ-35)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from videojob_api.base import GROUP, PLURAL, VERSION

from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import NotFound, Unreachable
from videojob_operator.kube.kinds import CRDS

log = logging.getLogger(__name__)

CRD_NAME = f"{PLURAL}.{GROUP}"
REVISION_LABEL = f"{GROUP}/schema-revision"
REQUIRED_REVISION = 1
"""Increased when this operator writes or reads a field that an older CRD would prune."""


class IncompatibleCluster(RuntimeError):
    """The cluster's CRD is missing or incompatible; the message contains the remedy."""


async def require_crd(client: KubeApi, *, timeout_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Wait up to `timeout_seconds` for a compatible CRD. Raises IncompatibleCluster."""
    end = clock() + timeout_seconds
    while True:
        try:
            problem = incompatibility(await client.get(CRDS, CRD_NAME))
        except NotFound:
            problem = f"there is no CustomResourceDefinition {CRD_NAME}: install it (crds.enabled of the chart)"
        except Unreachable as error:
            problem = str(error)
        if not problem:
            return
        if clock() >= end:
            raise IncompatibleCluster(problem)
        log.warning("waiting: %s", problem)
        await asyncio.sleep(1)


def incompatibility(crd: Mapping[str, Any]) -> str:
    """Why a CRD is incompatible; empty if it is not."""
    served = {version["name"] for version in crd["spec"]["versions"] if version.get("served")}
    if VERSION not in served:
        name = f"CustomResourceDefinition {CRD_NAME}"
        return f"{name} does not serve {VERSION}, only {sorted(served)}: apply the current one"
    revision = (crd["metadata"].get("labels") or {}).get(REVISION_LABEL, "")
    if not revision.isdecimal() or int(revision) < REQUIRED_REVISION:
        text = f"CustomResourceDefinition {CRD_NAME} has schema revision {revision or 'none'}"
        return f"{text}, but {REQUIRED_REVISION} is required: apply the current one"
    conditions = (crd.get("status") or {}).get("conditions") or []
    if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
        return f"CustomResourceDefinition {CRD_NAME} is not established yet"
    return ""
