"""A real S3 server on loopback for one test session, and a clone that knows less than a real one."""

from __future__ import annotations

import signal
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
from videojob_api.resource.storage import S3Prefix, SecretRef

from devcluster.build.go_build import binary_path
from devcluster.host.ports import free_ports

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS, SECRET = "tester", "tester-secret-key"
SECRET_NAME = "art-s3"
START_SECONDS = 30


def swap_keys(root: Path, *, access: str = ACCESS, secret: str = SECRET) -> Path:
    """The same as the kubelet does it: a new folder, and one link that is renamed over the old one; `root` itself."""
    folder, new = root / SECRET_NAME, f"..{time.monotonic_ns()}"
    (folder / new).mkdir(parents=True)
    for name, value in (("AWS_ACCESS_KEY_ID", access), ("AWS_SECRET_ACCESS_KEY", secret)):
        (folder / new / name).write_text(value)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(new)
    (folder / "..new").rename(folder / "..data")
    return root


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


class Gateway:
    """versitygw with its data in a folder; it can stop, stand still, and come back at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir()

    @property
    def server(self) -> Server:
        """What clients need to know of it."""
        return Server(f"http://127.0.0.1:{self._port}")

    def start(self, *, secret: str = SECRET) -> None:
        """Up, with the user's secret as given. Raises Unsupported when versitygw is not built."""
        command = [str(binary_path("versitygw")), "--port", f"127.0.0.1:{self._port}", "--quiet", "posix"]
        environment = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": secret}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, self._folder / "data"], env=environment, stdout=log, stderr=log)
        wait_for(self._port)

    def kill(self) -> None:
        """Away at once: connections are refused."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """It takes connections and says nothing."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `pause`."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def s3_gateway(folder: Path) -> Iterator[Gateway]:
    """A server of one's own, up. Raises Unsupported when versitygw is not built."""
    gateway = Gateway(folder)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.kill()


@contextmanager
def s3_server(folder: Path) -> Iterator[Server]:
    """The same, for whoever leaves it alone."""
    with s3_gateway(folder) as gateway:
        yield gateway.server


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
"""Status and S3's code of an error, or a whole page; any code is well with 200."""


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
            error = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
            text = (code if code.startswith("<") else "" if status == 200 else error).encode()
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
