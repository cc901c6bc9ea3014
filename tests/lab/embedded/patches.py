"""Patches: JSON merge patch (RFC 7386), which also stands for strategic merge, and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

from tests.lab.embedded import faults
from tests.lab.embedded.faults import Json

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
ACCEPTED = (JSON_PATCH, MERGE, STRATEGIC)


def apply(content_type: str, obj: Json, patch: Any) -> Json:
    """The patched copy of ``obj``."""
    if content_type == JSON_PATCH:
        if not isinstance(patch, list):
            raise faults.bad_request(
                "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
            )
        return _json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise faults.bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    return merged(obj, patch)


def merged(target: Json, patch: Json) -> Json:
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result


def _json_patch(obj: Json, operations: list[Any]) -> Json:
    result = copy.deepcopy(obj)
    for operation in operations:
        kind, path = operation.get("op"), _pointer(operation.get("path", ""))
        try:
            if kind == "test":
                if _walk(result, path) != operation.get("value"):
                    raise _refused()
                continue
            if kind in ("copy", "move"):
                source = _pointer(operation["from"])
                value = copy.deepcopy(_walk(result, source))
                if kind == "move":
                    _remove(result, source)
            else:
                value = operation.get("value")
            if kind in ("remove", "replace"):
                _walk(result, path)
                _remove(result, path)
            if kind != "remove":
                _add(result, path, value)
        except (KeyError, IndexError, TypeError, ValueError):
            raise _refused() from None
    return result


def _refused() -> faults.ApiError:
    """Why it does not apply is not told."""
    message = "the server rejected our request due to an error in our request"
    return faults.ApiError(422, "Invalid", message, details={})


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _walk(node: Any, path: list[str]) -> Any:
    for part in path:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


def _remove(node: Any, path: list[str]) -> None:
    parent = _walk(node, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]


def _add(node: Any, path: list[str], value: Any) -> None:
    parent, last = _walk(node, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value
