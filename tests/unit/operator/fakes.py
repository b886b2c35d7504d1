"""Stand-ins at the seams of the operator: a clock that tests turn, and an API server's view of tokens that records."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from videojob_operator.metrics import Metrics


@dataclass
class ManualClock:
    """Time that stands still until a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class RecordingReviewer:
    """Answers every TokenReview with `status` and remembers what was asked."""

    status: Mapping[str, Any]
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def review(self, token: str, *, audience: str) -> Mapping[str, Any]:
        self.asked.append((token, audience))
        return self.status


def token(*, audience: str, expires: float = 4_000.0, **claims: Any) -> str:
    """A token as it looks from outside; nobody has signed it."""
    payload = json.dumps({"aud": [audience], "exp": expires} | claims).encode()
    return ".".join(("head", base64.urlsafe_b64encode(payload).decode().rstrip("="), "signature"))


def reviewed(
    *, audience: str, user: str = "system:serviceaccount:art:default", pod: str = "sunset-1-x", pod_uid: str = "pod-1"
) -> dict[str, Any]:
    """The status of a TokenReview for a kubelet's token."""
    extra = {
        "authentication.kubernetes.io/pod-name": [pod],
        "authentication.kubernetes.io/pod-uid": [pod_uid],
        "authentication.kubernetes.io/credential-id": ["JTI=1"],
    }
    return {"authenticated": True, "audiences": [audience], "user": {"username": user, "extra": extra}}


def metrics() -> Metrics:
    """Fresh counters."""
    return Metrics(version="test")


def counted(counters: Metrics, name: str, **labels: str) -> float:
    """A sample's value; 0 when nothing was counted."""
    return counters.registry.get_sample_value(name, labels) or 0.0
