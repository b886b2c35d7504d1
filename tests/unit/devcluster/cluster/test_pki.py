"""Keys: what Kubernetes reads out of a certificate is what was asked for, and TLS believes it."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.oid import NameOID

from devcluster.cluster import kubeconfig
from devcluster.cluster.pki import CertificateAuthority


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    made = CertificateAuthority(tmp_path / "pki")
    made.create()
    return made


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_user_and_groups_stand_in_the_subject(authority: CertificateAuthority) -> None:
    subject = read(authority.issue("me", user="alice", groups=["system:masters", "painters"]).certificate).subject
    assert [each.value for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice"]
    groups = [each.value for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert sorted(map(str, groups)) == ["painters", "system:masters"]


def test_addresses_and_names_are_told_apart(authority: CertificateAuthority) -> None:
    certificate = read(authority.issue("server", user="s", hosts=["10.99.0.1", "kubernetes.default"]).certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.99.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["kubernetes.default"]


def test_a_certificate_is_signed_by_the_authority(authority: CertificateAuthority) -> None:
    read(authority.issue("me", user="me").certificate).verify_directly_issued_by(read(authority.certificate))


def test_the_authority_is_made_once(authority: CertificateAuthority) -> None:
    before = authority.certificate.read_bytes()
    authority.create()
    assert authority.certificate.read_bytes() == before


def test_the_token_keys_are_kept_and_belong_together(authority: CertificateAuthority) -> None:
    pair = authority.service_account_keys()
    before = pair.key.read_bytes()
    assert authority.service_account_keys().key.read_bytes() == before
    assert load_pem_public_key(pair.certificate.read_bytes())


def test_private_keys_are_for_their_owner_only(authority: CertificateAuthority) -> None:
    pair = authority.issue("me", user="me")
    for path in (pair.key, authority.folder / "ca.key", authority.service_account_keys().key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tls_accepts_the_certificates_in_both_directions(authority: CertificateAuthority) -> None:
    server = authority.issue("server", user="s", hosts=["127.0.0.1"])
    client = authority.issue("client", user="alice")
    hears = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    hears.verify_mode = ssl.CERT_REQUIRED
    hears.load_cert_chain(server.certificate, server.key)
    speaks = ssl.create_default_context(cafile=str(authority.certificate))
    speaks.load_cert_chain(client.certificate, client.key)
    here, there = socket.socketpair()
    seen: list[object] = []

    def answer() -> None:
        with hears.wrap_socket(there, server_side=True) as secured:
            seen.append(secured.getpeercert())
            secured.sendall(b"x")

    thread = threading.Thread(target=answer)
    thread.start()
    with speaks.wrap_socket(here, server_hostname="127.0.0.1") as secured:
        assert secured.recv(1) == b"x"
    thread.join(10)
    assert "alice" in str(seen)


def test_a_kubeconfig_holds_all_it_needs(authority: CertificateAuthority, tmp_path: Path) -> None:
    client = authority.issue("me", user="me")
    path = kubeconfig.write_kubeconfig(
        tmp_path / "k", server="https://127.0.0.1:1", authority=authority.certificate, client=client
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = yaml.safe_load(path.read_text())
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert str(tmp_path) not in path.read_text()
