"""Who wraps data keys: Azure Key Vault as Azure/kubernetes-kms asks it, or, offline, the key id itself."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import threading
import time
from typing import Protocol
from urllib.parse import urlencode

import urllib3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.lab.model import VaultAccess

VAULT_API_VERSION = "7.4"
V1_ALGORITHM = "RSA1_5"
V2_ALGORITHM = "RSA-OAEP-256"
_TOKEN_MARGIN = 120.0


class KeyServiceError(Exception):
    """What a KMS plugin answers over gRPC when it cannot wrap or unwrap."""

    def __str__(self) -> str:
        return f"rpc error: code = Unknown desc = {self.args[0]}"


class KeyService(Protocol):
    """One key that can wrap and unwrap data keys (up to 190 bytes)."""

    def encrypt(self, algorithm: str, plain: bytes) -> bytes: ...

    def decrypt(self, algorithm: str, cipher: bytes) -> bytes: ...


class OfflineKey:
    """A key derived from its own id: another id cannot unwrap, and nobody needs to be asked."""

    def __init__(self, key_id: str) -> None:
        self._cipher = AESGCM(hashlib.sha256(key_id.encode()).digest())

    def encrypt(self, algorithm: str, plain: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plain, algorithm.encode())

    def decrypt(self, algorithm: str, cipher: bytes) -> bytes:
        try:
            return self._cipher.decrypt(cipher[:12], cipher[12:], algorithm.encode())
        except InvalidTag:
            raise KeyServiceError("failed to decrypt, error: the key did not encrypt this") from None


class VaultKey:
    """A key version in Key Vault's data plane, reached with the cluster identity's own token."""

    def __init__(self, key_id: str, access: VaultAccess) -> None:
        self._url = key_id.rstrip("/")
        self._access = access
        context = ssl.create_default_context(cadata=access.ca_pem or None)
        self._pool = urllib3.PoolManager(
            maxsize=32, ssl_context=context, retries=False, timeout=urllib3.Timeout(connect=3, read=3)
        )
        self._lock = threading.Lock()
        self._token = ""
        self._refresh_at = 0.0

    def encrypt(self, algorithm: str, plain: bytes) -> bytes:
        value = base64.urlsafe_b64encode(plain).rstrip(b"=").decode()
        return self._operate("encrypt", algorithm, value).encode()

    def decrypt(self, algorithm: str, cipher: bytes) -> bytes:
        value = self._operate("decrypt", algorithm, cipher.decode("ascii", "replace"))
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))

    def _operate(self, operation: str, algorithm: str, value: str) -> str:
        try:
            token = self._bearer()
            answer = self._pool.request(
                "POST",
                f"{self._url}/{operation}?api-version={VAULT_API_VERSION}",
                body=json.dumps({"alg": algorithm, "value": value}).encode(),
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise KeyServiceError(f"failed to {operation}, error: {error}") from error
        if answer.status == 401:
            self._forget(token)
        if answer.status != 200:
            raise KeyServiceError(f"failed to {operation}, error: {_fault(operation, answer.status, answer.data)}")
        return str(json.loads(answer.data)["value"])

    def _bearer(self) -> str:
        with self._lock:
            if self._token and time.monotonic() < self._refresh_at:
                return self._token
            form = {
                "grant_type": "client_credentials",
                "client_id": self._access.client_id,
                "client_secret": self._access.client_secret,
                "scope": "https://vault.azure.net/.default",
            }
            answer = self._pool.request(
                "POST",
                self._access.token_url,
                body=urlencode(form).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            if answer.status != 200:
                raise KeyServiceError(
                    "azure.BearerAuthorizer#WithAuthorization: Failed to refresh the Token for request to "
                    f"{self._url}: StatusCode={answer.status} -- Original Error: adal: Refresh request"
                    " failed."
                )
            granted = json.loads(answer.data)
            self._token = str(granted["access_token"])
            self._refresh_at = time.monotonic() + float(granted.get("expires_in", 3600)) - _TOKEN_MARGIN
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""


def key_service(key_id: str, access: VaultAccess | None) -> KeyService:
    return OfflineKey(key_id) if access is None else VaultKey(key_id, access)


def _fault(operation: str, status: int, body: bytes) -> str:
    """The vault's refusal in the words of the Azure SDK that Azure/kubernetes-kms prints."""
    try:
        error = json.loads(body)["error"]
        code, message = str(error["code"]), str(error["message"])
        inner = f" InnerError={json.dumps(error['innererror'])}" if error.get("innererror") else ""
    except (ValueError, KeyError, TypeError):
        code, message, inner = "Unknown", "", ""
    return (
        f"keyvault.BaseClient#{operation.capitalize()}: Failure responding to request: StatusCode={status}"
        f" -- Original Error: autorest/azure: Service returned an error. Status={status}"
        f' Code="{code}" Message="{message}"{inner}'
    )
