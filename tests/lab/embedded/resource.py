"""What a resource is to the stand-in: its place in the API and in etcd, and the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.embedded import faults
from tests.lab.embedded.faults import Cause, Json


def _nothing(obj: Json) -> None:
    return None


def _no_causes(new: Json, old: Json | None) -> list[Cause]:
    return []


@dataclass(frozen=True)
class Resource:
    """One resource: its place in the API and in etcd, and the rules of its kind.

    ``settle`` sets defaults and folds, or raises ``UndecodableError``; ``admit_new`` is what admission adds
    to a new object. ``validate`` gets the new object and, on an update, the old one.
    """

    group: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    fields: frozenset[str]
    etcd_prefix: str
    short: tuple[str, ...] = ()
    unconditional_update: bool = True
    create_on_update: bool = False
    has_status: bool = False
    label_names: bool = False
    settle: Callable[[Json], None] = _nothing
    admit_new: Callable[[Json], None] = _nothing
    validate: Callable[[Json, Json | None], list[Cause]] = _no_causes

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    def key(self, namespace: str, name: str) -> str:
        return f"{self.etcd_prefix}{namespace}/{name}" if self.namespaced else f"{self.etcd_prefix}{name}"

    def range(self, namespace: str) -> str:
        return f"{self.etcd_prefix}{namespace}/" if namespace else self.etcd_prefix

    def unreadable(self, why: str) -> faults.ApiError:
        """The 400 for a body that does not decode as this kind."""
        return faults.bad_request(f'{self.kind} in version "v1" cannot be handled as a {self.kind}: {why}')
