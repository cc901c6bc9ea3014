"""ObjectMeta: what a create fills in, what an update may not change, and which names and labels are legal."""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import datetime, timezone

from tests.lab.embedded.faults import Cause, Json, UndecodableError
from tests.lab.embedded.kinds import json_word
from tests.lab.embedded.resource import Resource

MAX_ANNOTATIONS = 256 * 1024
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start"
    " and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must"
    " start and end"
    " with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start"
    " and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used"
    " for validation"
    " is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with"
    " an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_FIELDS = frozenset(
    {"name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers", "uid"}
    | {"resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"}
    | {"deletionGracePeriodSeconds", "managedFields", "selfLink"}
)
_KEPT = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "uid")


def timestamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")


def unknown_fields(resource: Resource, obj: Json) -> list[str]:
    """Paths of the fields that the kind does not have, in the top level and the metadata."""
    unknown = [name for name in obj if name not in resource.fields]
    return unknown + [f"metadata.{name}" for name in obj.get("metadata") or {} if name not in _FIELDS]


def prune(resource: Resource, obj: Json) -> Json:
    """The object with known, non-empty fields only, in the API server's field order."""
    metadata = {name: value for name, value in (obj.get("metadata") or {}).items() if _carries(name, value)}
    for bag in ("labels", "annotations"):
        for value in metadata.get(bag, {}).values():
            if not isinstance(value, str):
                raise UndecodableError(
                    f"json: cannot unmarshal {json_word(value)} into Go struct field"
                    f" ObjectMeta.metadata.{bag}"
                    " of type string"
                )
    pruned: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    pruned.update(
        (name, obj[name]) for name in obj if name in resource.fields and name not in pruned and obj[name] is not None
    )
    return pruned


def _carries(name: str, value: object) -> bool:
    return name in _FIELDS and name != "selfLink" and value not in (None, "", {}, [])


def prepare_create(metadata: Json, namespace: str) -> None:
    for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
        metadata.pop(name, None)
    if not metadata.get("name") and metadata.get("generateName"):
        suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
        metadata["name"] = metadata["generateName"][:58] + suffix
    if namespace:
        metadata["namespace"] = namespace
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp()


def carry_over(new: Json, old: Json) -> None:
    """Give an updated object what no client may change."""
    for name in _KEPT:
        new.pop(name, None)
        if name in old:
            new[name] = old[name]
    for name in ("namespace", "generateName"):
        if name in old:
            new[name] = old[name]


def validate(resource: Resource, metadata: Json) -> list[Cause]:
    causes: list[Cause] = []
    name = metadata.get("name", "")
    pattern, text, limit = (_LABEL, _LABEL_TEXT, 63) if resource.label_names else (_SUBDOMAIN, _SUBDOMAIN_TEXT, 253)
    if not name:
        causes.append(Cause.required("metadata.name", "name or generateName is required"))
    elif len(name) > limit:
        causes.append(Cause.invalid("metadata.name", name, f"must be no more than {limit} characters"))
    elif resource.label_names and "." in name:
        causes.append(Cause.invalid("metadata.name", name, "must not contain dots"))
    elif not pattern.fullmatch(name):
        causes.append(Cause.invalid("metadata.name", name, text))
    annotations: dict[str, str] = metadata.get("annotations") or {}
    for key in annotations:
        causes += _bad_key("metadata.annotations", key.lower())
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MAX_ANNOTATIONS:
        causes.append(Cause.too_long("metadata.annotations", f"must have at most {MAX_ANNOTATIONS} bytes"))
    for key, value in (metadata.get("labels") or {}).items():
        causes += _bad_key("metadata.labels", key)
        if len(value) > 63:
            causes.append(Cause.invalid("metadata.labels", value, "must be no more than 63 characters"))
        elif value and not _QUALIFIED.fullmatch(value):
            causes.append(Cause.invalid("metadata.labels", value, _VALUE_TEXT))
    return causes


def _bad_key(path: str, key: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and not (prefix and _SUBDOMAIN.fullmatch(prefix)):
        return [Cause.invalid(path, key, f"prefix part {_SUBDOMAIN_TEXT}")]
    return [] if _QUALIFIED.fullmatch(name) and len(name) <= 63 else [Cause.invalid(path, key, _NAME_TEXT)]
