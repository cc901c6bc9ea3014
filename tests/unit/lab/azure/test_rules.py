"""A row a rule: what a PUT changes in the stored cluster, and the answer."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.lab.azure import cluster as model
from tests.lab.azure import rules
from tests.lab.azure.identity import Principal
from tests.lab.azure.refusal import AksError
from tests.lab.azure.rules import Change, Surroundings
from tests.lab.azure.versions import Offers, Version
from tests.lab.model import LabOptions

KEY = "https://127.0.0.1:1/keys/kms/0123456789abcdef"
OTHER_KEY = "https://127.0.0.1:1/keys/kms-new/fedcba9876543210"
OTHER_VAULT = "https://127.0.0.1:2/keys/kms/0123456789abcdef"
VAULT = f"{model.group_id()}/providers/Microsoft.KeyVault/vaults/lab-kv"
IDENTITY = Principal("demo-identity", "client", "object", "secret")

OFF = {"properties": {"securityProfile": {"azureKeyVaultKms": {"enabled": False}}}}
PRIVATE = {"enabled": True, "keyVaultNetworkAccess": "Private", "keyVaultResourceId": VAULT}
INTEGRATED = {"properties": {"apiServerAccessProfile": {"enableVnetIntegration": True}}}
PMK = {"kubernetesResourceObjectEncryptionProfile": {"infrastructureEncryption": "Enabled"}}


def _stored(*patches: dict[str, Any], **options: Any) -> model.Json:
    seed = model.seed(
        LabOptions(name="demo", **options), key_id=KEY, vault_id=VAULT, identity=IDENTITY, admin_group="group"
    )
    seed["properties"]["provisioningState"] = "Succeeded"
    for patch in patches:
        seed = model.merge_patch(seed, patch)
    return seed


def _kms(**profile: Any) -> dict[str, Any]:
    return {"properties": {"securityProfile": {"azureKeyVaultKms": profile}}}


def _versions(control_plane: str, *pools: str) -> dict[str, Any]:
    return {"versions": (control_plane, pools)}


def _body(stored: model.Json, change: dict[str, Any]) -> model.Json:
    change = dict(change)
    versions = change.pop("versions", None)
    body: model.Json = model.merge_patch(copy.deepcopy(stored), change)
    if versions:
        body["properties"]["kubernetesVersion"] = versions[0]
        for pool, version in zip(body["properties"]["agentPoolProfiles"], versions[1], strict=True):
            pool["orchestratorVersion"] = version
    return body


def _around(offers: tuple[str, ...] = ("1.27.1", "1.34.4"), *, usable: bool = True, supported: bool = False):  # type: ignore[no-untyped-def]
    also = [Version(1, 26, 15)] if supported else []
    return Surroundings(Offers.parse(offers, also_supported=also), key_usable=usable)


@pytest.mark.parametrize(
    ("stored", "change", "around", "expected"),
    [
        pytest.param(_stored(), OFF, _around(), Change.DISABLE_KMS, id="kms off"),
        pytest.param(_stored(OFF), {}, _around(), Change.RECONCILE, id="nothing new is a reconcile"),
        pytest.param(_stored(), {"tags": {"a": "b"}}, _around(), Change.RECONCILE, id="tags"),
        pytest.param(
            _stored(OFF),
            _versions("1.27.1", "1.27.1", "1.27.1"),
            _around(),
            Change.UPGRADE,
            id="full upgrade",
        ),
        pytest.param(_stored(OFF), _versions("1.34", "1.34", "1.34"), _around(), Change.UPGRADE, id="alias, jump"),
        pytest.param(_stored(OFF), _versions("", "", ""), _around(), Change.RECONCILE, id="empty versions stay"),
        pytest.param(
            _stored(OFF),
            _versions("1.27.1", "1.26.15", "1.26.15"),
            _around(supported=True),
            Change.UPGRADE,
            id="control plane only where the version is supported",
        ),
        pytest.param(_stored(OFF), _kms(enabled=True), _around(), Change.ENABLE_KMS, id="kms on again, same key"),
        pytest.param(_stored(), _kms(keyId=OTHER_KEY), _around(), Change.ENABLE_KMS, id="key rotation"),
        pytest.param(
            _stored(INTEGRATED),
            _kms(**PRIVATE, keyId=OTHER_VAULT),
            _around(usable=False),
            Change.ENABLE_KMS,
            id="another vault in another mode; private grants are not checked",
        ),
        pytest.param(_stored(OFF, INTEGRATED), _kms(**PRIVATE), _around(usable=False), Change.ENABLE_KMS, id="private"),
    ],
)
def test_accepted(stored: model.Json, change: dict[str, Any], around: Surroundings, expected: Change) -> None:
    assert rules.decide_cluster_put(stored, _body(stored, change), around).change is expected


FULL = _versions("1.27.1", "1.27.1", "1.27.1")
SYSTEM_ASSIGNED = {"identity": {"type": "SystemAssigned", "userAssignedIdentities": None}}
STOPPED = {"properties": {"powerState": {"code": "Stopped"}}}


@pytest.mark.parametrize(
    ("stored", "change", "around", "code", "message"),
    [
        pytest.param(
            _stored(),
            FULL,
            _around(),
            "BadRequest",
            rules.KMS_BLOCKS_UPGRADE_MARKER,
            id="upgrade with kms v1",
        ),
        pytest.param(
            _stored(),
            {**OFF, **FULL},
            _around(),
            "BadRequest",
            rules.KMS_BLOCKS_UPGRADE_MARKER,
            id="kms off and upgrade in one",
        ),
        pytest.param(
            _stored(OFF),
            {**_kms(enabled=True), **FULL},
            _around(),
            "BadRequest",
            rules.KMS_BLOCKS_UPGRADE_MARKER,
            id="kms on and upgrade in one",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.28.0", "1.28.0", "1.28.0"),
            _around(),
            "OperationNotAllowed",
            "Upgrading Kubernetes version 1.26.15 to 1.28.0 is not allowed. Available upgrades: [1.34.4 1.27.1].",
            id="not offered",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.34.4", "1.34.4", "1.34.4"),
            _around(("1.27.1", "1.27.1>1.34.4")),
            "OperationNotAllowed",
            "1.26.15 to 1.34.4 is not allowed. Available upgrades: [1.27.1].",
            id="offered from another version only",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.25.1", "1.25.1", "1.25.1"),
            _around(),
            "OperationNotAllowed",
            "1.26.15 to 1.25.1 is not allowed",
            id="downgrade",
        ),
        pytest.param(
            _stored(OFF),
            _versions("latest", "latest", "latest"),
            _around(),
            "InvalidParameter",
            "OrchestratorVersion is invalid",
            id="not a version",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.27.1", "1.26.15", "1.26.15"),
            _around(),
            "OperationNotAllowed",
            "control plane only upgrade is not allowed",
            id="unsupported version needs the full upgrade",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.34.4", "1.26.15", "1.26.15"),
            _around(supported=True),
            "NodePoolMcVersionIncompatible",
            "cannot be more than 3 versions less",
            id="pools left too far behind",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.26.15", "1.27.1", "1.27.1"),
            _around(),
            "NodePoolMcVersionIncompatible",
            "Minor version of node pool version 27 is bigger than control plane version 26.",
            id="pools newer than the control plane",
        ),
        pytest.param(
            _stored(OFF),
            _versions("1.27.1", "1.27.1", ""),
            _around(),
            "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged",
            "must be all specified or all unspecified",
            id="one pool without a version",
        ),
        pytest.param(
            _stored(OFF, SYSTEM_ASSIGNED),
            _kms(enabled=True),
            _around(),
            "BadRequest",
            "AzureKeyVaultKms feature does not support cluster identity type SystemAssigned, "
            "supported value is 'UserAssigned'",
            id="system-assigned identity",
        ),
        pytest.param(
            _stored(OFF),
            _kms(enabled=True),
            _around(usable=False),
            "AzureKeyVaultKmsValidateIdentityPermissionCustomerError",
            "The identity does not have keys encrypt/decrypt permission on key vault",
            id="no grant",
        ),
        pytest.param(
            _stored(OFF),
            _kms(enabled=True, keyVaultNetworkAccess=None),
            _around(),
            "BadRequest",
            "KeyVault network access is unspecified for Azure Key Vault KMS.",
            id="access mode left out",
        ),
        pytest.param(
            _stored(OFF),
            _kms(enabled=True, keyId=KEY.rpartition("/")[0]),
            _around(),
            "BadRequest",
            "is not valid",
            id="key id without a version",
        ),
        pytest.param(
            _stored(OFF),
            _kms(**PRIVATE),
            _around(),
            "BadRequest",
            "Vnet integration should be enabled when KeyVault network access is Private.",
            id="private without API Server VNet Integration",
        ),
        pytest.param(
            _stored(OFF, INTEGRATED),
            _kms(**{**PRIVATE, "keyVaultResourceId": ""}),
            _around(),
            "BadRequest",
            "KeyVault resource ID is empty when KeyVault network access is Private.",
            id="private without the vault's resource id",
        ),
        pytest.param(
            _stored(OFF, INTEGRATED),
            _kms(**{**PRIVATE, "keyVaultResourceId": "lab-kv"}),
            _around(),
            "BadRequest",
            "is not a valid Azure resource ID.",
            id="private with a malformed resource id",
        ),
        pytest.param(
            _stored(OFF),
            _kms(enabled=True, keyVaultResourceId=VAULT),
            _around(),
            "BadRequest",
            "must be empty",
            id="public with a resource id",
        ),
        pytest.param(
            _stored(INTEGRATED),
            _kms(**PRIVATE),
            _around(),
            "BadRequest",
            "Changing KeyVault network access is not allowed",
            id="mode changed while on",
        ),
        pytest.param(
            _stored(STOPPED),
            OFF,
            _around(),
            "OperationNotAllowed",
            "Power State(Stopped)",
            id="stopped cluster",
        ),
        pytest.param(
            _stored(OFF),
            {"location": "northeurope"},
            _around(),
            "BadRequest",
            "location",
            id="location changed",
        ),
        pytest.param(
            _stored(OFF),
            {"properties": {"dnsPrefix": "x"}},
            _around(),
            "PropertyChangeNotAllowed",
            "properties.dnsPrefix",
            id="dns prefix changed",
        ),
        pytest.param(
            _stored(OFF),
            {"properties": {"agentPoolProfiles": []}},
            _around(),
            "PropertyChangeNotAllowed",
            "agentPoolProfiles.name",
            id="pools left out",
        ),
        pytest.param(
            _stored(OFF, INTEGRATED),
            {"properties": {"apiServerAccessProfile": {"enableVnetIntegration": False}}},
            _around(),
            "PropertyChangeNotAllowed",
            "enableVnetIntegration",
            id="VNet integration is for good",
        ),
        pytest.param(
            _stored(OFF),
            {"properties": {"supportPlan": "AKSLongTermSupport"}},
            _around(),
            "BadRequest",
            "AKS Long Term Support is only available for Premium tier clusters.",
            id="long term support without premium",
        ),
        pytest.param(
            _stored(OFF, {"properties": {"securityProfile": PMK}}, kubernetes="1.34.4"),
            {"properties": {"securityProfile": {"kubernetesResourceObjectEncryptionProfile": None}}},
            _around(),
            "BadRequest",
            "is not supported",
            id="infrastructure encryption is for good",
        ),
        pytest.param(
            _stored(OFF, {"properties": {"securityProfile": PMK}}, kubernetes="1.34.4"),
            _kms(enabled=True),
            _around(),
            "BadRequest",
            "once infrastructure encryption is enabled",
            id="no way back to the older kms",
        ),
        pytest.param(
            _stored(OFF),
            {"properties": {"securityProfile": PMK}},
            _around(),
            "BadRequest",
            "Feature",
            id="pmk",
        ),
    ],
)
def test_refused(stored: model.Json, change: dict[str, Any], around: Surroundings, code: str, message: str) -> None:
    with pytest.raises(AksError) as refused:
        rules.decide_cluster_put(stored, _body(stored, change), around)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert message in refused.value.message


def test_disabling_keeps_the_key_id() -> None:
    stored = _stored()
    wanted = rules.decide_cluster_put(stored, _body(stored, OFF), _around()).document
    assert model.Kms.of(wanted) == model.Kms(False, KEY, "Public", "")


def test_a_put_cannot_write_what_is_read_only() -> None:
    stored = _stored()
    lie = {"properties": {"provisioningState": "Failed", "currentKubernetesVersion": "1.99.0"}}
    properties = rules.decide_cluster_put(stored, _body(stored, lie), _around()).document["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["currentKubernetesVersion"] == "1.26.15"


LEADING = {"properties": {"kubernetesVersion": "1.27.1", "currentKubernetesVersion": "1.27.1"}}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.27.1", Change.UPGRADE_POOL),
        ("1.27", Change.UPGRADE_POOL),
        ("1.26.15", Change.RECONCILE),
        ("", Change.RECONCILE),
    ],
)
def test_a_pool_follows_its_control_plane(version: str, expected: Change) -> None:
    body = {"properties": {"orchestratorVersion": version}}
    assert rules.decide_pool_put(_stored(OFF, LEADING), "user", body, _around()).change is expected


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("1.34.4", "NodePoolMcVersionIncompatible"),
        ("1.27.2", "NodePoolMcVersionIncompatible"),
        ("1.26.1", "OperationNotAllowed"),
        ("1.26.99", "OperationNotAllowed"),
        ("new", "InvalidParameter"),
    ],
)
def test_a_pool_is_refused(version: str, code: str) -> None:
    body = {"properties": {"orchestratorVersion": version}}
    with pytest.raises(AksError) as refused:
        rules.decide_pool_put(_stored(OFF, LEADING), "user", body, _around())
    assert refused.value.code == code


def test_one_operation_at_a_time() -> None:
    with pytest.raises(AksError, match="aks-pending-operation") as refused:
        rules.check_no_operation(_stored(), "Upgrading")
    assert (refused.value.status, refused.value.code) == (409, "OperationNotAllowed")
    with pytest.raises(AksError, match=r"Provisioning State\(Creating\)"):
        rules.check_no_operation(_stored({"properties": {"provisioningState": "Creating"}}), None)


def test_etags_are_compared_quoted() -> None:
    stored = _stored()
    rules.check_etag(stored, f'"{stored["eTag"]}"', None)
    rules.check_etag(stored, "*", None)
    for if_match, if_none_match in ((stored["eTag"], None), ('"other"', None), (None, "*")):
        with pytest.raises(AksError) as refused:
            rules.check_etag(stored, if_match, if_none_match)
        assert refused.value.status == 412


def test_merge_patch_removes_with_null() -> None:
    assert model.merge_patch({"a": {"b": 1, "c": 2}}, {"a": {"b": None}, "d": [1]}) == {
        "a": {"c": 2},
        "d": [1],
    }
