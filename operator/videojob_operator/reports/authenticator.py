"""
Authenticates bearer tokens with TokenReview (VJ-4, steps 1 to 3).

Cheap checks run first, so malformed tokens cost no API call: three parts, a readable payload, the audience that the URL
implies, an expiry in the future. The payload is not trusted; it only decides whether a review is worthwhile. Then the
cache is consulted, then a TokenReview for exactly that audience. The review must confirm the audience, a service
account of the URL's namespace and the pod that the token is bound to; a token created by TokenRequest without a pod is
rejected. Tokens are kept as their sha256 and never logged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from videojob_operator.domain.names import audience
from videojob_operator.kube.errors import ApiError
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import TOKEN_REVIEW_RATE, RateLimiter
from videojob_operator.reports.rejections import ReportRejected

ACCEPTED_TTL_SECONDS, REJECTED_TTL_SECONDS = 60.0, 10.0
CACHE_SIZE = 20_000
MAX_TOKEN_BYTES = 8192
POD_NAME, POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
ACCOUNT_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """The VideoJob that a report's URL and body refer to."""

    namespace: str
    name: str
    uid: str

    @property
    def audience(self) -> str:
        """The expected audience, bound to the uid: a recreated job of the same name has another."""
        return audience(namespace=self.namespace, name=self.name, uid=self.uid)


@dataclass(frozen=True, slots=True)
class Principal:
    """The pod that a token belongs to, according to the API server."""

    namespace: str
    account: str
    pod: str
    pod_uid: str


class TokenReviewer(Protocol):
    """Reviews tokens; tests use a recording implementation."""

    async def review(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """The `status` of a TokenReview. Raises ApiError."""


class TokenAuthenticator:
    """Resolves a bearer token to its pod, or raises ReportRejected with 401, 403 or 503."""

    def __init__(
        self,
        reviewer: TokenReviewer,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._reviewer, self._metrics, self._clock, self._wall = reviewer, metrics, clock, now
        self._reviews = RateLimiter(TOKEN_REVIEW_RATE, clock=clock)
        self._cache: OrderedDict[tuple[str, str], tuple[float, Principal | ReportRejected]] = OrderedDict()

    async def authenticate(self, token: str, target: ReportTarget) -> Principal:
        """The pod behind `token`, which must have been issued for `target`. Raises ReportRejected."""
        expiry = self._precheck(token, target)
        key = (hashlib.sha256(token.encode()).hexdigest(), target.audience)
        result = self._cached(key)
        if result is None:
            result = await self._review(token, target)
            self._remember(key, result, expiry=expiry)
        if isinstance(result, ReportRejected):
            raise result.copy()
        return result

    def _precheck(self, token: str, target: ReportTarget) -> float:
        """The unverified expiry; raises ReportRejected if a check without an API call fails."""
        claims = unverified_claims(token)
        expiry, audience = claims.get("exp"), claims.get("aud")
        if not isinstance(expiry, (int, float)) or expiry <= self._wall():
            raise ReportRejected(401, "TokenExpired", "the token has expired: the agent must read its token file again")
        if target.audience not in (audience if isinstance(audience, list) else [audience]):
            raise ReportRejected(401, "WrongAudience", f"the token was not issued for {target.audience}")
        return float(expiry)

    def _cached(self, key: tuple[str, str]) -> Principal | ReportRejected | None:
        until, result = self._cache.get(key, (0.0, None))
        if result is None or until <= self._clock():
            self._cache.pop(key, None)
            return None
        self._cache.move_to_end(key)
        self._count(result, cache="hit")
        return result

    def _remember(self, key: tuple[str, str], result: Principal | ReportRejected, *, expiry: float) -> None:
        lifetime = REJECTED_TTL_SECONDS if isinstance(result, ReportRejected) else ACCEPTED_TTL_SECONDS
        self._cache[key] = (self._clock() + min(lifetime, expiry - self._wall()), result)
        while len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)

    async def _review(self, token: str, target: ReportTarget) -> Principal | ReportRejected:
        if wait := self._reviews.take():
            raise ReportRejected(503, "TooManyReviews", "too many unknown tokens at once", retry_after=wait)
        try:
            status = await self._reviewer.review(token, audience=target.audience)
        except ApiError as error:
            message = f"the token could not be reviewed: {error}"
            raise ReportRejected(503, "ReviewFailed", message, retry_after=2) from None
        result = principal_from_review(status, target)
        self._count(result, cache="miss")
        return result

    def _count(self, result: Principal | ReportRejected, *, cache: str) -> None:
        label = "refused" if isinstance(result, ReportRejected) else "accepted"
        self._metrics.token_reviews.labels(label, cache).inc()


def unverified_claims(token: str) -> dict[str, Any]:
    """The payload of a JWT, its signature not verified. Raises ReportRejected (401) for other text."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN_BYTES or len(parts) != 3 or not all(parts):
        raise ReportRejected(401, "MalformedToken", "the Authorization header does not contain a JSON Web Token")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise ReportRejected(401, "MalformedToken", "the token's payload cannot be decoded")
    return claims


def principal_from_review(status: Mapping[str, Any], target: ReportTarget) -> Principal | ReportRejected:
    """Evaluate a TokenReview's status for `target`."""
    if status.get("authenticated") is not True:
        return ReportRejected(401, "NotAuthenticated", "the API server does not accept this token")
    if target.audience not in (status.get("audiences") or []):
        return ReportRejected(401, "WrongAudience", "the API server did not confirm the token's audience")
    user: Mapping[str, Any] = status.get("user") or {}
    namespace, _, account = str(user.get("username", "")).removeprefix(ACCOUNT_PREFIX).partition(":")
    if not str(user.get("username", "")).startswith(ACCOUNT_PREFIX) or not account:
        return ReportRejected(403, "NotAServiceAccount", "only service accounts report progress")
    if namespace != target.namespace:
        return ReportRejected(403, "ForeignNamespace", f"the token belongs to namespace {namespace}")
    extra: Mapping[str, Any] = user.get("extra") or {}
    pod, pod_uid = single_value(extra.get(POD_NAME)), single_value(extra.get(POD_UID))
    if not pod or not pod_uid:
        return ReportRejected(403, "NotBoundToAPod", "the token is not bound to a pod")
    return Principal(namespace, account, pod, pod_uid)


def single_value(values: object) -> str:
    """The only entry of a one-entry list of strings, else empty."""
    return values[0] if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str) else ""
