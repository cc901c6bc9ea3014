"""How an operation that was accepted ends when it cannot be done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class OperationFailed(Exception):
    """The operation ends Failed with this code and message."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"({self.code}) {self.message}"


def internal_error() -> OperationFailed:
    """All that AKS says when the reason is not one of its own."""
    return OperationFailed("InternalOperationError", "Internal server error")
