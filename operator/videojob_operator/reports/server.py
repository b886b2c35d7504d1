"""
HTTPS endpoint for progress reports: POST /v1/namespaces/{namespace}/videojobs/{name}/progress.

Filters run from cheapest to most expensive: route, source address, size, body, token, ownership, the job's own rate.
Each either passes the request on or answers with its own status code; every answer is counted, and only a report that
has passed all filters has an effect.

204 accepted · 400 invalid report · 401 token · 403 not this job's pod · 404 unknown job or route · 405 not POST · 408
body too slow · 409 the job has finished · 413 body over 8 KiB · 429 too many requests · 503 not ready (both with
Retry-After)
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from aiohttp.web_request import BaseRequest
from pydantic import ValidationError
from videojob_api.messages.report import Report

from videojob_operator.domain.observation.observed import ObservedPod
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import RateLimiter
from videojob_operator.reports.authenticator import Principal, ReportTarget, TokenAuthenticator
from videojob_operator.reports.rejections import ReportRejected

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024
ROUTE = re.compile(r"/v1/namespaces/([a-z0-9-]{1,63})/videojobs/([a-z0-9-]{1,63})/progress")


class ReportHandler(Protocol):
    """Authorizes and accepts reports."""

    def authorize(self, principal: Principal, target: ReportTarget) -> ObservedPod:
        """The job's pod behind the token. Raises ReportRejected."""

    def accept(self, pod: ObservedPod, target: ReportTarget, report: Report) -> None:
        """Accept the report. Raises ReportRejected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestTimeouts:
    """Seconds for the handshake, for the next request's head, and for the body."""

    handshake: float = 5.0
    keepalive: float = 15.0
    """Also the maximum idle time of an open connection; agents report more often."""
    body: float = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFilters:
    """Filters that each request must pass."""

    source_limiter: RateLimiter
    authenticator: TokenAuthenticator
    job_limiter: RateLimiter
    has_synced: Callable[[], bool]
    """True if the caches are complete, so that ownership can be checked."""


class ReportServer:
    """Serves `handler` behind `filters`."""

    def __init__(
        self,
        handler: ReportHandler,
        filters: RequestFilters,
        metrics: Metrics,
        *,
        timeouts: RequestTimeouts = RequestTimeouts(),
    ) -> None:
        self._handler, self._filters, self._metrics, self._timeouts = handler, filters, metrics, timeouts
        self._web: web.Server | None = None
        self._listening: asyncio.Server | None = None

    async def start(self, *, host: str | None, port: int, context: ssl.SSLContext) -> int:
        """Listen and return the port (for `port` 0, a free one)."""
        self._web = web.Server(self.handle, access_log=None, keepalive_timeout=self._timeouts.keepalive)
        self._listening = await asyncio.get_running_loop().create_server(
            self._web, host, port, ssl=context, ssl_handshake_timeout=self._timeouts.handshake
        )
        return int(self._listening.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Let running requests finish for up to five seconds, then close all connections."""
        if self._listening is not None:
            self._listening.close()
        if self._web is not None:
            self._web.pre_shutdown()
            await self._web.shutdown(5.0)

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request; the only place where ReportRejected becomes a response."""
        try:
            await self._process(request)
        except ReportRejected as rejection:
            self._metrics.status_requests.labels(str(rejection.code)).inc()
            log.info(
                "report refused: %s %s %s: %s", rejection.code, rejection.reason, request.path[:200], rejection.message
            )
            body = {"reason": rejection.reason, "message": rejection.message}
            return web.json_response(body, status=rejection.code, headers=rejection.headers)
        self._metrics.status_requests.labels("204").inc()
        return web.Response(status=204)

    async def _process(self, request: BaseRequest) -> None:
        namespace, name = parse_route(request)
        if wait := self._filters.source_limiter.take(request.remote):
            raise ReportRejected(429, "TooManyRequests", "too many requests from this address", retry_after=wait)
        if not self._filters.has_synced():
            raise ReportRejected(503, "NotReady", "the operator's caches are not synced yet", retry_after=2)
        token = bearer_token(request)
        report = parse_report(await self._body(request))
        target = ReportTarget(namespace, name, report.uid)
        principal = await self._filters.authenticator.authenticate(token, target)
        pod = self._handler.authorize(principal, target)
        if wait := self._filters.job_limiter.take(target.uid):
            raise ReportRejected(429, "TooManyReports", "send at most one report every two seconds", retry_after=wait)
        self._handler.accept(pod, target, report)

    async def _body(self, request: BaseRequest) -> bytes:
        if (request.content_length or 0) > MAX_BODY_BYTES:
            raise payload_too_large()
        body = b""
        try:
            async with asyncio.timeout(self._timeouts.body):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise payload_too_large()
        except TimeoutError:
            raise ReportRejected(408, "TooSlow", f"the body took longer than {self._timeouts.body:.0f} s") from None
        return body


def parse_route(request: BaseRequest) -> tuple[str, str]:
    """Namespace and name in the path. Raises ReportRejected (404, 405)."""
    match = ROUTE.fullmatch(request.path)
    if match is None:
        raise ReportRejected(404, "NoSuchRoute", "reports go to /v1/namespaces/NAMESPACE/videojobs/NAME/progress")
    if request.method != "POST":
        raise ReportRejected(405, "MethodNotAllowed", "reports are sent with POST")
    return match[1], match[2]


def bearer_token(request: BaseRequest) -> str:
    """The token of the Authorization header. Raises ReportRejected (401)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ReportRejected(401, "NoToken", "the Authorization header must carry a bearer token")
    return token.strip()


def parse_report(body: bytes) -> Report:
    """The report in a body. Raises ReportRejected (400) naming the invalid field."""
    try:
        return Report.model_validate(json.loads(body))
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in wrong["loc"]) or "body"
        raise ReportRejected(400, "BadReport", f"{field}: {wrong['msg']}") from None
    except (ValueError, RecursionError):
        raise ReportRejected(400, "BadReport", "the body is not JSON") from None


def payload_too_large() -> ReportRejected:
    """The rejection of a body that is too large (413)."""
    return ReportRejected(413, "TooLarge", f"a report has at most {MAX_BODY_BYTES} bytes")


def server_context() -> ssl.SSLContext:
    """A TLS context for TLS 1.2 or later; certificates are loaded by the certificate manager."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
