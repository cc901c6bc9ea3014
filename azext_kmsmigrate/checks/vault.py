"""V-04 to V-07 and V-15: the vault to turn KMS v2 on with. K-07: the vault before."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.identity import IDENTITIES
from azext_kmsmigrate.checks.key import NO_NEW_KEY, NO_OLD_KEY
from azext_kmsmigrate.checks.key_sight import (
    KEYS,
    Presence,
    Vault,
    new_kms,
    old_kms,
    seen,
    sight_of,
    vault_of,
)
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.step import StepId

_PUBLIC = NotApplicable("the vault is used over its public endpoint")
_PRIVATE = NotApplicable("the vault is used over a private endpoint")


def _tenant(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _elsewhere(scene, kms) if kms else NO_NEW_KEY


def _elsewhere(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    vault = vault_of(scene, kms)
    if not vault.tenant:
        seen(vault.settings)  # says why not
    for identity in scene.of(IDENTITIES):
        if identity.tenant and vault.tenant and identity.tenant.lower() != vault.tenant.lower():
            yield Finding(
                _called(vault),
                f"It belongs to tenant {vault.tenant}, the cluster's identity to {identity.tenant}.",
                f"Use a key of a vault in tenant {identity.tenant}: give its id to --key-id.",
            )


def _public_network(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    if kms is None:
        return NO_NEW_KEY
    if kms.network_access is NetworkAccess.PRIVATE:
        return _PRIVATE
    return _closed_to_the_public(vault_of(scene, kms), "Or give --key-vault-access Private and --key-vault")


def _closed_to_the_public(vault: Vault, otherwise: str) -> Iterator[Finding]:
    settings = seen(vault.settings)
    otherwise = f" {otherwise} {vault.resource_id}." if otherwise else ""
    if settings.public_access == "SecuredByPerimeter":
        yield Finding(
            _called(vault),
            "A network security perimeter closes it: AKS cannot reach it.",
            f"Type: az keyvault update --name {vault.name} --public-network-access Enabled --default-action Allow ."
            + otherwise,
        )
    elif settings.public_access == "Disabled":
        yield Finding(
            _called(vault),
            "Its public access is disabled: AKS cannot reach it without a private endpoint.",
            f"Type: az keyvault update --name {vault.name} --public-network-access Enabled ." + otherwise,
        )
    elif not settings.open:
        yield Finding(
            _called(vault),
            "Its firewall lets in selected networks only; AKS does not support that.",
            f"Type: az keyvault update --name {vault.name} --default-action Allow ." + otherwise,
        )


def _vnet_integration(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    if kms is None:
        return NO_NEW_KEY
    if kms.network_access is not NetworkAccess.PRIVATE:
        return _PUBLIC
    return _not_integrated(scene)


def _not_integrated(scene: Scene) -> Iterator[Finding]:
    cluster = scene.cluster
    if not cluster.vnet_integration:
        yield Finding(
            f"cluster '{cluster.name.name}'",
            "It has no API Server VNet Integration, which a private vault needs.",
            f"Type: az aks update {cluster.name.option_text} --enable-apiserver-vnet-integration "
            "--apiserver-subnet-id SUBNET ; it cannot be undone, and the cluster has to be stopped and started at "
            "once. Or use a vault with public access: --key-vault-access Public.",
        )


def _resource_id(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    if kms is None:
        return NO_NEW_KEY
    if kms.network_access is not NetworkAccess.PRIVATE:
        return _PUBLIC
    return _not_the_keys_vault(scene, kms)


def _not_the_keys_vault(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    name = urlsplit(kms.key_id).netloc.partition(".")[0]
    fix = f"Give --key-vault what this prints: az keyvault show --name {name} --query id -o tsv"
    if not kms.vault_id:
        yield Finding(f"key '{kms.key_id}'", "Its vault is private, and the vault's resource id is not given.", fix)
        return
    parts = kms.vault_id.strip("/").lower().split("/")
    if len(parts) != 8 or parts[::2] != ["subscriptions", "resourcegroups", "providers", "vaults"]:
        yield Finding(f"'{kms.vault_id}'", "This is not the resource id of a key vault.", fix)
        return
    vault = seen(sight_of(scene, kms).vault)
    if vault.presence is Presence.PRESENT and vault.resource_id.lower() != kms.vault_id.lower():
        yield Finding(
            f"key vault '{kms.vault_id.rpartition('/')[2]}'", f"It is not the vault of key '{kms.key_id}'.", fix
        )


def _safety(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _unsafe(vault_of(scene, kms)) if kms else NO_NEW_KEY


def _unsafe(vault: Vault) -> Iterator[Finding]:
    settings = seen(vault.settings)
    if not settings.soft_delete or not settings.purge_protection:
        lacks = "purge protection" if settings.soft_delete else "soft delete"
        yield Finding(
            _called(vault),
            f"It has no {lacks}: who deletes the key or the vault by mistake may lose the Secrets for good.",
            f"Type: az keyvault update --name {vault.name} --enable-purge-protection true",
        )


def _old_vault(scene: Scene) -> Judgement:
    kms = old_kms(scene)
    return _out_of_reach(scene, kms) if kms else NO_OLD_KEY


def _out_of_reach(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    vault = seen(sight_of(scene, kms).vault)
    if vault.presence is not Presence.PRESENT:
        yield Finding(
            _called(vault),
            "It is deleted." if vault.presence is Presence.DELETED else "No key vault has this address any more.",
            f"Type: az keyvault recover --name {vault.name} ; then grant the cluster's identity its roles again: they "
            "do not come back with it.",
        )
    elif kms.network_access is NetworkAccess.PUBLIC:
        yield from _closed_to_the_public(vault, "")
    else:
        connections = seen(vault.settings).connections
        if not any(c.status == "Approved" for c in connections):
            state = ", ".join(sorted({c.status for c in connections})) or "none at all"
            yield Finding(
                _called(vault),
                f"None of its private endpoint connections is approved ({state}): the control plane cannot reach it.",
                f"Look at them: az keyvault show --name {vault.name} --query properties.privateEndpointConnections ; "
                "and approve the cluster's: az keyvault private-endpoint-connection approve --id CONNECTION",
            )


def _called(vault: Vault) -> str:
    return f"key vault '{vault.name}'"


_OLD = frozenset({StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS})
_NEW = frozenset({StepId.DISABLE_KMS, StepId.ENABLE_KMS})
_KMS_PAGE = "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption"

CHECKS = (
    Check(
        "K-07",
        "The vault of KMS v1 can be reached",
        Category.KMS,
        Severity.BLOCK,
        "Every Secret is still encrypted with a key of it: without the vault none can be read, and none rewritten.",
        _KMS_PAGE,
        _OLD,
        _old_vault,
        (KEYS,),
    ),
    Check(
        "V-04",
        "The new vault is in the cluster's tenant",
        Category.VAULT,
        Severity.BLOCK,
        "AKS does not support a key vault of another tenant.",
        _KMS_PAGE,
        _NEW,
        _tenant,
        (KEYS, IDENTITIES),
    ),
    Check(
        "V-05",
        "The new vault is open to the control plane",
        Category.VAULT,
        Severity.BLOCK,
        "AKS reaches a public vault from addresses that no firewall rule can name.",
        _KMS_PAGE,
        _NEW,
        _public_network,
        (KEYS,),
    ),
    Check(
        "V-06",
        "A private vault can be used by the cluster",
        Category.VAULT,
        Severity.BLOCK,
        "Azure refuses to turn KMS on with a private vault without API Server VNet Integration.",
        "https://learn.microsoft.com/azure/aks/api-server-vnet-integration",
        _NEW,
        _vnet_integration,
    ),
    Check(
        "V-07",
        "A private vault is named by its resource id",
        Category.VAULT,
        Severity.BLOCK,
        "AKS makes a private endpoint to that vault: with the wrong one the control plane reaches no key.",
        _KMS_PAGE,
        _NEW,
        _resource_id,
        (KEYS,),
    ),
    Check(
        "V-15",
        "The new vault cannot be lost by mistake",
        Category.VAULT,
        Severity.WARN,
        "Without the key the Secrets are lost; purge protection keeps what was deleted.",
        "https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview",
        _NEW,
        _safety,
        (KEYS,),
    ),
)
