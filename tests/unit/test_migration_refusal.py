"""What Azure says no with, in its own words, and the entry it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.refusal import refusal_in
from tests.unit.situations import NAME

DEPRECATED = (
    "Control Plane upgrade is blocked due to recent usage of a Kubernetes API deprecated in the specified version. "
    "Please refer to https://kubernetes.io/docs/reference/using-api/deprecation-guide to migrate the usage. To bypass "
    "this error, set forceUpgrade in upgradeSettings.overrideSettings. Bypassing this error without migrating usage "
    "will result in the deprecated Kubernetes API calls failing. Usage details: 1 error occurred: * usage has been "
    "detected on API flowcontrol.apiserver.k8s.io.prioritylevelconfigurations.v1beta1, and was recently seen at: "
    "2023-03-23 20:57:18 +0000 UTC, which will be removed in 1.26"
)


@pytest.mark.parametrize(
    ("code", "message", "entry", "objects"),
    [
        (
            "ValidationError",
            f'Code="UpgradeBlockedOnDeprecatedAPIUsage" Message="{DEPRECATED}"',
            "KMSM230",
            "flowcontrol.apiserver.k8s.io.prioritylevelconfigurations.v1beta1",
        ),
        (
            "UnsatisfiablePDB",
            "2 errors occurred: * PDB shop/cart has maxunavailable == 0 can't proceed with put operation "
            "* PDB shop/db has minAvailable(2) >= expectedPods(2) can't proceed with put operation",
            "KMSM231",
            "shop/cart, shop/db",
        ),
        ("BadRequest", "PDB a/b has maxunavailable == 0 can't proceed with put operation", "KMSM231", "a/b"),
        (
            "UpgradeFailed",
            "Drain of node aks-user-12345-vmss000001 did not complete pods [cart-0]: Too many Requests pod cart-0 on "
            "node aks-user-12345-vmss000001: PDB debug info: ns/shop PDB shop/cart",
            "KMSM232",
            "aks-user-12345-vmss000001, shop/cart",
        ),
        ("ValidationError", DEPRECATED, "KMSM230", "flowcontrol.apiserver.k8s.io.prioritylevelconfigurations.v1beta1"),
        (
            "UpgradeFailed",
            "Drain of node aks-user-0 did not complete. PDB debug info: shop blocked by pdb cart with 0 unready pods.",
            "KMSM232",
            "aks-user-0, cart",
        ),
        ("PodDrainFailure", "it took too long", "KMSM232", "it took too long"),
        ("QuotaExceeded", "Operation could not be completed as it results in exceeding quota.", "KMSM233", None),
        ("SubnetIsFull", "Subnet nodes does not have enough capacity for 31 IP addresses.", "KMSM234", None),
        ("InsufficientSubnetSize", "x", "KMSM234", None),
        ("ReconcileVMSSAgentPoolFailed", 'Code="ZonalAllocationFailed" Message="no room"', "KMSM235", None),
        ("SKUNotAvailable", "x", "KMSM235", None),
        ("K8sVersionNotSupported", "Version 1.27.1 is not supported in this region.", "KMSM236", None),
        (
            "OperationNotAllowed",
            "Upgrading Kubernetes version 1.26.15 to 1.27.1 is not allowed. Available upgrades: [1.34.4].",
            "KMSM236",
            None,
        ),
        ("NodePoolMcVersionIncompatible", "x", "KMSM237", None),
        ("NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged", "x", "KMSM237", None),
        ("ScopeLocked", "The scope cannot perform write operation because it is locked.", "KMSM238", None),
        ("BadRequest", "Resource group 'MC_x' is locked, please remove lock and retry", "KMSM238", None),
        ("RequestDisallowedByPolicy", "Resource 'x' was disallowed by policy.", "KMSM239", None),
        ("ServicePrincipalValidationClientError", "AADSTS7000222: expired", "KMSM240", None),
        ("CreateVMSSAgentPoolFailed", "OutboundConnFailVMExtensionError: exit status 50", "KMSM241", None),
        ("K8SAPIServerDNSLookupFailVMExtensionError", "x", "KMSM241", None),
        ("ReadOnlyDisabledSubscription", "x", "KMSM242", None),
    ],
)
def test_a_code_wherever_it_stands_becomes_its_entry_with_the_objects_named(
    code: str, message: str, entry: str, objects: str | None
) -> None:
    found = refusal_in(code, message)
    assert found is not None
    error = found.error("Azure refused the upgrade", "Nothing was changed.", NAME, "az aks kms-migrate start")
    assert error.entry.code == entry
    assert "az aks kms-migrate start" in error.fix
    if objects is not None:
        assert objects in error.what
    assert len(error.what) < 700


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("BadRequest", "Vnet integration should be enabled when KeyVault network access is Private."),
        ("OperationNotAllowed", "Another operation (Updating) is in progress"),
        ("Throttled", ""),
        ("InternalOperationError", "Internal server error"),
        (
            "BadRequest",
            "Upgrading Kubernetes version 1.26.15 to 1.27.1 is not allowed because AzureKeyVaultKms is enabled.",
        ),
    ],
)
def test_what_has_no_entry_of_its_own_is_left_to_the_general_ones(code: str, message: str) -> None:
    assert refusal_in(code, message) is None


@given(st.text(max_size=200), st.text(max_size=2000))
def test_no_text_of_azures_breaks_the_reading(code: str, message: str) -> None:
    found = refusal_in(code, message)
    assert found is None or len(found.objects) <= 400
