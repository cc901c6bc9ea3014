"""Which objects a list means: label and field selectors, and the continue token."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.embedded import faults
from tests.lab.embedded.faults import Json
from tests.lab.embedded.resource import Resource

_Test = Callable[[dict[str, str]], bool]
_IN = re.compile(r"([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)")
_FIELDS: dict[str, Callable[[Json], str]] = {
    "metadata.name": lambda obj: str(obj["metadata"].get("name", "")),
    "metadata.namespace": lambda obj: str(obj["metadata"].get("namespace", "")),
    "type": lambda obj: str(obj.get("type", "")),
    "status.phase": lambda obj: str((obj.get("status") or {}).get("phase", "")),
}
_EXTRA = {"secrets": {"type"}, "namespaces": {"status.phase"}}


@dataclass(frozen=True)
class Selection:
    """Both selectors together; ``always`` is true when neither was given."""

    labels: tuple[_Test, ...] = ()
    fields: tuple[tuple[str, str, bool], ...] = ()

    @property
    def always(self) -> bool:
        return not self.labels and not self.fields

    def takes(self, obj: Json) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(test(labels) for test in self.labels) and all(
            (_FIELDS[name](obj) == value) is equal for name, value, equal in self.fields
        )


def selection(resource: Resource, label_selector: str, field_selector: str) -> Selection:
    labels = tuple(_label_test(part) for part in re.split(r",(?![^(]*\))", label_selector) if part.strip())
    fields = []
    for part in filter(None, field_selector.split(",")):
        matched = re.fullmatch(r"([^!=]+)(==|!=|=)(.*)", part)
        if not matched:
            raise faults.bad_request(f"invalid selector: '{field_selector}'; can't understand '{part}'")
        name, operator, value = matched.groups()
        if name not in {"metadata.name", "metadata.namespace"} | _EXTRA.get(resource.plural, set()):
            raise faults.bad_request(f"field label not supported: {name}")
        fields.append((name, value, operator != "!="))
    return Selection(labels, tuple(fields))


def _label_test(text: str) -> _Test:
    part = text.strip()
    listed = _IN.fullmatch(part)
    if listed:
        key, operator, values = listed.groups()
        chosen = {value.strip() for value in values.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in chosen
        return lambda labels: labels.get(key) not in chosen
    if re.search(r"\s", part) and not re.search(r"[!=]", part):
        raise faults.bad_request(f"unable to parse requirement: found '{part.split()[-1]}' expected: '('")
    if part.startswith("!"):
        return lambda labels: part[1:] not in labels
    for operator in ("!=", "==", "="):
        if operator in part:
            name, value = (side.strip() for side in part.split(operator, 1))
            if operator == "!=":
                return lambda labels: labels.get(name) != value
            return lambda labels: labels.get(name) == value
    return lambda labels: part in labels


@dataclass(frozen=True)
class Continue:
    """Where a paged list goes on: the key below the resource's range, and the snapshot (-1: now)."""

    revision: int
    start: str

    def encode(self) -> str:
        text = json.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.start}, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, token: str) -> Continue:
        try:
            fields = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            found = cls(int(fields["rv"]), str(fields["start"]))
            legal = fields["v"] == "meta.k8s.io/v1" and found.start and found.revision
        except (ValueError, KeyError, TypeError) as error:
            raise faults.bad_request(f"invalid continue token: continue key is not valid: {error}") from None
        if not legal or found.start.startswith("/") or "/../" in found.start:
            raise faults.bad_request("invalid continue token: continue key is not valid: incorrect encoded start key")
        return found
