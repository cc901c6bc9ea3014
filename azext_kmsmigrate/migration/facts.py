"""What was seen: one frozen picture of a cluster, made by the adapters, read by every decision."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from azext_kmsmigrate.errors import cluster_words
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


class SupportPlan(str, enum.Enum):
    """``supportPlan`` of AKS: https://learn.microsoft.com/azure/aks/long-term-support. The second one costs money."""

    COMMUNITY = "KubernetesOfficial"
    LONG_TERM = "AKSLongTermSupport"


PREMIUM = "Premium"  # the tier that long term support needs


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
    with_subscription: bool = False
    """The user named the subscription, so commands to type name it too."""

    @property
    def option_text(self) -> str:
        """``-g GROUP -n NAME``, ready to paste."""
        return self.words["options"]

    @property
    def pool_option_text(self) -> str:
        """``-g GROUP --cluster-name NAME``, for commands on node pools."""
        return self.words["pool_options"]

    @property
    def words(self) -> dict[str, str]:
        """The values of the catalogue's texts that name the cluster."""
        return cluster_words(self.group, self.name, self.subscription if self.with_subscription else "")


@dataclass(frozen=True)
class NodePool:
    """One agent pool. ``version`` is what its nodes run (``currentOrchestratorVersion``).

    ``surge``: ``maxSurge`` as Azure has it, a number of nodes or a percentage; empty: Azure's default. ``mode``:
    ``System``, ``User``, or ``Machines`` for single machines, which AKS does not upgrade with the cluster.
    """

    name: str
    version: KubernetesVersion
    wanted: KubernetesVersion
    state: str
    count: int = 0
    kind: str = "VirtualMachineScaleSets"
    power: str = "Running"
    mode: str = "User"
    surge: str = ""

    @property
    def upgradable(self) -> bool:
        return self.mode != "Machines"


@dataclass(frozen=True)
class ManagedIdentity:
    """A user-assigned identity of the control plane, as the cluster names it."""

    resource_id: str
    principal_id: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What the cluster stands in. ``subnets``: the resource ids of the user's own; none when AKS made the network."""

    node_group: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    identities: tuple[ManagedIdentity, ...] = ()
    subnets: tuple[str, ...] = ()
    api_server_subnet: str = ""


@dataclass(frozen=True)
class ClusterFacts:
    """A managed cluster as ARM shows it now.

    ``version`` is ``currentKubernetesVersion``: what runs, not what was asked for. ``supported``: its minor
    version is among those AKS supports in the location under its support plan; None when that could not be learnt.
    ``forced_until``: upgrades that begin before this time (UTC, ISO 8601) pass over what AKS would refuse them for;
    empty when none does.
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
    forced_until: str = ""
    private: bool = False
    authorized_ranges: tuple[str, ...] = ()
    tier: str = ""
    support_plan: SupportPlan = SupportPlan.COMMUNITY
    surroundings: Surroundings = field(default_factory=Surroundings)

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
    ``plans``: the support plans of each minor version there; empty when they could not be learnt.
    ``seen``: false when nobody could ask; then nothing is known of what is offered.
    """

    versions: tuple[KubernetesVersion, ...] = ()
    onward: Mapping[KubernetesVersion, tuple[KubernetesVersion, ...]] = field(default_factory=dict)
    plans: Mapping[tuple[int, int], frozenset[SupportPlan]] = field(default_factory=dict)
    seen: bool = True

    def under(self, version: KubernetesVersion, plan: SupportPlan) -> bool:
        """Whether AKS has the version under this plan. A version of no listed minor is not under long term support."""
        found = self.plans.get(version.line, frozenset({SupportPlan.COMMUNITY}))
        return not self.plans or plan in found

    def supports(self, version: KubernetesVersion, plan: SupportPlan) -> bool | None:
        """Whether AKS supports a cluster with this version and plan; None when that could not be learnt."""
        return plan in self.plans.get(version.line, frozenset()) if self.plans else None
