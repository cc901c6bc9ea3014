"""A key version in a vault: what it is, when it may be used, and how a crypto request is read."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.lab.azure.refusal import VaultError

RSA_OPERATIONS = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
EC_OPERATIONS = ("sign", "verify")
_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RSA1_5": padding.PKCS1v15(),
    "RSA-OAEP": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}


@dataclass
class KeyVersion:
    """One version of a key; ``expires`` and ``not_before`` are seconds since 1970.

    ``kty`` is RSA, RSA-HSM or EC; ``key_ops`` is what the key may be used for, whoever asks.
    """

    name: str
    version: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    kty: str = "RSA"
    key_ops: tuple[str, ...] = RSA_OPERATIONS
    enabled: bool = True
    expires: float | None = None
    not_before: float | None = None
    created: int = field(default_factory=lambda: int(time.time()))
    updated: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def create(cls, name: str, kty: str = "RSA") -> KeyVersion:
        key = cls(name, secrets.token_hex(16), rsa.generate_private_key(public_exponent=65537, key_size=2048))
        if kty != "RSA":
            key.become(kty)
        return key

    def become(self, kty: str) -> None:
        """Be a key of another type under the same id, as if it had been created so."""
        if kty.startswith("EC"):
            self.private, self.key_ops = ec.generate_private_key(ec.SECP256R1()), EC_OPERATIONS
        elif self.kty.startswith("EC"):
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self.key_ops = RSA_OPERATIONS
        self.kty = kty

    @property
    def rsa(self) -> rsa.RSAPrivateKey:
        """The private key of an RSA key; for others the operation is not possible."""
        if not isinstance(self.private, rsa.RSAPrivateKey):
            # Ours: the service's text for a key type without the algorithm is in no public source.
            raise VaultError(400, "BadParameter", f"Key of type {self.kty} does not support the algorithm.")
        return self.private

    def check_usable(self, operation: str) -> None:
        """A disabled key does nothing; outside its time it still decrypts, but no longer encrypts."""
        now = time.time()
        if not self.enabled:
            raise _unusable(operation, "a disabled", "KeyDisabled")
        if operation not in self.key_ops:
            raise VaultError(
                403, "Forbidden", f"Operation {operation} is not permitted on this key.", inner="KeyOperationForbidden"
            )
        if operation == "encrypt" and self.expires is not None and self.expires <= now:
            raise _unusable(operation, "an expired", "KeyExpired")
        if operation == "encrypt" and self.not_before is not None and self.not_before > now:
            raise _unusable(operation, "a not yet valid", "KeyNotYetValid")

    def attributes(self) -> dict[str, Any]:
        """As both planes show them, times in seconds since 1970."""
        attributes: dict[str, Any] = {
            "enabled": self.enabled,
            "created": self.created,
            "updated": self.updated,
            "recoveryLevel": "Recoverable",
        }
        if self.expires is not None:
            attributes["exp"] = int(self.expires)
        if self.not_before is not None:
            attributes["nbf"] = int(self.not_before)
        return attributes

    def item(self, url: str) -> dict[str, Any]:
        """The key as a list of the data plane shows it."""
        attributes = {**self.attributes(), "recoverableDays": 90}
        return {"kid": f"{url}/keys/{self.name}/{self.version}", "attributes": attributes, "tags": {}}

    def bundle(self, url: str) -> dict[str, Any]:
        """The key as Key Vault shows it: the public part and the attributes."""
        key: dict[str, Any] = {
            "kid": f"{url}/keys/{self.name}/{self.version}",
            "kty": self.kty,
            "key_ops": list(self.key_ops),
        }
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            key |= {"n": encode(numbers.n.to_bytes(256, "big")), "e": encode(numbers.e.to_bytes(3, "big"))}
        else:
            point = self.private.public_key().public_numbers()
            key |= {"crv": "P-256", "x": encode(point.x.to_bytes(32, "big")), "y": encode(point.y.to_bytes(32, "big"))}
        return {"key": key, "attributes": {**self.attributes(), "recoverableDays": 90}, "tags": {}}


def encode(data: bytes) -> str:
    """base64url without padding, as Key Vault writes binary values."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def crypto_request(body: Mapping[str, Any]) -> tuple[padding.AsymmetricPadding, bytes]:
    """The padding and the value that an encrypt or decrypt request names."""
    scheme = _PADDINGS.get(str(body.get("alg", "")))
    if scheme is None:
        raise bad_parameter("alg")
    try:
        return scheme, decode(str(body["value"]))
    except (KeyError, binascii.Error):
        raise bad_parameter("value") from None


def bad_parameter(name: str) -> VaultError:
    return VaultError(400, "BadParameter", f"Property  has invalid value\r\nParameter: {name}")


def _unusable(operation: str, state: str, inner: str) -> VaultError:
    return VaultError(403, "Forbidden", f"Operation {operation} is not allowed on {state} key.", inner=inner)
