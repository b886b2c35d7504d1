"""
Typed errors of API calls.

ApiError
├── NotFound         the object does not exist; for a deletion that is success
├── Conflict         another client changed or created the object first; read and decide again
├── Invalid          the server will never accept this object; a retry cannot help
├── Forbidden        a right is missing; the message names the verb and the resource
├── Expired          a list or watch cannot be continued; list again
└── Unreachable      no response, or one that asks to retry later; retried with backoff
"""

from __future__ import annotations

import json
from http import HTTPStatus


class ApiError(Exception):
    """Base class; `status` is the HTTP status, 0 without a response."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotFound(ApiError):
    """The object (or the kind) does not exist."""


class Conflict(ApiError):
    """A precondition failed: stale resourceVersion, wrong uid, name taken, or another field manager."""


class Invalid(ApiError):
    """The server rejected the content: 400, 413, 422, or the 500 for an apply that violates the schema."""


class Forbidden(ApiError):
    """401 or 403: the operator's role lacks a right, or admission denied the request."""


class Expired(ApiError):
    """410: the resourceVersion or the continue token has expired."""


class Unreachable(ApiError):
    """No connection, a timeout, 429 or 5xx."""


ERROR_BY_STATUS: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: Invalid,
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: Invalid,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: Expired,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Invalid,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Invalid,
    HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
}


def error_from_response(*, status: int, body: bytes, what: str, applying: bool = False) -> ApiError:
    """The typed error of a response; `what` describes the request, `applying` marks a server-side apply."""
    kind, message = ERROR_BY_STATUS.get(status, Unreachable), error_message(body)
    if applying and status == HTTPStatus.INTERNAL_SERVER_ERROR and "typed patch" in message:
        kind = Invalid
    return kind(f"{what}: {status} {message}", status=status)


def error_message(body: bytes) -> str:
    """The `message` of a metav1.Status, or the first 200 characters of another body."""
    try:
        document = json.loads(body)
    except ValueError:
        return body[:200].decode(errors="replace")
    message = document.get("message") if isinstance(document, dict) else None
    return str(message) if message else body[:200].decode(errors="replace")
