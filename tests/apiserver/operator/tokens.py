"""Tokens as agents get them, and as they should not: real ones of a real API server."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.e2e.kube import Kube, Manifest


def audience(videojob: Manifest) -> str:
    """The audience a report about this VideoJob must carry."""
    meta = videojob["metadata"]
    return f"videojobs.dev/status/{meta['namespace']}/{meta['name']}/{meta['uid']}"


@dataclass(frozen=True)
class TokenMint:
    """Mints tokens in one namespace, as the kubelet and as a curious user would."""

    kube: Kube

    def bound_to(self, pod: str, *, audience: str) -> str:
        """What the kubelet projects into a pod."""
        return self._mint("--audience", audience, "--bound-object-kind", "Pod", "--bound-object-name", pod)

    def unbound(self, *, audience: str) -> str:
        """What anybody who may create tokens gets without any pod."""
        return self._mint("--audience", audience)

    def _mint(self, *arguments: str) -> str:
        return self.kube.run("create", "token", "default", *arguments).strip()


def idle_pod(name: str) -> Manifest:
    """A pod that nobody runs; there is no node."""
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def tamper(token: str, **claims: Any) -> str:
    """The same token with other claims; its signature no longer fits."""
    head, payload, signature = token.split(".")
    held = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(held | claims).encode()).decode().rstrip("=")
    return f"{head}.{forged}.{signature}"
