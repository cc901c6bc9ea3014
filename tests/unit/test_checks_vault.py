"""The checks around keys, vaults, rights and surroundings: each passes when all is well, and fails when it should."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.checks import grant, identity, key, lock, management, network, policy, rights, vault
from azext_kmsmigrate.checks.check import Check, Severity
from azext_kmsmigrate.checks.grant import CONTRIBUTOR, CRYPTO_USER, RoleOffer
from azext_kmsmigrate.checks.identity import Identity
from azext_kmsmigrate.checks.key_sight import EndpointConnection, Key, Presence, Vault
from azext_kmsmigrate.checks.lock import Lock
from azext_kmsmigrate.checks.policy import PolicyDenial
from azext_kmsmigrate.checks.rights import Denial, Grants, Permission, covers
from azext_kmsmigrate.checks.suite import CheckResult, Outcome, judged
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from tests.unit.situations import pool
from tests.unit.vault_scenes import (
    CRYPTO,
    IDENTITY_ID,
    NEW_KEY,
    NEW_VAULT_ID,
    NOW,
    PRINCIPAL,
    SUBSCRIPTION,
    TENANT,
    VAULT_CONTRIBUTOR,
    VAULT_ID,
    WRAP_ONLY,
    Around,
    assigned,
    rule,
)
from tests.unit.vault_scenes import key as key_version
from tests.unit.vault_scenes import vault as key_vault

FILES = (grant, identity, key, lock, management, network, policy, rights, vault)
CHECKS: dict[str, Check] = {check.id: check for file in FILES for check in file.CHECKS}
FINE = Around()
PRIVATE = Around(access=NetworkAccess.PRIVATE)
MINUTE = timedelta(minutes=1)


def judge(id_: str, around: Around, **cluster_parts: Any) -> CheckResult:
    return judged([CHECKS[id_]], around.scene(**cluster_parts))[0]


def test_every_check_of_these_has_an_id_of_its_own() -> None:
    wanted = {f"V-{n:02}" for n in range(1, 17)} | {"K-05", "K-06", "K-07", "K-08", "K-11"}
    assert set(CHECKS) == wanted | {"AZ-06", "AZ-07", "AZ-08", "AZ-10", "AZ-11"}
    assert len(CHECKS) == sum(len(file.CHECKS) for file in FILES)


PUBLIC_ONLY, PRIVATE_ONLY = {"V-05"}, {"V-06", "V-07", "V-09", "V-11", "V-12", "V-13"}


@pytest.mark.parametrize("id_", sorted(CHECKS))
@pytest.mark.parametrize("around", [FINE, PRIVATE], ids=["public", "private"])
def test_a_cluster_in_order_passes(id_: str, around: Around) -> None:
    private = around is PRIVATE
    beside = id_ in (PUBLIC_ONLY if private else PRIVATE_ONLY)
    found = judge(id_, around, supported=True)
    assert found.outcome is (Outcome.NOT_APPLICABLE if beside else Outcome.PASSED), found


def gone(presence: Presence, resource_id: str = VAULT_ID) -> Vault:
    return Vault(f"{resource_id.rpartition('/')[2]}.vault.azure.net", presence, resource_id=resource_id)


def on(scope: str, level: str = "ReadOnly") -> Lock:
    return Lock(f"{scope}/providers/Microsoft.Authorization/locks/keep", "keep", level)


YEAR, DAY = timedelta(days=365), timedelta(days=1)
MANAGEMENT = "/providers/Microsoft.Management"
NODES = f"{SUBSCRIPTION}/resourceGroups/MC_shop_blue"
HUB = f"{SUBSCRIPTION}/resourceGroups/net"
GRANT = RoleOffer(CRYPTO_USER, NEW_VAULT_ID, PRINCIPAL).command
OLD_GRANT = RoleOffer(CRYPTO_USER, VAULT_ID, PRINCIPAL).command
POLICY = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/no-kms"
ONLY_WRAP = Grants((assigned(WRAP_ONLY, NEW_VAULT_ID, "Key Vault Crypto Service Encryption User"),))
DENIED = Denial("deny-kv", SUBSCRIPTION, (Permission(data_actions=("*",)),))
BY_POLICY = key_vault("kv-new", NEW_VAULT_ID, rbac=False)
WITH_POLICY = key_vault(
    "kv-new", NEW_VAULT_ID, rbac=False, policies={PRINCIPAL: frozenset({"get", "encrypt", "decrypt"})}
)
POLICY_ON_ROLES = key_vault("kv-new", NEW_VAULT_ID, policies={PRINCIPAL: frozenset({"encrypt", "decrypt"})})
SET_POLICY = f"az keyvault set-policy --name kv-new --key-permissions decrypt encrypt --object-id {PRINCIPAL}"

FAILING = [
    ("AZ-06", FINE.with_(caller=()), "managedClusters/write"),
    ("AZ-06", FINE.with_(caller=(Permission(actions=("*/read",)),)), "listClusterUserCredential/action"),
    (
        "AZ-06",
        FINE.with_(caller=(Permission(("*",), ("Microsoft.ContainerService/managedClusters/write",)),)),
        "/write",
    ),
    ("AZ-07", FINE.with_(locks=(on(NODES, "CanNotDelete"),)), "node resource group 'MC_shop_blue'"),
    ("AZ-07", FINE.with_(locks=(on(SUBSCRIPTION),)), "cluster 'blue'"),
    ("AZ-07", FINE.with_(locks=(on(f"{SUBSCRIPTION}/resourceGroups/SHOP"),)), "az lock delete --ids"),
    ("AZ-07", FINE.with_(locks=(on(HUB),)), "virtual network 'hub'"),
    ("AZ-07", PRIVATE.with_(locks=(on(NEW_VAULT_ID),)), "key vault 'kv-new'"),
    ("AZ-08", FINE.with_(cluster_policy=(PolicyDenial(POLICY, "the cluster with KMS off"),)), "az policy exemption"),
    ("V-12", PRIVATE.with_(endpoint_policy=(PolicyDenial(POLICY, "a private endpoint"),)), "'no-kms'"),
    ("K-05", FINE.with_(identity=Identity(IDENTITY_ID, False)), "az identity create -g shop -n blue-id"),
    ("K-05", FINE.with_(identity=Identity(IDENTITY_ID, True, "another", TENANT)), "made again"),
    ("K-06", FINE.with_(old_key=key_version(enabled=False)), "--enabled true"),
    ("K-06", FINE.with_(old_key=key_version(expires=NOW - DAY)), "It expired at 2026-01-30T09:00:00Z"),
    ("K-06", FINE.with_(old_key=key_version(expires=NOW + DAY / 2)), "before the migration is over"),
    ("K-06", FINE.with_(old_key=key_version(not_before=NOW + MINUTE)), "--not-before 2026-01-31T09:00:00Z"),
    ("K-06", FINE.with_(old_key=key_version(presence=Presence.DELETED)), "key recover --vault-name kv-old --name etcd"),
    ("K-06", FINE.with_(old_key=key_version(presence=Presence.ABSENT)), "az keyvault key restore"),
    ("K-07", FINE.with_(old_vault=gone(Presence.DELETED)), "az keyvault recover --name kv-old"),
    ("K-07", FINE.with_(old_vault=gone(Presence.ABSENT)), "No key vault has this address"),
    ("K-07", FINE.with_(old_vault=key_vault("kv-old", VAULT_ID, open=False)), "--default-action Allow"),
    ("K-08", FINE.with_(old_grants=Grants()), OLD_GRANT),
    ("K-08", FINE.with_(old_grants=Grants((assigned(CRYPTO, f"{VAULT_ID}-2"),))), "may not encrypt and decrypt"),
    ("K-11", FINE.with_(old_key=key_version(expires=NOW + 7 * DAY)), "outlive the migration"),
    ("K-11", FINE.with_(old_vault=key_vault("kv-old", VAULT_ID, purge_protection=False)), "--enable-purge-protection"),
    ("V-01", FINE.with_(key_id="https://kv-new.vault.azure.net/keys/etcd"), "az keyvault key show"),
    ("V-01", FINE.with_(new_vault=gone(Presence.DELETED, NEW_VAULT_ID)), "az keyvault recover --name kv-new"),
    ("V-01", FINE.with_(new_vault=gone(Presence.ABSENT, NEW_VAULT_ID)), "No key vault has this address"),
    ("V-01", FINE.with_(new_vault=Vault("keys.example.com", known=False, tenant=TENANT)), "in this cloud"),
    ("V-02", FINE.with_(new_key=key_version(kind="EC")), "az keyvault key create --vault-name kv-new"),
    ("V-02", FINE.with_(new_key=key_version(operations=frozenset({"decrypt", "sign"}))), "--ops decrypt encrypt sign"),
    ("V-02", FINE.with_(new_key=Key(kind="", enabled=False)), "It is disabled"),
    ("V-02", FINE.with_(new_key=key_version(enabled=False)), f"--id {NEW_KEY} --enabled true"),
    ("V-02", FINE.with_(new_key=key_version(expires=NOW - MINUTE)), "--expires"),
    ("V-02", FINE.with_(new_key=key_version(presence=Presence.ABSENT)), "It does not exist"),
    ("V-03", FINE.with_(new_key=key_version(expires=NOW + YEAR / 2)), "no Secret can be written"),
    ("V-03", FINE.with_(new_key=key_version(expires=NOW + 2 * YEAR)), "alert"),
    ("V-04", FINE.with_(new_vault=replace(key_vault("kv-new", NEW_VAULT_ID), tenant="other")), f"tenant {TENANT}"),
    ("V-04", FINE.with_(new_vault=Vault("kv-new.vault.azure.net", tenant="other")), "belongs to tenant other"),
    ("V-05", FINE.with_(new_vault=key_vault("kv-new", NEW_VAULT_ID, open=False)), "selected networks"),
    ("V-05", FINE.with_(new_vault=key_vault("kv-new", NEW_VAULT_ID, public_access="Disabled")), "--key-vault-access"),
    ("V-05", FINE.with_(new_vault=key_vault("kv-new", NEW_VAULT_ID, public_access="SecuredByPerimeter")), "perimeter"),
    ("V-07", PRIVATE.with_(vault_id=VAULT_ID), "not the vault of key"),
    ("V-07", PRIVATE.with_(vault_id="/subscriptions/sub/kv"), "not the resource id of a key vault"),
    ("V-08", FINE.with_(new_grants=Grants()), GRANT),
    ("V-08", FINE.with_(new_grants=ONLY_WRAP), "may not encrypt and decrypt"),
    ("V-08", FINE.with_(new_grants=Grants((assigned(CRYPTO, NEW_VAULT_ID),), (DENIED,))), "deny-kv"),
    ("V-08", FINE.with_(new_grants=Grants((assigned(CRYPTO, NEW_VAULT_ID, age=4 * MINUTE),))), "09:06:00Z"),
    ("V-08", FINE.with_(new_vault=BY_POLICY), SET_POLICY),
    ("V-09", PRIVATE.with_(new_grants=Grants((assigned(CRYPTO, NEW_VAULT_ID),))), f'"{CONTRIBUTOR.name}"'),
    ("V-10", FINE.with_(new_grants=ONLY_WRAP), "'Key Vault Crypto Service Encryption User' does not give"),
    ("V-10", FINE.with_(new_vault=BY_POLICY), "Its roles have no effect"),
    ("V-10", FINE.with_(new_vault=POLICY_ON_ROLES, new_grants=Grants()), "has an access policy"),
    ("V-11", PRIVATE.with_(rules=(rule("no-https", 200, allows=False, ports="400-500"),)), "--priority 199"),
    ("V-11", PRIVATE.with_(rules=(rule("closed", 4000, allows=False, to="10.1.0.0/16"),)), "'closed'"),
    ("V-13", PRIVATE.with_(dns=("10.9.9.9",)), "10.9.9.9"),
    ("V-14", FINE.with_(new_key=key_version(bits=4096)), "500 operations"),
    ("V-14", FINE.with_(new_key=key_version(kind="RSA-HSM", bits=3072)), "500 operations"),
    ("V-15", FINE.with_(new_vault=key_vault("kv-new", NEW_VAULT_ID, purge_protection=False)), "kv-new"),
    ("V-16", FINE.with_(new_key=key_version(rotates=True)), "az aks update -g shop -n blue"),
]


@pytest.mark.parametrize(
    ("id_", "around", "words"), FAILING, ids=[f"{id_}-{n}" for n, (id_, _, _) in enumerate(FAILING)]
)
def test_what_is_wrong_is_named_with_its_command(id_: str, around: Around, words: str) -> None:
    found = judge(id_, around)
    assert found.outcome is Outcome.FAILED, found
    assert words in " ".join(f"{f.subject} {f.what} {f.fix}" for f in found.findings)


def test_the_rest_fails_by_what_the_cluster_is() -> None:
    assert judge("V-06", PRIVATE, vnet_integration=False).blocks
    many = tuple(pool("1.26.15", name=f"p{n}") for n in range(25))
    upgraded = {"kms": KmsProfile(), "version": "1.26.15", "pools": many, "supported": True}
    assert judge("AZ-10", FINE, **upgraded).outcome is Outcome.FAILED
    assert judge("AZ-11", FINE, tags={"managed-by": "Terraform"}).outcome is Outcome.FAILED
    assert judge("AZ-11", FINE, tags={"azd-env-name": "prod"}).outcome is Outcome.FAILED
    assert judge("AZ-11", FINE, tags={"team": "terraforming Mars"}).outcome is Outcome.PASSED


def test_every_check_is_seen_to_fail() -> None:
    assert {id_ for id_, _, _ in FAILING} | {"V-06", "AZ-10", "AZ-11"} == set(CHECKS)


@pytest.mark.parametrize(
    ("id_", "around"),
    [
        # A policy vault needs no role; an older role besides a new one is in effect; a deny rule behind an allow rule.
        ("V-08", FINE.with_(new_vault=WITH_POLICY, new_grants=Unseen("no"))),
        ("V-10", FINE.with_(new_vault=WITH_POLICY, new_grants=Unseen("no"))),
        (
            "V-08",
            FINE.with_(new_grants=Grants((assigned(CRYPTO, NEW_VAULT_ID), assigned(CRYPTO, NEW_VAULT_ID, age=MINUTE)))),
        ),
        ("V-08", FINE.with_(new_grants=Grants((assigned(Permission(data_actions=("*",)), SUBSCRIPTION),)))),
        ("V-08", FINE.with_(new_grants=Grants((assigned(CRYPTO, f"{NEW_VAULT_ID.upper()}/keys/etcd"),)))),
        ("V-08", FINE.with_(new_grants=Grants((assigned(CRYPTO, f"{MANAGEMENT}/managementGroups/corp"),)))),
        ("V-09", PRIVATE.with_(new_grants=Grants((assigned(VAULT_CONTRIBUTOR, SUBSCRIPTION),)))),
        ("V-11", PRIVATE.with_(rules=(rule("ok", 100, allows=True), rule("no", 200, allows=False, to="*")))),
        ("V-11", PRIVATE.with_(rules=(rule("no", 200, allows=False, to="Internet"),))),
        ("V-11", PRIVATE.with_(rules=(rule("no", 200, allows=False, ports="80"),))),
        ("V-13", PRIVATE.with_(dns=("168.63.129.16",))),
        ("AZ-07", FINE.with_(locks=(on(f"{SUBSCRIPTION}/resourceGroups/shop", "CanNotDelete"),))),
        ("AZ-07", FINE.with_(locks=(on(NEW_VAULT_ID),))),
        ("AZ-07", FINE.with_(locks=(on(f"{SUBSCRIPTION}/resourceGroups/shopping"),))),
    ],
)
def test_what_is_not_wrong_is_not_told(id_: str, around: Around) -> None:
    found = judge(id_, around)
    assert found.outcome is Outcome.PASSED, found


NO = Unseen("Azure does not let you look at it", "Microsoft.X/y/read")


@pytest.mark.parametrize(
    ("id_", "around"),
    [
        ("AZ-06", FINE.with_(caller=NO)),
        ("AZ-07", FINE.with_(locks=NO)),
        ("AZ-08", FINE.with_(cluster_policy=NO)),
        ("K-06", FINE.with_(old_key=NO)),
        ("K-07", FINE.with_(old_vault=NO)),
        ("K-08", FINE.with_(old_grants=NO)),
        ("K-11", FINE.with_(old_key=NO)),
        ("V-02", FINE.with_(new_key=NO)),
        ("V-05", FINE.with_(new_vault=NO)),
        ("V-05", FINE.with_(new_vault=Vault("kv-new.vault.azure.net", tenant=TENANT, settings=NO))),
        ("V-08", FINE.with_(new_grants=NO)),
        ("V-09", PRIVATE.with_(new_grants=NO)),
    ],
)
def test_what_may_not_be_seen_is_unknown_with_the_right_that_lacks(id_: str, around: Around) -> None:
    found = judge(id_, around)
    assert (found.outcome, found.permission) == (Outcome.UNKNOWN, "Microsoft.X/y/read")


def test_an_old_vault_that_is_private_needs_an_approved_connection() -> None:
    def connected(status: str) -> Vault:
        connections = (EndpointConnection("/e", status),)
        return key_vault("kv-old", VAULT_ID, connections=connections, public_access="Disabled")

    kms = KmsProfile(True, FINE.scene().cluster.kms.key_id, NetworkAccess.PRIVATE, VAULT_ID)
    assert judge("K-07", FINE.with_(old_vault=connected("Pending")), kms=kms).blocks
    assert judge("K-07", FINE.with_(old_vault=connected("Approved")), kms=kms).outcome is Outcome.PASSED


def test_with_kms_v2_on_nothing_of_this_is_asked() -> None:
    on_v2 = {"version": "1.27.1", "kms": KmsProfile(True, NEW_KEY)}
    broken = Around(new_key=key_version(enabled=False), old_key=key_version(enabled=False))
    for id_ in ("V-02", "V-08", "K-06", "K-08"):
        assert judge(id_, broken, **on_v2).outcome is Outcome.NOT_APPLICABLE


def test_what_a_policy_will_deny_stops_the_run() -> None:
    denied = FINE.with_(cluster_policy=(PolicyDenial(POLICY, "the cluster with KMS v2 on"),))
    assert judge("AZ-08", denied).severity is Severity.BLOCK


def test_a_rule_about_the_whole_network_stops_the_run_and_one_about_a_part_does_not() -> None:
    def severity(where: str) -> Severity:
        return judge("V-11", PRIVATE.with_(rules=(rule("closed", 200, allows=False, to=where),))).severity

    assert [severity(w) for w in ("VirtualNetwork", "*", "10.1.0.0/24")] == [
        Severity.BLOCK,
        Severity.BLOCK,
        Severity.WARN,
    ]


def test_the_missing_roles_are_offered_and_no_others() -> None:
    assert grant.offers(FINE.scene()) == ()
    assert grant.offers(PRIVATE.with_(new_grants=Grants()).scene()) == (
        RoleOffer(CRYPTO_USER, NEW_VAULT_ID, PRINCIPAL),
        RoleOffer(CONTRIBUTOR, NEW_VAULT_ID, PRINCIPAL),
    )
    assert grant.offers(FINE.with_(new_vault=BY_POLICY, new_grants=Grants()).scene()) == ()


WORDS = st.sampled_from(["Microsoft.KeyVault", "vaults", "keys", "encrypt", "action", "read"])
ACTIONS = st.lists(WORDS, min_size=1, max_size=5).map("/".join)


@given(ACTIONS, st.data())
def test_a_wildcard_stands_for_any_part_of_an_action(action: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(action)))
    end = data.draw(st.integers(start, len(action)))
    pattern = action[:start] + "*" + action[end:]
    assert Permission(actions=(pattern.upper(),)).allows(action)
    assert not Permission(actions=("*",), not_actions=(pattern,)).allows(action)
    assert not Permission(actions=(pattern,)).allows_data(action)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), st.lists(st.sampled_from("abc"), max_size=3))
def test_a_scope_covers_what_lies_below_it_and_nothing_else(above: list[str], below: list[str]) -> None:
    scope, resource = "/" + "/".join(above), "/" + "/".join(above + below)
    assert covers(scope, resource.upper())
    assert not covers(scope, resource + "x") or below
    assert covers("/", resource)
