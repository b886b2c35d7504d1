"""
The report endpoint's own certificate authority.

The chart ships one Secret without data and the operator fills it at run time, so rendering stays deterministic and
`helm upgrade` leaves the keys alone. The CA is valid for ten years and is passed, as PEM, to each job pod; the serving
certificate is valid for ninety days and renewed after sixty, without a restart: the server loads it for new
connections. Keys are P-256: small enough for an environment variable, fast enough for a handshake per job.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME, CA_RENEWAL_MARGIN = timedelta(days=3650), timedelta(days=365)
SERVING_LIFETIME, SERVING_RENEWAL_MARGIN = timedelta(days=90), timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)
CA_CERT, CA_KEY, TLS_CERT, TLS_KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class CertificateKeyPair:
    """A certificate and its key, both PEM."""

    certificate_pem: bytes
    key_pem: bytes

    @property
    def x509(self) -> x509.Certificate:
        """The parsed certificate. Raises ValueError."""
        return x509.load_pem_x509_certificate(self.certificate_pem)

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """The parsed key. Raises ValueError, also for a key that is not elliptic-curve."""
        key = load_pem_private_key(self.key_pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the key is not an elliptic-curve key")
        return key


@dataclass(frozen=True, slots=True)
class CertificateBundle:
    """The CA and the serving certificate that it has signed."""

    ca: CertificateKeyPair
    serving: CertificateKeyPair

    def secret_data(self) -> dict[str, str]:
        """The certificates as `data` of a Secret."""
        values = {
            CA_CERT: self.ca.certificate_pem,
            CA_KEY: self.ca.key_pem,
            TLS_CERT: self.serving.certificate_pem,
            TLS_KEY: self.serving.key_pem,
        }
        return {name: base64.b64encode(value).decode() for name, value in values.items()}

    def renewal_time(self) -> datetime:
        """When the serving certificate must be renewed."""
        return self.serving.x509.not_valid_after_utc - SERVING_RENEWAL_MARGIN


def load_or_issue(data: Mapping[str, str] | None, *, names: tuple[str, ...], now: datetime) -> CertificateBundle:
    """
    Return the certificates to serve: valid ones from the Secret's `data`, newly issued ones for the rest.

    `names` are the DNS names that the serving certificate must cover.
    """
    stored = parse_secret_data(data or {})
    authority = stored.ca if stored and is_ca_valid(stored.ca, now=now) else issue_ca(now=now)
    if stored and stored.ca == authority and is_serving_valid(stored, names=names, now=now):
        return stored
    return CertificateBundle(authority, issue_serving(authority, names=names, now=now))


def parse_secret_data(data: Mapping[str, str]) -> CertificateBundle | None:
    """The certificates in a Secret's `data`; None if any is missing or invalid."""
    try:
        values = {name: base64.b64decode(data[name], validate=True) for name in (CA_CERT, CA_KEY, TLS_CERT, TLS_KEY)}
        found = CertificateBundle(
            CertificateKeyPair(values[CA_CERT], values[CA_KEY]), CertificateKeyPair(values[TLS_CERT], values[TLS_KEY])
        )
        matched = all(pair.x509.public_key() == pair.private_key.public_key() for pair in (found.ca, found.serving))
    except (KeyError, ValueError, binascii.Error):
        return None
    return found if matched else None


def is_ca_valid(pair: CertificateKeyPair, *, now: datetime) -> bool:
    """True if the CA remains valid for longer than any serving certificate it may issue."""
    return pair.x509.not_valid_before_utc <= now and now + CA_RENEWAL_MARGIN < pair.x509.not_valid_after_utc


def is_serving_valid(certificates: CertificateBundle, *, names: tuple[str, ...], now: datetime) -> bool:
    """True if the certificate was signed by the CA, is valid now, and covers `names`."""
    certificate = certificates.serving.x509
    try:
        certificate.verify_directly_issued_by(certificates.ca.x509)
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    in_time = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - SERVING_RENEWAL_MARGIN
    return in_time and set(names) <= set(held.get_values_for_type(x509.DNSName))


def issue_ca(*, now: datetime) -> CertificateKeyPair:
    """A self-signed CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "videojob-operator CA")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        certificate_builder(subject=name, issuer=name, public=key.public_key(), now=now, lifetime=CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return to_key_pair(certificate, key)


def issue_serving(authority: CertificateKeyPair, *, names: tuple[str, ...], now: datetime) -> CertificateKeyPair:
    """A serving certificate for `names`, signed by `ca`."""
    key, issuer = ec.generate_private_key(ec.SECP256R1()), authority.x509
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "videojob-operator")])
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.private_key.public_key())
    certificate = (
        certificate_builder(
            subject=subject, issuer=issuer.subject, public=key.public_key(), now=now, lifetime=SERVING_LIFETIME
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )
    return to_key_pair(certificate, key)


def certificate_builder(
    *, subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    """A builder with the fields that CA and serving certificate share."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def to_key_pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> CertificateKeyPair:
    """Both as PEM; the key as PKCS #8 without a password."""
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return CertificateKeyPair(certificate.public_bytes(Encoding.PEM), private)
