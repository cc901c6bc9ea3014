"""Which clusters are asked for, and what of that could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from azext_kmsmigrate.errors import KmsMigrateError


@dataclass(frozen=True)
class Scope:
    """Subscriptions by their ids, or management groups by their names; ``group``: that resource group in each only."""

    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Unread:
    """One thing that Azure did not show: a subscription, a management group, or a cluster that makes no sense."""

    resource_id: str
    error: KmsMigrateError

    @property
    def subscription(self) -> str:
        """Its id; empty for a management group."""
        return subscription_of(self.resource_id)


def subscription_of(resource_id: str) -> str:
    """The subscription that an id lies in, in lower case; empty for one that lies in none."""
    parts = resource_id.lower().split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else ""
