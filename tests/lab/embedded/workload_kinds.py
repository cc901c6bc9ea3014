"""The kinds that an upgrade looks at: budgets, webhooks, volumes. They are kept and shown; nothing acts on them.

Sources: Kubernetes pkg/registry/{policy,admissionregistration,core/persistentvolume}/*/strategy.go, pkg/apis/*/v1
defaults.go and validation.go, 1.26.
"""

from __future__ import annotations

import re
from typing import Any

from tests.lab.embedded.faults import Cause, Json, UndecodableError
from tests.lab.embedded.resource import Resource

_OBJECT = frozenset({"kind", "apiVersion", "metadata"})
_SHARE = re.compile(r"[0-9]+%")
_BUDGET_STATUS = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}


def _settle_budget(obj: Json) -> None:
    obj["spec"] = dict(obj.get("spec") or {})
    obj["status"] = _BUDGET_STATUS | (obj.get("status") or {})


def _begin_budget(obj: Json) -> None:
    """A new one has no status but the controller's, and here none is at work."""
    obj["status"] = dict(_BUDGET_STATUS)


def _validate_budget(new: Json, old: Json | None) -> list[Cause]:
    spec = new["spec"]
    bounds = [name for name in ("minAvailable", "maxUnavailable") if spec.get(name) is not None]
    if len(bounds) == 2:
        text = "minAvailable and maxUnavailable cannot be both set"
        return [Cause.invalid("spec", "", text)]
    return [cause for name in bounds for cause in _bound(f"spec.{name}", spec[name])]


def _bound(path: str, value: Any) -> list[Cause]:
    if isinstance(value, str):
        text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
        text += "used for validation is '[0-9]+%')"
        return [] if _SHARE.fullmatch(value) else [Cause.invalid(path, value, text)]
    return [Cause.invalid(path, value, "must be greater than or equal to 0")] if value < 0 else []


def _settle_webhooks(obj: Json) -> None:
    hooks = obj.get("webhooks")
    if hooks is not None and not isinstance(hooks, list):
        raise UndecodableError("json: cannot unmarshal object into Go struct field .webhooks of type []v1.Webhook")
    if hooks:
        mutating = obj["kind"] == "MutatingWebhookConfiguration"
        obj["webhooks"] = [_with_defaults(hook, mutating) for hook in hooks]


def _with_defaults(hook: Json, mutating: bool) -> Json:
    config = dict(hook.get("clientConfig") or {})
    if config.get("service"):
        config["service"] = {"port": 443} | config["service"]
    defaults: Json = {
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
    }
    if mutating:
        defaults["reinvocationPolicy"] = "Never"
    rules = [{"scope": "*"} | rule for rule in hook.get("rules") or ()]
    return defaults | hook | {"clientConfig": config} | ({"rules": rules} if rules else {})


def _validate_webhooks(new: Json, old: Json | None) -> list[Cause]:
    causes: list[Cause] = []
    for index, hook in enumerate(new.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        if not hook.get("admissionReviewVersions"):
            causes.append(Cause.required(f"{path}.admissionReviewVersions", "must specify one of v1, v1beta1"))
        if len(str(hook.get("name", "")).split(".")) < 3:
            text = "should be a domain with at least three segments separated by dots"
            causes.append(Cause.invalid(f"{path}.name", hook.get("name", ""), text))
        if not hook.get("sideEffects"):
            causes.append(Cause.required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun"))
        config = hook["clientConfig"]
        if bool(config.get("url")) == bool(config.get("service")):
            causes.append(Cause.required(f"{path}.clientConfig", "exactly one of url or service is required"))
    return causes


def _settle_volume(obj: Json) -> None:
    obj["spec"] = {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"} | (obj.get("spec") or {})
    obj["status"] = {"phase": "Pending"} | (obj.get("status") or {})


def _validate_volume(new: Json, old: Json | None) -> list[Cause]:
    spec = new["spec"]
    causes = [Cause.required(f"spec.{name}") for name in ("accessModes", "capacity") if not spec.get(name)]
    sources = spec.keys() - _NO_SOURCE
    return causes if sources else [*causes, Cause.required("spec", "must specify a volume type")]


def _protect_volume(obj: Json) -> None:
    """StorageObjectInUseProtection."""
    finalizers = obj["metadata"].get("finalizers") or []
    obj["metadata"]["finalizers"] = [*finalizers, "kubernetes.io/pv-protection"]


_NO_SOURCE = {
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
    "storageClassName", "volumeMode",
}  # fmt: skip
POD_DISRUPTION_BUDGETS = Resource(
    "policy", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", True,
    _OBJECT | {"spec", "status"}, "/registry/poddisruptionbudgets/", ("pdb",), has_status=True,
    settle=_settle_budget, admit_new=_begin_budget, validate=_validate_budget,
)  # fmt: skip
MUTATING, VALIDATING = (
    Resource(
        "admissionregistration.k8s.io", f"{kind.lower()}s", kind.lower(), kind, False, _OBJECT | {"webhooks"},
        f"/registry/{kind.lower()}s/", settle=_settle_webhooks, validate=_validate_webhooks,
    )
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
)  # fmt: skip
PERSISTENT_VOLUMES = Resource(
    "", "persistentvolumes", "persistentvolume", "PersistentVolume", False, _OBJECT | {"spec", "status"},
    "/registry/persistentvolumes/", ("pv",), has_status=True,
    settle=_settle_volume, admit_new=_protect_volume, validate=_validate_volume,
)  # fmt: skip
