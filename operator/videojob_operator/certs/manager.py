"""
Reads, fills and renews the Secret with the report endpoint's certificates.

The operator may get and update exactly this one Secret, which the chart ships without data. An update carries the
resourceVersion that was read, so two operators that start at the same time agree on one CA: the slower one reads again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from videojob_operator.certs import pki
from videojob_operator.kube.api import KubeApi
from videojob_operator.kube.errors import ApiError, Conflict
from videojob_operator.kube.kinds import SECRETS

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
CHECK_INTERVAL_SECONDS = 3600.0
"""Seconds between two checks of the certificate's age."""


class CertificateManager:
    """Holds the current certificates and keeps the server's TLS context and the Secret in sync with them."""

    def __init__(
        self,
        client: KubeApi,
        context: ssl.SSLContext,
        *,
        namespace: str,
        secret: str,
        names: tuple[str, ...],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client, self._context, self._now = client, context, now
        self._namespace, self._secret, self._names = namespace, secret, names
        self._current: pki.CertificateBundle | None = None

    @property
    def ca_pem(self) -> str:
        """PEM of the CA that job pods must trust; empty before the first `ensure`."""
        return self._current.ca.certificate_pem.decode() if self._current else ""

    async def ensure(self) -> None:
        """Load valid certificates into the Secret and the TLS context. Raises ApiError."""
        for left in reversed(range(MAX_ATTEMPTS)):
            try:
                return self._activate(await self._load_or_renew())
            except Conflict:
                if not left:
                    raise
        return None

    async def run(self) -> None:
        """Renew certificates when due, checked every hour, without end."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_SECONDS)
            try:
                await self.ensure()
            except ApiError as error:
                log.warning("certificate check failed, retrying in an hour: %s", error)

    async def _load_or_renew(self) -> pki.CertificateBundle:
        secret = await self._client.get(SECRETS, self._secret, namespace=self._namespace)
        data = secret.get("data")
        wanted = pki.load_or_issue(data, names=self._names, now=self._now())
        if wanted.secret_data() != data:
            log.info("writing new certificates into Secret %s", self._secret)
            await self._client.replace(SECRETS, {**secret, "data": wanted.secret_data()})
        return wanted

    def _activate(self, certificates: pki.CertificateBundle) -> None:
        if certificates == self._current:
            return
        with tempfile.NamedTemporaryFile(prefix="videojob-", suffix=".pem") as file:
            Path(file.name).write_bytes(certificates.serving.key_pem + certificates.serving.certificate_pem)
            self._context.load_cert_chain(file.name)
        self._current = certificates
