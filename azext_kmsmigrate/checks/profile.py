"""The managed cluster beyond what the plan needs, and what follows from it alone: U-12, U-13, U-15 (ARM) and U-16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, upgrading

_NO_PRINCIPAL = ("", "msi")  # AKS says "msi" where there is a managed identity


@dataclass(frozen=True)
class Profile:
    """Words as AKS has them. ``service_principal``: its client id, or ``msi``. ``node_provisioning``: ``Auto`` where
    AKS makes the nodes by itself."""

    network_plugin: str = ""
    network_mode: str = ""
    outbound_type: str = "loadBalancer"
    service_principal: str = "msi"
    upgrade_channel: str = "none"
    node_channel: str = "NodeImage"
    node_provisioning: str = "Manual"
    pod_security_policy: bool = False


PROFILE: Topic[Profile] = Topic("the managed cluster", "Microsoft.ContainerService")


def _principal(scene: Scene) -> Iterator[Finding]:
    principal = scene.of(PROFILE).service_principal
    if principal not in _NO_PRINCIPAL:
        yield Finding(
            f"service principal {principal}",
            "The cluster signs in to Azure with a secret that ends some day; once it has, every change of the cluster "
            "fails.",
            f"See until when: az ad app credential list --id {principal} --query '[].endDateTime'. To renew it: "
            f"az aks update-credentials {scene.cluster.name.option_text} --reset-service-principal "
            f"--service-principal {principal} --client-secret SECRET",
        )


def _egress(scene: Scene) -> Judgement:
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _egress_findings(scene)


def _egress_findings(scene: Scene) -> Iterator[Finding]:
    outbound = scene.of(PROFILE).outbound_type
    if outbound in ("userDefinedRouting", "none", "block"):
        yield Finding(
            f"outbound type '{outbound}'",
            "What new nodes load goes through a firewall of yours: newer versions may need names that older ones did "
            "not.",
            "Compare its rules with https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
        )


CHECKS = (
    Check(
        "U-13",
        "The cluster signs in to Azure with a managed identity",
        Category.UPGRADE,
        Severity.WARN,
        "An expired secret of a service principal stops every operation (ServicePrincipalValidationClientError).",
        "https://learn.microsoft.com/azure/aks/update-credentials",
        BEFORE_UPGRADING,
        _principal,
        (PROFILE,),
    ),
    Check(
        "U-16",
        "Nodes reach what they load without a firewall of yours",
        Category.UPGRADE,
        Severity.INFO,
        "A node that cannot load its parts does not come up (OutboundConnFailVMExtensionError).",
        "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
        BEFORE_UPGRADING,
        _egress,
        (PROFILE,),
    ),
)
