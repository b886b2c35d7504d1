"""The report endpoint over real TLS: every gate has its code, and only what passes all of them reaches the desk."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from videojob_api.messages.report import Report
from videojob_operator.certs import pki
from videojob_operator.domain.observation.observed import ObservedPod
from videojob_operator.metrics import Metrics
from videojob_operator.ratelimit import JOB_RATE, SOURCE_RATE, RateLimiter
from videojob_operator.reports.authenticator import Principal, ReportTarget, TokenAuthenticator
from videojob_operator.reports.rejections import ReportRejected
from videojob_operator.reports.server import (
    MAX_BODY_BYTES,
    ReportServer,
    RequestFilters,
    RequestTimeouts,
    server_context,
)

from tests.support.clock import ManualClock
from tests.unit.operator.fakes import RecordingReviewer, metric_value, metrics, token, token_review

PATH = "/v1/namespaces/art/videojobs/sunset/progress"
AUDIENCE = ReportTarget("art", "sunset", "uid-1").audience
HONEST = token(audience=AUDIENCE)
POD = ObservedPod(uid="pod-1", name="sunset-1-x", job_uid="job-1", created=datetime(2026, 1, 1, tzinfo=UTC))
REPORT = {"uid": "uid-1", "sequence": 1, "state": "running", "percent": 5, "observedTime": "2026-01-01T00:00:00Z"}


@dataclass
class RecordingHandler:
    """Takes every report, unless told to refuse the pod."""

    refuse: ReportRejected | None = None
    taken: list[Report] = field(default_factory=list)

    def authorize(self, principal: Principal, target: ReportTarget) -> ObservedPod:
        if self.refuse:
            raise self.refuse.copy()
        return POD

    def accept(self, pod: ObservedPod, target: ReportTarget, report: Report) -> None:
        self.taken.append(report)


@dataclass
class Door:
    """A running server and a client that trusts it."""

    desk: RecordingHandler
    metrics: Metrics
    port: int
    trust: ssl.SSLContext
    session: aiohttp.ClientSession
    reviewer: RecordingReviewer

    async def send(self, **request: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers and body of the answer to an honest report, changed by `request`."""
        headers = {"Authorization": f"Bearer {request.pop('token', HONEST)}"} | request.pop("headers", {})
        url = f"https://localhost:{self.port}{request.pop('path', PATH)}"
        body = request.pop("data", None) or json.dumps(REPORT | request.pop("report", {}))
        async with self.session.request(request.pop("method", "POST"), url, data=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, dict(answer.headers), json.loads(text) if text else {}

    def count(self, code: int) -> float:
        return metric_value(self.metrics, "videojob_status_requests_total", code=str(code))


CERTIFICATES = pki.load_or_issue(None, names=("localhost",), now=datetime.now(UTC))


@asynccontextmanager
async def opened(
    *, ready: bool = True, clock: ManualClock | None = None, status: Any = None, timeouts: RequestTimeouts | None = None
) -> AsyncIterator[Door]:
    """A door with everything real but the API server behind it."""
    time, counters, desk = clock or ManualClock(), metrics(), RecordingHandler()
    reviewer = RecordingReviewer(status or token_review(audience=AUDIENCE))
    tokens = TokenAuthenticator(reviewer, counters, clock=time, now=lambda: 3000.0)
    jobs, sources = RateLimiter(JOB_RATE, clock=time), RateLimiter(SOURCE_RATE, clock=time)
    gates = RequestFilters(source_limiter=sources, authenticator=tokens, job_limiter=jobs, has_synced=lambda: ready)
    server = ReportServer(desk, gates, counters, timeouts=timeouts or RequestTimeouts())
    port = await server.start(host="localhost", port=0, context=loaded(server_context()))
    trust = ssl.create_default_context(cadata=CERTIFICATES.ca.certificate_pem.decode())
    connector = aiohttp.TCPConnector(ssl=trust)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Door(desk, counters, port, trust, session, reviewer)
    finally:
        await server.stop()


def loaded(context: ssl.SSLContext) -> ssl.SSLContext:
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(CERTIFICATES.serving.key_pem + CERTIFICATES.serving.certificate_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


async def test_an_honest_report_is_taken() -> None:
    async with opened() as door:
        code, _, body = await door.send()
        assert (code, body) == (204, {})
        assert [(report.percent, report.sequence) for report in door.desk.taken] == [(5, 1)]
        assert door.count(204) == 1


async def test_fields_of_a_newer_agent_are_ignored() -> None:
    async with opened() as door:
        assert (await door.send(report={"temperature": 61}))[0] == 204


BAD_REQUESTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "another route": ({"path": "/v1/namespaces/art/videojobs/sunset"}, 404, "NoSuchRoute"),
    "a name that is none": ({"path": "/v1/namespaces/art/videojobs/Sun_Set/progress"}, 404, "NoSuchRoute"),
    "a path that climbs": ({"path": "/v1/namespaces/..%2fkube/videojobs/sunset/progress"}, 404, "NoSuchRoute"),
    "the wrong method": ({"method": "PUT"}, 405, "MethodNotAllowed"),
    "no token": ({"headers": {"Authorization": ""}}, 401, "NoToken"),
    "another scheme": ({"headers": {"Authorization": "Basic eDp5"}}, 401, "NoToken"),
    "a malformed token": ({"token": "not.a-token"}, 401, "MalformedToken"),
    "another job's token": ({"token": token(audience="videojobs.dev/status/art/waves/uid-2")}, 401, "WrongAudience"),
    "an expired token": ({"token": token(audience=AUDIENCE, expires=2000.0)}, 401, "TokenExpired"),
    "a body of another job": ({"report": {"uid": "uid-2"}}, 401, "WrongAudience"),
    "no JSON": ({"data": b"percent=5"}, 400, "BadReport"),
    "JSON that is no object": ({"data": b"[]"}, 400, "BadReport"),
    "JSON nested without end": ({"data": b"[" * 8000}, 400, "BadReport"),
    "no UTF-8": ({"data": b'{"uid": "\xff"}'}, 400, "BadReport"),
    "an unknown state": ({"report": {"state": "dancing"}}, 400, "BadReport"),
    "a percent beyond hundred": ({"report": {"percent": 101}}, 400, "BadReport"),
    "a negative sequence": ({"report": {"sequence": -1}}, 400, "BadReport"),
    "one byte too many": ({"data": b" " * (MAX_BODY_BYTES + 1)}, 413, "TooLarge"),
    "a megabyte": ({"data": b" " * 1_000_000}, 413, "TooLarge"),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_a_bad_request_changes_nothing_but_its_count(name: str) -> None:
    request, code, reason = BAD_REQUESTS[name]
    async with opened() as door:
        found, _, body = await door.send(**dict(request))
        assert (found, body["reason"]) == (code, reason)
        assert door.count(code) == 1
        assert door.desk.taken == []
        assert door.reviewer.asked == []


async def test_the_message_names_the_field_that_is_wrong() -> None:
    async with opened() as door:
        _, _, body = await door.send(report={"percent": 101})
        assert body["message"].startswith("percent: ")


async def test_a_token_the_server_does_not_know_is_refused_and_says_which_scheme() -> None:
    async with opened(status={"error": "revoked"}) as door:
        code, headers, body = await door.send()
        assert (code, body["reason"], headers["WWW-Authenticate"]) == (401, "NotAuthenticated", "Bearer")


async def test_a_pod_that_is_not_the_jobs_is_refused() -> None:
    async with opened() as door:
        door.desk.refuse = ReportRejected(403, "NotThePod", "no")
        assert (await door.send())[0] == 403
        assert door.count(403) == 1


async def test_who_is_refused_does_not_use_up_the_jobs_rate() -> None:
    async with opened() as door:
        door.desk.refuse = ReportRejected(403, "NotThePod", "no")
        assert {(await door.send())[0] for _ in range(10)} == {403}
        door.desk.refuse = None
        assert (await door.send())[0] == 204


async def test_a_flooding_job_is_told_when_to_come_back() -> None:
    async with opened() as door:
        codes = [(await door.send(report={"sequence": number}))[0] for number in range(3)]
        code, headers, _ = await door.send()
        assert (codes, code, headers["Retry-After"]) == ([204] * 3, 429, "2")
        assert len(door.desk.taken) == 3


async def test_a_flooding_address_is_stopped_before_its_token_is_looked_at() -> None:
    async with opened() as door:
        codes = [(await door.send(token="not.a-token"))[0] for _ in range(41)]
        assert codes == [401] * 40 + [429]


async def test_an_operator_that_still_reads_the_cluster_says_later() -> None:
    async with opened(ready=False) as door:
        code, headers, _ = await door.send()
        assert (code, headers["Retry-After"]) == (503, "2")


async def test_a_large_body_without_a_length_is_cut_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    async with opened() as door:
        assert (await door.send(data=endless()))[0] == 413


async def test_a_body_that_never_comes_is_given_up() -> None:
    async with opened(timeouts=RequestTimeouts(body=0.05)) as door:
        reader, writer = await asyncio.open_connection("localhost", door.port, ssl=door.trust)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {HONEST}\r\nContent-Length: 100\r\n\r\n"
        writer.write(head.encode())
        assert (await asyncio.wait_for(reader.readline(), 5)).split()[1] == b"408"
        writer.close()


async def test_a_head_that_never_ends_is_given_up() -> None:
    async with opened(timeouts=RequestTimeouts(keepalive=0.05)) as door:
        reader, writer = await asyncio.open_connection("localhost", door.port, ssl=door.trust)
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: ".encode())
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_client_that_never_shakes_hands_is_given_up() -> None:
    async with opened(timeouts=RequestTimeouts(handshake=0.05)) as door:
        reader, writer = await asyncio.open_connection("localhost", door.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_one_connection_carries_many_reports() -> None:
    async with opened() as door:
        for number in range(3):
            assert (await door.send(report={"sequence": number}))[0] == 204
        connector = door.session.connector
        assert connector is not None
        assert len(connector._conns) == 1


async def test_old_tls_is_refused() -> None:
    assert server_context().minimum_version is ssl.TLSVersion.TLSv1_2
    async with opened() as door:
        door.trust.maximum_version = ssl.TLSVersion.TLSv1_2
        assert (await door.send())[0] == 204


async def test_plain_http_gets_no_answer() -> None:
    async with opened() as door:
        reader, writer = await asyncio.open_connection("localhost", door.port, family=socket.AF_INET)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"HTTP" not in await asyncio.wait_for(reader.read(), 10)
        writer.close()
