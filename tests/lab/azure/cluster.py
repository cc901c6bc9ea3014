"""The managed cluster as Resource Manager shows it (api-version 2026-06-01), and how a PUT changes it.

Pure: nothing here talks to anything. Which changes are allowed is decided in ``rules``.
"""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass
from typing import Any

from tests.lab.azure.identity import TENANT_ID, Principal
from tests.lab.azure.merge import merge_patch as merge_patch
from tests.lab.azure.metadata import API_SUBNET, LOCATION, NODES_SUBNET, SUBSCRIPTION_ID
from tests.lab.azure.metadata import group_id as group_id
from tests.lab.azure.metadata import node_group as node_group_of
from tests.lab.model import LabOptions

Json = dict[str, Any]

# Read-only in the API: a PUT may carry them, the resource provider ignores them.
_READ_ONLY = (
    "provisioningState",
    "powerState",
    "currentKubernetesVersion",
    "maxAgentPools",
    "fqdn",
    "privateFQDN",
    "azurePortalFQDN",
    "resourceUID",
    "privateLinkResources",
    "status",
)
_POOL_READ_ONLY = (
    "provisioningState",
    "powerState",
    "currentOrchestratorVersion",
    "nodeImageVersion",
    "eTag",
    "status",
)


@dataclass(frozen=True)
class Kms:
    """``securityProfile.azureKeyVaultKms``; absent is the same as disabled with empty fields."""

    enabled: bool
    key_id: str
    network_access: str
    vault_resource_id: str

    @classmethod
    def of(cls, cluster: Json) -> Kms:
        profile = (cluster["properties"].get("securityProfile") or {}).get("azureKeyVaultKms") or {}
        return cls(
            enabled=bool(profile.get("enabled")),
            key_id=profile.get("keyId") or "",
            network_access=profile.get("keyVaultNetworkAccess") or "",
            vault_resource_id=profile.get("keyVaultResourceId") or "",
        )

    @property
    def active_key(self) -> str | None:
        return self.key_id if self.enabled else None


def identity_id(name: str) -> str:
    return f"{group_id()}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def pool_counts(options: LabOptions) -> dict[str, int]:
    """Pool -> number of nodes: ``system`` has two, ``user`` one, and ``pool03`` and so on one each."""
    more = {f"pool{number:02d}": 1 for number in range(3, options.pools + 1)}
    return dict([("system", 2), ("user", 1)][: options.pools]) | more


def seed(options: LabOptions, *, key_id: str, vault_id: str, identity: Principal, admin_group: str) -> Json:
    """The cluster a lab begins with: two pools (2 + 1 nodes), KMS as the options say, not ready yet."""
    private = options.key_vault == "private"
    entra = options.access == "entra"
    name = options.name
    node_group = node_group_of(name)
    security: Json = {}
    if options.kms:
        security["azureKeyVaultKms"] = {
            "enabled": True,
            "keyId": key_id,
            "keyVaultNetworkAccess": "Private" if private else "Public",
            "keyVaultResourceId": vault_id if private else "",
        }
    properties: Json = {
        "provisioningState": "Creating",
        "powerState": {"code": "Running"},
        "kubernetesVersion": options.kubernetes,
        "currentKubernetesVersion": options.kubernetes,
        "dnsPrefix": name,
        "fqdn": f"{name}-lab.hcp.{LOCATION}.azmk8s.io",
        "azurePortalFQDN": f"{name}-lab.portal.hcp.{LOCATION}.azmk8s.io",
        "agentPoolProfiles": [_pool(*pool, options.kubernetes) for pool in pool_counts(options).items()],
        "servicePrincipalProfile": {"clientId": "msi"},
        "nodeResourceGroup": node_group,
        "enableRBAC": True,
        "supportPlan": "KubernetesOfficial",
        "networkProfile": {
            "networkPlugin": "azure",
            "loadBalancerSku": "standard",
            "outboundType": "loadBalancer",
            "serviceCidr": "10.0.0.0/16",
            "dnsServiceIP": "10.0.0.10",
        },
        "maxAgentPools": 100,
        "apiServerAccessProfile": {"enablePrivateCluster": False, "enableVnetIntegration": private}
        | ({"subnetId": API_SUBNET} if private else {}),
        "identityProfile": {"kubeletidentity": _kubelet_identity(node_group, name)},
        "autoUpgradeProfile": {"upgradeChannel": "none", "nodeOSUpgradeChannel": "NodeImage"},
        "disableLocalAccounts": entra,
        "securityProfile": security,
        "storageProfile": {"diskCSIDriver": {"enabled": True}, "fileCSIDriver": {"enabled": True}},
        "oidcIssuerProfile": {"enabled": False},
        "resourceUID": uuid.uuid5(uuid.NAMESPACE_URL, name).hex[:24],
    }
    if entra:
        properties["aadProfile"] = {
            "managed": True,
            "enableAzureRBAC": False,
            "adminGroupObjectIDs": [admin_group],
            "tenantID": TENANT_ID,
        }
    return {
        "id": f"{group_id()}/providers/Microsoft.ContainerService/managedClusters/{name}",
        "name": name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": LOCATION,
        "tags": {},
        "eTag": new_etag(),
        "kind": "Base",
        "sku": {"name": "Base", "tier": "Standard"},
        "identity": {
            "type": "UserAssigned",
            "userAssignedIdentities": {
                identity_id(identity.name): {
                    "clientId": identity.client_id,
                    "principalId": identity.object_id,
                }
            },
        },
        "properties": properties,
    }


def put(stored: Json, body: Json) -> Json:
    """The document after a PUT: what the body says, the stored read-only properties, a new etag.

    Properties that the body leaves out keep their value, as AKS keeps what it defaulted before. Empty version
    strings mean "as it is": ``az aks upgrade`` without ``-k`` sends them.
    """
    result = copy.deepcopy(stored)
    for key in ("tags", "sku", "identity"):
        if body.get(key) is not None:
            result[key] = copy.deepcopy(body[key])
    _fill_identities(result, stored)
    writable = {
        key: value
        for key, value in (body.get("properties") or {}).items()
        if key not in _READ_ONLY and value is not None and key != "agentPoolProfiles"
    }
    if not writable.get("kubernetesVersion"):
        writable.pop("kubernetesVersion", None)
    result["properties"].update(copy.deepcopy(writable))
    for pool in (body.get("properties") or {}).get("agentPoolProfiles") or []:
        put_pool(result, pool.get("name", ""), pool)
    result["eTag"] = new_etag()
    return result


def put_pool(cluster: Json, name: str, properties: Json) -> None:
    """Apply one pool's properties to the document in place; raises ``KeyError`` for an unknown pool."""
    target = pool_of(cluster, name)
    for key, value in properties.items():
        if key in _POOL_READ_ONLY or value is None or (key == "orchestratorVersion" and not value):
            continue
        target[key] = copy.deepcopy(value)
    target["eTag"] = new_etag()


def pools(cluster: Json) -> list[Json]:
    profiles: list[Json] = cluster["properties"]["agentPoolProfiles"]
    return profiles


def pool_of(cluster: Json, name: str) -> Json:
    for pool in pools(cluster):
        if pool["name"] == name:
            return pool
    raise KeyError(name)


def pool_resource(cluster: Json, name: str) -> Json:
    """A pool as its own resource, ``.../agentPools/{name}``."""
    properties = copy.deepcopy(pool_of(cluster, name))
    properties.pop("name")
    return {
        "id": f"{cluster['id']}/agentPools/{name}",
        "name": name,
        "type": "Microsoft.ContainerService/managedClusters/agentPools",
        "properties": properties,
    }


def new_etag() -> str:
    return str(uuid.uuid4())


def _fill_identities(result: Json, stored: Json) -> None:
    """A PUT names its identities with empty objects; Azure fills in who they are."""
    known = (stored.get("identity") or {}).get("userAssignedIdentities") or {}
    named = (result.get("identity") or {}).get("userAssignedIdentities") or {}
    for resource, details in named.items():
        if not (details or {}).get("principalId"):
            named[resource] = copy.deepcopy(known.get(resource) or details or {})


def _pool(name: str, count: int, version: str) -> Json:
    return {
        "name": name,
        "count": count,
        "vmSize": "Standard_D4s_v5",
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "kubeletDiskType": "OS",
        "maxPods": 30,
        "type": "VirtualMachineScaleSets",
        "mode": "System" if name == "system" else "User",
        "vnetSubnetID": NODES_SUBNET,
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "enableAutoScaling": False,
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "orchestratorVersion": version,
        "currentOrchestratorVersion": version,
        "nodeImageVersion": node_image(version),
        "upgradeSettings": {"maxSurge": "10%"},
        "eTag": new_etag(),
    }


def node_image(version: str) -> str:
    return f"AKSUbuntu-2204gen2containerd-{version}"


def _kubelet_identity(node_group: str, name: str) -> Json:
    resource = (
        f"/subscriptions/{SUBSCRIPTION_ID}/resourcegroups/{node_group}"
        f"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}-agentpool"
    )
    return {
        "resourceId": resource,
        "clientId": str(uuid.uuid5(uuid.NAMESPACE_URL, resource + "#client")),
        "objectId": str(uuid.uuid5(uuid.NAMESPACE_URL, resource)),
    }
