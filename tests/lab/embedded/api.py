"""From a request's path and headers to what the registry does: the API server's resource endpoints."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.lab.embedded import faults, managed_fields, patches, protobuf
from tests.lab.embedded.faults import Cause, Json
from tests.lab.embedded.kinds import BY_PLACE, NAMESPACES
from tests.lab.embedded.messages import Caller, Request, Response
from tests.lab.embedded.registry import Registry
from tests.lab.embedded.representations import render, wanted
from tests.lab.embedded.resource import Resource
from tests.lab.embedded.selection import selection
from tests.lab.embedded.targets import Intent, ListQuery, Target

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
        cause = Cause.invalid("spec.resourceAttributes", "null", text)
        raise faults.invalid("authorization.k8s.io", "", "", [cause])
    answer: Json = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
    }
    managed_fields.track(answer, None, manager=_manager(request), api_version=answer["apiVersion"])
    return answer | {"status": {"allowed": caller.is_admin}}


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
        if query.get("watch", "") in ("1", "true"):
            raise faults.method_not_allowed()  # as discovery says: no kind here has the verb watch
        return 200, registry.list(target, _list_query(target.resource, query))
    if method == "POST" and (target.namespace or not target.resource.namespaced):
        return 201, registry.create(target, _document(request), _intent(request))
    raise faults.method_not_allowed()


def _patch(registry: Registry, target: Target, request: Request) -> Json:
    if request.content_type not in patches.ACCEPTED:
        raise faults.unsupported_patch_type()
    document = _decoded(request, "error decoding patch: ")
    return registry.patch(
        target, lambda current: patches.apply(request.content_type, current, document), _intent(request)
    )


def _list_query(resource: Resource, query: Any) -> ListQuery:
    chosen = selection(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    limit, asked = query.get("limit") or "0", query.get("resourceVersion") or "0"
    token, match = query.get("continue", ""), query.get("resourceVersionMatch", "")
    if not limit.isdigit():
        raise faults.bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
    if match and not query.get("resourceVersion"):
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        cause = Cause.forbidden("resourceVersionMatch", text)
        raise faults.invalid("meta.k8s.io", "ListOptions", "", [cause])
    if not asked.isdigit():
        text = f'strconv.ParseUint: parsing "{asked}": invalid syntax'
        raise faults.plain(f'resourceVersion: Invalid value: "{asked}": {text}')
    revision = int(asked)
    if token and revision:
        raise faults.bad_request("specifying resource version is not allowed when using continue")
    exact = match == "Exact" or (not match and limit != "0" and bool(revision))
    return ListQuery(chosen, int(limit), token, revision, exact)


def _intent(request: Request, options: Json | None = None) -> Intent:
    asked = [request.query["dryRun"]] if "dryRun" in request.query else (options or {}).get("dryRun") or []
    if any(value != "All" for value in asked):
        text = f'Unsupported value: []string{{"{asked[0]}"}}: supported values: "All"'
        kind = _OPTIONS[request.method]
        raise faults.invalid("meta.k8s.io", kind, "", [Cause("FieldValueNotSupported", "dryRun", text)])
    return Intent(
        _manager(request),
        bool(asked),
        request.query.get("fieldValidation") == "Strict",
        request.method == "PATCH",
    )


def _manager(request: Request) -> str:
    agent = request.headers.get("user-agent", "").split("/")[0] or "unknown"
    return (request.query.get("fieldManager") or agent)[:128]


def _document(request: Request) -> Json:
    if request.content_type not in _BODIES:
        raise faults.unsupported_media_type(_BODIES)
    before = "the object provided is unrecognized: couldn't get version/kind; json parse error: "
    document = _decoded(request, before)
    if not isinstance(document, dict):
        raise faults.bad_request(f"{before}json: cannot unmarshal array into Go value of type struct")
    return document


def _decoded(request: Request, before: str) -> Any:
    try:
        if request.content_type == protobuf.MEDIA_TYPE:
            return protobuf.decode(request.body)
        if request.content_type == "application/yaml":
            return yaml.safe_load(request.body)
        return json.loads(request.body)
    except (ValueError, yaml.YAMLError) as error:
        raise faults.bad_request(before + _parse_error(error)) from None


def _parse_error(error: Exception) -> str:
    """A JSON fault in the words of Go's encoding/json, as far as they can be told from Python's."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if error.pos >= len(error.doc):
        return "unexpected end of JSON input"
    place = "object key string" if "property name" in error.msg else "value"
    return f"invalid character '{error.doc[error.pos]}' looking for beginning of {place}"


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
