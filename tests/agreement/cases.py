"""For each check of the catalogue: a cluster at which it has something to say, and one at which it has not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.agreement.disturbances import (
    FAMILY,
    Disturbance,
    cordon,
    goal,
    new_key,
    new_vault,
    old_vault,
    pool,
    properties,
    quota,
    volume,
    webhook,
)
from tests.agreement.faults import FAULTS, PRIVATE
from tests.agreement.trial import Trial
from tests.lab.administrator import administrator
from tests.lab.azure.local import NEW_KEY

WELL = Disturbance(lambda t: None)
_NEW = FAULTS["another vault"]
_JOINED = FAULTS["a private vault"]
_OLD = Disturbance(lambda t: None, options={"kubernetes": "1.24.9"})
_V1_LIMIT = 2000


@dataclass(frozen=True)
class Case:
    """``finds`` words of its finding's object; ``quiet`` is how it ends where all is well."""

    wrong: Disturbance
    finds: str
    well: Disturbance = WELL
    quiet: str = "passed"
    marks: tuple[pytest.MarkDecorator, ...] = field(default=())


def _named(name: str, finds: str, well: Disturbance = WELL) -> Case:
    return Case(FAULTS[name], finds, well)


def _many_secrets(trial: Trial) -> None:
    """More than a test has time to put under KMS v1: they lie plain, and Azure says that KMS is on."""
    key_id = trial.azure.key_id()
    kms = {"enabled": True, "keyId": key_id, "keyVaultNetworkAccess": "Public", "keyVaultResourceId": ""}
    trial.azure.patch_cluster({"properties": {"securityProfile": {"azureKeyVaultKms": kms}}})


def _large_key(trial: Trial) -> None:
    new_key(trial)
    key = new_vault(trial).keys()[NEW_KEY][-1]
    key.private = rsa.generate_private_key(public_exponent=65537, key_size=4096)


def _no_version(trial: Trial) -> None:
    new_key(trial)
    trial.goal = replace(trial.goal, key_id=trial.goal.key_id.rpartition("/")[0])


def _dns(trial: Trial) -> None:
    new_key(trial)
    (network,) = trial.azure.resources.listed("Microsoft.Network/virtualNetworks")
    trial.azure.patch_resource(network["id"], {"properties": {"dhcpOptions": {"dnsServers": ["10.9.9.9"]}}})


def _immutable(trial: Trial) -> None:
    with administrator(trial.lab.host.endpoint()) as api:
        api.create("/api/v1/namespaces/default/secrets", {"metadata": {"name": "frozen"}, "immutable": True})


def _stranger(trial: Trial) -> None:
    trial.stranger = True


_PLATFORM = {
    "securityProfile": {
        "kubernetesResourceObjectEncryptionProfile": {"infrastructureEncryption": "Enabled"},
        "azureKeyVaultKms": {"enabled": False},
    },
    "kubernetesVersion": "1.34.4",
    "currentKubernetesVersion": "1.34.4",
}
_ENTRA: dict[str, Any] = {"access": "entra"}
_STRANGER = Disturbance(_stranger, options=_ENTRA)
_SIGNED_IN = Disturbance(lambda t: None, options=_ENTRA)
_POOL = "node pool 'user'"
_IDENTITY = "managed identity 'agree-identity'"

CASES: dict[str, Case] = {
    "AZ-01": Case(Disturbance(properties(provisioningState="Deleting")), "cluster 'agree'"),
    "AZ-02": _named("a stopped cluster", "cluster 'agree'"),
    "AZ-03": _named("a failed cluster", "cluster 'agree'"),
    "AZ-04": _named("a failed pool", _POOL),
    "AZ-05": _named("an operation under way", "cluster 'agree'"),
    "AZ-06": _named("a reader at the cluster", "cluster 'agree'"),
    "AZ-07": _named("a lock on the nodes", "node resource group"),
    "AZ-08": _named("no KMS on by policy", "cluster 'agree'"),
    "AZ-10": Case(
        Disturbance(lambda t: None, options={"supported": True, "pools": 24}),
        "cluster 'agree'",
        Disturbance(lambda t: None, options={"supported": True}),
    ),
    "AZ-11": _named("Terraform", "cluster 'agree'"),
    "K-01": _named("KMS off and no key", "cluster 'agree'"),
    "K-02": _named("KMS v2 already", "cluster 'agree'"),
    "K-03": Case(Disturbance(properties(**_PLATFORM)), "cluster 'agree'"),
    "K-04": _named("a system-assigned identity", "cluster 'agree'"),
    "K-05": _named("no identity any more", _IDENTITY),
    "K-06": _named("the old key expired", "key 'kms' of key vault 'lab-kv'"),
    "K-07": _named("the old vault with selected networks", "key vault 'lab-kv'"),
    "K-08": _named("the old key without grant", _IDENTITY),
    "K-09": Case(Disturbance(_many_secrets, options={"kms": False, "secrets": _V1_LIMIT + 1}), "cluster 'agree'"),
    "K-10": _named("a Secret that is lost", "Secret "),
    "K-11": Case(Disturbance(old_vault(enablePurgeProtection=None)), "key vault 'lab-kv'"),
    "K-12": Case(WELL, "Secrets", FAULTS["KMS v2 already"], quiet="not-applicable"),
    "V-01": Case(Disturbance(_no_version), "/keys/kms-new'", _NEW),
    "V-02": _named("an EC key", "key 'kms-new' of key vault 'lab-kv'", _NEW),
    "V-03": _named("a key that expires in a year", "key 'kms-new' of key vault 'lab-kv'", _NEW),
    "V-04": _named("another tenant", "key vault 'lab-kv2'", _NEW),
    "V-05": _named("selected networks", "key vault 'lab-kv2'", _NEW),
    "V-06": _named("no VNet integration", "cluster 'agree'", _JOINED),
    "V-07": _named("no vault by this id", "key vault 'none'", _JOINED),
    "V-08": _named("no role", _IDENTITY, _NEW),
    "V-09": _named("a private vault that may not be joined", _IDENTITY, _JOINED),
    "V-10": _named("the wrong role", _IDENTITY, _NEW),
    "V-11": _named("a network rule in the way", "network security group", _JOINED),
    "V-12": _named("no private endpoints by policy", "node resource group", _JOINED),
    "V-13": Case(Disturbance(_dns, options=PRIVATE), "virtual network 'lab-vnet'", _JOINED),
    "V-14": Case(Disturbance(_large_key), "key 'kms-new' of key vault 'lab-kv'", _NEW),
    "V-15": _named("no purge protection", "key vault 'lab-kv2'", _NEW),
    "V-16": _named("a key that rotates", "key 'kms-new' of key vault 'lab-kv'", _NEW),
    "U-01": _named("no way to 1.27", "cluster 'agree'"),
    "U-02": Case(FAULTS["a version not offered"], "1.28.9", Disturbance(goal(kubernetes_version="1.34.4"))),
    "U-03": _named("a pool that is newer", _POOL),
    "U-04": Case(Disturbance(pool(type="AvailabilitySet")), _POOL),
    "U-05": Case(Disturbance(pool(osSKU="CBLMariner")), _POOL),
    "U-06": _named("a budget of none", "PodDisruptionBudget shop/cart-0"),
    "U-07": _named("an API asked for", "API csistoragecapacities.v1beta1.storage.k8s.io"),
    "U-08": Case(Disturbance(quota(FAMILY, 13)), "quota 'Standard DSv5 Family vCPUs'"),
    "U-09": Case(Disturbance(cordon), "node aks-user-0"),
    "U-10": Case(Disturbance(pool(enableAutoScaling=True, maxCount=1, minCount=1)), _POOL),
    "U-11": Case(Disturbance(webhook), "ValidatingWebhookConfiguration guard"),
    "U-12": _named("a channel", "auto-upgrade channel 'stable'"),
    "U-13": Case(Disturbance(properties(servicePrincipalProfile={"clientId": "app"})), "service principal app"),
    "U-14": Case(Disturbance(volume, options={"kubernetes": "1.25.11"}), "PersistentVolume disk"),
    "U-15": Case(
        Disturbance(properties(enablePodSecurityPolicy=True), options={"kubernetes": "1.24.9"}), "cluster 'agree'", _OLD
    ),
    "U-16": Case(Disturbance(properties(networkProfile={"outboundType": "userDefinedRouting"})), "outbound type"),
    "U-17": Case(Disturbance(pool(scaleSetPriority="Spot")), _POOL),
    "U-18": _named("long-term support alone", "Kubernetes 1.27.1"),
    "C-01": _named("no API server", "the API server of cluster 'agree'"),
    "C-02": _named("a reader at the cluster", "the API server of cluster 'agree'"),
    "C-03": Case(_STRANGER, "your rights in cluster 'agree'", _SIGNED_IN),
    "C-04": _named("a Secret that a webhook denies", "Secret "),
    "C-05": Case(_STRANGER, "your rights in cluster 'agree'", _SIGNED_IN),
    "C-06": Case(Disturbance(_immutable), "Secrets", Disturbance(lambda t: None, options={"secrets": 0})),
    "C-07": Case(
        Disturbance(lambda t: None, options={"apiserver": "real"}),
        "etcd",
        WELL,
        quiet="not-applicable",
        marks=(pytest.mark.real,),
    ),
}
