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
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.lab.azure.refusal import VaultError

_PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "RSA1_5": padding.PKCS1v15(),
    "RSA-OAEP": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}


@dataclass
class KeyVersion:
    """One version of a key; ``expires`` and ``not_before`` are seconds since 1970."""

    name: str
    version: str
    private: rsa.RSAPrivateKey = field(repr=False)
    enabled: bool = True
    expires: float | None = None
    not_before: float | None = None
    deleted: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def create(cls, name: str) -> KeyVersion:
        return cls(name, secrets.token_hex(16), rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def check_usable(self, operation: str) -> None:
        """A disabled key does nothing; outside its time it still decrypts, but no longer encrypts."""
        now = time.time()
        if not self.enabled:
            raise _unusable(operation, "a disabled", "KeyDisabled")
        if operation == "encrypt" and self.expires is not None and self.expires <= now:
            raise _unusable(operation, "an expired", "KeyExpired")
        if operation == "encrypt" and self.not_before is not None and self.not_before > now:
            raise _unusable(operation, "a not yet valid", "KeyNotYetValid")

    def bundle(self, url: str) -> dict[str, Any]:
        """The key as Key Vault shows it: the public part and the attributes."""
        numbers = self.private.public_key().public_numbers()
        attributes: dict[str, Any] = {
            "enabled": self.enabled,
            "created": self.created,
            "updated": self.created,
            "recoveryLevel": "Recoverable",
            "recoverableDays": 90,
        }
        if self.expires is not None:
            attributes["exp"] = int(self.expires)
        if self.not_before is not None:
            attributes["nbf"] = int(self.not_before)
        return {
            "key": {
                "kid": f"{url}/keys/{self.name}/{self.version}",
                "kty": "RSA",
                "key_ops": ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
                "n": encode(numbers.n.to_bytes(256, "big")),
                "e": encode(numbers.e.to_bytes(3, "big")),
            },
            "attributes": attributes,
            "tags": {},
        }


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
