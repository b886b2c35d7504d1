"""
An S3 server on the node's address, plain HTTP, with a user per bucket: versitygw over a folder.

Pods reach it at `endpoint`. Programs of the machine reach the same server at `endpoint_on_host`; addressing is by path
and the region is us-east-1. What differs from AWS is worth knowing: a key `a` and a key `a/b` cannot both exist.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from devcluster.build.go_build import binary_path
from devcluster.cluster.network_namespace import NODE_IP, S3_ADMIN_PORT, S3_PORT, NetworkNamespace
from devcluster.errors import StartFailed

REGION = "us-east-1"
_THERE_ALREADY = ("XAdminUserExists", "BucketAlreadyOwnedByYou")
_ROOT = {"ROOT_ACCESS_KEY": "devcluster", "ROOT_SECRET_KEY": "devcluster-root-secret"}


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """What one user needs to reach its bucket."""

    access_key: str
    secret_key: str
    bucket: str


@dataclass(frozen=True, slots=True)
class S3Server:
    """The server whose state is in `folder`; `port` is its door on the machine's loopback."""

    folder: Path
    network: NetworkNamespace
    port: int

    @property
    def endpoint(self) -> str:
        """The URL for pods."""
        return f"http://{NODE_IP}:{S3_PORT}"

    @property
    def endpoint_on_host(self) -> str:
        """The URL for programs on the machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The daemon's environment: its root credentials."""
        return _ROOT

    def command(self) -> list[str | Path]:
        """The daemon's command."""
        for part in ("data", "users"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        return [
            binary_path("versitygw"),
            f"--port={NODE_IP}:{S3_PORT}",
            f"--admin-port=127.0.0.1:{S3_ADMIN_PORT}",
            f"--iam-dir={self.folder / 'users'}",
            "--iam-cache-disable",
            "--health=/healthz",
            "--quiet",
            "posix",
            self.folder / "data",
        ]

    def is_ready(self) -> bool:
        """Whether the server answers."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.endpoint_on_host}/healthz", timeout=5) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except (urllib.error.URLError, OSError):
            return False

    def create_user(self, name: str, *, secret: str, bucket: str) -> S3Credentials:
        """A user with a bucket of its own that no other user may enter; there already: left as they are."""
        self._admin("create-user", f"--access={name}", f"--secret={secret}", "--role=user")
        self._admin("create-bucket", f"--owner={name}", f"--bucket={bucket}")
        return S3Credentials(name, secret, bucket)

    def _admin(self, *arguments: str) -> None:
        root = [f"--access={_ROOT['ROOT_ACCESS_KEY']}", f"--secret={_ROOT['ROOT_SECRET_KEY']}", f"--region={REGION}"]
        where = f"--endpoint-url=http://127.0.0.1:{S3_ADMIN_PORT}"
        try:
            self.network.run(binary_path("versitygw"), "admin", "--allow-insecure", *root, where, *arguments)
        except StartFailed as error:
            if not any(code in str(error) for code in _THERE_ALREADY):
                raise
