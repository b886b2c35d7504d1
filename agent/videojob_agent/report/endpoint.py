"""Client of the operator's progress endpoint, over HTTPS with the pod's projected token (VJ-3, Wire)."""

from __future__ import annotations

import ssl
from pathlib import Path

import urllib3
from videojob_api.messages.plan import ReportPlan

from videojob_agent.errors import EndpointUnreachable
from videojob_agent.report.reporter import ReportResponse

TIMEOUT = urllib3.Timeout(connect=5, read=10)


class HttpsEndpoint:
    """POSTs reports. `ca_pem` is the PEM of the CA of the endpoint; None uses the system's CAs."""

    def __init__(self, plan: ReportPlan, *, ca_pem: str | None, timeout: urllib3.Timeout = TIMEOUT) -> None:
        self._url = plan.url
        self._token = Path(plan.token_path)
        context = ssl.create_default_context(cadata=ca_pem)
        self._pool = urllib3.PoolManager(ssl_context=context, timeout=timeout, retries=False, maxsize=1)

    def post(self, body: bytes) -> ReportResponse:
        """Send one report with the current token; it is read each time because the kubelet renews it."""
        try:
            token = self._token.read_text().strip()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            response = self._pool.request("POST", self._url, body=body, headers=headers, redirect=False)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            # The token must not reach the log, and http.client quotes a header that it finds malformed.
            text = type(error).__name__ if isinstance(error, ValueError) else str(error)
            raise EndpointUnreachable(f"{self._url}: {text}") from error
        return ReportResponse(response.status, _seconds(response.headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    """The seconds of a Retry-After header; HTTP dates are not supported."""
    return float(text) if text and text.isascii() and text.isdigit() else None
