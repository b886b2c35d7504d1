"""
Operations of the API server that the operator uses, as a protocol.

`KubeClient` implements it; tests use a recording implementation. Objects are raw JSON; every failure is an `ApiError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from videojob_operator.domain.names import Raw
from videojob_operator.kube.kinds import Kind

WATCH_OPENED = "OPENED"
"""Type of the event that the client emits before those of a watch."""

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The decoded body of a response, and the texts of its `Warning` headers."""

    body: dict[str, Any]
    warnings: tuple[str, ...] = ()


class KubeApi(Protocol):
    """The operations; each raises ApiError on failure."""

    async def get(self, kind: Kind, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """Read one object. Raises NotFound."""

    async def create(self, kind: Kind, body: Raw, *, namespace: str | None = None) -> ApiResponse:
        """Create an object; return it with the server's warnings (Pod Security warns there)."""

    async def replace(self, kind: Kind, body: Raw) -> dict[str, Any]:
        """Replace an object; its `resourceVersion` prevents lost updates."""

    async def merge_patch(self, kind: Kind, name: str, *, namespace: str, body: Raw) -> dict[str, Any]:
        """Apply a JSON merge patch; a differing `metadata.uid` in it is rejected (Invalid, as a 422)."""

    async def apply_status(self, kind: Kind, body: Raw, *, manager: str) -> dict[str, Any]:
        """
        Server-side apply to `/status`; `metadata.resourceVersion` must be in `body`.

        The server ignores a wrong `metadata.uid` here and would write to a re-created object of the same name; a stale
        resourceVersion is what it does refuse (Conflict).
        """

    async def delete(self, kind: Kind, name: str, *, namespace: str, uid: str) -> None:
        """Delete the object of this uid (Conflict for another), its dependents in the background."""

    def list_pages(
        self, kind: Kind, *, namespace: str | None = None, query: Query | None = None, metadata_only: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield a LIST in pages of 500, each a raw list object. Raises Expired if the continue token expired."""

    def watch(
        self, kind: Kind, *, namespace: str | None, query: Query, idle_timeout: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """
        Watch events, raw, until the server ends the stream; before them one of type OPENED: the server has answered.

        `idle_timeout` is the longest time in seconds without any event or bookmark; then, and on a broken line,
        Unreachable.
        """


def is_newer(version: str, than: str) -> bool:
    """True if resourceVersion `version` is later than `than`; any version is later than none."""
    if not (version.isdecimal() and than.isdecimal()):
        return version != than
    return int(version) > int(than)
