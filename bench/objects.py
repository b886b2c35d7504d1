"""Requests to an API server that hardly cost anything here: creation by many clients, and watches of whole kinds."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

Manifest = dict[str, Any]
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LONGEST_LINE = 2**20
"""Bytes of one watch event."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one namespace."""

    session: aiohttp.ClientSession
    namespace: str

    def path(self, group: str, plural: str) -> str:
        """Where the objects of a kind are; `group` with its version, as in `batch/v1`."""
        return f"/{'api' if group == 'v1' else 'apis'}/{group}/namespaces/{self.namespace}/{plural}"

    async def create(self, path: str, manifest: Manifest) -> None:
        """Creates one object; a refusal is raised with what the API server said."""
        async with self.session.post(path, json=manifest) as answer:
            if answer.status != 201:
                raise RuntimeError(f"{path}: {answer.status} {await answer.text()}")

    async def watch(self, path: str, *, metadata_only: bool = False) -> AsyncIterator[Manifest]:
        """
        Events from the present objects on, without end.

        An API server that is short of processor time closes watches in the middle; they go on from the last version
        seen. Where that is too old, all objects come again as ADDED.
        """
        headers, version = {"Accept": METADATA if metadata_only else "application/json"}, ""
        while True:
            query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version}
            async with self.session.get(path, params=query, headers=headers) as answer:
                answer.raise_for_status()
                async for line in answer.content:
                    event = json.loads(line)
                    version = event["object"]["metadata"].get("resourceVersion", "")
                    if event["type"] == "ERROR":
                        print(f"{path}: the watch restarts: {event['object'].get('message')}", file=sys.stderr)
                        break
                    if event["type"] != "BOOKMARK":
                        yield event


@asynccontextmanager
async def objects(kubeconfig: Path, namespace: str) -> AsyncIterator[Objects]:
    """Access with the rights of a kubeconfig."""
    configuration = Configuration()
    await load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    trust = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    trust.load_cert_chain(configuration.cert_file or "", configuration.key_file)
    async with aiohttp.ClientSession(
        configuration.host,
        connector=aiohttp.TCPConnector(ssl=trust, limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=20),
        read_bufsize=LONGEST_LINE,
    ) as session:
        yield Objects(session, namespace)


async def create_all(
    create: Callable[[Manifest], Any], manifests: Iterable[Manifest], *, clients: int, rate: float
) -> None:
    """Creates objects by `clients` at the same time, in all at most `rate` a second; 0: as fast as they are taken."""
    queue, begin = iter(enumerate(manifests)), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(create, queue, begin=begin, pause=1 / rate if rate else 0.0))


async def _client(
    create: Callable[[Manifest], Any], queue: Iterator[tuple[int, Manifest]], *, begin: float, pause: float
) -> None:
    for number, manifest in queue:
        await asyncio.sleep(max(0.0, begin + number * pause - time.monotonic()))
        await create(manifest)
