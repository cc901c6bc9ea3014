"""From a request's path and headers to what the registry does: the API server's resource endpoints."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.lab.embedded import faults, patches, protobuf
from tests.lab.embedded.faults import Cause, Json
from tests.lab.embedded.kinds import BY_PLACE, NAMESPACES, Resource
from tests.lab.embedded.messages import Caller, Request, Response
from tests.lab.embedded.registry import Intent, ListQuery, Registry, Target
from tests.lab.embedded.representations import render, wanted
from tests.lab.embedded.selection import selection

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OPTIONS = {
    "POST": "CreateOptions",
    "PUT": "UpdateOptions",
    "PATCH": "PatchOptions",
    "DELETE": "DeleteOptions",
}
_BODIES = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)


def target_of(path: str) -> Target | None:
    """The object or collection that a path names, or None when no resource of ours is there."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3 and parts[2] == "v1":
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    resource = BY_PLACE.get((group, rest[0])) if rest else None
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        return None
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and not (resource.has_status and subresource == "status"):
        return None
    if resource.namespaced and name and not namespace:
        return None
    return Target(resource, namespace, name, subresource)


def serve(registry: Registry, caller: Caller, target: Target, request: Request) -> Response:
    """Do what the request asks of the target; refusals are raised as ``ApiError``."""
    form = wanted(request.headers.get("accept", ""))
    _authorise(caller, target, request)
    status, document = _act(registry, target, request)
    return Response.of_json(status, render(form, target.resource, document))


def access_review(caller: Caller, request: Request) -> Json:
    """SelfSubjectAccessReview: an administrator may do everything, others nothing."""
    review = _document(request)
    spec = review.get("spec")
    if not isinstance(spec, dict) or ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause("FieldValueInvalid", "spec.resourceAttributes", f"Invalid value: null: {text}")
        raise faults.invalid("authorization.k8s.io", "SelfSubjectAccessReview", "", [cause])
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": {"allowed": caller.is_admin},
    }


def _act(registry: Registry, target: Target, request: Request) -> tuple[int, Json]:
    method, query = request.method, request.query
    if target.name:
        if method in ("GET", "HEAD"):
            return 200, registry.get(target)
        if method == "PUT":
            document, created = registry.replace(target, _document(request), _intent(request))
            return (201 if created else 200), document
        if method == "PATCH":
            return 200, _patch(registry, target, request)
        if method == "DELETE" and not target.subresource:
            options = _document(request) if request.body.strip() else {}
            return 200, registry.delete(target, options, _intent(request, options))
        raise faults.method_not_allowed()
    if method in ("GET", "HEAD"):
        return 200, registry.list(target, _list_query(target.resource, query))
    if method == "POST" and (target.namespace or not target.resource.namespaced):
        return 201, registry.create(target, _document(request), _intent(request))
    raise faults.method_not_allowed()


def _patch(registry: Registry, target: Target, request: Request) -> Json:
    if request.content_type not in patches.ACCEPTED:
        raise faults.unsupported_media_type(patches.ACCEPTED)
    document = _decoded(request)
    return registry.update(
        target, lambda current: patches.apply(request.content_type, current, document), _intent(request)
    )


def _list_query(resource: Resource, query: Any) -> ListQuery:
    chosen = selection(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    limit, revision = _number(query, "limit"), _number(query, "resourceVersion")
    token, match = query.get("continue", ""), query.get("resourceVersionMatch", "")
    if token and revision:
        raise faults.bad_request("specifying resource version is not allowed when using continue")
    exact = match == "Exact" or (not match and bool(limit) and bool(revision))
    return ListQuery(chosen, limit, token, revision, exact)


def _number(query: Any, name: str) -> int:
    text = query.get(name) or "0"
    if not text.isdigit():
        raise faults.bad_request(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def _intent(request: Request, options: Json | None = None) -> Intent:
    asked = [request.query["dryRun"]] if "dryRun" in request.query else (options or {}).get("dryRun") or []
    if any(value != "All" for value in asked):
        text = f'Unsupported value: "{asked[0]}": supported values: "All"'
        kind = _OPTIONS[request.method]
        raise faults.invalid("meta.k8s.io", kind, "", [Cause("FieldValueNotSupported", "dryRun", text)])
    agent = request.headers.get("user-agent", "").split("/")[0] or "unknown"
    manager = request.query.get("fieldManager") or agent
    return Intent(manager[:128], bool(asked), request.query.get("fieldValidation") == "Strict")


def _document(request: Request) -> Json:
    if request.content_type not in _BODIES:
        raise faults.unsupported_media_type(_BODIES)
    document = _decoded(request)
    if not isinstance(document, dict):
        text = "json: cannot unmarshal into Go value of type struct { APIVersion string; Kind string }"
        raise faults.bad_request(f"couldn't get version/kind; json parse error: {text}")
    return document


def _decoded(request: Request) -> Any:
    try:
        if request.content_type == protobuf.MEDIA_TYPE:
            return protobuf.decode(request.body)
        if request.content_type == "application/yaml":
            return yaml.safe_load(request.body)
        return json.loads(request.body)
    except (ValueError, yaml.YAMLError) as error:
        raise faults.bad_request(f"error decoding the body: {error}") from None


def _authorise(caller: Caller, target: Target, request: Request) -> None:
    if caller.is_admin:
        return
    resource = target.resource
    verb = _VERBS.get(request.method) or ("get" if target.name else "list")
    place = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    shown = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    why = f'User "{caller.name}" cannot {verb} resource "{shown}" in API group "{resource.group}" {place}'
    if resource is NAMESPACES and target.name:
        why = why.replace("at the cluster scope", f'in the namespace "{target.name}"')
    raise faults.forbidden(resource.group, resource.plural, target.name, why)
