"""What may be wrong with a cluster, its vaults and its surroundings, one at a time: how, and who foretells it.

``foretold``: the checks of which one at least has to fail; none: it is harmless to a migration. ``limit``: why no check
can know it beforehand. ``cautious``: why a check stops it although this Azure would let it pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from azext_kmsmigrate.migration.facts import NetworkAccess
from tests.agreement.trial import Trial
from tests.lab.administrator import administrator
from tests.lab.azure.compute import usage_id
from tests.lab.azure.identity import TENANT_ID
from tests.lab.azure.keyvault import KeyVault
from tests.lab.azure.local import NEW_KEY, SECOND_VAULT
from tests.lab.azure.metadata import SUBSCRIPTION_ID, group_id
from tests.lab.azure.roles import BUILT_IN
from tests.lab.azure.upgrade_rules import ApiUse

Disturb = Callable[[Trial], None]

SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
AUTHORIZATION = "providers/Microsoft.Authorization"
NETWORK = f"{group_id()}/providers/Microsoft.Network"
DAY = 86_400
FAMILY = "standardDSv5Family"
CRYPTO_USER, CONTRIBUTOR = "Key Vault Crypto User", "Key Vault Contributor"
_ROLES = {role.name: role.id for role in BUILT_IN}
_BUDGETS = "/apis/policy/v1/namespaces/{}/poddisruptionbudgets"


@dataclass(frozen=True)
class Disturbance:
    """See the module's docstring. ``options``: the lab that it needs; with two vaults the new key is in the second."""

    disturb: Disturb
    foretold: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    limit: str = ""
    cautious: str = ""


def new_key(trial: Trial) -> None:
    """The migration ends with another key than it begins with: in the second vault, where there is one."""
    vault = new_vault(trial)
    private = trial.lab.options.key_vault == "private"
    trial.goal = replace(
        trial.goal,
        key_id=vault.key_id(NEW_KEY),
        network_access=NetworkAccess.PRIVATE if private else NetworkAccess.PUBLIC,
        vault_id=vault.resource_id if private else "",
    )
    if private:
        vault.change(publicNetworkAccess="Disabled")
        role(CONTRIBUTOR)(trial)


def new_vault(trial: Trial) -> KeyVault:
    return trial.azure.vaults.get(SECOND_VAULT, trial.azure.vault)


def after(first: Disturb, *more: Disturb) -> Disturb:
    def disturb(trial: Trial) -> None:
        for one in (first, *more):
            one(trial)

    return disturb


def key(name: str, **change: Any) -> Disturb:
    return lambda t: (t.azure.vault if name == "kms" else new_vault(t)).set_key(name, **change)


def vault(**properties: Any) -> Disturb:
    return lambda t: new_vault(t).change(**properties)


def old_vault(**properties: Any) -> Disturb:
    return lambda t: t.azure.vault.change(**properties)


def role(name: str, *, where: str = "", late: bool = False) -> Disturb:
    def assign(trial: Trial) -> None:
        grants = trial.azure.grants
        scope = new_vault(trial).resource_id + where
        if late:
            grants.delay_seconds = 3600.0
        (grants.assign if late else grants.assign_long_ago)(principal(trial), _ROLES[name], scope)

    return assign


def role_at(scope: str, name: str) -> Disturb:
    def assign(trial: Trial) -> None:
        trial.azure.grants.assign_long_ago(principal(trial), _ROLES[name], scope)

    return assign


def denied(trial: Trial) -> None:
    """A deny assignment: the identity may not encrypt in the new vault, whatever roles it has."""
    scope = new_vault(trial).resource_id
    properties = {
        "denyAssignmentName": "no-keys",
        "permissions": [{"dataActions": ["Microsoft.KeyVault/vaults/keys/encrypt/action"]}],
        "scope": scope,
        "principals": [{"id": principal(trial), "type": "ServicePrincipal"}],
        "excludePrincipals": [],
    }
    trial.azure.patch_resource(f"{scope}/{AUTHORIZATION}/denyAssignments/1", {"properties": properties})


def no_role(trial: Trial) -> None:
    trial.azure.grants.revoke_within(principal(trial), new_vault(trial).resource_id)


def policies(*permissions: str) -> Disturb:
    def change(trial: Trial) -> None:
        given = {"tenantId": TENANT_ID, "objectId": principal(trial), "permissions": {"keys": list(permissions)}}
        new_vault(trial).change(enableRbacAuthorization=False, accessPolicies=[given] if permissions else [])

    return change


def principal(trial: Trial) -> str:
    return trial.azure.cluster_identity.object_id


def cluster(patch: dict[str, Any]) -> Disturb:
    def change(trial: Trial) -> None:
        trial.azure.patch_cluster(patch)

    return change


def properties(**patch: Any) -> Disturb:
    return cluster({"properties": patch})


def pool(**patch: Any) -> Disturb:
    return lambda t: t.azure.patch_pool("user", patch)


def identity(patch: dict[str, Any] | None) -> Disturb:
    def change(trial: Trial) -> None:
        (resource_id,) = trial.azure.cluster()["identity"]["userAssignedIdentities"]
        trial.azure.patch_resource(resource_id, patch)

    return change


def operator(name: str) -> Disturb:
    def change(trial: Trial) -> None:
        who = trial.azure.operator.object_id
        trial.azure.grants.revoke_within(who, SUBSCRIPTION)
        trial.azure.grants.assign_long_ago(who, _ROLES[name], SUBSCRIPTION)

    return change


def nodes(trial: Trial) -> str:
    return group_id(trial.azure.cluster()["properties"]["nodeResourceGroup"])


def lock(scope: Callable[[Trial], str], level: str) -> Disturb:
    def put(trial: Trial) -> None:
        trial.azure.patch_resource(f"{scope(trial)}/{AUTHORIZATION}/locks/keep", {"properties": {"level": level}})

    return put


def policy(scope: Callable[[Trial], str], rule: dict[str, Any]) -> Disturb:
    def put(trial: Trial) -> None:
        definition = f"{SUBSCRIPTION}/{AUTHORIZATION}/policyDefinitions/no"
        document = {"policyRule": {"if": rule, "then": {"effect": "deny"}}}
        trial.azure.patch_resource(definition, {"properties": document})
        assignment = f"{scope(trial)}/{AUTHORIZATION}/policyAssignments/no"
        trial.azure.patch_resource(assignment, {"properties": {"policyDefinitionId": definition}})

    return put


def of_clusters(alias: str, value: str) -> dict[str, Any]:
    kind = "Microsoft.ContainerService/managedClusters"
    return {
        "allOf": [
            {"field": "type", "equals": kind},
            {"field": f"{kind}/{alias}", "equals": value},
        ]
    }


def quota(name: str, limit: int) -> Disturb:
    return lambda t: t.azure.patch_resource(usage_id(name), {"properties": {"limit": limit}})


def nodes_subnet(prefix: str) -> Disturb:
    def change(trial: Trial) -> None:
        network_id = f"{NETWORK}/virtualNetworks/lab-vnet"
        network = trial.azure.resource(network_id)
        assert network is not None
        subnets = network["properties"]["subnets"]
        for subnet in subnets:
            if subnet["name"] == "nodes":
                subnet["properties"]["addressPrefix"] = prefix
        trial.azure.patch_resource(network_id, {"properties": {"subnets": subnets}})

    return change


def nsg(**properties: Any) -> Disturb:
    rule = {
        "priority": 200,
        "direction": "Outbound",
        "access": "Deny",
        "protocol": "Tcp",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "VirtualNetwork",
        "destinationPortRange": "443",
        **properties,
    }

    def change(trial: Trial) -> None:
        (group,) = trial.azure.resources.listed("Microsoft.Network/networkSecurityGroups")
        trial.azure.patch_resource(
            group["id"], {"properties": {"securityRules": [{"name": "shut", "properties": rule}]}}
        )

    return change


def budget(namespace: str, *, healthy: int = 2, **spec: Any) -> Disturb:
    def create(trial: Trial) -> None:
        expected, least = 2, str(spec.get("minAvailable", 0))
        desired = -(-expected * int(least[:-1]) // 100) if least.endswith("%") else int(least)
        desired = expected if spec.get("maxUnavailable") in (0, "0%") else desired
        status = {
            "expectedPods": expected,
            "desiredHealthy": desired,
            "currentHealthy": healthy,
            "disruptionsAllowed": max(0, healthy - desired),
        }
        with administrator(trial.lab.host.endpoint()) as api:
            api.create_if_absent("/api/v1/namespaces", {"metadata": {"name": namespace}})
            path, name = _BUDGETS.format(namespace), f"cart-{len(list(api.items(_BUDGETS.format(namespace))))}"
            api.create(path, {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": "x"}}, **spec}})
            api.merge(f"{path}/{name}/status", {"status": status})

    return create


def api_in_use(trial: Trial) -> None:
    trial.azure.obstacles.api_use.append(ApiUse("storage.k8s.io.csistoragecapacities.v1beta1", "1.27", time.time()))


def api_asked_for(trial: Trial) -> None:
    with administrator(trial.lab.host.endpoint()) as api:
        api.get("/apis/storage.k8s.io/v1beta1/csistoragecapacities")


def a_secret(trial: Trial) -> tuple[str, str]:
    namespace, _, name = (
        sorted(trial.lab.host.raw("/registry/secrets/"))[0].removeprefix("/registry/secrets/").partition("/")
    )
    return namespace, name


def denied_secret(trial: Trial) -> None:
    trial.lab.deny(*a_secret(trial))


def lost_secret(trial: Trial) -> None:
    trial.lab.host.put_raw("/registry/secrets/" + "/".join(a_secret(trial)), b"k8s:enc:kms:v1:gone:\x00\x01")


def volume(trial: Trial) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/disk"}}
    labels = {"failure-domain.beta.kubernetes.io/zone": "1"}
    with administrator(trial.lab.host.endpoint()) as api:
        api.create("/api/v1/persistentvolumes", {"metadata": {"name": "disk", "labels": labels}, "spec": spec})


def cordon(trial: Trial) -> None:
    with administrator(trial.lab.host.endpoint()) as api:
        api.merge("/api/v1/nodes/aks-user-0", {"spec": {"unschedulable": True}})


def webhook(trial: Trial) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "guard.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "guards", "name": "guard"}},
        "rules": [rule],
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    with administrator(trial.lab.host.endpoint()) as api:
        api.create(path, {"metadata": {"name": "guard"}, "webhooks": [hook]})


def goal(**change: Any) -> Disturb:
    def set_goal(trial: Trial) -> None:
        trial.goal = replace(trial.goal, **change)

    return set_goal
