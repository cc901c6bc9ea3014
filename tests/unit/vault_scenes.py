"""A cluster on KMS v1 whose old and new key, identity and surroundings are in order, and ways to disturb them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from azext_kmsmigrate.checks.grant import CONTRIBUTOR, CRYPTO_USER
from azext_kmsmigrate.checks.identity import IDENTITIES, Identity
from azext_kmsmigrate.checks.key_sight import (
    KEYS,
    EndpointConnection,
    Key,
    KeySight,
    Vault,
    VaultSettings,
)
from azext_kmsmigrate.checks.lock import LOCKS
from azext_kmsmigrate.checks.network import NETWORKS, Networks, SecurityRule, Subnet, VirtualNetwork
from azext_kmsmigrate.checks.policy import CLUSTER_POLICY, ENDPOINT_POLICY
from azext_kmsmigrate.checks.rights import CALLER, Assignment, Grants, Permission
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.facts import (
    ClusterFacts,
    ClusterName,
    KmsProfile,
    ManagedIdentity,
    NetworkAccess,
    Surroundings,
)
from azext_kmsmigrate.migration.plan import Goal, Situation, decide
from tests.unit.situations import cluster, offers

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)
SUBSCRIPTION = "/subscriptions/sub"
CLUSTER_ID = f"{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/blue"
VAULT_ID = f"{SUBSCRIPTION}/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/kv-old"
NEW_VAULT_ID = f"{SUBSCRIPTION}/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/kv-new"
OLD_KEY = "https://kv-old.vault.azure.net/keys/etcd/0123456789abcdef0123456789abcdef"
NEW_KEY = "https://kv-new.vault.azure.net/keys/etcd/fedcba9876543210fedcba9876543210"
PRINCIPAL = "99990000-1111-4222-8333-444444444444"
TENANT = "11111111-2222-4333-8444-555555555555"
NETWORK_ID = f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub"
SUBNET_ID = f"{NETWORK_ID}/subnets/nodes"
GROUP_ID = f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/networkSecurityGroups/nsg"
IDENTITY_ID = f"{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/blue-id"

CRYPTO = Permission(
    actions=("Microsoft.KeyVault/vaults/keys/read",),
    data_actions=tuple(
        f"Microsoft.KeyVault/vaults/keys/{word}" for word in ("read", "encrypt/action", "decrypt/action", "wrap/action")
    ),
)
WRAP_ONLY = Permission(data_actions=("Microsoft.KeyVault/vaults/keys/wrap/action",))
VAULT_CONTRIBUTOR = Permission(actions=("Microsoft.Authorization/*/read", "Microsoft.KeyVault/*"))
AKS_CONTRIBUTOR = Permission(actions=("Microsoft.ContainerService/managedClusters/*",))


def assigned(
    permission: Permission, scope: str, role: str = CRYPTO_USER.name, age: timedelta = timedelta(days=90)
) -> Assignment:
    return Assignment(scope, role, (permission,), NOW - age)


def rule(name: str, priority: int, *, allows: bool, to: str = "VirtualNetwork", ports: str = "*") -> SecurityRule:
    return SecurityRule(name, priority, allows, "*", (ports,), ("*",), (to,))


DEFAULT_RULES = (
    rule("AllowVnetOutBound", 65000, allows=True),
    rule("AllowInternetOutBound", 65001, allows=True, to="Internet"),
    rule("DenyAllOutBound", 65500, allows=False, to="*"),
)


@dataclass(frozen=True)
class Around:
    """What is seen. In order, unless a test replaces a part."""

    old_vault: Any = None
    new_vault: Any = None
    old_key: Any = field(default_factory=lambda: key())
    new_key: Any = field(default_factory=lambda: key())
    old_grants: Any = None
    new_grants: Any = None
    identity: Any = None
    caller: Any = (AKS_CONTRIBUTOR,)
    locks: Any = ()
    cluster_policy: Any = ()
    endpoint_policy: Any = ()
    rules: tuple[SecurityRule, ...] = DEFAULT_RULES
    dns: tuple[str, ...] = ()
    access: NetworkAccess = NetworkAccess.PUBLIC
    key_id: str = NEW_KEY
    vault_id: str = ""
    same_key: bool = False

    def with_(self, **parts: Any) -> Around:
        return replace(self, **parts)

    def seen(self) -> Mapping[Topic[Any], Any]:
        old = KeySight(
            OLD_KEY,
            self.old_vault or vault("kv-old", VAULT_ID),
            self.old_key,
            self.old_grants or Grants((assigned(CRYPTO, VAULT_ID),)),
        )
        both = (assigned(CRYPTO, NEW_VAULT_ID), assigned(VAULT_CONTRIBUTOR, NEW_VAULT_ID, CONTRIBUTOR.name))
        new = KeySight(
            self.key_id,
            self.new_vault or vault("kv-new", NEW_VAULT_ID),
            self.new_key,
            self.new_grants or Grants(both),
        )
        networks = Networks(
            (Subnet(SUBNET_ID, ("10.1.0.0/24",), GROUP_ID, self.rules),),
            (VirtualNetwork(NETWORK_ID, ("10.1.0.0/16",), self.dns),),
        )
        return {
            KEYS: {OLD_KEY: old, self.key_id: new},
            IDENTITIES: (self.identity or Identity(IDENTITY_ID, True, PRINCIPAL, TENANT),),
            CALLER: self.caller,
            LOCKS: self.locks,
            CLUSTER_POLICY: self.cluster_policy,
            ENDPOINT_POLICY: self.endpoint_policy,
            NETWORKS: networks,
        }

    def scene(self, **cluster_parts: Any) -> Scene:
        seen_cluster = facts(**cluster_parts)
        private = self.access is NetworkAccess.PRIVATE
        goal = Goal("", self.key_id, self.access, (self.vault_id or NEW_VAULT_ID) if private else "")
        situation = Situation(seen_cluster, offers("1.27.1"))
        return Scene(situation, goal, decide(situation, goal), NOW, self.seen())


def facts(**parts: Any) -> ClusterFacts:
    around = Surroundings(
        node_group="MC_shop_blue",
        tags=parts.pop("tags", {}),
        identities=(ManagedIdentity(IDENTITY_ID, PRINCIPAL),),
        subnets=(SUBNET_ID,),
        api_server_subnet=SUBNET_ID,
    )
    kms = parts.pop("kms", KmsProfile(enabled=True, key_id=OLD_KEY))
    parts.setdefault("vnet_integration", True)
    found = cluster(parts.pop("version", "1.26.15"), kms=kms, **parts)
    return replace(found, name=ClusterName("blue", "shop", "sub", CLUSTER_ID), surroundings=around)


def vault(name: str, resource_id: str, **parts: Any) -> Vault:
    settings = replace(
        VaultSettings(
            rbac=True,
            public_access="Enabled",
            open=True,
            soft_delete=True,
            purge_protection=True,
            connections=(EndpointConnection("/endpoint", "Approved"),),
        ),
        **parts,
    )
    return Vault(f"{name}.vault.azure.net", resource_id=resource_id, tenant=TENANT, settings=settings)


def key(**parts: Any) -> Key:
    return replace(
        Key(kind="RSA", bits=2048, operations=frozenset({"encrypt", "decrypt", "wrapKey"}), rotates=False), **parts
    )
