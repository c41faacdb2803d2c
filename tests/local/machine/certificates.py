"""One certificate authority per place (cluster, meeting) and the certificates it issues.

Everything is idempotent: what exists, is signed by this authority, says the same names and stays valid for another
month is kept, so a second `up` changes no key under a running server.

If this process dies: each file is written aside and renamed. A key without its certificate is replaced, because the
pair is checked together.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=365)
_RENEW = datetime.timedelta(days=30)
_SKEW = datetime.timedelta(hours=1)  # clocks of two machines may disagree


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate speaks for: X.509 names (for Kubernetes: user and groups) and the addresses it serves."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def name(self) -> x509.Name:
        """The X.509 distinguished name."""
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in self.organizations]
        return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)])

    def alternatives(self) -> list[x509.GeneralName]:
        """Subject alternative names: DNS names, then IP addresses."""
        dns = [x509.DNSName(name) for name in self.dns]
        return [*dns, *(x509.IPAddress(ipaddress.ip_address(address)) for address in self.addresses)]


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a folder: `ca.crt`, `ca.key`, and one pair per issued name."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """The authority's own certificate, PEM: what a client has to trust."""
        return self.directory / "ca.crt"

    @property
    def key(self) -> Path:
        """The authority's private key, PEM."""
        return self.directory / "ca.key"

    @staticmethod
    def ensure(directory: Path, common_name: str) -> Authority:
        """The authority in `directory`; made (P-256, one year) when absent, broken or about to expire."""
        authority = Authority(directory)
        existing = _load(Pair(authority.certificate, authority.key))
        if existing is not None and _fresh(existing[0]):
            return authority
        directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(Subject(common_name).name(), key.public_key()).issuer_name(Subject(common_name).name())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        _write(Pair(authority.certificate, authority.key), builder.sign(key, hashes.SHA256()), key)
        return authority

    def issue(self, file_name: str, subject: Subject) -> Pair:
        """The pair `<file_name>.crt`, `<file_name>.key` for `subject`, good for servers and clients alike."""
        pair = Pair(self.directory / f"{file_name}.crt", self.directory / f"{file_name}.key")
        existing = _load(pair)
        if existing is not None and _fresh(existing[0]) and self._issued(existing[0], subject):
            return pair
        loaded = _load(Pair(self.certificate, self.key))
        if loaded is None:
            raise FileNotFoundError(f"no certificate authority in {self.directory}")
        authority, signer = loaded
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject.name(), key.public_key()).issuer_name(authority.subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        if subject.alternatives():
            builder = builder.add_extension(x509.SubjectAlternativeName(subject.alternatives()), critical=False)
        _write(pair, builder.sign(signer, hashes.SHA256()), key)
        return pair

    def _issued(self, certificate: x509.Certificate, subject: Subject) -> bool:
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(self.certificate.read_bytes()))
        except (InvalidSignature, ValueError, TypeError):
            return False
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            names = x509.SubjectAlternativeName([])
        return certificate.subject == subject.name() and list(names) == subject.alternatives()


def signing_key(directory: Path, file_name: str) -> tuple[Path, Path]:
    """A bare P-256 pair, `(<file_name>.pub, <file_name>.key)`: what Kubernetes signs service account tokens with."""
    public, private = directory / f"{file_name}.pub", directory / f"{file_name}.key"
    if not (public.is_file() and private.is_file()):
        directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        _replace(private, _pem(key), 0o600)
        _replace(public, key.public_key().public_bytes(encoding, form), 0o644)
    return public, private


def _builder(name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _load(pair: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _fresh(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > _RENEW


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _replace(pair.key, _pem(key), 0o600)
    _replace(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _replace(path: Path, content: bytes, mode: int) -> None:
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    aside.rename(path)
