"""The clusters that the matrix is made on, and which of Azure's operations each change of them is: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.matrix.calls import Row

_CHANGES = ("disable-kms", "upgrade", "enable-kms")


@dataclass(frozen=True)
class Scene:
    """``title`` for the table; ``options`` of the lab; ``pools``: how many are upgraded by themselves, at the end."""

    name: str
    title: str
    options: dict[str, Any]
    pools: int = 0

    def operation(self, row: Row) -> str:
        """What the lab calls the operation that this row's PUT begins."""
        return "upgrade-pool" if "agentPools" in row.kind.path else _CHANGES[row.changes]

    def moment(self, row: Row) -> str:
        """When the row's call is made, for readers."""
        if row.kind.changes_cluster:
            return f"for {self.operation(row)}"
        passed = (*_CHANGES, *(f"upgrade-pool {number}" for number in range(1, self.pools + 1)))[: row.changes]
        return f"after {passed[-1]} was asked for" if passed else "before KMS is touched"

    @property
    def changes(self) -> dict[str, int]:
        """Each kind of operation that an undisturbed migration needs, and how many."""
        return dict.fromkeys(_CHANGES, 1) | ({"upgrade-pool": self.pools} if self.pools else {})


SCENES = (
    Scene("public", "A version that AKS no longer supports, and a public vault", {"access": "entra"}),
    Scene(
        "supported",
        "A supported version: the control plane goes first (what is asked beside the above)",
        {"access": "entra", "supported": True},
        pools=2,
    ),
    Scene("private", "A private vault (what is asked beside the above)", {"access": "entra", "key_vault": "private"}),
)
