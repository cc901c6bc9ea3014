"""The documented actions, as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from azext_kmsmigrate.migration.span import Span


class StepId(str, enum.Enum):
    """Stable ids: options, the journal and reports use them.

    Source of the steps: https://learn.microsoft.com/azure/aks/use-kms-v2
    """

    DISABLE_KMS = "disable-kms"
    DECRYPT_SECRETS = "decrypt-secrets"
    UPGRADE = "upgrade"
    ENABLE_KMS = "enable-kms"
    ENCRYPT_SECRETS = "encrypt-secrets"
    UPGRADE_NODE_POOLS = "upgrade-node-pools"

    @property
    def place(self) -> int:
        """Its place in the documented order."""
        return list(StepId).index(self)


class StepStatus(str, enum.Enum):
    """Where a step stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    DONE = "Done"
    FAILED = "Failed"


TITLES = {
    StepId.DISABLE_KMS: "Turn off KMS",
    StepId.DECRYPT_SECRETS: "Rewrite all Secrets without KMS, and prove it",
    StepId.UPGRADE: "Upgrade Kubernetes",
    StepId.ENABLE_KMS: "Turn on KMS v2",
    StepId.ENCRYPT_SECRETS: "Rewrite all Secrets under KMS v2, and prove it",
    StepId.UPGRADE_NODE_POOLS: "Upgrade the node pools",
}


@dataclass(frozen=True)
class PlannedStep:
    """A step that is to be done, and why. ``detail`` names what it acts on (a version, a key).

    ``estimate``: how long it takes; None where that was not asked for, or cannot be told. ``titled``: where it is not
    what the step does in a migration.
    """

    id: StepId
    reason: str
    reversible: bool
    detail: str = ""
    estimate: Span | None = None
    titled: str = ""

    @property
    def title(self) -> str:
        return self.titled or TITLES[self.id]
