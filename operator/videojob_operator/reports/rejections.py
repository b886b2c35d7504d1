"""A rejected report: an HTTP status, a machine-readable reason, and a message without secrets."""

from __future__ import annotations

import math


class ReportRejected(Exception):
    """Ends a request. `code` is the HTTP status; `retry_after` in seconds becomes the header Retry-After."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.retry_after = code, reason, message, retry_after

    def copy(self) -> ReportRejected:
        """A copy to raise again: an exception collects a traceback each time it is raised."""
        return ReportRejected(self.code, self.reason, self.message, retry_after=self.retry_after)

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in seconds, rounded up, if set; `WWW-Authenticate` for a 401."""
        headers = {"WWW-Authenticate": "Bearer"} if self.code == 401 else {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(self.retry_after))
        return headers
