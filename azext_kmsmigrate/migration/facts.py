"""What was seen: one frozen picture of a cluster, made by the adapters, read by every decision."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from azext_kmsmigrate.migration.version import KMS_V2_FROM, KubernetesVersion


class KmsState(str, enum.Enum):
    """How the control plane encrypts Secrets, as Azure says it."""

    OFF = "Off"
    V1 = "KmsV1"
    V2 = "KmsV2"
    PLATFORM = "KmsDataEncryption"  # platform- or customer-managed keys, 1.33 and later, irreversible


class NetworkAccess(str, enum.Enum):
    """``keyVaultNetworkAccess`` of AKS."""

    PUBLIC = "Public"
    PRIVATE = "Private"


@dataclass(frozen=True)
class KmsProfile:
    """``securityProfile.azureKeyVaultKms``. AKS keeps the key id of a profile that was disabled."""

    enabled: bool = False
    key_id: str = ""
    network_access: NetworkAccess = NetworkAccess.PUBLIC
    vault_id: str = ""


@dataclass(frozen=True)
class ClusterName:
    """How the user names the cluster, and Azure's id for it."""

    name: str
    group: str
    subscription: str
    resource_id: str = ""

    @property
    def option_text(self) -> str:
        """``-g GROUP -n NAME``, ready to paste."""
        return f"-g {self.group} -n {self.name}"


@dataclass(frozen=True)
class NodePool:
    """One agent pool. ``version`` is what its nodes run (``currentOrchestratorVersion``)."""

    name: str
    version: KubernetesVersion
    wanted: KubernetesVersion
    state: str
    count: int = 0
    kind: str = "VirtualMachineScaleSets"
    power: str = "Running"


@dataclass(frozen=True)
class ClusterFacts:
    """A managed cluster as ARM shows it now.

    ``version`` is ``currentKubernetesVersion``: what runs, not what was asked for. ``supported``: its minor
    version is among those AKS supports in the location; None when that could not be learnt.
    """

    name: ClusterName
    version: KubernetesVersion
    wanted: KubernetesVersion
    state: str
    power: str
    kms: KmsProfile
    pools: tuple[NodePool, ...] = ()
    platform_kms: bool = False
    identity: str = "UserAssigned"
    vnet_integration: bool = False
    entra: bool = False
    local_accounts: bool = True
    supported: bool | None = None
    location: str = ""
    etag: str = ""
    private: bool = False
    authorized_ranges: tuple[str, ...] = ()

    @property
    def kms_state(self) -> KmsState:
        if self.platform_kms:
            return KmsState.PLATFORM
        if not self.kms.enabled:
            return KmsState.OFF
        return KmsState.V2 if self.version >= KMS_V2_FROM else KmsState.V1

    @property
    def busy(self) -> bool:
        """An operation is under way: ARM's terminal states are Succeeded, Failed and Canceled."""
        return self.state not in ("Succeeded", "Failed", "Canceled")

    @property
    def failed(self) -> bool:
        return self.state in ("Failed", "Canceled")


@dataclass(frozen=True)
class Offers:
    """What the live upgrade profile offers the control plane now; previews are left out by the adapter.

    ``onward``: where Azure says that a version can be upgraded to in turn (``kubernetesVersions`` of the location).
    It serves to know that a first hop leads anywhere; each hop is planned anew from the live profile.
    """

    versions: tuple[KubernetesVersion, ...] = ()
    onward: Mapping[KubernetesVersion, tuple[KubernetesVersion, ...]] = field(default_factory=dict)
