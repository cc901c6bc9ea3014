"""The canary on one connection of a proof: what an API server writes is asked before and after what it is shown.

A Secret that an API server finds current lies in the form that this server writes; which form that is, only the canary
tells. So the canary goes first on a connection, again when a second has gone by or the connection was made anew, and
last: a server that goes to another form and back escapes only between two of these looks.
"""

from __future__ import annotations

from azext_kmsmigrate.migration.secret import Patched, SecretRef
from azext_kmsmigrate.ports import Clock, Connection

EVERY = 1.0  # seconds


class Watch:
    """Of one connection, by the one thread that uses it. Without a canary it sees nothing and is never due."""

    def __init__(self, connection: Connection, canary: SecretRef | None, clock: Clock) -> None:
        self._connection, self._canary, self._clock = connection, canary, clock
        self._made, self._at = 0, 0.0

    @property
    def due(self) -> bool:
        """Whether the last look says nothing of the API server that would be asked now."""
        if self._canary is None:
            return False
        return self._connection.made != self._made or self._clock.monotonic() - self._at >= EVERY

    def look(self) -> SecretRef | None:
        """Patch the canary. Returned when it moved: this API server, or the last that it met, writes another form."""
        if self._canary is None:
            return None
        answer = self._connection.patch(self._canary.namespace, self._canary.name)
        self._made, self._at = self._connection.made, self._clock.monotonic()
        moved = isinstance(answer, Patched) and answer.resource_version != self._canary.resource_version
        return self._canary if moved else None
