"""How many Secrets a pass met, by what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SecretCounts:
    """``total = rewritten + current + gone + failed``, always."""

    rewritten: int = 0
    current: int = 0
    gone: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.rewritten + self.current + self.gone + self.failed

    def over_rounds(self, rewritten: int) -> SecretCounts:
        """These counts of the newest round, with what other rounds of the same step in the same run rewrote.

        ``rewritten`` is then the number of rewritings, a Secret in two rounds counted twice; ``gone`` and ``failed``
        are those of the newest round; ``current`` is what is left of the Secrets that it met, never below 0.
        """
        return SecretCounts(self.rewritten + rewritten, max(0, self.current - rewritten), self.gone, self.failed)

    def to_document(self) -> dict[str, int]:
        return {
            "total": self.total,
            "rewritten": self.rewritten,
            "current": self.current,
            "gone": self.gone,
            "failed": self.failed,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SecretCounts:
        return cls(*(int(document[k]) for k in ("rewritten", "current", "gone", "failed")))
