"""What is around a cluster, read from documents of the shapes that Azure's REST reference gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azext_kmsmigrate.arm.surroundings_inspector import SurroundingsInspector
from azext_kmsmigrate.checks.identity import IDENTITIES, Identity
from azext_kmsmigrate.checks.lock import LOCKS, Lock
from azext_kmsmigrate.checks.network import NETWORKS, Networks, SecurityRule, Subnet, VirtualNetwork
from azext_kmsmigrate.checks.policy import CLUSTER_POLICY, ENDPOINT_POLICY, PolicyDenial
from azext_kmsmigrate.checks.rights import CALLER, Permission
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.upgrade_path import Hop
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Question
from tests.unit.arm_answers import FORBIDDEN, Answers, azure
from tests.unit.vault_scenes import (
    CLUSTER_ID,
    GROUP_ID,
    IDENTITY_ID,
    NETWORK_ID,
    NEW_KEY,
    NEW_VAULT_ID,
    OLD_KEY,
    PRINCIPAL,
    SUBNET_ID,
    SUBSCRIPTION,
    TENANT,
    facts,
)

AUTHORIZATION = "providers/Microsoft.Authorization"
PRIVATE = KmsProfile(True, NEW_KEY, NetworkAccess.PRIVATE, NEW_VAULT_ID)
NODES = f"{SUBSCRIPTION}/resourceGroups/MC_shop_blue"
SHOP = f"{SUBSCRIPTION}/resourceGroups/shop"


def look(topic: Topic[Any], table: dict[str, Any], kms: KmsProfile = PRIVATE) -> Any:
    return look_at(topic, azure(table), kms)


def look_at(topic: Topic[Any], answers: Answers, kms: KmsProfile = PRIVATE) -> Any:
    return SurroundingsInspector(answers.resources()).look(topic, Question(facts(), KmsProfile(True, OLD_KEY), kms))


def test_the_callers_permissions() -> None:
    path = f"GET {CLUSTER_ID}/{AUTHORIZATION}/permissions"
    entry = {"actions": ["*/read"], "notActions": [], "dataActions": ["a"], "notDataActions": ["b"]}
    assert look(CALLER, {path: {"value": [entry]}}) == (Permission(("*/read",), (), ("a",), ("b",)),)
    assert look(CALLER, {path: FORBIDDEN}).permission == "Microsoft.Authorization/permissions/read"


def test_locks_on_all_scopes_each_once() -> None:
    def locked(scope: str, level: str) -> dict[str, Any]:
        return {"id": f"{scope}/{AUTHORIZATION}/locks/keep", "name": "keep", "properties": {"level": level}}

    where: dict[str, Any] = {
        f"GET {s}/{AUTHORIZATION}/locks": {"value": []} for s in (CLUSTER_ID, NETWORK_ID, NEW_VAULT_ID)
    }
    where[f"GET {NODES}/{AUTHORIZATION}/locks"] = {"value": [locked(NODES, "CanNotDelete"), locked(SHOP, "ReadOnly")]}
    found = look(LOCKS, where)
    assert found == (
        Lock(f"{NODES}/{AUTHORIZATION}/locks/keep", "keep", "CanNotDelete"),
        Lock(f"{SHOP}/{AUTHORIZATION}/locks/keep", "keep", "ReadOnly"),
    )
    assert [lock.scope for lock in found] == [NODES.lower(), SHOP.lower()]
    # A vault that is public needs nothing of its Resource Manager side.
    answers = azure(where)
    look_at(LOCKS, answers, KmsProfile(True, NEW_KEY))
    assert not [path for path in answers.paths if NEW_VAULT_ID in path]
    assert isinstance(look(LOCKS, {**where, f"GET {NODES}/{AUTHORIZATION}/locks": FORBIDDEN}), Unseen)


def test_the_identity() -> None:
    path = f"GET {IDENTITY_ID}"
    document = {"id": IDENTITY_ID, "properties": {"principalId": PRINCIPAL, "clientId": "c", "tenantId": TENANT}}
    assert look(IDENTITIES, {path: document}) == (Identity(IDENTITY_ID, True, PRINCIPAL, TENANT),)
    assert look(IDENTITIES, {}) == (Identity(IDENTITY_ID, False),)
    assert isinstance(look(IDENTITIES, {path: FORBIDDEN}), Unseen)


def nsg_rule(name: str, direction: str = "Outbound", **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "properties": {
            "priority": 100,
            "direction": direction,
            "access": "Deny",
            "protocol": "Tcp",
            "destinationPortRange": "443",
            "sourceAddressPrefix": "*",
            "destinationAddressPrefix": "VirtualNetwork",
            **properties,
        },
    }


SUBNET = {"properties": {"addressPrefix": "10.1.0.0/24", "networkSecurityGroup": {"id": GROUP_ID}}}
NETWORK = {
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
        "dhcpOptions": {"dnsServers": ["10.9.9.9"]},
        "subnets": [],
    }
}


def test_networks_and_their_outbound_rules() -> None:
    several = nsg_rule("several", destinationPortRange=None, destinationPortRanges=["80", "400-500"], access="Allow")
    group = {
        "properties": {
            "securityRules": [nsg_rule("one"), several, nsg_rule("in", "Inbound")],
            "defaultSecurityRules": [nsg_rule("default", priority=65000, destinationAddressPrefix="*")],
        }
    }
    found = look(NETWORKS, {f"GET {SUBNET_ID}": SUBNET, f"GET {NETWORK_ID}": NETWORK, f"GET {GROUP_ID}": group})
    tcp = ("Tcp", ("443",), ("*",))
    assert found == Networks(
        (
            Subnet(
                SUBNET_ID,
                ("10.1.0.0/24",),
                GROUP_ID,
                (
                    SecurityRule("one", 100, False, *tcp, ("VirtualNetwork",)),
                    SecurityRule("several", 100, True, "Tcp", ("80", "400-500"), ("*",), ("VirtualNetwork",)),
                    SecurityRule("default", 65000, False, *tcp, ("*",)),
                ),
            ),
        ),
        (VirtualNetwork(NETWORK_ID, ("10.1.0.0/16",), ("10.9.9.9",)),),
    )


@pytest.mark.parametrize("hidden", [SUBNET_ID, NETWORK_ID, GROUP_ID])
def test_a_network_that_may_not_be_read_is_unseen(hidden: str) -> None:
    table: dict[str, Any] = {f"GET {SUBNET_ID}": SUBNET, f"GET {NETWORK_ID}": NETWORK, f"GET {GROUP_ID}": {}}
    found = look(NETWORKS, {**table, f"GET {hidden}": FORBIDDEN})
    assert isinstance(found, Unseen)
    assert found.permission.startswith("Microsoft.Network/")


ASSIGNMENT = f"{SUBSCRIPTION}/{AUTHORIZATION}/policyAssignments/no-kms"
CHECK = "providers/Microsoft.PolicyInsights/checkPolicyRestrictions"


def verdict(effect: str = "Deny", result: str = "NonCompliant") -> dict[str, Any]:
    evaluation = {
        "policyInfo": {"policyDefinitionId": "/d", "policyAssignmentId": ASSIGNMENT},
        "evaluationResult": result,
        "effectDetails": {"policyEffect": effect},
    }
    return {"fieldRestrictions": [], "contentEvaluationResult": {"policyEvaluations": [evaluation]}}


CLUSTER = {
    "name": "blue",
    "location": "westeurope",
    "tags": {"a": "b"},
    "properties": {"securityProfile": {"azureKeyVaultKms": {"enabled": True, "keyId": OLD_KEY}}},
}


def test_the_policies_are_asked_about_the_cluster_without_and_with_kms() -> None:
    answers = azure({f"GET {CLUSTER_ID}": CLUSTER, f"POST {SHOP}/{CHECK}": verdict()})
    assert look_at(CLUSTER_POLICY, answers) == (PolicyDenial(ASSIGNMENT, "the cluster with KMS off"),)
    sent = [json.loads(r.body or b"")["resourceDetails"]["resourceContent"] for r in answers.asked[1:]]
    kms = [content["properties"]["securityProfile"]["azureKeyVaultKms"] for content in sent]
    assert [k["enabled"] for k in kms] == [False, True]
    assert kms[1]["keyId"] == NEW_KEY
    assert {content["type"] for content in sent} == {"Microsoft.ContainerService/managedClusters"}


def test_the_policies_are_asked_about_every_version_and_about_node_pools_that_come_after() -> None:
    pool = {"name": "user", "count": 2, "orchestratorVersion": "1.25.11"}
    document = {**CLUSTER, "properties": {"agentPoolProfiles": [pool]}}
    answers = azure({f"GET {CLUSTER_ID}": document, f"POST {SHOP}/{CHECK}": verdict("Audit")})
    way = (Hop(KubernetesVersion(1, 26, 3), whole=True), Hop(KubernetesVersion(1, 27, 1), whole=False))
    question = Question(facts(), KmsProfile(True, OLD_KEY), PRIVATE, way)
    assert SurroundingsInspector(answers.resources()).look(CLUSTER_POLICY, question) == ()
    sent = [json.loads(r.body or b"")["resourceDetails"]["resourceContent"] for r in answers.asked[1:]]
    clusters = [content["properties"] for content in sent[:-1]]
    kms = [properties["securityProfile"]["azureKeyVaultKms"]["enabled"] for properties in clusters]
    assert kms == [False, False, False, True]
    assert [p.get("kubernetesVersion") for p in clusters[1:]] == ["1.26.3", "1.27.1", "1.27.1"]
    assert [p["agentPoolProfiles"][0]["orchestratorVersion"] for p in clusters] == ["1.25.11"] + ["1.26.3"] * 3
    assert sent[-1]["type"] == "Microsoft.ContainerService/managedClusters/agentPools"
    assert (sent[-1]["name"].partition("/")[2], sent[-1]["properties"]["orchestratorVersion"]) == ("user", "1.27.1")


@pytest.mark.parametrize(("effect", "result"), [("Audit", "NonCompliant"), ("Deny", "Compliant")])
def test_a_policy_that_denies_nothing_is_not_told(effect: str, result: str) -> None:
    table = {f"GET {CLUSTER_ID}": CLUSTER, f"POST {SHOP}/{CHECK}": verdict(effect, result)}
    assert look(CLUSTER_POLICY, table) == ()


def test_policies_that_azure_does_not_foretell_are_unseen() -> None:
    found = look(CLUSTER_POLICY, {f"GET {CLUSTER_ID}": CLUSTER, f"POST {SHOP}/{CHECK}": FORBIDDEN})
    assert found.permission == "Microsoft.PolicyInsights/checkPolicyRestrictions/read"
    assert isinstance(look(CLUSTER_POLICY, {f"GET {CLUSTER_ID}": CLUSTER}), Unseen)


def test_the_policies_are_asked_about_a_private_endpoint_only_for_a_private_vault() -> None:
    answers = azure({f"POST {NODES}/{CHECK}": verdict()})
    assert look_at(ENDPOINT_POLICY, answers) == (PolicyDenial(ASSIGNMENT, "a private endpoint to the vault"),)
    assert look_at(ENDPOINT_POLICY, answers, KmsProfile(True, NEW_KEY)) == ()
    assert len(answers.asked) == 1
