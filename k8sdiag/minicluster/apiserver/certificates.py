"""The lab's certificate authority and what it signs: the server's certificate and those of users.

Kept in the state folder, so that a kubeconfig goes on working after a restart; what has expired is made anew.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from k8sdiag.minicluster.folder import replace

# The names under which a server in a cluster is reached (kubeadm's, with this machine's).
SERVER_NAMES = (
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
)
YEAR = 365.0 * 86400.0
_USES = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


class SigningError(Exception):
    """A request that is not to be signed."""


class Authority:
    """Signs certificates, valid a year from a moment that the caller names."""

    def __init__(self, pair: KeyPair) -> None:
        self.pair = pair
        self._certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is of another kind than the lab makes")
        self._key = key

    @classmethod
    def make(cls) -> Authority:
        made = trustme.CA(organization_name="k8sdiag", organization_unit_name="lab")
        return cls(KeyPair(made.cert_pem.bytes(), made.private_key_pem.bytes()))

    def for_server(self, now: float, hosts: Iterable[str] = ()) -> KeyPair:
        """A certificate for this machine's names and any others it is to be reached under."""
        names: list[x509.GeneralName] = []
        for host in dict.fromkeys((*SERVER_NAMES, *hosts)):
            try:
                names.append(x509.IPAddress(ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
        return self._sign(subject, now, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def for_user(self, now: float, name: str, groups: Iterable[str] = ()) -> KeyPair:
        """A client certificate: CN is the user's name, each O a group."""
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
        return self._sign(x509.Name(parts), now, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def for_request(self, request: bytes, now: float, seconds: float, usages: Iterable[str]) -> bytes:
        """A certificate, PEM, for somebody's own key. Raises SigningError."""
        try:
            asked = x509.load_pem_x509_csr(request)
            valid = asked.is_signature_valid
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SigningError(f"the request cannot be read: {error}") from None
        if not valid:
            raise SigningError("the request is not signed with its own key")
        names: list[x509.GeneralName] = []
        for extension in asked.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                names = [*extension.value]
        uses = [use for name, use in _USES.items() if name in usages]
        start = datetime.fromtimestamp(now, UTC)
        life = (start - timedelta(minutes=5), start + timedelta(seconds=seconds))
        made = self._certify(asked.subject, asked.public_key(), life, uses, names)
        return made.public_bytes(serialization.Encoding.PEM)

    def _sign(
        self, subject: x509.Name, now: float, use: x509.ObjectIdentifier, names: list[x509.GeneralName]
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        start = datetime.fromtimestamp(now, UTC)
        life = (start - timedelta(hours=1), start + timedelta(seconds=YEAR))  # clocks differ
        certificate = self._certify(subject, key.public_key(), life, [use], names)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), private)

    def _certify(
        self,
        subject: x509.Name,
        key: CertificatePublicKeyTypes,
        life: tuple[datetime, datetime],
        uses: list[x509.ObjectIdentifier],
        names: list[x509.GeneralName],
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(life[0])
            .not_valid_after(life[1])
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def expires(pair: KeyPair) -> float:
    """When a certificate ends, in seconds since the epoch."""
    return x509.load_pem_x509_certificate(pair.certificate).not_valid_after_utc.timestamp()


def load_authority(folder: Path | None) -> Authority:
    """The state folder's authority, made when there is none; one for this process alone without a folder."""
    if folder is None:
        return Authority.make()
    pair = _read(folder, "ca")
    if pair is not None:
        return Authority(pair)
    authority = Authority.make()
    _write(folder, "ca", authority.pair)
    return authority


def load_server_pair(folder: Path | None, authority: Authority, now: float, hosts: Iterable[str] = ()) -> KeyPair:
    """The server's certificate: the kept one while it is signed by this authority, covers the hosts and has a day
    left, else a new one."""
    kept = _read(folder, "apiserver") if folder is not None else None
    if kept is not None and expires(kept) > now + 86400.0 and _is_of(kept, authority) and _covers(kept, hosts):
        return kept
    made = authority.for_server(now, hosts)
    if folder is not None:
        _write(folder, "apiserver", made)
    return made


def _is_of(pair: KeyPair, authority: Authority) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pair.certificate))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _covers(pair: KeyPair, hosts: Iterable[str]) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    return all(host in held for host in hosts)


def _read(folder: Path, name: str) -> KeyPair | None:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    if not certificate.exists() or not key.exists():
        return None
    return KeyPair(certificate.read_bytes(), key.read_bytes())


def _write(folder: Path, name: str, pair: KeyPair) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / f"{name}.key", pair.key)
    replace(folder / f"{name}.crt", pair.certificate)


def server_context(pair: KeyPair, authority: Authority, folder: Path) -> ssl.SSLContext:
    """TLS for the server: its certificate, and clients' certificates welcome when this authority signed them. The
    folder is where the pair is put for OpenSSL, which reads files only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    chain = folder / "apiserver-chain.pem"
    replace(chain, pair.certificate + pair.key)
    context.load_cert_chain(chain)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority.pair.certificate.decode())
    context.set_alpn_protocols(["http/1.1"])
    return context
