"""A control plane that only remembers what it was asked."""

from __future__ import annotations

import threading
from typing import Any

from tests.lab.model import Endpoint


class RecordingPlane:
    """Implements ``tests.lab.controlplane.ports.Plane``; ``gate`` closed holds every call back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.budgets: list[dict[str, Any]] = []

    def endpoint(self) -> Endpoint:
        return Endpoint("https://127.0.0.1:6443", "CA", "CERT", "KEY")

    def set_kms(self, key_id: str | None) -> None:
        self._note("set_kms", key_id or "off")

    def upgrade(self, version: str) -> None:
        self._note("upgrade", version)

    def upgrade_pool(self, pool: str, version: str) -> None:
        self._note("upgrade_pool", pool, version)

    def disruption_budgets(self) -> list[dict[str, Any]]:
        return self.budgets

    def _note(self, *call: str) -> None:
        assert self.gate.wait(60)
        self.calls.append(call)
        if self.error is not None:
            raise self.error
