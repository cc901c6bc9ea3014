"""What management locks forbid."""

from __future__ import annotations

from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources, within

LOCKS = "Microsoft.Authorization/locks"


class Locks:
    """The locks of the subscription, and their effect."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def scope_of(self, lock: Json) -> str:
        return str(lock["id"]).rpartition(f"/providers/{LOCKS}/")[0]

    def over(self, scope: str, *levels: str) -> list[str]:
        """The scopes of the locks that hold for a resource: its own and those above it."""
        return [place for place, level in self._all() if within(scope, place) and level in levels]

    def about(self, scope: str, *levels: str) -> list[str]:
        """As ``over``, and those below the scope as well."""
        below = [place for place, level in self._all() if within(place, scope) and level in levels]
        return list(dict.fromkeys([*self.over(scope, *levels), *below]))

    def check(self, scope: str, method: str) -> None:
        """Raise ``ScopeLocked`` when a lock is in the way: ReadOnly of every change, CanNotDelete of deleting."""
        verb = "delete" if method == "DELETE" else "write"
        held = self.over(scope, "ReadOnly", "CanNotDelete") if verb == "delete" else self.over(scope, "ReadOnly")
        if held:
            listed = ",".join(f"'{place}'" for place in held)
            raise ServiceError(
                409,
                "ScopeLocked",
                f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: "
                f"{listed}. Please remove the lock and try again.",
            )

    def _all(self) -> list[tuple[str, str]]:
        return [(self.scope_of(lock), lock["properties"]["level"]) for lock in self._resources.listed(LOCKS)]
