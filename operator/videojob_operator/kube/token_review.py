"""TokenReviews: asking the API server whose token this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import ApiError
from videojob_operator.kube.kinds import TOKEN_REVIEWS
from videojob_operator.reports.rejections import ReportRejected


@dataclass(frozen=True, slots=True)
class ApiTokenReviewer:
    """A Reviewer over the real API."""

    client: KubeApi

    async def review(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """The `status` of a TokenReview; 503 when the API server cannot be asked."""
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.name,
            "spec": {"token": token, "audiences": [audience]},
        }
        try:
            reply = await self.client.create(TOKEN_REVIEWS, body)
        except ApiError as error:
            raise ReportRejected(
                503, "ReviewFailed", f"the token could not be reviewed: {error}", retry_after=2
            ) from None
        status: Mapping[str, Any] = reply.body.get("status") or {}
        return status
