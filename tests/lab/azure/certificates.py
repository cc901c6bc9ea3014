"""The lab's own certificate authority, and the certificate of its listeners on 127.0.0.1."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PUBLIC_SIGN_IN = "login.microsoftonline.com"  # where az in Cloud Shell looks, whatever its cloud is
_LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class Authority:
    """Files of one authority: its certificate, and a server certificate for 127.0.0.1 and localhost."""

    ca_file: Path
    server_cert_file: Path
    server_key_file: Path

    @property
    def ca_pem(self) -> str:
        return self.ca_file.read_text()

    @classmethod
    def create(cls, directory: Path) -> Authority:
        """Make a new authority in an existing directory; keys are readable by the owner only."""
        authority = cls(directory / "ca.pem", directory / "server.pem", directory / "server.key")
        now = datetime.now(timezone.utc)
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Local Azure CA")])
        ca = (
            _builder(ca_name, ca_name, ca_key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(ca_key, hashes.SHA256())
        )
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, ("localhost", PUBLIC_SIGN_IN))]
        leaf = (
            _builder(leaf_name, ca_name, leaf_key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        authority.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        authority.server_cert_file.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        _write_private(authority.server_key_file, leaf_key)
        return authority

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_cert_file, self.server_key_file)
        return context

    def bundle(self, destination: Path) -> Path:
        """Write the system's authorities and this one into one file, for REQUESTS_CA_BUNDLE.

        The system's are needed too: the variable also reaches the pip that ``az extension add`` starts.
        """
        destination.write_text(_system_authorities() + "\n" + self.ca_pem)
        return destination


def _system_authorities() -> str:
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        configured = os.environ.get(variable, "")
        if configured and Path(configured).is_file():
            return Path(configured).read_text()
    default = ssl.get_default_verify_paths().cafile
    if default and Path(default).is_file():
        return Path(default).read_text()
    import certifi  # not every machine has a system bundle; requests always brings this one

    return Path(certifi.where()).read_text()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
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


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
