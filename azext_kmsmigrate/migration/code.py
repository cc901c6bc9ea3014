"""Where the tools that describe a cluster as code keep what a migration changes, and how each is paused. Pure.

Sources: the documentation of azurerm (``azurerm_kubernetes_cluster``), of ARM (``Microsoft.ContainerService/
managedClusters``), of Azure Service Operator, Crossplane and Cluster API, of Flux and of Argo CD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """``fields``: where KMS and the version are; ``pause``: how one that writes by itself is kept from it meanwhile.

    ``mark``: what the tool or its guides write into a tag's name or value.
    """

    mark: str
    name: str
    fields: str
    pause: str = ""


_TERRAFORM = (
    "key_management_service, kubernetes_version and each pool's orchestrator_version (azurerm), or the fields of ARM "
    "(azapi)"
)
_ARM = "properties.securityProfile.azureKeyVaultKms, kubernetesVersion and each pool's orchestratorVersion"
_CUSTOM_RESOURCE = "securityProfile.azureKeyVaultKms and the version, of the cluster and its pools, in the manifests"

TOOLS: tuple[Tool, ...] = (
    Tool("terraform", "Terraform", _TERRAFORM),
    Tool("opentofu", "OpenTofu", _TERRAFORM),
    Tool("pulumi", "Pulumi", _ARM),
    Tool("bicep", "Bicep", _ARM),
    Tool("azd-env-name", "the Azure Developer CLI", _ARM),
    Tool("crossplane", "Crossplane", _CUSTOM_RESOURCE, 'annotate the resource: crossplane.io/paused: "true"'),
    Tool("capz", "Cluster API", _CUSTOM_RESOURCE, "set spec.paused: true of the Cluster"),
    Tool("cluster-api-provider-azure", "Cluster API", _CUSTOM_RESOURCE, "set spec.paused: true of the Cluster"),
    Tool("ansible", "Ansible", _ARM),
    Tool("argocd", "Argo CD", _CUSTOM_RESOURCE, "argocd app set APP --sync-policy none"),
    Tool("fluxcd", "Flux", _CUSTOM_RESOURCE, "flux suspend kustomization NAME"),
    Tool(
        "aso",
        "Azure Service Operator",
        _CUSTOM_RESOURCE,
        "annotate the ManagedCluster: serviceoperator.azure.com/reconcile-policy: skip",
    ),
)


def tools_named(tags: Mapping[str, str]) -> dict[str, list[Tool]]:
    """For each tag the tools that it says manage the cluster, by name; tags that say nothing are left out."""
    found = {
        tag: sorted({tool.name: tool for tool in TOOLS if _says(tool.mark, tag) or _says(tool.mark, value)}.items())
        for tag, value in tags.items()
    }
    return {tag: [tool for _, tool in tools] for tag, tools in found.items() if tools}


def _says(mark: str, text: str) -> bool:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    wanted = mark.replace("-", " ").split()
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))
