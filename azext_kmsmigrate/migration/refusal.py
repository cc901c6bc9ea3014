"""What Azure means when it says no to a change: the catalogue entry for its code, and the objects it names.

The code may lie in the message (``Code="UnsatisfiablePDB"`` within a ``ValidationError``), so both are searched.
Source of the codes: https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, Entry
from azext_kmsmigrate.migration.facts import ClusterName

_LONGEST = 400
_MOST_OBJECTS = 5
_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_BUDGET = re.compile(rf"PDB ({_NAME}/{_NAME})")
_DEPRECATED = re.compile(r"usage has been detected on API ([\w.-]*\w)")
_BLOCKED_BY = re.compile(rf"blocked by pdb ({_NAME})")
_NODE = re.compile(r"(?:[Nn]ode|[Dd]rain of) ['\"]?((?:aks|aksw)[a-z0-9-]+)")

_ENTRIES: tuple[tuple[Entry, str], ...] = (
    # ARM gives the code as a "subcode", which az's client drops.
    (errors.DEPRECATED_API_IN_USE, r"UpgradeBlockedOnDeprecatedAPIUsage|usage has been detected on API"),
    (errors.DRAIN_FAILED, r"PodDrainFailure|[Dd]rain of .* did not complete|[Dd]rain node .* failed"),
    (errors.BUDGET_IN_THE_WAY, r"UnsatisfiablePDB|can't proceed with put operation"),
    (errors.QUOTA_EXCEEDED, r"QuotaExceeded|ErrorCode_InsufficientVCPUQuota|InsufficientVCPUQuota"),
    (errors.SUBNET_FULL, r"SubnetIsFull|InsufficientSubnetSize"),
    (
        errors.NO_CAPACITY,
        r"SKUNotAvailable|AllocationFailed|ZonalAllocationFailed|OverconstrainedAllocationRequest"
        r"|OverconstrainedZonalAllocationRequest|AKSCapacityHeavyUsage|PublicIPCountLimitReached",
    ),
    (
        errors.VERSION_NOT_ALLOWED,
        r"K8sVersionNotSupported|AgentPoolUpgradeVersionNotAllowed|Upgrading Kubernetes version \S+ to \S+ is not "
        r"allowed\. Available",
    ),
    (
        errors.POOLS_AT_ODDS,
        r"NodePoolMcVersionIncompatible|NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged",
    ),
    (errors.LOCKED, r"ScopeLocked|is locked, please remove lock"),
    (errors.POLICY_DENIED, r"RequestDisallowedByPolicy"),
    (errors.PRINCIPAL_EXPIRED, r"ServicePrincipalValidationClientError|AADSTS7000222"),
    (errors.NODES_CUT_OFF, r"(?:OutboundConnFail|K8SAPIServerConnFail|\w*DNSLookupFail)VMExtensionError"),
    (errors.SUBSCRIPTION_DISABLED, r"ReadOnlyDisabledSubscription|SubscriptionNotRegistered"),
)
_PATTERNS = tuple((entry, re.compile(rf"(?<![A-Za-z])(?:{pattern})")) for entry, pattern in _ENTRIES)


@dataclass(frozen=True)
class Refusal:
    """``code``: the most telling one; ``objects``: what Azure names, or its words where it names nothing."""

    entry: Entry
    code: str
    objects: str
    detail: str

    def error(self, how: str, state: str, name: ClusterName, next_command: str) -> AzureError:
        """``how``: "Azure refused …" or how the operation ended."""
        return AzureError(
            self.entry,
            how=how,
            code=self.code,
            objects=self.objects,
            detail=self.detail,
            state=state,
            **name.words,
            next=next_command,
        )


def refusal_in(code: str, message: str) -> Refusal | None:
    """Read Azure's code and message (one line, whole); None for what has no entry of its own."""
    for text in (code, message):
        for entry, pattern in _PATTERNS:
            if found := pattern.search(text):
                told = found[0] if found[0].isalnum() else code  # its own words are no code
                return Refusal(entry, told, _objects(entry, message) or shortened(message), shortened(message))
    return None


def shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _objects(entry: Entry, message: str) -> str:
    patterns = {
        errors.DEPRECATED_API_IN_USE.code: (_DEPRECATED,),
        errors.BUDGET_IN_THE_WAY.code: (_BUDGET,),
        errors.DRAIN_FAILED.code: (_NODE, _BUDGET, _BLOCKED_BY),
    }.get(entry.code, ())
    names = list(dict.fromkeys(found[1] for pattern in patterns for found in pattern.finditer(message)))
    more = f" and {len(names) - _MOST_OBJECTS} more" if len(names) > _MOST_OBJECTS else ""
    return ", ".join(names[:_MOST_OBJECTS]) + more
