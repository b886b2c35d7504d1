"""
Uses kopf to log in, to watch VideoJobs and to handle signals; no other feature of it is used.

Every event updates the VideoJob cache, which adds the key to the work queue. kopf writes no finalizer, annotation,
event or status: its change-detecting handlers would write to each object, and its event handlers are edge-triggered.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Awaitable, Callable
from typing import Any

import kopf
from videojob_api.base import GROUP, PLURAL, VERSION

from videojob_operator.cache.videojobs import VideoJobCache
from videojob_operator.kube.client import PAGE_SIZE


def kopf_settings(*, idle_timeout: float) -> kopf.OperatorSettings:
    """kopf's settings (VJ-25); times in seconds."""
    chosen = kopf.OperatorSettings()
    chosen.watching.chunk_size = PAGE_SIZE
    chosen.watching.server_timeout = 300
    chosen.watching.inactivity_timeout = min(70.0, idle_timeout)
    chosen.watching.connect_timeout = 5
    chosen.networking.request_timeout = 20
    chosen.networking.connect_timeout = 5
    chosen.queueing.idle_timeout = 0.5
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    chosen.process.ultimate_exiting_timeout = 25
    chosen.persistence.finalizer = f"{GROUP}/finalizer"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    return chosen


def kopf_registry(videojobs: VideoJobCache, *, on_cleanup: Callable[[], Awaitable[None]]) -> kopf.OperatorRegistry:
    """Handlers for login, watch events and cleanup; on cleanup kopf cancels all tasks that started after it."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        inside = kopf.login_with_service_account(**arguments)
        return with_service_address(inside) if inside else kopf.login_with_kubeconfig(**arguments)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def changed(event: kopf.RawEvent, **_: Any) -> None:
        videojobs.on_watch_event(event["object"], deleted=event["type"] == "DELETED")

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await on_cleanup()

    return handlers


def with_service_address(connection: kopf.ConnectionInfo) -> kopf.ConnectionInfo:
    """The credentials with the address from the kubelet's variables, as the official client does: needs no DNS."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        return connection
    return dataclasses.replace(connection, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")


async def run_kopf(
    videojobs: VideoJobCache,
    *,
    namespaces: tuple[str, ...],
    idle_timeout: float,
    stop: asyncio.Event,
    on_cleanup: Callable[[], Awaitable[None]],
) -> None:
    """Run kopf until SIGTERM, SIGINT or `stop`; no `namespaces` means all; `on_cleanup` is called once."""
    await kopf.operator(
        registry=kopf_registry(videojobs, on_cleanup=on_cleanup),
        settings=kopf_settings(idle_timeout=idle_timeout),
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        stop_flag=stop,
    )
