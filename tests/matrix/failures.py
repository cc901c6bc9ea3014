"""The classes of failure, in the words of who fails: pure.

The classes are those of the failure catalogue of the services: what Azure Resource Manager, the AKS resource
provider, Entra ID, Key Vault and kube-apiserver answer, how a network fails under them, and how an operation ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.lab.azure.refusal import AksError, EntraError, ServiceError, VaultError
from tests.lab.azure.rules import operation_in_progress
from tests.lab.embedded import faults as kubernetes
from tests.matrix.calls import CHANGE, Kind, Row, Service

UNTOLD = "eyJVbnRvbGQ"  # stands in every answer of an API server; nobody may print or keep it
_FOREIGN = f"<!DOCTYPE html><html><title>Sign in to the network {UNTOLD}</title></html>"
_RETRY = {"Retry-After": "2"}
FOR_EVER = 0


@dataclass(frozen=True)
class Failure:
    """A column. ``times``: how many calls in a row, 0 for ever. ``operation``: how Azure ends what it accepted."""

    name: str
    happens_at: Callable[[Kind], bool]
    how: str = "answered"
    times: int = 1
    status: int = 0
    operation: str = ""

    def document(self, row: Row) -> dict[str, Any]:
        """What the hook is told."""
        found: dict[str, Any] = {
            "method": row.kind.method,
            "target": row.kind.pattern,
            "after": {"call": CHANGE.pattern, "count": row.changes},
            "times": self.times,
            "how": self.how,
        }
        if self.how == "foreign":
            return found | {"headers": {"Content-Type": "text/html"}, "body": _FOREIGN}
        if self.status:
            body, headers = _words(row.kind, self.status)
            found |= {"status": self.status, "headers": {"Content-Type": "application/json", **headers}}
            found |= {"body": json.dumps(body)}
        return found


def _words(kind: Kind, status: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The body of an error and its headers."""
    if kind.service is Service.KUBERNETES:
        return _status(kind, status), _RETRY if status in (429, 503) else {}
    refusal = {Service.ARM: _azure, Service.VAULT: _vault, Service.ENTRA: _entra}[kind.service](kind, status)
    return refusal.body(), dict(refusal.headers)


def _status(kind: Kind, status: int) -> dict[str, Any]:
    resource = next((part for part in reversed(kind.path.split("/")) if part.endswith("s")), "secrets")
    made = {
        401: kubernetes.unauthorized(),
        403: kubernetes.forbidden("", resource, "", f'User "{UNTOLD}" cannot {kind.method.lower()} it'),
        404: kubernetes.not_found("", resource, UNTOLD),
        409: kubernetes.conflict("", resource, UNTOLD),
        410: kubernetes.compacted(),
        422: kubernetes.invalid("", "Secret", UNTOLD, [kubernetes.Cause.invalid("data[key]", UNTOLD, "too short")]),
        429: kubernetes.ApiError(429, "TooManyRequests", "Too many requests, please try again later.", details={}),
        500: kubernetes.plain("etcdserver: request timed out"),
        503: kubernetes.ApiError(503, "ServiceUnavailable", f"apiserver is shutting down. {UNTOLD}", details={}),
        504: kubernetes.ApiError(504, "Timeout", "request did not complete within the allotted timeout", details={}),
    }[status]
    return made.body


def _azure(kind: Kind, status: int) -> ServiceError:
    if status == 409:
        return operation_in_progress("Updating")
    if status == 412:
        return AksError(412, "EtagMismatch", "rpc error: code = FailedPrecondition desc = Etag mismatched")
    if status == 429:
        return AksError(429, "Throttled", "The request limit has been exceeded. See aka.ms/aks/throttling", _RETRY)
    code, message = {
        400: ("BadRequest", "The request is not valid."),
        401: ("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."),
        403: ("AuthorizationFailed", "The client does not have authorization to perform action over scope."),
        404: ("NotFound", "The entity was not found."),
        500: ("InternalServerError", "Encountered internal server error."),
        503: ("ServiceUnavailable", "The service is unavailable now, please retry later."),
        504: ("GatewayTimeout", "The gateway did not receive a response within the specified time period."),
    }[status]
    return ServiceError(status, code, message)


def _vault(kind: Kind, status: int) -> ServiceError:
    inner = {403: "ForbiddenByFirewall", 404: "KeyNotFound", 429: "Throttled"}.get(status, "")
    code = {403: "Forbidden", 404: "KeyNotFound"}.get(status, "InternalError")
    return VaultError(status, code, "No.", _RETRY if status == 429 else {}, inner=inner)


def _entra(kind: Kind, status: int) -> ServiceError:
    if status == 429:
        return EntraError(429, "temporarily_unavailable", "Too many requests.", _RETRY, number=90055)
    if status >= 500:
        return EntraError(status, "temporarily_unavailable", "The service is temporarily unavailable.", number=90033)
    return EntraError(401, "invalid_client", "The provided client secret keys are expired.", number=7000222)


def _everywhere(kind: Kind) -> bool:
    return True


def _moving(kind: Kind) -> bool:
    """What moves a migration on, and what it cannot do a step without."""
    return kind.writes or kind.of_cluster or kind.service is Service.ENTRA


def _central(kind: Kind) -> bool:
    """The same, and what else is asked about the tool's own objects."""
    return _moving(kind) or "/kube-system" in kind.path


def _writing(kind: Kind) -> bool:
    return kind.writes


def _connecting(kind: Kind) -> bool:
    """What a connection is made for in the first place; a certificate is not looked at again later."""
    return kind.service is Service.ENTRA or (kind.method == "GET" and kind.of_cluster) or kind.path.endswith("/secrets")


def _limited(kind: Kind) -> bool:
    return kind.changes_cluster or kind.polls or kind.method == "PATCH" or kind.service is Service.ENTRA


def _named(kind: Kind) -> bool:
    return kind.service in (Service.ARM, Service.KUBERNETES) and not kind.path.endswith("reviews")


def _permitted(kind: Kind) -> bool:
    return kind.service is not Service.ENTRA


def _written(kind: Kind) -> bool:
    return kind.service is Service.KUBERNETES and kind.writes


def _conflicting(kind: Kind) -> bool:
    return kind.changes_cluster or (_written(kind) and kind.method in ("POST", "PUT", "PATCH"))


def _changing(kind: Kind) -> bool:
    return kind.changes_cluster


def _listing(kind: Kind) -> bool:
    return kind.lists


FAILURES: tuple[Failure, ...] = (
    Failure("refused", _writing, "refused"),
    Failure("refused ∞", _everywhere, "refused", FOR_EVER),
    Failure("TLS ∞", _connecting, "untrusted", FOR_EVER),
    Failure("lost", _central, "lost"),
    Failure("late", _moving, "late"),
    Failure("429", _central, status=429),
    Failure("429 ∞", _limited, times=FOR_EVER, status=429),
    Failure("500", _moving, status=500),
    Failure("503 x5", _moving, times=5, status=503),
    Failure("503 ∞", _central, times=FOR_EVER, status=503),
    Failure("504 done", _writing, "answered-late", status=504),
    Failure("401", _central, status=401),
    Failure("401 ∞", _moving, times=FOR_EVER, status=401),
    Failure("403 ∞", _permitted, times=FOR_EVER, status=403),
    Failure("404", _named, status=404),
    Failure("409", _conflicting, status=409),
    Failure("409 ∞", _conflicting, times=FOR_EVER, status=409),
    Failure("410", _listing, status=410),
    Failure("412", _changing, status=412),
    Failure("422 ∞", _written, times=FOR_EVER, status=422),
    Failure("foreign", _everywhere, "foreign"),
    Failure("half", _moving, "half"),
    Failure("Failed", _changing, operation="failed-before-effect"),
    Failure("Failed, done", _changing, operation="failed-after-effect"),
    Failure("Canceled", _changing, operation="canceled"),
    Failure("preempted", _changing, operation="preempted"),
)
