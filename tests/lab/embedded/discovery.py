"""What the stand-in says it serves: discovery, and as much OpenAPI as kubectl's validation asks for."""

from __future__ import annotations

from tests.lab.embedded import protobuf
from tests.lab.embedded.faults import Json
from tests.lab.embedded.kinds import RESOURCES
from tests.lab.embedded.resource import Resource

_VERBS = ["create", "delete", "get", "list", "patch", "update"]
_GROUPS = tuple(sorted({resource.group for resource in RESOURCES if resource.group} | {"authorization.k8s.io"}))
_ACCESS_REVIEW = {
    "name": "selfsubjectaccessreviews",
    "singularName": "",
    "namespaced": False,
    "kind": "SelfSubjectAccessReview",
    "verbs": ["create"],
}


def document(path: str, server: str) -> Json | None:
    """The discovery document at a path, or None; ``server`` is host:port as the client sees it."""
    parts = path.strip("/").split("/")
    if parts == ["api"]:
        address = {"clientCIDR": "0.0.0.0/0", "serverAddress": server}
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _GROUPS]}
    if parts == ["api", "v1"]:
        return _resources("", "v1")
    if parts[0] == "apis" and len(parts) > 1 and parts[1] in _GROUPS:
        if len(parts) == 2:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1])}
        if parts[2:] == ["v1"]:
            return _resources(parts[1], f"{parts[1]}/v1")
    if parts == ["openapi", "v3"]:
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=0"} for place in _places()}}
    if parts[:2] == ["openapi", "v3"]:
        return _openapi("/".join(parts[2:]))
    return None


def _group(name: str) -> Json:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str, group_version: str) -> Json:
    resources: list[Json] = []
    for resource in RESOURCES:
        if resource.group != group:
            continue
        entry = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": _VERBS,
        }
        resources.append(entry | {"shortNames": list(resource.short)} if resource.short else entry)
        if resource.has_status:
            status = {"name": f"{resource.plural}/status", "verbs": ["get", "patch", "update"]}
            resources.append(entry | status)
    if group == "authorization.k8s.io":
        resources.append(_ACCESS_REVIEW)
    head = {"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}
    return head if not group else head | {"apiVersion": "v1"}


def serves(path: str) -> bool:
    """Whether a path lies below a group and version that is served."""
    return any(path.strip("/").startswith(f"{place}/") for place in _places())


def openapi_v2() -> bytes:
    """The same in OpenAPI v2 and protobuf, for older kubectl."""
    paths: Json = {}
    for place in _places():
        paths |= _paths(place)
    return protobuf.openapi_v2(paths)


def _openapi(place: str) -> Json | None:
    """Only what kubectl reads: that each kind's PATCH knows the query parameter ``fieldValidation``."""
    paths = _paths(place)
    if not paths:
        return None
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "embedded"}, "paths": paths}


def _places() -> list[str]:
    return ["api/v1", *(f"apis/{name}/v1" for name in _GROUPS)]


def _paths(place: str) -> Json:
    served = [r for r in RESOURCES if place == (f"apis/{r.group}/v1" if r.group else "api/v1")]
    return {_item_path(place, resource): {"patch": _patch_operation(resource)} for resource in served}


def _item_path(place: str, resource: Resource) -> str:
    middle = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"/{place}{middle}/{resource.plural}/{{name}}"


def _patch_operation(resource: Resource) -> Json:
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": resource.group, "kind": resource.kind, "version": "v1"},
    }
