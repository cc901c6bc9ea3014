"""What the inspectors see of the local Azure, and what the checks make of it: in order, and disturbed.

The local Azure enforces by rules of its own what the checks foretell (``tests/lab/azure``); here each of the checks
around keys, vaults, rights and surroundings passes on it, and fails where something was disturbed there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_kmsmigrate.arm.cluster import ArmCluster
from azext_kmsmigrate.arm.role_assigner import ArmRoles
from azext_kmsmigrate.checks import grant
from azext_kmsmigrate.checks.suite import Outcome
from azext_kmsmigrate.clock import SystemClock
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.events import Moment, Waiting
from azext_kmsmigrate.migration.facts import KmsProfile, KmsState, NetworkAccess
from azext_kmsmigrate.migration.plan import Goal
from tests.contract.lab_cluster import (
    CHECKS,
    DAY,
    GROUP,
    NETWORK,
    ROLES,
    SUBSCRIPTION,
    Cluster,
    HurriedClock,
)
from tests.lab.azure.local import LocalAzure
from tests.lab.model import LabOptions
from tests.unit.lab.azure.conftest import Lab
from tests.unit.lab.azure.planes import RecordingPlane

NewCluster = Callable[..., Cluster]


@pytest.fixture
def new_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewCluster]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    started: list[LocalAzure] = []

    def create(access: NetworkAccess = NetworkAccess.PUBLIC, **options: Any) -> Cluster:
        azure = LocalAzure(tmp_path, LabOptions(name="demo", key_vault=access.value.lower(), **options))
        started.append(azure)
        azure.start()
        plane = RecordingPlane()
        azure.attach(plane)
        return Cluster(Lab(azure, plane, azure.environment()["REQUESTS_CA_BUNDLE"]), access)

    yield create
    for azure in started:
        azure.stop()


PUBLIC, PRIVATE = NetworkAccess.PUBLIC, NetworkAccess.PRIVATE
PRIVATE_ONLY = {"V-06", "V-07", "V-09", "V-11", "V-12", "V-13"}


@pytest.mark.parametrize("access", [PUBLIC, PRIVATE])
def test_a_cluster_in_order_passes_every_check(new_cluster: NewCluster, access: NetworkAccess) -> None:
    found = new_cluster(access, supported=True, kubernetes="1.26.15").judged()
    beside = PRIVATE_ONLY if access is PUBLIC else {"V-05"}
    outcomes = {id_: result.outcome for id_, result in found.items()}
    expected = {id_: Outcome.NOT_APPLICABLE if id_ in beside else Outcome.PASSED for id_ in CHECKS}
    if access is PRIVATE:
        # The local Azure tells a key's rotation in the vault only, and there the operator does not get in.
        expected["V-16"] = Outcome.UNKNOWN
    assert outcomes == expected, {id_: r for id_, r in found.items() if r.outcome is not expected[id_]}


Disturb = Callable[[Cluster], None]

DISTURBED: list[tuple[str, NetworkAccess, Disturb, str]] = [
    ("AZ-06", PUBLIC, lambda c: c.azure.grants.revoke_within(c.azure.operator.object_id, SUBSCRIPTION), "/write"),
    ("AZ-07", PUBLIC, lambda c: c.lock(GROUP, "ReadOnly"), "cluster 'demo'"),
    ("AZ-07", PUBLIC, lambda c: c.lock(c.nodes(), "CanNotDelete"), "node resource group"),
    ("AZ-07", PUBLIC, lambda c: c.lock(SUBSCRIPTION, "CanNotDelete"), "node resource group"),
    ("AZ-07", PRIVATE, lambda c: c.lock(c.vault_id, "ReadOnly"), "key vault 'lab-kv'"),
    (
        "AZ-07",
        PUBLIC,
        lambda c: c.lock(f"{NETWORK}/virtualNetworks/lab-vnet", "ReadOnly"),
        "network 'lab-vnet'",
    ),
    (
        "AZ-08",
        PUBLIC,
        lambda c: c.deny_policy(
            GROUP,
            {
                "field": "Microsoft.ContainerService/managedClusters/securityProfile.azureKeyVaultKms.enabled",
                "equals": "false",
            },
        ),
        "with KMS off",
    ),
    (
        "V-12",
        PRIVATE,
        lambda c: c.deny_policy(c.nodes(), {"field": "type", "equals": "Microsoft.Network/privateEndpoints"}),
        "a private endpoint to the vault",
    ),
    ("AZ-11", PUBLIC, lambda c: c.tag("managedBy", "terraform"), "Terraform"),
    ("K-05", PUBLIC, lambda c: c.azure.patch_resource(identity_id(c), None), "az identity create"),
    (
        "K-05",
        PUBLIC,
        lambda c: c.azure.patch_resource(identity_id(c), {"properties": {"principalId": "another"}}),
        "made again",
    ),
    ("K-06", PUBLIC, lambda c: c.azure.vault.set_key("kms", enabled=False), "--enabled true"),
    ("K-06", PUBLIC, lambda c: c.azure.vault.set_key("kms", expires=time.time() - DAY), "It expired at"),
    ("K-06", PUBLIC, lambda c: c.azure.vault.set_key("kms", not_before=time.time() + DAY), "not valid before"),
    ("K-06", PUBLIC, lambda c: c.azure.vault.set_key("kms", deleted=True), "az keyvault key recover"),
    ("K-07", PUBLIC, lambda c: c.vault(networkAcls={"defaultAction": "Deny"}), "selected networks"),
    ("K-07", PRIVATE, lambda c: c.vault(privateEndpointConnections=[]), "private endpoint connections"),
    ("K-08", PUBLIC, lambda c: c.azure.vault.set_key("kms", granted=False), "may not encrypt and decrypt"),
    ("K-11", PUBLIC, lambda c: c.azure.vault.set_key("kms", expires=time.time() + 9 * DAY), "outlive the migration"),
    ("K-11", PUBLIC, lambda c: c.vault(enablePurgeProtection=None), "--enable-purge-protection"),
    ("V-02", PUBLIC, lambda c: c.azure.vault.set_key("kms-new", kty="EC"), "kind EC"),
    ("V-02", PUBLIC, lambda c: c.azure.vault.set_key("kms-new", key_ops=("decrypt", "sign")), "--ops decrypt encrypt"),
    ("V-02", PUBLIC, lambda c: c.azure.vault.set_key("kms-new", enabled=False), "It is disabled"),
    ("V-02", PUBLIC, lambda c: c.azure.vault.set_key("kms-new", expires=time.time() - 60), "It expired at"),
    ("V-02", PUBLIC, lambda c: c.azure.vault.set_key("kms-new", deleted=True), "It is deleted"),
    ("V-03", PUBLIC, lambda c: c.azure.vault.set_key("kms-new", expires=time.time() + 90 * DAY), "It expires at"),
    ("V-04", PUBLIC, lambda c: c.vault(tenantId="77777777-2222-4333-8444-555555555555"), "belongs to tenant 7777"),
    ("V-05", PUBLIC, lambda c: c.vault(networkAcls={"defaultAction": "Deny"}), "selected networks"),
    ("V-05", PUBLIC, lambda c: c.vault(publicNetworkAccess="Disabled"), "--public-network-access Enabled"),
    ("V-05", PUBLIC, lambda c: c.vault(publicNetworkAccess="SecuredByPerimeter"), "perimeter"),
    ("V-08", PUBLIC, lambda c: c.only("Key Vault Reader"), "az role assignment create --assignee-object-id"),
    ("V-08", PUBLIC, lambda c: c.only("Key Vault Crypto User", new=True), "may have no effect yet"),
    ("V-08", PUBLIC, lambda c: c.policy_vault("get", "encrypt"), "az keyvault set-policy --name lab-kv"),
    ("V-09", PRIVATE, lambda c: c.only("Key Vault Crypto User"), '"Key Vault Contributor"'),
    ("V-10", PUBLIC, lambda c: c.only("Key Vault Crypto Service Encryption User"), "does not give"),
    ("V-10", PUBLIC, lambda c: c.policy_vault(), "Its roles have no effect"),
    ("V-11", PRIVATE, lambda c: c.nsg_rule(), "'closed'"),
    (
        "V-13",
        PRIVATE,
        lambda c: c.azure.patch_resource(
            f"{NETWORK}/virtualNetworks/lab-vnet", {"properties": {"dhcpOptions": {"dnsServers": ["10.9.9.9"]}}}
        ),
        "10.9.9.9",
    ),
    ("V-15", PUBLIC, lambda c: c.vault(enablePurgeProtection=None), "lab-kv"),
    (
        "V-16",
        PUBLIC,
        lambda c: c.azure.vault.rotation_policies.update(
            {"kms-new": {"lifetimeActions": [{"action": {"type": "Rotate"}}]}}
        ),
        "new versions of it by itself",
    ),
]


def identity_id(cluster: Cluster) -> str:
    return f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{cluster.azure.cluster_identity.name}"


@pytest.mark.parametrize(
    ("id_", "access", "disturb", "words"),
    DISTURBED,
    ids=[f"{id_}-{n}" for n, (id_, *_) in enumerate(DISTURBED)],
)
def test_what_was_disturbed_is_named(
    new_cluster: NewCluster, id_: str, access: NetworkAccess, disturb: Disturb, words: str
) -> None:
    cluster = new_cluster(access)
    disturb(cluster)
    if id_ == "AZ-06":
        cluster.azure.grants.assign_long_ago(cluster.azure.operator.object_id, ROLES["Reader"], SUBSCRIPTION)
    found = cluster.judge(id_)
    assert found.outcome is Outcome.FAILED, found
    assert words in " ".join(f"{f.subject} {f.what} {f.fix}" for f in found.findings)


def test_what_a_goal_has_wrong_is_named(new_cluster: NewCluster) -> None:
    cluster = new_cluster(PRIVATE)
    new, vault_id = cluster.azure.key_id("kms-new"), cluster.vault_id
    assert cluster.judge("V-01", Goal("", new.rpartition("/")[0], PRIVATE, vault_id)).outcome is Outcome.FAILED
    assert cluster.judge("V-02", Goal("", new[:-4] + "0000", PRIVATE, vault_id)).outcome is Outcome.FAILED
    assert cluster.judge("V-07", Goal("", new, PRIVATE, f"{vault_id}-2")).outcome is Outcome.FAILED
    cluster.azure.patch_cluster({"properties": {"apiServerAccessProfile": {"enableVnetIntegration": False}}})
    assert cluster.judge("V-06", Goal("", new, PRIVATE, vault_id)).outcome is Outcome.FAILED


def test_a_private_vault_that_is_deleted_is_known_as_that(new_cluster: NewCluster) -> None:
    cluster = new_cluster(PRIVATE)
    resources = cluster.resources()
    gone = cluster.azure.resource(cluster.vault_id)
    assert gone is not None
    cluster.azure.patch_resource(cluster.vault_id, None)
    place = f"{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/lab-kv"
    cluster.azure.patch_resource(place, {"properties": {"vaultId": cluster.vault_id}, "kept": gone})
    assert resources.get(cluster.vault_id, "2023-07-01", "x") is None
    found = cluster.judged()
    assert "az keyvault recover --name lab-kv" in found["K-07"].findings[0].fix
    assert "az keyvault recover --name lab-kv" in found["V-01"].findings[0].fix


def test_lists_of_many_pages_are_read_to_the_end(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    for number in range(5):
        cluster.azure.grants.assign(cluster.principal, ROLES["Reader"], f"{GROUP}/x/{number}")
    cluster.azure.resources.page_size = 1
    assert cluster.judge("V-08").outcome is Outcome.PASSED


def test_who_may_read_little_gets_unknowns_with_the_right_that_lacks(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    azure = cluster.azure
    azure.grants.revoke_within(azure.operator.object_id, SUBSCRIPTION)
    azure.grants.assign_long_ago(azure.operator.object_id, ROLES["Azure Kubernetes Service Contributor Role"], GROUP)
    found = cluster.judged()
    assert found["AZ-06"].outcome in (Outcome.PASSED, Outcome.UNKNOWN)
    for id_ in ("AZ-07", "K-05", "V-05", "V-08"):
        assert found[id_].outcome is Outcome.UNKNOWN, found[id_]
        assert found[id_].permission.startswith("Microsoft."), found[id_]
    assert found["V-04"].outcome is not Outcome.FAILED


def test_a_key_is_seen_through_the_vault_where_resource_manager_shows_none(new_cluster: NewCluster) -> None:
    """Who may read the vault but not its keys there, and may get keys in it."""
    cluster = new_cluster()
    azure = cluster.azure
    azure.grants.revoke_within(azure.operator.object_id, SUBSCRIPTION)
    azure.grants.assign_long_ago(azure.operator.object_id, ROLES["Azure Kubernetes Service Contributor Role"], GROUP)
    azure.vault.grant(azure.operator, {"get"})
    azure.vault.set_key("kms-new", enabled=False)
    assert cluster.judge("V-02").outcome in (Outcome.FAILED, Outcome.UNKNOWN)


def test_a_role_is_assigned_once_and_seen(new_cluster: NewCluster) -> None:
    cluster = new_cluster(PRIVATE)
    cluster.azure.grants.revoke_within(cluster.principal, SUBSCRIPTION)
    missing = grant.offers(cluster.scene())
    assert [offer.role.name for offer in missing] == ["Key Vault Crypto User", "Key Vault Contributor"]
    for _ in range(2):
        for offer in missing:
            ArmRoles(cluster.resources()).assign(offer)
    scene = cluster.scene()
    assert grant.offers(scene) == ()
    assert len(grant.waiting_for(scene)) == 2
    held = cluster.azure.resources.listed("Microsoft.Authorization/roleAssignments")
    assert sum(a["properties"]["principalId"] == cluster.principal for a in held) == 2
    later = replace(scene, now=datetime.fromtimestamp(time.time() + 601, timezone.utc))
    assert grant.waiting_for(later) == ()


def test_who_may_not_assign_roles_is_told_the_command(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.azure.grants.revoke_within(cluster.principal, SUBSCRIPTION)
    (missing,) = grant.offers(cluster.scene())
    cluster.azure.grants.revoke_within(cluster.azure.operator.object_id, SUBSCRIPTION)
    with pytest.raises(AzureError, match="KMSM209") as caught:
        ArmRoles(cluster.resources()).assign(missing)
    assert missing.command in caught.value.fix


@pytest.mark.parametrize(("seen_after", "enabled"), [(150.0, True), (None, False)])
def test_a_role_that_azure_does_not_see_yet_is_waited_for(
    new_cluster: NewCluster, seen_after: float | None, enabled: bool
) -> None:
    cluster = new_cluster(kms=False)
    azure = cluster.azure
    azure.vault.set_key("kms-new", granted=False)

    def meanwhile(waited: float) -> None:
        if seen_after is not None and waited >= seen_after:
            azure.vault.set_key("kms-new", granted=True)

    arm = ArmCluster(cluster.lab.sdk(), cluster.name(), HurriedClock(meanwhile))
    kms = KmsProfile(True, azure.key_id("kms-new"))
    if enabled:
        assert arm.enable_kms(arm.observe(), kms, lambda text: None).succeeded
        assert [one["status"] for one in azure.puts() if "managedClusters" in one["path"]] == [400, 400, 400, 200]
    else:
        with pytest.raises(AzureError, match="AzureKeyVaultKmsValidateIdentityPermissionCustomerError"):
            arm.enable_kms(arm.observe(), kms, lambda text: None)
    assert arm.observe().kms.enabled is enabled


@pytest.mark.parametrize(("api_version", "kept"), [("2026-06-01", True), ("2026-07-01", False), ("2026-08-01", False)])
def test_a_key_is_left_out_while_kms_is_off_where_azure_wants_it_so(
    new_cluster: NewCluster, api_version: str, kept: bool
) -> None:
    cluster = new_cluster()
    key = cluster.azure.key_id("kms")
    arm = ArmCluster(cluster.lab.sdk(api_version=api_version), cluster.name(), SystemClock())
    assert arm.disable_kms(arm.observe(), lambda moment: None).succeeded
    assert (arm.observe().kms.enabled, arm.observe().kms.key_id) == (False, key if kept else "")
    assert arm.reconcile(arm.observe(), lambda moment: None).succeeded
    assert arm.enable_kms(arm.observe(), KmsProfile(True, key), lambda moment: None).succeeded
    assert arm.observe().kms.key_id == key


def test_a_key_without_a_version_is_the_newer_kms(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    profile = {"azureKeyVaultKms": {"enabled": True, "keyId": cluster.azure.key_id("kms").rpartition("/")[0]}}
    cluster.azure.patch_cluster({"properties": {"securityProfile": profile}})
    observed = ArmCluster(cluster.lab.sdk(), cluster.name(), SystemClock()).observe()
    assert observed.kms_state is KmsState.PLATFORM


def test_azures_retry_after_is_obeyed_with_signs_of_life_and_the_put_sent_again(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.azure.fail_next("disable-kms", "http-429")
    arm, moments = ArmCluster(cluster.lab.sdk(), cluster.name(), SystemClock()), list[Moment]()
    assert arm.disable_kms(arm.observe(), moments.append).succeeded
    refused, taken = (one for one in cluster.azure.puts() if "managedClusters" in one["path"])
    assert (refused["status"], taken["status"]) == (429, 200)
    asked = datetime.fromisoformat(taken["time"]) - datetime.fromisoformat(refused["time"])
    assert asked.total_seconds() >= 1.0
    assert any("Azure asks to wait" in moment.what for moment in moments if isinstance(moment, Waiting))
