"""Watches node pools while Azure moves them: what ARM shows of each, and no more requests than it can bear."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.migration.events import PoolProgress
from azext_kmsmigrate.migration.facts import NodePool
from azext_kmsmigrate.ports import Clock

LOOK_EVERY = 5.0  # seconds between two GETs of a cluster under way; the budget is 60 a minute


class PoolWatch:
    """The pools that are on their way. Only for showing: what cannot be read stays as it was seen last."""

    def __init__(self, look: Callable[[], tuple[NodePool, ...]], clock: Clock) -> None:
        self._look, self._clock = look, clock
        self._next = 0.0
        self._moving: dict[str, PoolProgress] = {}

    def now(self) -> tuple[PoolProgress, ...]:
        """The pools in Azure's order; a pool that has arrived stays in it."""
        if self._clock.monotonic() >= self._next:
            with suppress(KmsMigrateError):
                self._take_in(self._look())
            self._next = self._clock.monotonic() + LOOK_EVERY
        return tuple(self._moving.values())

    def _take_in(self, pools: tuple[NodePool, ...]) -> None:
        for pool in pools:
            arrived = pool.version == pool.wanted and pool.state in ("Succeeded", "Failed", "Canceled")
            if pool.version != pool.wanted or pool.name in self._moving:
                self._moving[pool.name] = PoolProgress(pool.name, pool.count, pool.state, arrived)
