"""
The operator's client of the API server.

The official client handles credentials and their renewal, TLS, proxies and the connection pool; this module adds raw
JSON instead of typed models (decoding into models takes 30 times longer), a timeout, typed errors, the server's
warnings, and a metric per call. One generic call serves all kinds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient

from videojob_operator.domain.names import Raw
from videojob_operator.kube.api import WATCH_OPENED, ApiResponse, KubeApi, Query
from videojob_operator.kube.errors import Unreachable, error_from_response
from videojob_operator.kube.kinds import Kind
from videojob_operator.metrics import Metrics

APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
PAGE_SIZE = 500
"""Objects per LIST request; 20 pages of 500 need a seventh of the memory of one page of 10,000."""
REQUEST_TIMEOUT_SECONDS = 20.0
"""Timeout of one ordinary call."""


@dataclass(frozen=True, slots=True)
class KubeRequest:
    """One call: `path` with leading slash, `body` any JSON value."""

    verb: str
    kind: Kind
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class KubeClient(KubeApi):
    """Raw JSON calls through the official client; every failure is a `ApiError`."""

    def __init__(self, api: ApiClient, metrics: Metrics) -> None:
        self._api = api
        self._metrics = metrics

    async def get(self, kind: Kind, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """See `KubeApi`."""
        return (await self._call(KubeRequest("GET", kind, kind.path(namespace=namespace, name=name)))).body

    async def create(self, kind: Kind, body: Raw, *, namespace: str | None = None) -> ApiResponse:
        """See `KubeApi`."""
        return await self._call(KubeRequest("POST", kind, kind.path(namespace=namespace), body=body))

    async def replace(self, kind: Kind, body: Raw) -> dict[str, Any]:
        """See `KubeApi`."""
        meta = body["metadata"]
        path = kind.path(namespace=meta.get("namespace"), name=meta["name"])
        return (await self._call(KubeRequest("PUT", kind, path, body=body))).body

    async def merge_patch(self, kind: Kind, name: str, *, namespace: str, body: Raw) -> dict[str, Any]:
        """See `KubeApi`."""
        path = kind.path(namespace=namespace, name=name)
        return (await self._call(KubeRequest("PATCH", kind, path, body=body, content_type=MERGE_PATCH))).body

    async def apply_status(self, kind: Kind, body: Raw, *, manager: str) -> dict[str, Any]:
        """See `KubeApi`."""
        meta = body["metadata"]
        path = kind.path(namespace=meta["namespace"], name=meta["name"], subresource="status")
        query = (("fieldManager", manager), ("force", "true"))
        return (await self._call(KubeRequest("PATCH", kind, path, query, body, content_type=APPLY_PATCH))).body

    async def delete(self, kind: Kind, name: str, *, namespace: str, uid: str) -> None:
        """See `KubeApi`."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        await self._call(KubeRequest("DELETE", kind, kind.path(namespace=namespace, name=name), body=body))

    async def list_pages(
        self, kind: Kind, *, namespace: str | None = None, query: Query | None = None, metadata_only: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """See `KubeApi`."""
        token = ""
        while True:
            parameters = {"limit": str(PAGE_SIZE), **(query or {})} | ({"continue": token} if token else {})
            accept = METADATA_LIST if metadata_only else "application/json"
            path = kind.path(namespace=namespace)
            page = await self._call(
                KubeRequest("GET", kind, path, tuple(parameters.items()), accept=accept), verb="LIST"
            )
            yield page.body
            token = page.body.get("metadata", {}).get("continue") or ""
            if not token:
                return

    async def watch(
        self, kind: Kind, *, namespace: str | None, query: Query, idle_timeout: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """See `KubeApi`."""
        parameters = {"watch": "true", "allowWatchBookmarks": "true", **query}
        request = KubeRequest("GET", kind, kind.path(namespace=namespace), tuple(parameters.items()))
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=min(REQUEST_TIMEOUT_SECONDS, idle_timeout), sock_read=idle_timeout
        )
        async with self._send(request, verb="WATCH", limits=limits) as response:
            yield {"type": WATCH_OPENED, "object": {}}
            with translate_errors(str(request)):
                async for line in response.content:
                    yield parse_watch_event(line, what=str(request))

    async def _call(self, request: KubeRequest, *, verb: str | None = None) -> ApiResponse:
        limits = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS)
        async with self._send(request, verb=verb or request.verb, limits=limits) as response:
            with translate_errors(str(request)):
                body = json.loads(await response.read())
        return ApiResponse(body, parse_warnings(response.headers.getall("Warning", ())))

    @asynccontextmanager
    async def _send(
        self, request: KubeRequest, *, verb: str, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and yield a response with a status below 300; raise otherwise; count all of them."""
        began, status = time.monotonic(), 0
        try:
            with translate_errors(str(request)):
                arguments = await self._api.param_serialize(
                    request.verb,
                    request.path,
                    query_params=list(request.query),
                    header_params={"Accept": request.accept, "Content-Type": request.content_type},
                    body=request.body,
                    auth_settings=["BearerToken"],
                )
                wrapped = await self._api.call_api(*arguments, _request_timeout=limits)
                response: aiohttp.ClientResponse = wrapped.response
                status = response.status
        finally:
            self._metrics.observe_api_call(
                verb=verb, kind=request.kind.name, status=status, seconds=time.monotonic() - began
            )
        async with response:
            if status >= 300:
                with translate_errors(str(request)):
                    body = await response.read()
                raise error_from_response(
                    status=status, body=body, what=str(request), applying=request.content_type == APPLY_PATCH
                )
            yield response


class translate_errors:  # noqa: N801 - used like a function in `with`
    """Context in which every transport failure becomes Unreachable, naming the request."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)):
            raise Unreachable(f"{self.what}: {type(error).__name__} {error}") from error


def parse_watch_event(line: bytes, *, what: str) -> dict[str, Any]:
    """Parse one line of a watch; an ERROR event is raised as its typed error."""
    event = json.loads(line)
    if not isinstance(event, dict) or "type" not in event or "object" not in event:
        raise Unreachable(f"{what}: not a watch event: {line[:200]!r}")
    if event["type"] == "ERROR":
        status = int(event["object"].get("code") or 0)
        raise error_from_response(status=status, body=json.dumps(event["object"]).encode(), what=what)
    return event


def parse_warnings(headers: Sequence[str]) -> tuple[str, ...]:
    """The texts of `299 - "text"` headers."""
    return tuple(header.partition('"')[2].rpartition('"')[0].replace('\\"', '"') or header for header in headers)
