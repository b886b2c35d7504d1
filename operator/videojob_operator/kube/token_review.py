"""Authenticates tokens with the TokenReview API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.kinds import TOKEN_REVIEWS


@dataclass(frozen=True, slots=True)
class ApiTokenReviewer:
    """A TokenReviewer over the real API."""

    client: KubeApi

    async def review(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """The `status` of a TokenReview. Raises ApiError."""
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.name,
            "spec": {"token": token, "audiences": [audience]},
        }
        reply = await self.client.create(TOKEN_REVIEWS, body)
        status: Mapping[str, Any] = reply.body.get("status") or {}
        return status
