"""TokenReviews: asking the API server whose token this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob_operator.kube.api import Api
from videojob_operator.kube.errors import ClusterError
from videojob_operator.kube.kinds import TOKEN_REVIEWS
from videojob_operator.reports.rejections import Rejected


@dataclass(frozen=True, slots=True)
class ApiReviewer:
    """A Reviewer over the real API."""

    client: Api

    async def review(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """The `status` of a TokenReview; 503 when the API server cannot be asked."""
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.name,
            "spec": {"token": token, "audiences": [audience]},
        }
        try:
            reply = await self.client.create(TOKEN_REVIEWS, body)
        except ClusterError as error:
            raise Rejected(503, "ReviewFailed", f"the token could not be reviewed: {error}", retry_after=2) from None
        status: Mapping[str, Any] = reply.body.get("status") or {}
        return status
