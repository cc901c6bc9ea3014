"""Reading and writing objects as an API server does: optimistic, admitted, stale data rewritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lab.embedded import faults, managed_fields, object_meta
from tests.lab.embedded.envelope import Chain, TransformError
from tests.lab.embedded.faults import Cause, Json, UndecodableError
from tests.lab.embedded.kinds import NAMESPACES, SECRETS
from tests.lab.embedded.resource import Resource
from tests.lab.embedded.selection import Continue
from tests.lab.embedded.store import CompactedError, FutureRevisionError, Store, StoredValue
from tests.lab.embedded.targets import Intent, ListQuery, Target, check_place, check_preconditions, check_url

_IMMORTAL = ("default", "kube-public", "kube-system")
# Refuses an update of (namespace, name) by raising; admission webhooks are the host's affair.
Admission = Callable[[Target], None]


@dataclass(frozen=True)
class _Current:
    obj: Json
    revision: int
    stale: bool


class Registry:
    def __init__(self, store: Store, chain: Chain, admission: Admission, cached_since: int | None = None) -> None:
        self._store = store
        self._cached_since = cached_since
        self._chain = chain
        self._admission = admission

    def get(self, target: Target) -> Json:
        return self._read(target).obj

    def list(self, target: Target, query: ListQuery) -> Json:
        """The list object; its items carry no kind, as the API server's typed lists do not."""
        resource, prefix = target.resource, target.resource.range(target.namespace)
        start, revision = "", query.revision if query.exact else 0
        if query.revision > self._store.revision:
            raise faults.too_large_resource_version(query.revision, self._store.revision)
        if query.token:
            token = Continue.decode(query.token)
            start, revision = prefix + token.start, max(token.revision, 0)
        items: list[Json] = []
        while True:
            try:
                page = self._store.page(
                    prefix,
                    start=start,
                    limit=max(query.limit - len(items), 0),
                    revision=revision,
                    cached_since=self._cached_since,
                )
            except CompactedError:
                if not query.token:
                    raise faults.compacted() from None
                raise faults.expired(Continue(-1, start[len(prefix) :]).encode()) from None
            except FutureRevisionError:
                raise faults.too_large_resource_version(revision, self._store.revision) from None
            revision = page.revision
            for stored in page.items:
                obj = self._decode_listed(resource, stored)
                if query.selection.takes(obj):
                    items.append(obj)
            remaining = page.count - len(page.items)
            if page.items:
                start = page.items[-1].key + "\0"
            if not remaining or len(items) >= query.limit:
                break
        metadata: Json = {"resourceVersion": str(revision)}
        if remaining:
            metadata["continue"] = Continue(revision, start[len(prefix) :]).encode()
            if query.selection.always:
                metadata["remainingItemCount"] = remaining
        return {
            "kind": resource.list_kind,
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": items,
        }

    def create(self, target: Target, body: Json, intent: Intent) -> Json:
        resource = target.resource
        try:
            obj = self._accepted(target, body, intent)
        except UndecodableError as error:
            raise resource.unreadable(str(error)) from error
        metadata = obj["metadata"]
        if metadata.get("resourceVersion"):
            raise faults.plain("resourceVersion should not be set on objects to be created")
        check_place(target, metadata)
        object_meta.prepare_create(metadata, target.namespace)
        try:
            resource.settle(obj)
        except UndecodableError as error:
            raise resource.unreadable(str(error)) from error
        named = Target(resource, target.namespace, metadata.get("name", ""))
        self._check_namespace(named)
        causes = object_meta.validate(resource, metadata) + resource.validate(obj, None)
        if causes:
            raise named.invalid(causes)
        managed_fields.track(obj, None, manager=intent.manager, api_version=resource.api_version)
        resource.admit_new(obj)
        if intent.dry_run:
            if self._store.get(named.key):
                raise faults.already_exists(resource.group, resource.plural, named.name)
            return obj
        revision = self._store.put(named.key, self._encode(named, obj), expected=0)
        if revision is None:
            raise faults.already_exists(resource.group, resource.plural, named.name)
        return _with_revision(obj, revision)

    def replace(self, target: Target, body: Json, intent: Intent) -> tuple[Json, bool]:
        """PUT: the stored object and whether it was created."""
        metadata = body.get("metadata")
        check_url(target, metadata if isinstance(metadata, dict) else {})
        if target.resource.create_on_update and not self._store.get(target.key):
            return self.create(Target(target.resource, target.namespace), body, intent), True
        try:
            return self._update(target, lambda _: body, intent), False
        except UndecodableError as error:
            raise target.resource.unreadable(str(error)) from error

    def patch(self, target: Target, change: Callable[[Json], Json], intent: Intent) -> Json:
        """PATCH: ``change`` makes the new object from the current one."""
        patched: Json = {}

        def keep(current: Json) -> Json:
            patched.clear()
            patched.update(change(current))
            check_url(target, patched["metadata"] if isinstance(patched.get("metadata"), dict) else {})
            return patched

        try:
            return self._update(target, keep, intent)
        except UndecodableError as error:
            raise faults.undecodable_patch(patched, str(error)) from error

    def _update(self, target: Target, change: Callable[[Json], Any], intent: Intent) -> Json:
        """Read, change, admit, write when different or stale; repeated while others write in between.

        ``change`` gets the current object and answers the whole new one; a resourceVersion in it that is not
        the current one is a conflict, and none means that any will do.
        """
        while True:
            current = self._read(target)
            new = self._changed(target, current, self._accepted(target, change(current.obj), intent), intent)
            self._admission(target)
            same = new == _without_revision(current.obj)
            if intent.dry_run or (same and not current.stale):
                return _with_revision(new, current.revision)
            if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
                revision = self._store.delete(target.key, expected=current.revision)
            else:
                revision = self._store.put(target.key, self._encode(target, new), expected=current.revision)
            if revision is not None:
                return _with_revision(new, revision)

    def delete(self, target: Target, options: Json, intent: Intent) -> Json:
        """The Status of a finished deletion, or the object that its finalizers keep."""
        wanted = options.get("preconditions") or {}
        while True:
            current = self._read(target)
            metadata = current.obj["metadata"]
            check_preconditions(target, wanted, metadata)
            kept = bool(metadata.get("finalizers")) or target.resource is NAMESPACES
            if target.resource is NAMESPACES and target.name in _IMMORTAL:
                raise faults.forbidden("", "namespaces", target.name, "this namespace may not be deleted")
            if intent.dry_run:
                return current.obj if kept else _deleted(target, metadata)
            if not kept:
                if self._store.delete(target.key, expected=current.revision) is not None:
                    return _deleted(target, metadata)
                continue
            if metadata.get("deletionTimestamp"):
                return current.obj
            leaving = _without_revision(current.obj)
            leaving["metadata"]["deletionTimestamp"] = object_meta.timestamp()
            if target.resource is NAMESPACES:
                leaving["status"] = {**leaving.get("status", {}), "phase": "Terminating"}
            else:
                leaving["metadata"]["deletionGracePeriodSeconds"] = 0
            revision = self._store.put(target.key, self._encode(target, leaving), expected=current.revision)
            if revision is not None:
                return _with_revision(leaving, revision)

    def _changed(self, target: Target, current: _Current, new: Json, intent: Intent) -> Json:
        """The object that an update would store: protected fields kept, validated, owners tracked."""
        resource, old = target.resource, current.obj
        metadata = new["metadata"]
        asked = metadata.pop("resourceVersion", None)
        if not asked and not resource.unconditional_update:
            text = "must be specified for an update"
            cause = Cause("FieldValueInvalid", "metadata.resourceVersion", f"Invalid value: 0x0: {text}")
            raise faults.invalid(resource.group, resource.plural, target.name, [cause])
        if asked and asked != old["metadata"]["resourceVersion"]:
            raise target.conflict()
        causes: list[Cause] = []
        uid = old["metadata"]["uid"]
        if metadata.get("uid", uid) != uid:
            if not intent.patching:
                raise target.conflict(
                    f"StorageError: invalid object, Code: 4, Key: {target.key}, ResourceVersion: 0,"
                    " AdditionalErrorMsg:"
                    f" Precondition failed: UID in precondition: {metadata['uid']}, UID in object"
                    f" meta: {uid}"
                )
            causes += [Cause.invalid("metadata.uid", metadata["uid"], "field is immutable")] * 2
        object_meta.carry_over(metadata, old["metadata"])
        if resource.has_status:
            kept = ("metadata", "spec") if target.subresource == "status" else ("status",)
            new |= {name: old[name] for name in kept if name in old}
            new["metadata"] = {k: v for k, v in new["metadata"].items() if k != "resourceVersion"}
        resource.settle(new)
        causes += object_meta.validate(resource, new["metadata"])
        causes += resource.validate(new, old)
        if causes:
            raise target.invalid(causes)
        managed_fields.track(
            new, old, manager=intent.manager, api_version=resource.api_version, subresource=target.subresource
        )
        return new

    def _accepted(self, target: Target, body: Any, intent: Intent) -> Json:
        """A request's object in canonical shape, or the refusal of what is not this kind."""
        resource = target.resource
        if not isinstance(body, dict) or not isinstance(body.get("metadata") or {}, dict):
            raise UndecodableError(f"json: cannot unmarshal into Go value of type {resource.kind}")
        if body.get("kind", resource.kind) != resource.kind or body.get("apiVersion", resource.api_version) != (
            resource.api_version
        ):
            kind, version = body.get("kind"), body.get("apiVersion")
            raise faults.bad_request(
                f'{kind} in version "{version}" cannot be handled as a {resource.kind}:'
                f" converting ({version}.{kind}) to (core.{resource.kind}): unknown conversion"
            )
        unknown = object_meta.unknown_fields(resource, body) if intent.strict else []
        if unknown:
            said = ", ".join(f'unknown field "{name}"' for name in unknown)
            raise UndecodableError(f"strict decoding error: {said}")
        return object_meta.prune(resource, body)

    def _check_namespace(self, target: Target) -> None:
        """NamespaceLifecycle: nothing new in a namespace that is not there or is going away."""
        if not target.resource.namespaced:
            return
        stored = self._store.get(NAMESPACES.key("", target.namespace))
        if stored is None:
            raise faults.not_found("", "namespaces", target.namespace)
        if json.loads(stored.value)["metadata"].get("deletionTimestamp"):
            going = f"namespace {target.namespace} is being terminated"
            raise faults.forbidden(
                target.resource.group,
                target.resource.plural,
                target.name,
                f"unable to create new content in namespace {target.namespace} because it is being terminated",
                [Cause("NamespaceTerminating", "metadata.namespace", going)],
            )

    def _read(self, target: Target) -> _Current:
        stored = self._store.get(target.key)
        if stored is None:
            raise target.not_found()
        try:
            plain, stale = self._open(target.resource, stored)
        except TransformError as error:
            raise faults.internal(str(error)) from error
        return _Current(_with_revision(json.loads(plain), stored.revision), stored.revision, stale)

    def _decode_listed(self, resource: Resource, stored: StoredValue) -> Json:
        try:
            plain, _ = self._open(resource, stored)
        except TransformError as error:
            raise faults.internal(f'unable to transform key "{stored.key}": {error}') from error
        obj = _with_revision(json.loads(plain), stored.revision)
        return {name: value for name, value in obj.items() if name not in ("kind", "apiVersion")}

    def _open(self, resource: Resource, stored: StoredValue) -> tuple[bytes, bool]:
        return self._chain.read(stored.value, stored.key) if resource is SECRETS else (stored.value, False)

    def _encode(self, target: Target, obj: Json) -> bytes:
        plain = json.dumps(_without_revision(obj), separators=(",", ":"), ensure_ascii=False).encode()
        if target.resource is not SECRETS:
            return plain
        try:
            return self._chain.write(plain, target.key)
        except TransformError as error:
            raise faults.internal(str(error)) from error


def _with_revision(obj: Json, revision: int) -> Json:
    metadata: Json = {}
    for name, value in obj["metadata"].items():
        metadata[name] = value
    metadata["resourceVersion"] = str(revision)
    return {**obj, "metadata": metadata}


def _without_revision(obj: Json) -> Json:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}


def _deleted(target: Target, metadata: Json) -> Json:
    details: Json = {"name": target.name}
    if target.resource.group:
        details["group"] = target.resource.group
    details |= {"kind": target.resource.plural, "uid": metadata["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
