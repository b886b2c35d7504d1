"""The one line to the operator, over real TLS on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from videojob_agent.errors import EndpointUnreachable
from videojob_agent.report.endpoint import HttpsEndpoint
from videojob_agent.report.reporter import ReportResponse
from videojob_api.messages.plan import ReportPlan

TOKEN = "eyJ-secret-token"


class Operator:
    """An HTTPS server that records requests and gives the answers it is told to."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.answer: tuple[int, dict[str, str]] = (204, {})
        self.certificate = self_signed(folder)
        operator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operator.seen.append((self.path, self.headers["Authorization"], body))
                self.send_response(operator.answer[0])
                for name, value in operator.answer[1].items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/v1/progress"


def self_signed(folder: Path) -> str:
    """Writes a key and a certificate for 127.0.0.1; the certificate's PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "operator")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    text = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(text)
    return text.decode()


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    operator = Operator(tmp_path)
    thread = threading.Thread(target=operator.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield operator
    operator.server.shutdown()
    operator.server.server_close()
    thread.join()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def endpoint(url: str, token: Path, *, authority: str | None) -> HttpsEndpoint:
    return HttpsEndpoint(ReportPlan(url=url, token_path=str(token)), ca_pem=authority)


def test_a_report_arrives_with_the_token(operator: Operator, token: Path) -> None:
    answer = endpoint(operator.url, token, authority=operator.certificate).post(b'{"uid": "u"}')
    assert answer == ReportResponse(204)
    assert operator.seen == [("/v1/progress", f"Bearer {TOKEN}", b'{"uid": "u"}')]


def test_a_rotated_token_is_used_for_the_next_report(operator: Operator, token: Path) -> None:
    it = endpoint(operator.url, token, authority=operator.certificate)
    it.post(b"{}")
    token.write_text("rotated")
    it.post(b"{}")
    assert [header for _, header, _ in operator.seen] == [f"Bearer {TOKEN}", "Bearer rotated"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("soon", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after_is_understood_in_seconds(
    operator: Operator, token: Path, header: str, seconds: float | None
) -> None:
    operator.answer = (503, {"Retry-After": header})
    assert endpoint(operator.url, token, authority=operator.certificate).post(b"{}") == ReportResponse(503, seconds)


def test_a_redirect_is_not_followed_with_the_token(operator: Operator, token: Path) -> None:
    operator.answer = (307, {"Location": operator.url + "/elsewhere"})
    assert endpoint(operator.url, token, authority=operator.certificate).post(b"{}").status == 307
    assert len(operator.seen) == 1


def test_a_server_of_another_authority_never_sees_the_token(operator: Operator, token: Path) -> None:
    with pytest.raises(EndpointUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        endpoint(operator.url, token, authority=None).post(b"{}")
    assert operator.seen == []


def test_nobody_at_the_address_is_told_as_such(token: Path) -> None:
    with pytest.raises(EndpointUnreachable, match=r"127\.0\.0\.1:9"):
        endpoint("http://127.0.0.1:9/", token, authority=None).post(b"{}")


def test_an_operator_that_takes_the_call_and_says_nothing_is_given_up(token: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        plan = ReportPlan(url=f"http://127.0.0.1:{silent.getsockname()[1]}/", token_path=str(token))
        with pytest.raises(EndpointUnreachable, match="timed out"):
            HttpsEndpoint(plan, ca_pem=None, timeout=urllib3.Timeout(connect=5, read=0.05)).post(b"{}")


def test_a_missing_token_is_waited_for(operator: Operator, tmp_path: Path) -> None:
    with pytest.raises(EndpointUnreachable, match="No such file"):
        endpoint(operator.url, tmp_path / "absent", authority=operator.certificate).post(b"{}")


@pytest.mark.parametrize("broken", ["eyJ-secret\nX-Header: 1", "eyJ-secret\udc80"])
def test_a_broken_token_does_not_reach_the_log(operator: Operator, token: Path, broken: str) -> None:
    token.write_text(broken, errors="surrogateescape")
    with pytest.raises(EndpointUnreachable) as refusal:
        endpoint(operator.url, token, authority=operator.certificate).post(b"{}")
    assert "secret" not in str(refusal.value)
