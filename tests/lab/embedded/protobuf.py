"""As much protobuf as kubectl needs: bodies of the kinds that it creates, and OpenAPI v2 for its validation.

Field numbers: k8s.io/api and apimachinery generated.proto; github.com/google/gnostic-models OpenAPIv2.proto.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.lab.embedded.faults import Json

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


class _Field(NamedTuple):
    """``kind``: text, bytes, bool, a map of text or bytes, or a message with fields of its own."""

    name: str
    kind: str
    message: Mapping[int, _Field] | None = None


def _texts(*names: str) -> Mapping[int, _Field]:
    return {number: _Field(name, "text") for number, name in enumerate(names, 1)}


_META = {
    1: _Field("name", "text"),
    2: _Field("generateName", "text"),
    3: _Field("namespace", "text"),
    5: _Field("uid", "text"),
    6: _Field("resourceVersion", "text"),
    11: _Field("labels", "text-map"),
    12: _Field("annotations", "text-map"),
}
_METADATA = _Field("metadata", "message", _META)
_RESOURCE_NAMES = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_REVIEW = {
    1: _Field("resourceAttributes", "message", _texts(*_RESOURCE_NAMES)),
    2: _Field("nonResourceAttributes", "message", _texts("path", "verb")),
}
_KINDS: Mapping[str, Mapping[int, _Field]] = {
    "Secret": {
        1: _METADATA,
        2: _Field("data", "bytes-map"),
        3: _Field("type", "text"),
        4: _Field("stringData", "text-map"),
        5: _Field("immutable", "bool"),
    },
    "ConfigMap": {
        1: _METADATA,
        2: _Field("data", "text-map"),
        3: _Field("binaryData", "bytes-map"),
        4: _Field("immutable", "bool"),
    },
    "Namespace": {1: _METADATA},
    "SelfSubjectAccessReview": {1: _METADATA, 2: _Field("spec", "message", _REVIEW)},
    "DeleteOptions": {},
}


def decode(body: bytes) -> Json:
    """A request's object as JSON; ``ValueError`` for a kind or a body that is not understood."""
    if not body.startswith(_MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message")
    unknown = dict(_fields(body[len(_MAGIC) :]))
    type_meta = _message(unknown[1], _texts("apiVersion", "kind"))
    kind = type_meta.get("kind", "")
    if kind not in _KINDS:
        raise ValueError(f"no protobuf for kind {kind}")
    return type_meta | _message(unknown.get(2, b""), _KINDS[kind])


def _message(data: bytes | int, known: Mapping[int, _Field]) -> Json:
    found: Json = {}
    for number, value in _fields(data if isinstance(data, bytes) else b""):
        field = known.get(number)
        if field is None:
            continue
        if field.kind.endswith("-map") and isinstance(value, bytes):
            entry = dict(_fields(value))
            key, item = _text(entry.get(1, b"")), entry.get(2, b"")
            found.setdefault(field.name, {})[key] = _text(item) if field.kind == "text-map" else _base64(item)
        elif field.message is not None:
            found[field.name] = _message(value, field.message)
        elif field.kind == "bool":
            found[field.name] = bool(value)
        elif value:
            found[field.name] = _text(value)
    return found


def _text(value: bytes | int) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _base64(value: bytes | int) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else b"").decode()


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        if tag & 7 == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
        elif tag & 7 == 2:
            size, position = _varint(data, position)
            yield tag >> 3, data[position : position + size]
            position += size
        else:
            raise ValueError(f"wire type {tag & 7} is not in these messages")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise ValueError("unexpected EOF")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def openapi_v2(patches: Mapping[str, Any]) -> bytes:
    """An OpenAPI v2 document of PATCH operations: path to an operation as in the OpenAPI v3 document."""
    items = b"".join(
        _write(2, _write(1, path.encode()) + _write(2, _write(8, _operation(item["patch"]))))
        for path, item in patches.items()
    )
    return _write(1, b"2.0") + _write(8, items)


def _operation(operation: Mapping[str, Any]) -> bytes:
    parameters = b""
    for parameter in operation["parameters"]:
        query = _write(2, b"query") + _write(4, parameter["name"].encode())
        parameters += _write(8, _write(1, _write(2, _write(3, query))))
    kind = operation["x-kubernetes-group-version-kind"]
    yaml = "".join(f'{name}: "{value}"\n' for name, value in kind.items()).encode()
    extension = _write(1, b"x-kubernetes-group-version-kind") + _write(2, _write(2, yaml))
    return parameters + _write(13, extension)


def _write(number: int, payload: bytes) -> bytes:
    return _encode(number << 3 | 2) + _encode(len(payload)) + payload


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
