"""What AKS accepts in ``securityProfile``: Azure Key Vault KMS and its successor. Pure decisions.

Literal where the facts (aks-kms-keyvault, tables a and b) quote the resource provider; the messages about the
key id's form, the change of access mode and the successor are ours, in AKS's style.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.refusal import AksError, bad_request

_VAULT_RESOURCE_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.KeyVault/vaults/[^/]+",
    re.IGNORECASE,
)


_NO_IDLE_KEY_FROM = "2026-07-01"


def check_kms(stored: Json, wanted: Json, *, key_usable: bool, api_version: str) -> None:
    """Raise :class:`AksError` when the KMS settings of the wanted document are not acceptable.

    ``key_usable``: whether the cluster's identity can encrypt and decrypt with the wanted key over the
    vault's public endpoint.
    """
    _check_platform_encryption(stored, wanted)
    before, after = Kms.of(stored), Kms.of(wanted)
    if not after.enabled:
        if after.key_id and api_version >= _NO_IDLE_KEY_FROM:
            # The rule is the SDK's ("must be omitted when the service is disabled"), the words are ours.
            raise bad_request("KeyVault key ID must be omitted when AzureKeyVaultKms is disabled.")
        return
    kind = (wanted.get("identity") or {}).get("type") or "None"
    if kind != "UserAssigned":
        raise bad_request(
            f"AzureKeyVaultKms feature does not support cluster identity type {kind}, supported value is 'UserAssigned'"
        )
    _check_key_id(after.key_id)
    _check_vault_access(wanted, after)
    if before == after:
        return
    if before.enabled and _vault(before) == _vault(after) and before.network_access != after.network_access:
        raise bad_request(
            "Changing KeyVault network access is not allowed while AzureKeyVaultKms is enabled. "
            "Disable Azure Key Vault KMS first."
        )
    # Behind a private endpoint AKS cannot look: a missing grant shows only as a broken control plane.
    if after.network_access == "Public" and not key_usable:
        raise AksError(
            400,
            "AzureKeyVaultKmsValidateIdentityPermissionCustomerError",
            f'The identity does not have keys encrypt/decrypt permission on key vault "{_vault(after)}"',
        )


def _check_platform_encryption(stored: Json, wanted: Json) -> None:
    """Infrastructure encryption (1.33 and later) is irreversible and excludes the older KMS."""
    had, has = _platform_encryption(stored), _platform_encryption(wanted)
    if had and not has:
        raise bad_request("Disabling kubernetesResourceObjectEncryptionProfile is not supported.")
    if has and not had:
        feature = "Microsoft.ContainerService/KMSPMKPreview"
        raise bad_request(f"Feature {feature} is not enabled for this subscription.")
    if has and Kms.of(wanted).enabled and not Kms.of(stored).enabled:
        raise bad_request("AzureKeyVaultKms cannot be enabled once infrastructure encryption is enabled.")


def _platform_encryption(cluster: Json) -> bool:
    security = cluster["properties"].get("securityProfile") or {}
    profile = security.get("kubernetesResourceObjectEncryptionProfile") or {}
    return bool(profile.get("infrastructureEncryption") == "Enabled")


def _check_key_id(key_id: str) -> None:
    parts = urlsplit(key_id)
    segments = parts.path.strip("/").split("/")
    if parts.scheme != "https" or not parts.netloc or len(segments) != 3 or segments[0] != "keys":
        raise bad_request(
            f"KeyVault key ID '{key_id}' is not valid. The expected format is "
            "https://{keyvault-name}.vault.azure.net/keys/{key-name}/{key-version}."
        )


def _check_vault_access(wanted: Json, kms: Kms) -> None:
    if kms.network_access == "Public":
        if kms.vault_resource_id:
            raise bad_request("KeyVault resource ID must be empty when KeyVault network access is Public.")
        return
    if kms.network_access != "Private":
        raise bad_request("KeyVault network access is unspecified for Azure Key Vault KMS.")
    if not kms.vault_resource_id:
        raise bad_request("KeyVault resource ID is empty when KeyVault network access is Private.")
    if not _VAULT_RESOURCE_ID.fullmatch(kms.vault_resource_id):
        raise bad_request(f"KeyVault resource ID {kms.vault_resource_id} is not a valid Azure resource ID.")
    access = wanted["properties"].get("apiServerAccessProfile") or {}
    if not access.get("enableVnetIntegration"):
        raise bad_request("Vnet integration should be enabled when KeyVault network access is Private.")


def _vault(kms: Kms) -> str:
    parts = urlsplit(kms.key_id)
    return f"{parts.scheme}://{parts.netloc}"
