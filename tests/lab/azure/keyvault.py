"""Key Vault's keys: one HTTPS listener per vault, real RSA, and the refusals that break a KMS plugin."""

from __future__ import annotations

import collections
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import jwt

from tests.lab.azure.identity import TENANT_ID, VAULT_AUDIENCE, Identity, Principal
from tests.lab.azure.metadata import LOCATION, RESOURCE_GROUP, SUBSCRIPTION_ID
from tests.lab.azure.refusal import VaultError
from tests.lab.azure.request_log import RequestLog
from tests.lab.azure.server import HttpsServer, Request, Response, Router
from tests.lab.azure.vault_keys import KeyVersion, bad_parameter, crypto_request, encode

ALL_OPERATIONS = frozenset({"get", "encrypt", "decrypt"})
_ACTIONS = {"get": "read", "encrypt": "encrypt/action", "decrypt": "decrypt/action"}


class KeyVault:
    """One vault. ``delay_seconds`` holds every data-plane call back, as a slow or throttled vault does.

    ``private`` closes the public endpoint: only the cluster's identity, behind its private endpoint, gets in.
    """

    def __init__(self, name: str, tls: ssl.SSLContext, identity: Identity, cluster: Principal, log: RequestLog) -> None:
        self.name = name
        self.delay_seconds = 0.0
        self.private = False
        self._identity = identity
        self._cluster = cluster
        self._keys: dict[str, KeyVersion] = {}
        self._grants: dict[str, frozenset[str]] = {cluster.object_id: ALL_OPERATIONS}
        self._calls: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        router = Router()
        router.add("GET", "/keys/{name}", self._get)
        router.add("GET", "/keys/{name}/{version}", self._get)
        router.add("POST", "/keys/{name}/{version}/encrypt", self._encrypt)
        router.add("POST", "/keys/{name}/{version}/decrypt", self._decrypt)
        self._server = HttpsServer("vault", tls, router, log)

    @property
    def url(self) -> str:
        return self._server.base_url

    @property
    def resource_id(self) -> str:
        group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}"
        return f"{group}/providers/Microsoft.KeyVault/vaults/{self.name}"

    def resource(self) -> dict[str, Any]:
        """The vault as Resource Manager shows it."""
        access = "Disabled" if self.private else "Enabled"
        return {
            "id": self.resource_id,
            "name": self.name,
            "type": "Microsoft.KeyVault/vaults",
            "location": LOCATION,
            "tags": {},
            "properties": {
                "sku": {"family": "A", "name": "standard"},
                "tenantId": TENANT_ID,
                "accessPolicies": [],
                "enableRbacAuthorization": True,
                "enableSoftDelete": True,
                "softDeleteRetentionInDays": 90,
                "enablePurgeProtection": True,
                "vaultUri": f"{self.url}/",
                "provisioningState": "Succeeded",
                "publicNetworkAccess": access,
            },
        }

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def add_key(self, name: str) -> str:
        """Create an RSA-2048 key with one version; returns its id."""
        self._keys[name] = KeyVersion.create(name)
        return self.key_id(name)

    def key_id(self, name: str) -> str:
        """``https://127.0.0.1:PORT/keys/<name>/<version>``; raises ``KeyError`` for an unknown key."""
        return f"{self.url}/keys/{name}/{self._keys[name].version}"

    def set_key(
        self,
        name: str = "kms",
        *,
        enabled: bool | None = None,
        expires: float | None = None,
        not_before: float | None = None,
        deleted: bool | None = None,
        granted: bool | Iterable[str] | None = None,
    ) -> None:
        """Change a key from outside, as a colleague would; what is left out (None) stays.

        ``expires`` and ``not_before`` are seconds since 1970, 0 takes them away. ``granted`` is about the
        cluster's identity and the whole vault: True, False, or the operations it may use.
        """
        with self._lock:
            key = self._keys[name]
            key.enabled = key.enabled if enabled is None else enabled
            key.expires = key.expires if expires is None else expires or None
            key.not_before = key.not_before if not_before is None else not_before or None
            key.deleted = key.deleted if deleted is None else deleted
        if granted is not None:
            operations = granted if not isinstance(granted, bool) else ALL_OPERATIONS if granted else ()
            self.grant(self._cluster, operations)

    def grant(self, principal: Principal, operations: Iterable[str]) -> None:
        """Let a principal use exactly these of ``get``, ``encrypt`` and ``decrypt``."""
        with self._lock:
            self._grants[principal.object_id] = frozenset(operations)

    def calls(self) -> dict[str, int]:
        """How often each operation was asked for, refused calls included."""
        with self._lock:
            return dict(self._calls)

    def usable_in_public(self, key_id: str) -> bool:
        """What AKS finds when it validates a key over the public endpoint: encrypt and decrypt both work."""
        prefix = f"{self.url}/keys/"
        if self.private or not key_id.startswith(prefix):
            return False
        name, _, version = key_id[len(prefix) :].partition("/")
        try:
            for operation in ("encrypt", "decrypt"):
                self._check_grant(operation, name, self._cluster.object_id, self._cluster.client_id)
                self._find(name, version).check_usable(operation)
        except VaultError:
            return False
        return True

    def _get(self, request: Request, name: str, version: str = "") -> Response:
        return Response(200, self._admit(request, "get", name, version).bundle(self.url))

    def _encrypt(self, request: Request, name: str, version: str) -> Response:
        key = self._admit(request, "encrypt", name, version)
        scheme, value = crypto_request(request.json())
        try:
            result = key.private.public_key().encrypt(value, scheme)
        except ValueError:
            raise bad_parameter("value") from None
        return self._crypto_answer(key, result)

    def _decrypt(self, request: Request, name: str, version: str) -> Response:
        key = self._admit(request, "decrypt", name, version)
        scheme, value = crypto_request(request.json())
        try:
            result = key.private.decrypt(value, scheme)
        except ValueError:
            raise bad_parameter("value") from None
        return self._crypto_answer(key, result)

    def _crypto_answer(self, key: KeyVersion, result: bytes) -> Response:
        return Response(200, {"kid": f"{self.url}/keys/{key.name}/{key.version}", "value": encode(result)})

    def _admit(self, request: Request, operation: str, name: str, version: str) -> KeyVersion:
        with self._lock:
            self._calls[operation] += 1
        time.sleep(self.delay_seconds)
        claims = self._authenticate(request)
        if self.private and claims["oid"] != self._cluster.object_id:
            message = (
                "Public network access is disabled and request is not from a trusted service nor via an "
                f"approved private link.\r\nCaller: appid={claims['appid']};oid={claims['oid']}\r\n"
                f"Vault: {self.name};location={LOCATION}"
            )
            raise VaultError(403, "Forbidden", message, inner="ForbiddenByConnection")
        self._check_grant(operation, name, claims["oid"], claims["appid"])
        key = self._find(name, version)
        if operation != "get":
            key.check_usable(operation)
        return key

    def _authenticate(self, request: Request) -> dict[str, Any]:
        authority = self._identity.issuer.removesuffix("/v2.0")
        challenge = {
            "WWW-Authenticate": f'Bearer authorization="{authority}", resource="{VAULT_AUDIENCE}"',
        }
        try:
            return self._identity.caller(request, [VAULT_AUDIENCE])
        except LookupError:
            message = "AKV10000: Request is missing a Bearer or PoP token."
        except jwt.InvalidAudienceError:
            message = f"AKV10022: Invalid audience. Expected {VAULT_AUDIENCE}."
        except jwt.ExpiredSignatureError:
            message = "AKV10021: The token is expired."
        except jwt.InvalidTokenError:
            message = "AKV10046: Unable to resolve the key used for signature validation."
        raise VaultError(401, "Unauthorized", message, challenge)

    def _check_grant(self, operation: str, name: str, object_id: str, app_id: str) -> None:
        with self._lock:
            allowed = operation in self._grants.get(object_id, ())
        if allowed:
            return
        message = (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny "
            "assignments or role definitions were changed recently, please observe propagation time.\r\n"
            f"Caller: appid={app_id};oid={object_id};iss=https://sts.windows.net/{TENANT_ID}/\r\n"
            f"Action: 'Microsoft.KeyVault/vaults/keys/{_ACTIONS[operation]}'\r\n"
            f"Resource: '{self.resource_id.lower()}/keys/{name}'\r\nAssignment: (not found)\r\n"
            "DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n"
            f"Vault: {self.name};location={LOCATION}\r\n"
        )
        raise VaultError(403, "Forbidden", message, inner="ForbiddenByRbac")

    def _find(self, name: str, version: str) -> KeyVersion:
        key = self._keys.get(name)
        if key is None or key.deleted or version not in ("", key.version):
            reference = f"{name}/{version}" if version else name
            raise VaultError(
                404,
                "KeyNotFound",
                f"A key with (name/id) {reference} was not found in this key vault. If you recently deleted "
                "this key you may be able to recover it using the correct recovery command. For help "
                "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
            )
        return key
