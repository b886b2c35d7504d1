"""A real S3 server on loopback for one test session, and a clone that knows less than a real one."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from videojob_api.storage import S3Prefix, SecretRef

from devcluster.build import binary

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS, SECRET = "tester", "tester-secret-key"
SECRET_NAME = "art-s3"
START_SECONDS = 30


def write_keys(root: Path, *, access: str = ACCESS, secret: str = SECRET) -> Path:
    """The Secret as kubelet mounts it below `root`; `root` itself."""
    folder = root / SECRET_NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "AWS_ACCESS_KEY_ID").write_text(access)
    (folder / "AWS_SECRET_ACCESS_KEY").write_text(secret + "\n")
    return root


def place(endpoint: str, *, bucket: str = "art", prefix: str = "videos/waves/uid-1/") -> S3Prefix:
    """A destination with the Secret's credentials."""
    credentials = SecretRef(secret_name=SECRET_NAME)
    return S3Prefix(bucket=bucket, endpoint=endpoint, region="us-east-1", prefix=prefix, credentials=credentials)


@dataclass(frozen=True)
class Server:
    """versitygw, up."""

    endpoint: str

    @property
    def client(self) -> S3Client:
        """A client of the tests' own, for looking at what lies there."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        self.client.create_bucket(Bucket=name)

    def lying(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket."""
        client = self.client
        found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found}


@contextmanager
def s3_server(folder: Path) -> Iterator[Server]:
    """A server with its data in `folder`. Raises NotPossibleHere when versitygw is not built."""
    program, port = binary("versitygw"), free_port()
    (folder / "data").mkdir()
    environment = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    command: list[str | Path] = [program, "--port", f"127.0.0.1:{port}", "--quiet", "posix", folder / "data"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as it:
        try:
            wait_for(port)
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            it.terminate()


def free_port() -> int:
    """A TCP port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Returns when somebody listens on a loopback port."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@dataclass(frozen=True)
class Request:
    """What a clone was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, str]
"""Status and S3's code of an error; any code is well with 200."""


@contextmanager
def clone(answer: Callable[[Request], Reply]) -> Iterator[tuple[str, list[Request]]]:
    """A server that answers S3 requests as `answer` says: its endpoint, and everything it was asked."""
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            seen.append(request)
            status, code = answer(request)
            text = b"" if status == 200 else f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - the base class looks for these names

        def handle_expect_100(self) -> bool:
            return True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
