"""A rejected report: an HTTP status, a machine-readable reason, and a message without secrets."""

from __future__ import annotations

import math


class ReportRejected(Exception):
    """Ends a request. `code` is the HTTP status, `retry_after` seconds go into the header of that name."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.retry_after = code, reason, message, retry_after

    def copy(self) -> ReportRejected:
        """The same rejection to raise once more: an exception collects a traceback each time it is raised."""
        return ReportRejected(self.code, self.reason, self.message, retry_after=self.retry_after)

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds, rounded up, where there is one; a 401 says which scheme it wants."""
        headers = {"WWW-Authenticate": "Bearer"} if self.code == 401 else {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(self.retry_after))
        return headers
