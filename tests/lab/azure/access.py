"""What a role allows: Azure RBAC's own arithmetic, pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True)
class Permission:
    """One permission of a role definition; patterns may hold ``*``, which also stands for slashes."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: dict[str, list[str]]) -> Permission:
        names = ("actions", "notActions", "dataActions", "notDataActions")
        return cls(*(tuple(document.get(name) or ()) for name in names))

    def allows(self, action: str, *, data: bool = False) -> bool:
        given, taken = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return matches(given, action) and not matches(taken, action)

    def as_json(self) -> dict[str, list[str]]:
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }


@dataclass(frozen=True)
class Role:
    """A built-in role: its well-known id, its name, and what it allows."""

    id: str
    name: str
    description: str
    permission: Permission = field(default_factory=Permission)


def matches(patterns: Iterable[str], action: str) -> bool:
    return any(_compiled(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*"), re.IGNORECASE)
