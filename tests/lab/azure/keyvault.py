"""Key Vault's keys: one HTTPS listener per vault, real RSA, and the refusals that break a KMS plugin."""

from __future__ import annotations

import collections
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import jwt

from tests.lab.azure.access import Permission
from tests.lab.azure.grants import Grants
from tests.lab.azure.identity import TENANT_ID, VAULT_AUDIENCE, Identity, Principal
from tests.lab.azure.metadata import LOCATION, group_id
from tests.lab.azure.refusal import VaultError
from tests.lab.azure.request_log import RequestLog
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.roles import CRYPTO_USER, KEY_VAULT_READER
from tests.lab.azure.server import ConnectionDropped, HttpsServer, Request, Response, Router
from tests.lab.azure.vault_admission import Caller, check_grant, check_network, check_tenant
from tests.lab.azure.vault_keys import KeyVersion, bad_parameter, crypto_request, encode

ALL_OPERATIONS = frozenset({"get", "encrypt", "decrypt"})
# From where the lab's callers come, for a vault's firewall (RFC 5737 documentation addresses).
OPERATOR_ADDRESS = "203.0.113.7"
AKS_ADDRESS = "198.51.100.20"
_PAGE = 25
_WINDOW_SECONDS = 10.0
_THROTTLED = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
_EVERY_90_DAYS = {
    "lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}],
    "attributes": {},
}


class KeyVault:
    """The data plane of one vault, whose settings are its resource in Resource Manager.

    ``delay_seconds`` holds every call back, as a slow vault does; ``limit`` is how many encryptions and decryptions it
    takes in ten seconds (Key Vault service limits: a vault's, a region's), and refuses the others. Through an approved
    private endpoint only the cluster's identity comes; everybody else, and AKS when it validates a key, is outside.
    """

    def __init__(
        self,
        name: str,
        tls: ssl.SSLContext,
        identity: Identity,
        cluster: Principal,
        resources: Resources,
        grants: Grants,
        log: RequestLog,
    ) -> None:
        self.name = name
        self.delay_seconds = 0.0
        self.limit: int | None = None
        self._taken: collections.deque[float] = collections.deque()
        self._identity = identity
        self._cluster = cluster
        self._resources = resources
        self._grants = grants
        self._keys: dict[str, list[KeyVersion]] = {}
        self._deleted: dict[str, float] = {}
        self.rotation_policies: dict[str, Json] = {}
        self._calls: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        router = Router()
        router.add("GET", "/keys", self._list)
        router.add("GET", "/keys/{name}", self._get)
        router.add("GET", "/keys/{name}/versions", self._versions)
        router.add("GET", "/keys/{name}/rotationpolicy", self._rotation_policy)
        router.add("GET", "/keys/{name}/{version}", self._get)
        router.add("PATCH", "/keys/{name}/{version}", self._update)
        router.add("POST", "/keys/{name}/{version}/encrypt", self._encrypt)
        router.add("POST", "/keys/{name}/{version}/decrypt", self._decrypt)
        router.add("GET", "/deletedkeys/{name}", self._deleted_key)
        router.add("POST", "/deletedkeys/{name}/recover", self._recover)
        self._server = HttpsServer("vault", tls, router, log)
        resources.put(self.resource_id, vault_document(f"{self.url}/"))

    @property
    def url(self) -> str:
        return self._server.base_url

    @property
    def resource_id(self) -> str:
        return f"{group_id()}/providers/Microsoft.KeyVault/vaults/{self.name}"

    def resource(self) -> Json | None:
        """The vault as Resource Manager shows it; None while it is deleted."""
        return self._resources.get(self.resource_id)

    def change(self, **properties: Any) -> None:
        """Change properties of the vault's resource from outside."""
        self._resources.patch(self.resource_id, {"properties": properties})

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def add_key(self, name: str, kty: str = "RSA") -> str:
        """Create a key, or a new version of one; returns its id."""
        self._keys.setdefault(name, []).append(KeyVersion.create(name, kty))
        return self.key_id(name)

    def key_id(self, name: str) -> str:
        """``https://127.0.0.1:PORT/keys/<name>/<version>``, the newest; raises ``KeyError`` for an unknown key."""
        return f"{self.url}/keys/{name}/{self._keys[name][-1].version}"

    def keys(self) -> dict[str, list[KeyVersion]]:
        """The keys that are not deleted, each with its versions, oldest first."""
        with self._lock:
            return {name: list(versions) for name, versions in self._keys.items() if name not in self._deleted}

    def set_key(
        self,
        name: str = "kms",
        *,
        enabled: bool | None = None,
        expires: float | None = None,
        not_before: float | None = None,
        deleted: bool | None = None,
        granted: bool | Iterable[str] | None = None,
        kty: str | None = None,
        key_ops: Iterable[str] | None = None,
        rotates: bool | None = None,
    ) -> None:
        """Change a key's newest version from outside, as a colleague would; what is left out (None) stays.

        ``expires`` and ``not_before`` are seconds since 1970, 0 takes them away. ``granted`` is about the
        cluster's identity and the whole vault: True, False, or the operations it may use. ``kty`` makes it a
        key of another type under the same id; ``rotates``: its policy makes a new version every 90 days.
        """
        with self._lock:
            key = self._keys[name][-1]
            key.enabled = key.enabled if enabled is None else enabled
            key.expires = key.expires if expires is None else expires or None
            key.not_before = key.not_before if not_before is None else not_before or None
            if kty is not None:
                key.become(kty)
            key.key_ops = key.key_ops if key_ops is None else tuple(key_ops)
            if rotates:
                self.rotation_policies[name] = _EVERY_90_DAYS
            elif rotates is False:
                self.rotation_policies.pop(name, None)
            if deleted:
                self._deleted[name] = time.time()
            elif deleted is False:
                self._deleted.pop(name, None)
        if granted is not None:
            operations = granted if not isinstance(granted, bool) else ALL_OPERATIONS if granted else ()
            self.grant(self._cluster, operations)

    def grant(self, principal: Principal, operations: Iterable[str]) -> None:
        """Let a principal use exactly these operations, in the vault's own permission model.

        With roles: Crypto User for all of ``get``, ``encrypt`` and ``decrypt``, Reader for ``get`` alone, a
        custom role for other sets.
        """
        wanted = frozenset(operations)
        vault = self.resource() or {}
        if not vault["properties"]["enableRbacAuthorization"]:
            others = [p for p in vault["properties"]["accessPolicies"] if p["objectId"] != principal.object_id]
            policy = {
                "tenantId": TENANT_ID,
                "objectId": principal.object_id,
                "permissions": {"keys": sorted(wanted), "secrets": [], "certificates": []},
            }
            self.change(accessPolicies=[*others, policy] if wanted else others)
            return
        self._grants.revoke_within(principal.object_id, self.resource_id, data_only=True)
        if wanted:
            self._grants.assign_long_ago(principal.object_id, self._role_for(wanted), self.resource_id)

    def _role_for(self, operations: frozenset[str]) -> str:
        if operations == ALL_OPERATIONS:
            return CRYPTO_USER.id
        if operations == {"get"}:
            return KEY_VAULT_READER.id
        actions = {"get": "read"}
        permission = Permission(
            data_actions=tuple(
                f"Microsoft.KeyVault/vaults/keys/{actions.get(one, one + '/action')}" for one in sorted(operations)
            )
        )
        return self._grants.define(f"Keys: {', '.join(sorted(operations))}", permission)

    def calls(self) -> dict[str, int]:
        """How often each operation was asked for, refused calls included."""
        with self._lock:
            return dict(self._calls)

    def usable_in_public(self, key_id: str) -> bool:
        """What AKS finds when it validates a key over the public endpoint: encrypt and decrypt both work."""
        prefix = f"{self.url}/keys/"
        vault = self.resource()
        if vault is None or not key_id.startswith(prefix):
            return False
        name, _, version = key_id[len(prefix) :].partition("/")
        caller = Caller(self._cluster.client_id, self._cluster.object_id, AKS_ADDRESS)
        try:
            check_network(vault, caller)
            check_tenant(vault)
            for operation in ("encrypt", "decrypt"):
                check_grant(vault, self._grants, caller, operation, name)
                key = self._find(name, version)
                key.check_usable(operation)
                _ = key.rsa
        except VaultError:
            return False
        return True

    def _list(self, request: Request) -> Response:
        self._caller(request, "list", "")
        newest = [versions[-1].item(self.url) for versions in self.keys().values()]
        for item in newest:
            item["kid"] = item["kid"].rpartition("/")[0]
        return self._page(request, newest)

    def _versions(self, request: Request, name: str) -> Response:
        self._caller(request, "list", name)
        return self._page(request, [one.item(self.url) for one in self.keys().get(name, [])])

    def _page(self, request: Request, items: list[Json]) -> Response:
        size = min(int(request.query.get("maxresults", _PAGE)), _PAGE)
        start = int(request.query.get("$skiptoken", "0"))
        more = start + size < len(items)
        link = f"{self.url}{request.path}?api-version={request.query.get('api-version', '')}&$skiptoken={start + size}"
        return Response(200, {"value": items[start : start + size], "nextLink": link if more else None})

    def _get(self, request: Request, name: str, version: str = "") -> Response:
        return Response(200, self._admit(request, "get", name, version).bundle(self.url))

    def _update(self, request: Request, name: str, version: str) -> Response:
        key = self._admit(request, "update", name, version)
        body = request.json()
        attributes = body.get("attributes") or {}
        with self._lock:
            key.enabled = bool(attributes.get("enabled", key.enabled))
            key.expires = attributes.get("exp", key.expires)
            key.not_before = attributes.get("nbf", key.not_before)
            key.key_ops = tuple(body.get("key_ops") or key.key_ops)
            key.updated = int(time.time())
        return Response(200, key.bundle(self.url))

    def _rotation_policy(self, request: Request, name: str) -> Response:
        self._caller(request, "getrotationpolicy", name)
        self._find(name, "")
        # A key that nobody gave a policy shows the notification thirty days before expiry.
        usual = {"lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}]}
        policy = self.rotation_policies.get(name, {**usual, "attributes": {}})
        return Response(200, {"id": f"{self.url}/keys/{name}/rotationpolicy", **policy})

    def _deleted_key(self, request: Request, name: str) -> Response:
        self._caller(request, "get", name)
        when = self._deleted.get(name)
        if when is None:
            message = f"Deleted Key not found: {name}"
            raise VaultError(404, "KeyNotFound", message)
        bundle = self._keys[name][-1].bundle(self.url)
        recovery = {
            "recoveryId": f"{self.url}/deletedkeys/{name}",
            "deletedDate": int(when),
            "scheduledPurgeDate": int(when) + 90 * 86_400,
        }
        return Response(200, {**recovery, **bundle})

    def _recover(self, request: Request, name: str) -> Response:
        self._caller(request, "recover", name)
        if name not in self._deleted:
            raise VaultError(404, "KeyNotFound", f"Deleted Key not found: {name}")
        self._deleted.pop(name)
        return Response(200, self._keys[name][-1].bundle(self.url))

    def _encrypt(self, request: Request, name: str, version: str) -> Response:
        key = self._admit(request, "encrypt", name, version)
        scheme, value = crypto_request(request.json())
        try:
            result = key.rsa.public_key().encrypt(value, scheme)
        except ValueError:
            raise bad_parameter("value") from None
        return self._crypto_answer(key, result)

    def _decrypt(self, request: Request, name: str, version: str) -> Response:
        key = self._admit(request, "decrypt", name, version)
        scheme, value = crypto_request(request.json())
        try:
            result = key.rsa.decrypt(value, scheme)
        except ValueError:
            raise bad_parameter("value") from None
        return self._crypto_answer(key, result)

    def _crypto_answer(self, key: KeyVersion, result: bytes) -> Response:
        return Response(200, {"kid": f"{self.url}/keys/{key.name}/{key.version}", "value": encode(result)})

    def _admit(self, request: Request, operation: str, name: str, version: str) -> KeyVersion:
        self._caller(request, operation, name)
        key = self._find(name, version)
        if operation in ("encrypt", "decrypt"):
            key.check_usable(operation)
        return key

    def _caller(self, request: Request, operation: str, name: str) -> None:
        """Let the caller in, or refuse: in Key Vault's order, token, network, tenant, permission."""
        with self._lock:
            self._calls[operation] += 1
        time.sleep(self.delay_seconds)
        vault = self.resource()
        if vault is None:
            # A deleted vault's name no longer resolves.
            raise ConnectionDropped
        claims = self._authenticate(request)
        ours = claims["oid"] == self._cluster.object_id
        address = AKS_ADDRESS if ours else OPERATOR_ADDRESS
        caller = Caller(claims["appid"], claims["oid"], address, private=ours and privately_linked(vault))
        check_network(vault, caller)
        check_tenant(vault)
        check_grant(vault, self._grants, caller, operation, name)
        if operation in ("encrypt", "decrypt"):
            self._check_limit()

    def _check_limit(self) -> None:
        """Calls that are refused do not count (Key Vault throttling guidance)."""
        now = time.monotonic()
        with self._lock:
            while self._taken and self._taken[0] <= now - _WINDOW_SECONDS:
                self._taken.popleft()
            if self.limit is not None and len(self._taken) >= self.limit:
                raise VaultError(429, "Throttled", _THROTTLED)
            self._taken.append(now)

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

    def _find(self, name: str, version: str) -> KeyVersion:
        versions = self.keys().get(name, [])
        for key in reversed(versions):
            if version in ("", key.version):
                return key
        reference = f"{name}/{version}" if version else name
        raise VaultError(
            404,
            "KeyNotFound",
            f"A key with (name/id) {reference} was not found in this key vault. If you recently deleted "
            "this key you may be able to recover it using the correct recovery command. For help "
            "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
        )


def privately_linked(vault: Json) -> bool:
    """Whether an approved private endpoint leads to the vault."""
    return any(
        link["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
        for link in vault["properties"].get("privateEndpointConnections") or []
    )


def vault_document(uri: str) -> Json:
    """A vault as Resource Manager shows it, open to every network, with roles and purge protection."""
    return {
        "location": LOCATION,
        "tags": {},
        "properties": {
            "sku": {"family": "A", "name": "standard"},
            "tenantId": TENANT_ID,
            "accessPolicies": [],
            "enabledForDeployment": False,
            "enableRbacAuthorization": True,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enablePurgeProtection": True,
            "vaultUri": uri,
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
            "privateEndpointConnections": [],
        },
    }
