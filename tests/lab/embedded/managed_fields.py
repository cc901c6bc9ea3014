"""metadata.managedFields: who set which field, as the API server keeps it for updates (not for apply)."""

from __future__ import annotations

import json
from typing import Any

from tests.lab.embedded.faults import Json
from tests.lab.embedded.object_meta import timestamp

_Path = tuple[str, ...]
# Structs have no entry of their own in FieldsV1; maps have ".".
_STRUCTS: frozenset[_Path] = frozenset({(), ("metadata",), ("spec",), ("status",), ("status", "nodeInfo")})
_UNTRACKED = frozenset(
    {("kind",), ("apiVersion",), ("spec", "finalizers"), ("spec", "taints")}
    | {("metadata", name) for name in ("name", "namespace", "creationTimestamp", "uid", "generation")}
    | {("metadata", name) for name in ("managedFields", "resourceVersion", "selfLink")}
    | {("metadata", name) for name in ("deletionTimestamp", "deletionGracePeriodSeconds")}
)
_SETS = frozenset({("metadata", "finalizers")})


def track(new: Json, old: Json | None, *, manager: str, api_version: str, subresource: str = "") -> None:
    """Set ``new``'s managedFields from ``old``'s and what ``manager`` changed; no change moves nothing."""
    before = [] if old is None else list(old["metadata"].get("managedFields") or [])
    new["metadata"].pop("managedFields", None)
    leaves = _tracked(new, subresource)
    if old is None:
        _store(new, [_entry(manager, api_version, subresource, set(leaves))] if leaves else [])
        return
    known = _tracked(old, subresource)
    changed = {path for path, value in leaves.items() if path not in known or known[path] != value}
    touched = changed | (known.keys() - leaves.keys())
    if not touched or not before:
        _store(new, before)
        return
    entries: list[Json] = []
    own: set[_Path] = set()
    for entry in before:
        fields = _paths(entry.get("fieldsV1") or {}, known)
        mine = (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (
            manager,
            "Update",
            subresource,
        )
        if mine:
            own = fields
            unchanged = entry
            continue
        kept = fields - touched
        if kept == fields:
            entries.append(entry)
        elif kept:
            entries.append(entry | {"fieldsV1": _tree(kept)})
    owned = (own - touched) | changed
    if owned and owned == own and not changed:
        entries.append(unchanged)
    elif owned:
        entries.append(_entry(manager, api_version, subresource, owned))
    _store(new, entries)


def _store(obj: Json, entries: list[Json]) -> None:
    if entries:
        obj["metadata"]["managedFields"] = sorted(
            entries, key=lambda entry: (entry.get("operation"), entry.get("time", ""), entry.get("manager"))
        )


def _entry(manager: str, api_version: str, subresource: str, fields: set[_Path]) -> Json:
    entry: Json = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "time": timestamp(),
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(fields),
    }
    return entry | {"subresource": subresource} if subresource else entry


def _tracked(obj: Json, subresource: str) -> dict[_Path, Any]:
    """What a manager can own: the main resource resets the status, so nobody owns that through it."""
    leaves = _leaves(obj)
    if subresource == "status":
        return leaves
    return {path: value for path, value in leaves.items() if path[0] != "status"}


def _leaves(value: Any, path: _Path = ()) -> dict[_Path, Any]:
    if path in _UNTRACKED:
        return {}
    if path in _SETS:
        names = (".", *(f"v:{json.dumps(item)}" for item in value))
        return {(*path, name): None for name in names}
    if not isinstance(value, dict):
        return {path: value}
    found: dict[_Path, Any] = {} if path in _STRUCTS else {(*path, "."): None}
    for name, child in value.items():
        found |= _leaves(child, (*path, name))
    return found


def _tree(paths: set[_Path]) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        # A map that is owned without any of its keys is written as a leaf.
        alone = path[-1] == "." and not any(p[:-1] == path[:-1] and p != path for p in paths)
        node = tree
        for name in path[:-1] if alone else path:
            node = node.setdefault(name if name == "." or name.startswith("v:") else f"f:{name}", {})
    return tree


def _paths(tree: Json, known: dict[_Path, Any], path: _Path = ()) -> set[_Path]:
    if not tree:
        return {(*path, ".") if (*path, ".") in known else path} if path else set()
    found: set[_Path] = set()
    for name, child in tree.items():
        found |= _paths(child, known, (*path, name.removeprefix("f:")))
    return found
