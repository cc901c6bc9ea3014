"""In what form a client wants an object: as it is, as PartialObjectMetadata, or as a Table (kubectl get)."""

from __future__ import annotations

import enum
from datetime import datetime, timezone

from tests.lab.embedded import faults
from tests.lab.embedded.faults import Json
from tests.lab.embedded.resource import Resource

META_V1 = "meta.k8s.io/v1"
_SERVED = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_JSON = ("application/json", "application/*", "*/*")


class Form(enum.Enum):
    WHOLE = ""
    PARTIAL = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"
    TABLE = "Table"


def wanted(accept: str) -> Form:
    """The first acceptable clause of an Accept header, by quality; 406 when there is none."""
    clauses = []
    for text in (accept or "*/*").split(","):
        media, *parameters = (part.strip() for part in text.split(";"))
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        clauses.append((float(options.pop("q", "1")), media, options))
    for _, media, options in sorted(clauses, key=lambda clause: -clause[0]):
        if media not in _JSON:
            continue
        if "as" not in options:
            return Form.WHOLE
        known = [form for form in Form if form.value == options["as"]]
        if known and (options.get("g"), options.get("v")) == ("meta.k8s.io", "v1"):
            return known[0]
    raise faults.not_acceptable(_SERVED)


def render(form: Form, resource: Resource, document: Json) -> Json:
    """An object, a list or a Status in the wanted form."""
    kind = document.get("kind")
    if form is Form.WHOLE or kind == "Status":
        return document
    is_list = kind == resource.list_kind
    if form is Form.TABLE:
        return _table(resource, document, document["items"] if is_list else [document])
    if is_list != (form is Form.PARTIAL_LIST):
        asked, got = (form.value, f"a list (*core.{kind})") if is_list else (form.value, f"not a list (*core.{kind})")
        raise faults.ApiError(406, "NotAcceptable", f"you requested {asked}, but the requested object is {got}")
    if not is_list:
        return _partial(document)
    items = [_partial(item) for item in document["items"]]
    return {"kind": form.value, "apiVersion": META_V1, "metadata": document["metadata"], "items": items}


def _partial(obj: Json) -> Json:
    return {"kind": Form.PARTIAL.value, "apiVersion": META_V1, "metadata": obj["metadata"]}


def _table(resource: Resource, document: Json, objects: list[Json]) -> Json:
    metadata = document["metadata"]
    names = ("resourceVersion", "continue", "remainingItemCount")
    columns = [("Name", "string"), *((title, kind) for title, kind in _COLUMNS.get(resource.plural, ()))]
    rows = [{"cells": _cells(resource, obj), "object": _partial(obj)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": META_V1,
        "metadata": {name: metadata[name] for name in names if name in metadata},
        "columnDefinitions": [
            {"name": title, "type": kind, "format": "", "description": title, "priority": 0}
            for title, kind in [*columns, ("Age", "string")]
        ],
        "rows": rows,
    }


_COLUMNS = {
    "secrets": (("Type", "string"), ("Data", "integer")),
    "configmaps": (("Data", "integer"),),
    "namespaces": (("Status", "string"),),
    "nodes": (("Status", "string"), ("Version", "string")),
    "leases": (("Holder", "string"),),
}


def _cells(resource: Resource, obj: Json) -> list[object]:
    middle: dict[str, list[object]] = {
        "secrets": [obj.get("type", ""), len(obj.get("data") or {})],
        "configmaps": [len(obj.get("data") or {}) + len(obj.get("binaryData") or {})],
        "namespaces": [(obj.get("status") or {}).get("phase", "")],
        "nodes": [
            _readiness(obj),
            ((obj.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", ""),
        ],
        "leases": [(obj.get("spec") or {}).get("holderIdentity", "")],
    }
    return [obj["metadata"]["name"], *middle.get(resource.plural, []), _age(obj["metadata"])]


def _readiness(node: Json) -> str:
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Ready":
            return "Ready" if condition.get("status") == "True" else "NotReady"
    return "Unknown"


def _age(metadata: Json) -> str:
    born = datetime.strptime(metadata["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    seconds = max(0, int((datetime.now(timezone.utc) - born).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
