"""Self-made TLS: kept while sound, renewed in time, made anew when anything about it is wrong."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from videojob_operator.certs import pki
from videojob_operator.certs.manager import CertificateManager
from videojob_operator.kube.errors import Conflict, NotFound
from videojob_operator.kube.kinds import SECRETS
from videojob_operator.reports.server import server_context

from tests.unit.operator.fakes import RecordingApi

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = ("videojob", "videojob.videojob-system.svc")


@pytest.fixture(scope="module")
def first() -> pki.CertificateBundle:
    return pki.load_or_issue(None, names=NAMES, now=NOW)


def later(first: pki.CertificateBundle, *, days: int, names: tuple[str, ...] = NAMES) -> pki.CertificateBundle:
    return pki.load_or_issue(first.secret_data(), names=names, now=NOW + timedelta(days=days))


def test_an_empty_secret_gets_an_authority_and_a_certificate_it_has_signed(first: pki.CertificateBundle) -> None:
    serving, authority = first.serving.x509, first.ca.x509
    serving.verify_directly_issued_by(authority)
    assert serving.not_valid_after_utc - NOW == timedelta(days=90)
    assert authority.not_valid_after_utc - NOW == timedelta(days=3650)
    held = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert held.get_values_for_type(x509.DNSName) == list(NAMES)


def test_the_authority_can_sign_servers_and_nothing_below_it(first: pki.CertificateBundle) -> None:
    constraints = first.ca.x509.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert first.serving.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_the_authority_fits_into_a_pods_environment(first: pki.CertificateBundle) -> None:
    assert len(first.ca.certificate_pem) < 1024


def test_what_is_sound_is_kept(first: pki.CertificateBundle) -> None:
    assert later(first, days=59) == first


def test_the_certificate_is_renewed_a_month_early_by_the_same_authority(first: pki.CertificateBundle) -> None:
    renewed = later(first, days=61)
    assert renewed.ca == first.ca
    assert renewed.serving != first.serving
    renewed.serving.x509.verify_directly_issued_by(first.ca.x509)


def test_other_names_want_another_certificate(first: pki.CertificateBundle) -> None:
    renewed = later(first, days=0, names=(*NAMES, "videojob.elsewhere.svc"))
    assert renewed.ca == first.ca
    assert renewed.serving != first.serving


def test_an_old_authority_is_replaced_with_all_it_has_signed(first: pki.CertificateBundle) -> None:
    renewed = later(first, days=3650 - 364)
    assert renewed.ca != first.ca
    renewed.serving.x509.verify_directly_issued_by(renewed.ca.x509)


@pytest.mark.parametrize("field", [pki.CA_CERT, pki.CA_KEY, pki.TLS_CERT, pki.TLS_KEY])
@pytest.mark.parametrize("damage", ["missing", "empty", "no base64", "no PEM"])
def test_damage_anywhere_is_repaired(first: pki.CertificateBundle, field: str, damage: str) -> None:
    data = first.secret_data()
    values = {"empty": "", "no base64": "%%%", "no PEM": base64.b64encode(b"hello").decode()}
    if damage == "missing":
        del data[field]
    else:
        data[field] = values[damage]
    repaired = pki.load_or_issue(data, names=NAMES, now=NOW)
    assert pki.load_or_issue(repaired.secret_data(), names=NAMES, now=NOW) == repaired


def test_a_key_that_does_not_fit_its_certificate_is_damage(first: pki.CertificateBundle) -> None:
    other = pki.load_or_issue(None, names=NAMES, now=NOW)
    mixed = first.secret_data() | {pki.TLS_KEY: other.secret_data()[pki.TLS_KEY]}
    assert pki.parse_secret_data(mixed) is None


def test_a_certificate_of_another_authority_is_replaced(first: pki.CertificateBundle) -> None:
    other = pki.load_or_issue(None, names=NAMES, now=NOW)
    mixed = pki.CertificateBundle(first.ca, other.serving)
    renewed = pki.load_or_issue(mixed.secret_data(), names=NAMES, now=NOW)
    assert renewed.ca == first.ca
    renewed.serving.x509.verify_directly_issued_by(first.ca.x509)


def handshake(server: ssl.SSLContext, authority: str, name: str) -> None:
    """One TLS handshake over a socket pair; raises what the client raises."""
    near, far = socket.socketpair()
    thread = threading.Thread(target=lambda: _serve(server, far))
    thread.start()
    try:
        client = ssl.create_default_context(cadata=authority)
        client.wrap_socket(near, server_hostname=name).close()
    finally:
        near.close()
        thread.join()


def _serve(context: ssl.SSLContext, far: socket.socket) -> None:
    try:
        context.wrap_socket(far, server_side=True).close()
    except (ssl.SSLError, OSError):
        far.close()


class Kept:
    """A keeper over a recording API that holds the chart's empty Secret."""

    def __init__(self) -> None:
        self.api, self.now = RecordingApi(), datetime.now(UTC)
        self.api.add(SECRETS, {"metadata": {"name": "videojob-tls"}, "type": "Opaque"})
        self.context = server_context()

    def keeper(self) -> CertificateManager:
        return CertificateManager(
            self.api, self.context, namespace="art", secret="videojob-tls", names=NAMES, now=lambda: self.now
        )


async def test_the_empty_secret_is_filled_and_served() -> None:
    kept = Kept()
    keeper = kept.keeper()
    assert keeper.ca_pem == ""
    await keeper.ensure()
    stored = kept.api.objects[SECRETS, "art", "videojob-tls"]
    assert set(stored["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert stored["type"] == "Opaque"
    handshake(kept.context, keeper.ca_pem, "videojob.videojob-system.svc")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(kept.context, keeper.ca_pem, "elsewhere.svc")


async def test_a_restart_writes_nothing_and_serves_the_same_authority() -> None:
    kept = Kept()
    before, after = kept.keeper(), kept.keeper()
    await before.ensure()
    await after.ensure()
    assert before.ca_pem == after.ca_pem
    assert kept.api.verbs() == ["get", "replace", "get"]


async def test_a_renewal_reaches_the_next_handshake_without_a_restart() -> None:
    kept = Kept()
    keeper = kept.keeper()
    kept.now = datetime.now(UTC) - timedelta(days=95)
    await keeper.ensure()
    with pytest.raises(ssl.SSLCertVerificationError):  # it has expired five days ago
        handshake(kept.context, keeper.ca_pem, "videojob")
    kept.now = datetime.now(UTC)
    await keeper.ensure()
    handshake(kept.context, keeper.ca_pem, "videojob")


async def test_who_loses_the_race_takes_the_winners_authority() -> None:
    kept = Kept()
    winner, loser = kept.keeper(), kept.keeper()
    await winner.ensure()
    kept.api.fail["get", SECRETS] = Conflict("as if the write had been refused", status=409)
    await loser.ensure()
    assert loser.ca_pem == winner.ca_pem


async def test_a_missing_secret_is_an_error_that_stops_the_start() -> None:
    kept = Kept()
    kept.api.objects.clear()
    with pytest.raises(NotFound):
        await kept.keeper().ensure()


def test_no_key_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asyncio.run(Kept().keeper().ensure())
    assert list(tmp_path.iterdir()) == []
