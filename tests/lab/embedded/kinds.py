"""The resources that the stand-in serves, and what the objects of those it keeps itself may look like.

Sources: Kubernetes pkg/registry/*/strategy.go and pkg/apis/core/validation/validation.go, 1.26.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime, timezone
from typing import Any

from tests.lab.embedded.faults import Cause, Json, UndecodableError
from tests.lab.embedded.resource import Resource
from tests.lab.embedded.workload_kinds import MUTATING, PERSISTENT_VOLUMES, POD_DISRUPTION_BUDGETS, VALIDATING

MAX_SECRET_SIZE = 1 << 20
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_DATA_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', "
    " or 'KEY_NAME',"
    "  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_SET = "field is immutable when `immutable` is set"


def _settle_secret(obj: Json) -> None:
    data: dict[str, Any] = dict(obj.get("data") or {})
    for key, value in data.items():
        if value is not None and not isinstance(value, str):
            raise UndecodableError(
                f"json: cannot unmarshal {json_word(value)} into Go struct field Secret.data of type []uint8"
            )
        data[key] = _canonical(value or "")
    strings = obj.pop("stringData", None) or {}
    for key, value in strings.items():
        if not isinstance(value, str):
            raise UndecodableError(
                f"json: cannot unmarshal {json_word(value)} into Go struct field Secret.stringData of type string"
            )
        data[key] = base64.b64encode(value.encode()).decode()
    obj.pop("data", None)
    if data:
        obj["data"] = dict(sorted(data.items()))
    obj["type"] = obj.get("type") or "Opaque"


def _canonical(value: str) -> str:
    """The value as Go would print it again after decoding; Go skips newlines and wants full padding."""
    text = value.replace("\n", "").replace("\r", "")
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise UndecodableError(f"illegal base64 data at input byte {_first_illegal(text)}") from None


def _first_illegal(text: str) -> int:
    for index, letter in enumerate(text):
        if not (letter.isascii() and (letter.isalnum() or letter in "+/")):
            return index
    return len(text) - len(text) % 4


def json_word(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    for known, word in ((str, "string"), (dict, "object"), (list, "array")):
        if isinstance(value, known):
            return word
    return "number"


def _validate_secret(new: Json, old: Json | None) -> list[Cause]:
    causes: list[Cause] = []
    if old is not None:
        if new["type"] != old["type"]:
            causes.append(Cause.invalid("type", new["type"], "field is immutable"))
        if old.get("immutable"):
            if not new.get("immutable"):
                causes.append(Cause.forbidden("immutable", _SET))
            if (new.get("data") or {}) != (old.get("data") or {}):
                causes.append(Cause.forbidden("data", _SET))
    data: dict[str, str] = new.get("data") or {}
    causes += [Cause.invalid(f"data[{key}]", key, _DATA_KEY_TEXT) for key in data if not _DATA_KEY.fullmatch(key)]
    if sum(_decoded_size(value) for value in data.values()) > MAX_SECRET_SIZE:
        causes.append(Cause.too_long("data", f"must have at most {MAX_SECRET_SIZE} bytes"))
    return causes + _typed_secret(new["type"], data, new["metadata"].get("annotations") or {})


def _typed_secret(kind: str, data: dict[str, str], annotations: dict[str, str]) -> list[Cause]:
    if kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        return [] if annotations.get(name) else [Cause.required(f"metadata.annotations[{name}]")]
    if kind in ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"):
        key = "." + kind.removeprefix("kubernetes.io/")
        if key not in data:
            return [Cause.required(f"data[{key}]")]
        try:
            json.loads(base64.b64decode(data[key]))
        except ValueError:
            text = "invalid character looking for beginning of value"
            return [Cause.invalid(f"data[{key}]", "<secret contents redacted>", text)]
        return []
    if kind == "kubernetes.io/basic-auth":
        missing = not {"username", "password"} & data.keys()
        return [Cause.required("data[username]"), Cause.required("data[password]")] if missing else []
    if kind == "kubernetes.io/ssh-auth":
        return [] if data.get("ssh-privatekey") else [Cause.required("data[ssh-privatekey]")]
    if kind == "kubernetes.io/tls":
        return [Cause.required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
    return []


def _decoded_size(value: str) -> int:
    return len(value) // 4 * 3 - value.count("=", -2)


def _settle_config_map(obj: Json) -> None:
    for value in (obj.get("data") or {}).values():
        if not isinstance(value, str):
            raise UndecodableError(
                f"json: cannot unmarshal {json_word(value)} into Go struct field ConfigMap.data of type string"
            )
    for bag in ("data", "binaryData"):
        if bag in obj and not obj[bag]:
            del obj[bag]


def _validate_config_map(new: Json, old: Json | None) -> list[Cause]:
    causes: list[Cause] = []
    if old is not None and old.get("immutable"):
        if not new.get("immutable"):
            causes.append(Cause.forbidden("immutable", _SET))
        causes += [Cause.forbidden(bag, _SET) for bag in ("data", "binaryData") if new.get(bag) != old.get(bag)]
    size = 0
    for bag in ("data", "binaryData"):
        for key, value in (new.get(bag) or {}).items():
            if not _DATA_KEY.fullmatch(key):
                causes.append(Cause.invalid(f"{bag}[{key}]", key, _DATA_KEY_TEXT))
            if bag == "data" and key in (new.get("binaryData") or {}):
                causes.append(Cause.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
            size += len(value.encode()) if bag == "data" else _decoded_size(value)
    if size > MAX_SECRET_SIZE:
        causes.append(Cause.too_long("[]", f"must have at most {MAX_SECRET_SIZE} bytes"))
    return causes


def _settle_lease(obj: Json) -> None:
    spec = {name: value for name, value in (obj.get("spec") or {}).items() if value is not None}
    for name in ("acquireTime", "renewTime"):
        if name in spec:
            spec[name] = _micro_time(spec[name])
    for name in ("leaseDurationSeconds", "leaseTransitions"):
        if name in spec and not isinstance(spec[name], int):
            raise UndecodableError(
                f"json: cannot unmarshal {json_word(spec[name])} into Go struct field LeaseSpec.spec.{name}"
                " of type int32"
            )
    obj["spec"] = spec


def _micro_time(value: object) -> str:
    """Go's RFC3339Micro: exactly six digits of a second; printed again in UTC."""
    if not (isinstance(value, str) and _MICRO_TIME.fullmatch(value)):
        layout = "2006-01-02T15:04:05.000000Z07:00"
        raise UndecodableError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "{layout}"')
    moment = datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _validate_lease(new: Json, old: Json | None) -> list[Cause]:
    spec = new["spec"]
    causes = []
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        path = "spec.leaseDurationSeconds"
        causes.append(Cause.invalid(path, spec["leaseDurationSeconds"], "must be greater than 0"))
    if (spec.get("leaseTransitions") or 0) < 0:
        path = "spec.leaseTransitions"
        causes.append(Cause.invalid(path, spec["leaseTransitions"], "must be greater than or equal to 0"))
    return causes


def _settle_namespace(obj: Json) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    if obj["metadata"].get("name"):
        labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj["spec"] = obj.get("spec") or {"finalizers": ["kubernetes"]}
    obj["status"] = obj.get("status") or {"phase": "Active"}


def _settle_node(obj: Json) -> None:
    obj["spec"] = obj.get("spec") or {}
    status = obj["status"] = dict(obj.get("status") or {})
    status["nodeInfo"] = dict.fromkeys(_NODE_INFO, "") | (status.get("nodeInfo") or {})
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    times = {"lastHeartbeatTime": None, "lastTransitionTime": None}
    if status.get("conditions"):
        status["conditions"] = [times | condition for condition in status["conditions"]]


def _taint(obj: Json) -> None:
    """TaintNodesByCondition: a new node is not ready until its controller says so."""
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    obj["spec"] = {**obj["spec"], "taints": [*obj["spec"].get("taints", ()), taint]}


_NODE_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
    "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip
_OBJECT = {"kind", "apiVersion", "metadata"}
SECRETS = Resource(
    "", "secrets", "secret", "Secret", True, frozenset(_OBJECT | {"data", "stringData", "type", "immutable"}),
    "/registry/secrets/", settle=_settle_secret, validate=_validate_secret,
)  # fmt: skip
CONFIG_MAPS = Resource(
    "", "configmaps", "configmap", "ConfigMap", True,
    frozenset(_OBJECT | {"data", "binaryData", "immutable"}), "/registry/configmaps/", ("cm",),
    settle=_settle_config_map, validate=_validate_config_map,
)  # fmt: skip
NAMESPACES = Resource(
    "", "namespaces", "namespace", "Namespace", False, frozenset(_OBJECT | {"spec", "status"}),
    "/registry/namespaces/", ("ns",), has_status=True, label_names=True, settle=_settle_namespace,
)  # fmt: skip
NODES = Resource(
    "", "nodes", "node", "Node", False, frozenset(_OBJECT | {"spec", "status"}),
    "/registry/minions/", ("no",), has_status=True, settle=_settle_node, admit_new=_taint,
)  # fmt: skip
LEASES = Resource(
    "coordination.k8s.io", "leases", "lease", "Lease", True, frozenset(_OBJECT | {"spec"}),
    "/registry/leases/", unconditional_update=False, create_on_update=True,
    settle=_settle_lease, validate=_validate_lease,
)  # fmt: skip

RESOURCES = (
    CONFIG_MAPS, NAMESPACES, NODES, PERSISTENT_VOLUMES, SECRETS, LEASES, POD_DISRUPTION_BUDGETS, MUTATING, VALIDATING,
)  # fmt: skip
BY_PLACE = {(resource.group, resource.plural): resource for resource in RESOURCES}
