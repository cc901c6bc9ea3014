"""Reads what a principal may do on a resource: role assignments, the roles themselves, deny assignments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from azext_kmsmigrate.arm.resource_manager import Json, Resources
from azext_kmsmigrate.checks.rights import Assignment, Denial, Grants, Permission
from azext_kmsmigrate.checks.topic import Unseen

VERSION = "2022-04-01"
_AUTHORIZATION = "Microsoft.Authorization"
_EVERYONE = "00000000-0000-0000-0000-000000000000"


def grants_on(resources: Resources, resource_id: str, principal: str) -> Grants | Unseen:
    """What the principal was given and denied on the resource and above it, its groups included."""
    base = f"{resource_id}/providers/{_AUTHORIZATION}"
    path, right = f"{base}/roleAssignments", f"{_AUTHORIZATION}/roleAssignments/read"
    listed = resources.listed(path, VERSION, right, **{"$filter": f"assignedTo('{principal}')"})
    if not isinstance(listed, tuple):
        return listed or Unseen("there is nothing to look for rights on")
    roles: dict[str, Json] = {}
    for document in listed:
        role_id = document["properties"]["roleDefinitionId"]
        if role_id in roles:
            continue
        found = resources.get(role_id, VERSION, f"{_AUTHORIZATION}/roleDefinitions/read")
        if isinstance(found, Unseen):
            return found
        roles[role_id] = found or {}
    path, right = f"{base}/denyAssignments", f"{_AUTHORIZATION}/denyAssignments/read"
    denials = resources.listed(path, VERSION, right, **{"$filter": "atScope()"})
    if isinstance(denials, Unseen):
        return denials
    return Grants(
        tuple(_assignment(d["properties"], roles[d["properties"]["roleDefinitionId"]]) for d in listed),
        tuple(_denial(d["properties"]) for d in denials or () if _concerns(d["properties"], principal, resource_id)),
    )


def permissions_of(documents: Iterable[Any]) -> tuple[Permission, ...]:
    """The ``permissions`` of a role, of a denial, or of a caller."""
    return tuple(
        Permission(
            tuple(d.get("actions") or ()),
            tuple(d.get("notActions") or ()),
            tuple(d.get("dataActions") or ()),
            tuple(d.get("notDataActions") or ()),
        )
        for d in documents
    )


def _assignment(properties: Json, role: Json) -> Assignment:
    known = role.get("properties") or {}
    name = known.get("roleName") or properties["roleDefinitionId"].rpartition("/")[2]
    permissions = permissions_of(known.get("permissions") or ())
    return Assignment(properties.get("scope") or "", name, permissions, _moment(properties.get("createdOn")))


def _denial(properties: Json) -> Denial:
    name = properties.get("denyAssignmentName") or ""
    return Denial(name, properties.get("scope") or "", permissions_of(properties.get("permissions") or ()))


def _concerns(properties: Json, principal: str, resource_id: str) -> bool:
    denied = {str(p.get("id") or "").lower() for p in properties.get("principals") or ()}
    spared = {str(p.get("id") or "").lower() for p in properties.get("excludePrincipals") or ()}
    here = str(properties.get("scope") or "").rstrip("/").lower() == resource_id.lower()
    return (
        bool(denied & {principal.lower(), _EVERYONE})
        and principal.lower() not in spared
        and (here or not properties.get("doNotApplyToChildScopes"))
    )


def _moment(text: str | None) -> datetime | None:
    """``2026-01-31T09:00:00.1234567Z``: Azure's seconds may have seven places, more than Python reads."""
    if not text:
        return None
    seconds = text.rstrip("Z").partition("+")[0].partition(".")[0]
    return datetime.fromisoformat(f"{seconds}+00:00")
