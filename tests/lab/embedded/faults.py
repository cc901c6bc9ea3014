"""The API server's refusals: Status objects in Kubernetes' words (apimachinery pkg/api/errors)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A request refused: its HTTP code and its whole Status body."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": dict(metadata or {})}
        body |= {"status": "Failure", "message": message}
        if reason:
            body["reason"] = reason
        if details is not None:
            body["details"] = dict(details)
        self.body = body | {"code": code}


class UndecodableError(Exception):
    """A document is not of its kind: 400 for a whole object, 422 for one that a patch makes so."""


@dataclass(frozen=True)
class Cause:
    """One field that is wrong: reason as in metav1.CauseType, path and text as field.Error prints them."""

    reason: str
    field: str
    message: str

    @classmethod
    def invalid(cls, field: str, value: object, text: str) -> Cause:
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
        return cls("FieldValueInvalid", field, f"Invalid value: {shown}: {text}")

    @classmethod
    def required(cls, field: str, text: str = "") -> Cause:
        return cls("FieldValueRequired", field, f"Required value: {text}" if text else "Required value")

    @classmethod
    def forbidden(cls, field: str, text: str) -> Cause:
        return cls("FieldValueForbidden", field, f"Forbidden: {text}")

    @classmethod
    def too_long(cls, field: str, text: str) -> Cause:
        return cls("FieldValueTooLong", field, f"Too long: {text}")

    def as_json(self) -> Json:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def _details(group: str, kind: str, name: str = "") -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    return details | {"kind": kind} if kind else details


def _qualified(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> ApiError:
    message = f'{_qualified(group, resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(group, resource, name))


def already_exists(group: str, resource: str, name: str) -> ApiError:
    message = f'{_qualified(group, resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(group, resource, name))


def conflict(group: str, resource: str, name: str, why: str = "") -> ApiError:
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {_qualified(group, resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(group, resource, name))


def forbidden(group: str, resource: str, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    shown = f' "{name}"' if name else ""
    message = f"{_qualified(group, resource)}{shown} is forbidden: {why}"
    details = _details(group, resource, name)
    if causes:
        details["causes"] = [cause.as_json() for cause in causes]
    return ApiError(403, "Forbidden", message, details=details)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{_qualified(group, kind)} "{name}" is invalid: {said}'
    details = _details(group, kind, name) | {"causes": [cause.as_json() for cause in causes]}
    return ApiError(422, "Invalid", message, details=details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def plain(message: str) -> ApiError:
    """An error that no part of the API server gave a reason to."""
    return ApiError(500, "", message)


def not_found_here() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def undecodable_patch(document: object, why: str) -> ApiError:
    """What a patch makes is not of its kind: the answer quotes the whole object, Secret or not."""
    return invalid("", "", "", [Cause.invalid("patch", json.dumps(document, separators=(",", ":")), why)])


def internal(message: str) -> ApiError:
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details=details)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return ApiError(415, "UnsupportedMediaType", message)


def unsupported_patch_type() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    message = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(accepted)
    return ApiError(406, "NotAcceptable", message, details={})


def expired(new_continue: str) -> ApiError:
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can"
        " start a new list"
        " without the continue parameter, or use the continue token in this response to retrieve the"
        " remainder of"
        " the results. Continuing with the provided token results in an inconsistent list - objects"
        " that were"
        " created, modified, or deleted between the time the first chunk was returned and now may"
        " show up in the"
        " list."
    )
    return ApiError(410, "Expired", message, metadata={"continue": new_continue})


def compacted() -> ApiError:
    return ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")


def too_large_resource_version(asked: int, current: int) -> ApiError:
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(504, "Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1})


def denied_by_webhook(webhook: str, message: str) -> ApiError:
    return ApiError(403, "Forbidden", f'admission webhook "{webhook}" denied the request: {message}')
