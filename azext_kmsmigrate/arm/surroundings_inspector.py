"""The port ``Inspector`` for what is around the cluster: your rights, locks, policies, its identity, its network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from azext_kmsmigrate.arm.grants import permissions_of
from azext_kmsmigrate.arm.resource_manager import Json, Resources
from azext_kmsmigrate.checks.identity import IDENTITIES, Identity
from azext_kmsmigrate.checks.lock import LOCKS, Lock, network_of, node_group_id
from azext_kmsmigrate.checks.network import NETWORKS, Networks, SecurityRule, Subnet, VirtualNetwork
from azext_kmsmigrate.checks.policy import CLUSTER_POLICY, ENDPOINT_POLICY, PolicyDenial
from azext_kmsmigrate.checks.rights import CALLER, Permission
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Question

_AUTHORIZATION_VERSION = "2022-04-01"
_LOCKS_VERSION = "2016-09-01"
_IDENTITY_VERSION = "2023-01-31"
_NETWORK_VERSION = "2023-09-01"
_POLICY_VERSION = "2022-03-01"
_CLUSTER_VERSION = "2024-02-01"


class SurroundingsInspector:
    """One look for each topic; what lies in another subscription is asked there."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._looks: dict[Topic[Any], Callable[[Question], Any]] = {
            CALLER: self._caller,
            LOCKS: self._locks,
            IDENTITIES: self._identities,
            NETWORKS: self._networks,
            CLUSTER_POLICY: self._cluster_policy,
            ENDPOINT_POLICY: self._endpoint_policy,
        }
        self.topics: tuple[Topic[Any], ...] = tuple(self._looks)

    def look(self, topic: Topic[Any], question: Question) -> Any:
        return self._looks[topic](question)

    def _caller(self, question: Question) -> tuple[Permission, ...] | Unseen:
        path = f"{question.cluster.name.resource_id}/providers/Microsoft.Authorization/permissions"
        found = self._resources.listed(path, _AUTHORIZATION_VERSION, "Microsoft.Authorization/permissions/read")
        return permissions_of(found) if isinstance(found, tuple) else found or _gone("the cluster")

    def _locks(self, question: Question) -> tuple[Lock, ...] | Unseen:
        cluster, target = question.cluster, question.target_kms
        around = cluster.surroundings
        upwards, within = {"$filter": "atScope()"}, dict[str, str]()
        nodes = node_group_id(cluster)
        looks = [(cluster.name.resource_id, upwards), (nodes, upwards), (nodes, within)]
        for network in dict.fromkeys(network_of(s) for s in (*around.subnets, around.api_server_subnet) if s):
            looks += [(network, upwards), (network, within)]
        if target is not None and target.network_access is NetworkAccess.PRIVATE and target.vault_id:
            looks.append((target.vault_id, upwards))
        locks: dict[str, Lock] = {}
        for scope, query in looks:
            path = f"{scope}/providers/Microsoft.Authorization/locks"
            found = self._resources.listed(path, _LOCKS_VERSION, "Microsoft.Authorization/locks/read", **query)
            if isinstance(found, Unseen):
                return found
            for document in found or ():
                level = (document.get("properties") or {}).get("level") or ""
                locks[document["id"].lower()] = Lock(document["id"], document.get("name") or "", level)
        return tuple(locks.values())

    def _identities(self, question: Question) -> tuple[Identity, ...] | Unseen:
        found = []
        for identity in question.cluster.surroundings.identities:
            right = "Microsoft.ManagedIdentity/userAssignedIdentities/read"
            document = self._resources.get(identity.resource_id, _IDENTITY_VERSION, right)
            if isinstance(document, Unseen):
                return document
            properties = (document or {}).get("properties") or {}
            principal, tenant = properties.get("principalId") or "", properties.get("tenantId") or ""
            found.append(Identity(identity.resource_id, document is not None, principal, tenant))
        return tuple(found)

    def _networks(self, question: Question) -> Networks | Unseen:
        around, target = question.cluster.surroundings, question.target_kms
        if target is None or target.network_access is not NetworkAccess.PRIVATE:
            return Networks()  # nothing goes through them to the vault
        subnets, networks = [], {}
        for subnet_id in dict.fromkeys(filter(None, (around.api_server_subnet, *around.subnets))):
            subnet = self._subnet(subnet_id)
            if isinstance(subnet, Unseen):
                return subnet
            subnets.append(subnet)
            network_id = network_of(subnet_id)
            if network_id.lower() not in networks:
                right = "Microsoft.Network/virtualNetworks/read"
                document = self._resources.get(network_id, _NETWORK_VERSION, right)
                if not isinstance(document, dict):
                    return document or _gone(network_id)
                networks[network_id.lower()] = _network(document, network_id)
        return Networks(tuple(subnets), tuple(networks.values()))

    def _subnet(self, subnet_id: str) -> Subnet | Unseen:
        right = "Microsoft.Network/virtualNetworks/subnets/read"
        document = self._resources.get(subnet_id, _NETWORK_VERSION, right)
        if not isinstance(document, dict):
            return document or _gone(subnet_id)
        properties = document.get("properties") or {}
        prefixes = _several(properties, "addressPrefix")
        group_id = (properties.get("networkSecurityGroup") or {}).get("id") or ""
        if not group_id:
            return Subnet(subnet_id, prefixes)
        group = self._resources.get(group_id, _NETWORK_VERSION, "Microsoft.Network/networkSecurityGroups/read")
        if not isinstance(group, dict):
            return group or _gone(group_id)
        return Subnet(subnet_id, prefixes, group_id, _outbound(group))

    def _cluster_policy(self, question: Question) -> tuple[PolicyDenial, ...] | Unseen:
        cluster = question.cluster
        document = self._resources.get(
            cluster.name.resource_id, _CLUSTER_VERSION, "Microsoft.ContainerService/managedClusters/read"
        )
        if not isinstance(document, dict):
            return document or _gone("the cluster")
        scope = cluster.name.resource_id.partition("/providers/")[0]
        content = _content(document)
        states = {"the cluster with KMS off": _with_kms(content, None)}
        for hop in question.upgrades:
            content = _upgraded(content, hop.version, pools=hop.whole)
            states[f"the cluster with Kubernetes {hop.version} and KMS off"] = _with_kms(content, None)
        if question.target_kms is not None:
            states["the cluster with KMS v2 on"] = _with_kms(content, question.target_kms)
        if question.upgrades and not question.upgrades[-1].whole:
            states |= _pools_apart(content, question.upgrades[-1].version)
        return self._denials(scope, _CLUSTER_VERSION, states)

    def _endpoint_policy(self, question: Question) -> tuple[PolicyDenial, ...] | Unseen:
        kms, cluster = question.target_kms, question.cluster
        if kms is None or kms.network_access is not NetworkAccess.PRIVATE:
            return ()
        connection = {
            "name": "kms",
            "properties": {"privateLinkServiceId": kms.vault_id, "groupIds": ["vault"]},
        }
        endpoint = {
            "type": "Microsoft.Network/privateEndpoints",
            "name": f"kms-{cluster.name.name}",
            "location": cluster.location,
            "properties": {
                "subnet": {"id": cluster.surroundings.api_server_subnet},
                "privateLinkServiceConnections": [connection],
            },
        }
        states = {"a private endpoint to the vault": endpoint}
        return self._denials(node_group_id(cluster), _NETWORK_VERSION, states)

    def _denials(self, scope: str, version: str, states: dict[str, Json]) -> tuple[PolicyDenial, ...] | Unseen:
        path = f"{scope}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
        denials: dict[str, PolicyDenial] = {}
        for change, content in states.items():
            body = {"resourceDetails": {"resourceContent": content, "apiVersion": version, "scope": scope}}
            right = "Microsoft.PolicyInsights/checkPolicyRestrictions/read"
            answer = self._resources.post(path, _POLICY_VERSION, right, body)
            if not isinstance(answer, dict):
                return answer or Unseen("Azure does not foretell policies here")
            evaluations = (answer.get("contentEvaluationResult") or {}).get("policyEvaluations") or ()
            for evaluation in evaluations:
                effect = (evaluation.get("effectDetails") or {}).get("policyEffect") or ""
                if evaluation.get("evaluationResult") == "NonCompliant" and effect.lower() == "deny":
                    assignment = evaluation["policyInfo"]["policyAssignmentId"]
                    denials.setdefault(assignment.lower(), PolicyDenial(assignment, change))
        return tuple(denials.values())


def _content(cluster: Json) -> Json:
    """What a PUT of the cluster says, and a policy judges."""
    kept = ("name", "location", "tags", "properties", "sku", "identity")
    return {"type": "Microsoft.ContainerService/managedClusters", **{k: cluster[k] for k in kept if k in cluster}}


def _upgraded(cluster: Json, version: KubernetesVersion, *, pools: bool) -> Json:
    changed = copy.deepcopy(cluster)
    changed["properties"]["kubernetesVersion"] = str(version)
    for pool in (changed["properties"].get("agentPoolProfiles") or ()) if pools else ():
        pool["orchestratorVersion"] = str(version)
    return changed


def _pools_apart(cluster: Json, version: KubernetesVersion) -> dict[str, Json]:
    """Each node pool as it is put by itself, once the control plane has the version."""
    kind = "Microsoft.ContainerService/managedClusters/agentPools"
    return {
        f"node pool '{pool['name']}' with Kubernetes {version}": {
            "type": kind,
            "name": f"{cluster.get('name')}/{pool['name']}",
            "properties": {**pool, "orchestratorVersion": str(version)},
        }
        for pool in cluster["properties"].get("agentPoolProfiles") or ()
    }


def _with_kms(cluster: Json, kms: KmsProfile | None) -> Json:
    """The cluster as it is put with KMS off (None) or on."""
    changed = copy.deepcopy(cluster)
    security = changed["properties"].setdefault("securityProfile", {})
    if kms is None:
        security["azureKeyVaultKms"] = {**(security.get("azureKeyVaultKms") or {}), "enabled": False}
    else:
        security["azureKeyVaultKms"] = {
            "enabled": True,
            "keyId": kms.key_id,
            "keyVaultNetworkAccess": kms.network_access.value,
            "keyVaultResourceId": kms.vault_id,
        }
    return changed


def _network(document: Json, network_id: str) -> VirtualNetwork:
    properties = document.get("properties") or {}
    return VirtualNetwork(
        network_id,
        tuple((properties.get("addressSpace") or {}).get("addressPrefixes") or ()),
        tuple((properties.get("dhcpOptions") or {}).get("dnsServers") or ()),
    )


def _outbound(group: Json) -> tuple[SecurityRule, ...]:
    """The user's rules and Azure's own defaults."""
    properties = group.get("properties") or {}
    rules = (*(properties.get("securityRules") or ()), *(properties.get("defaultSecurityRules") or ()))
    return tuple(
        SecurityRule(
            name=rule.get("name") or "",
            priority=int(inner.get("priority") or 0),
            allows=inner.get("access") == "Allow",
            protocol=inner.get("protocol") or "*",
            ports=_several(inner, "destinationPortRange"),
            sources=_several(inner, "sourceAddressPrefix"),
            destinations=_several(inner, "destinationAddressPrefix"),
        )
        for rule in rules
        if (inner := rule.get("properties") or {}).get("direction") == "Outbound"
    )


def _several(properties: Json, singular: str) -> tuple[str, ...]:
    """Azure writes one under a name, several under its plural."""
    plural = f"{singular}es" if singular.endswith("x") else f"{singular}s"
    one = properties.get(singular)
    return (*([one] if one else []), *(properties.get(plural) or ()))


def _gone(what: str) -> Unseen:
    return Unseen(f"{what} is not there")
