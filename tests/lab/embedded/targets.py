"""What a request is about: one object or collection, how a write is meant, and what a list asks for."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.embedded import faults
from tests.lab.embedded.faults import Cause, Json
from tests.lab.embedded.resource import Resource
from tests.lab.embedded.selection import Selection


@dataclass(frozen=True)
class Target:
    """One object or collection that a request names."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> str:
        return self.resource.key(self.namespace, self.name)

    def not_found(self) -> faults.ApiError:
        return faults.not_found(self.resource.group, self.resource.plural, self.name)

    def conflict(self, why: str = "") -> faults.ApiError:
        return faults.conflict(self.resource.group, self.resource.plural, self.name, why)

    def invalid(self, causes: list[Cause]) -> faults.ApiError:
        return faults.invalid(self.resource.group, self.resource.kind, self.name, causes)


@dataclass(frozen=True)
class Intent:
    """How a write was asked for."""

    manager: str
    dry_run: bool = False
    strict: bool = False
    patching: bool = False


@dataclass(frozen=True)
class ListQuery:
    """A list: ``revision`` as asked (0: newest), ``exact`` when no other snapshot will do."""

    selection: Selection
    limit: int = 0
    token: str = ""
    revision: int = 0
    exact: bool = False


def check_url(target: Target, metadata: Json) -> None:
    """The object of a PUT or PATCH names what the URL names."""
    name = metadata.get("name")
    if not name:
        raise faults.bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if name != target.name:
        raise faults.bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
    check_place(target, metadata)


def check_place(target: Target, metadata: Json) -> None:
    """The object names no other namespace than the URL."""
    if target.namespace and (metadata.get("namespace") or target.namespace) != target.namespace:
        raise faults.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_preconditions(target: Target, wanted: Json, metadata: Json) -> None:
    """The object to delete is still the one that the DeleteOptions mean."""
    for field, name, maybe in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        if wanted.get(field) and wanted[field] != metadata[field]:
            raise faults.conflict(
                target.resource.group,
                target.resource.kind,
                target.name,
                f"the {name} in the precondition ({wanted[field]}) does not match the {name} in record"
                f" ({metadata[field]}). The object might have been {maybe}",
            )
