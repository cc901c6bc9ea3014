"""Whatever is wrong with a vault, its key, the identity or what is around: the checks say so before Azure does.

The local Azure decides by rules of its own (``tests/lab/azure``), which know nothing of the checks.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from azext_kmsmigrate.arm.cluster import ArmCluster
from azext_kmsmigrate.checks.suite import Outcome
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from tests.contract.lab_cluster import AUTHORIZATION, DAY, GROUP, ROLES, SUBSCRIPTION, Cluster, HurriedClock
from tests.lab.azure.keyvault import AKS_ADDRESS
from tests.lab.azure.local import LocalAzure
from tests.lab.azure.refusal import VaultError
from tests.lab.azure.vault_admission import Caller, check_grant, check_tenant
from tests.lab.model import LabOptions
from tests.unit.lab.azure.conftest import Lab
from tests.unit.lab.azure.planes import RecordingPlane

Disturb = Callable[[Cluster], None]


def key(**change: object) -> Disturb:
    return lambda c: c.azure.vault.set_key("kms-new", **change)  # type: ignore[arg-type]


def vault(**properties: object) -> Disturb:
    return lambda c: c.vault(**properties)


def role(name: str, where: str) -> Disturb:
    def assign(c: Cluster) -> None:
        scopes = {"key": f"{c.vault_id}/keys/kms-new", "vault": c.vault_id, "group": GROUP, "other": f"{c.vault_id}-2"}
        c.azure.grants.assign_long_ago(c.principal, ROLES[name], scopes[where])

    return assign


def no_roles(c: Cluster) -> None:
    c.azure.grants.revoke_within(c.principal, SUBSCRIPTION)


def denied(c: Cluster) -> None:
    properties = {
        "denyAssignmentName": "no-keys",
        "permissions": [{"dataActions": ["Microsoft.KeyVault/vaults/keys/encrypt/action"]}],
        "scope": GROUP,
        "principals": [{"id": c.principal, "type": "ServicePrincipal"}],
        "excludePrincipals": [],
    }
    c.azure.patch_resource(f"{GROUP}/{AUTHORIZATION}/denyAssignments/1", {"properties": properties})


def policies(*permissions: str) -> Disturb:
    return lambda c: c.policy_vault(*permissions)


DISTURBANCES: dict[str, Disturb] = {
    "an EC key": key(kty="EC"),
    "no encrypt": key(key_ops=("decrypt",)),
    "a disabled key": key(enabled=False),
    "an expired key": key(expires=time.time() - DAY),
    "a key that lasts": key(expires=time.time() + 4000 * DAY),
    "a key of tomorrow": key(not_before=time.time() + DAY),
    "a deleted key": key(deleted=True),
    "selected networks": vault(networkAcls={"defaultAction": "Deny"}),
    "no public access": vault(publicNetworkAccess="Disabled"),
    "another tenant": vault(tenantId="77777777-2222-4333-8444-555555555555"),
    "access policies": policies("get", "encrypt", "decrypt"),
    "an access policy of everything": policies("all"),
    "an access policy too small": policies("get", "decrypt"),
    "no access policy": policies(),
    "no roles": no_roles,
    "a reader": role("Key Vault Reader", "vault"),
    "a role on the key": role("Key Vault Crypto User", "key"),
    "a role on the group": role("Key Vault Crypto User", "group"),
    "a role on another vault": role("Key Vault Crypto User", "other"),
    "a role that wraps": role("Key Vault Crypto Service Encryption User", "vault"),
    "a role that manages": role("Key Vault Contributor", "vault"),
    "a deny assignment": denied,
    "a lock on the vault": lambda c: c.lock(c.vault_id, "ReadOnly"),
    "a lock on the group": lambda c: c.lock(GROUP, "ReadOnly"),
    "a lock that keeps": lambda c: c.lock(GROUP, "CanNotDelete"),
    "a rule in the way": lambda c: c.nsg_rule(),
    "a rule about something else": lambda c: c.nsg_rule(destinationPortRange="25"),
    "no endpoints by policy": lambda c: c.deny_policy(
        c.nodes(), {"field": "type", "equals": "Microsoft.Network/privateEndpoints"}
    ),
}


@contextmanager
def cluster_of(access: NetworkAccess) -> Iterator[Cluster]:
    """Kubernetes 1.27 with KMS off: only turning it on is left."""
    with tempfile.TemporaryDirectory() as directory:
        options = LabOptions(name="demo", key_vault=access.value.lower(), kms=False, kubernetes="1.27.1")
        azure = LocalAzure(Path(directory), options)
        azure.start()
        try:
            plane = RecordingPlane()
            azure.attach(plane)
            yield Cluster(Lab(azure, plane, azure.environment()["REQUESTS_CA_BUNDLE"]), access)
        finally:
            azure.stop()


def turns_on(cluster: Cluster) -> bool:
    """Whether Azure turns KMS on, and the control plane can then work with the key."""
    private = cluster.access is NetworkAccess.PRIVATE
    azure = cluster.azure
    arm = ArmCluster(cluster.lab.sdk(), cluster.name(), HurriedClock(lambda waited: None))
    kms = KmsProfile(True, azure.key_id("kms-new"), cluster.access, cluster.vault_id if private else "")
    try:
        if not arm.enable_kms(arm.observe(), kms, lambda text: None).succeeded:
            return False
    except AzureError as error:
        note(str(error))
        return False
    return _key_works(cluster) if private else azure.vault.usable_in_public(kms.key_id)


def _key_works(cluster: Cluster) -> bool:
    vault, identity = cluster.azure.vault, cluster.azure.cluster_identity
    caller = Caller(identity.client_id, identity.object_id, AKS_ADDRESS, private=True)
    document, found = vault.resource(), vault.keys().get("kms-new")
    if document is None or not found:
        return False
    try:
        check_tenant(document)
        for operation in ("encrypt", "decrypt"):
            check_grant(document, cluster.azure.grants, caller, operation, "kms-new")
            found[-1].check_usable(operation)
            _ = found[-1].rsa
    except VaultError as error:
        note(str(error))
        return False
    return True


def agree(access: NetworkAccess, disturbed: list[str]) -> bool:
    """Whether all is well; asserts that the checks say what Azure does."""
    with cluster_of(access) as cluster:
        for name in disturbed:
            DISTURBANCES[name](cluster)
        found = cluster.judged()
        said = {id_: r for id_, r in found.items() if r.outcome in (Outcome.FAILED, Outcome.UNKNOWN)}
        failed = {id_: [f.what for f in r.findings] for id_, r in said.items() if r.outcome is Outcome.FAILED}
        on = turns_on(cluster)
        assert on or failed, (access, disturbed, said)
        return on


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(NetworkAccess), st.lists(st.sampled_from(sorted(DISTURBANCES)), max_size=3, unique=True))
def test_what_azure_will_refuse_is_said_before(access: NetworkAccess, disturbed: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        agree(access, disturbed)


@pytest.mark.parametrize("access", NetworkAccess)
def test_without_a_disturbance_nothing_is_said_and_kms_turns_on(
    access: NetworkAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with cluster_of(access) as cluster:
        assert not [r for r in cluster.judged().values() if r.outcome is Outcome.FAILED]
        assert turns_on(cluster)
