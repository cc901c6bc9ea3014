"""Reads the API server's error answers, and drops them: what leaves here is a class and a name, never a body.

An error body may quote the whole object (``field.Invalid`` on a patch that fails to decode), and a webhook may quote
values, so nothing but the parts matched here is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from azext_kmsmigrate.migration.secret import Failure, FailureClass

# A name as the API server allows it: nothing in it can speak to a pipeline that reads the log (``##vso[``).
_DENIED = re.compile(r'admission webhook "([^"#]{1,253})" denied the request')
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^'#]{1,253})'")
_WEBHOOK_DOWN = re.compile(r'failed calling webhook "([^"#]{1,253})"')
_NO_DRY_RUN = re.compile(r'admission webhook "([^"#]{1,253})" does not support dry run')
_SECRET_KEY = re.compile(r"/registry/secrets/([a-z0-9.-]{1,253})/([a-z0-9.-]{1,253})")
_FIELD = re.compile(r"^[A-Za-z0-9_.\[\]/-]{1,100}$")

_LONGEST_WAIT = 60.0  # seconds; a server that asks for more is asked again all the same

# 500 answers that go away: a KMS v2 provider that has not yet had, or has just lost, a good Status.
_PASSING = ("expired at", "nil transformer", "etcdserver:", "leader changed")
_KMS_REFUSED = "rpc error:"  # of the KMS plugin, inside a failure to encrypt or decrypt
_LOST_KEY = (
    "unable to transform key",
    "no matching prefix found",
    "failed to decrypt",
    "identity transformer tried to read encrypted data",
    "cipher: message authentication failed",
)


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The class of an answer that was no success, and the name in it that a user can act on."""
    document = _status(body)
    message = str(document.get("message") or "")
    retry_after = _seconds(headers.get("Retry-After"))
    if found := _DENIED.search(message):
        return Failure(FailureClass.ADMISSION_DENIED, f"webhook {found[1]}")
    if found := _POLICY.search(message):
        return Failure(FailureClass.ADMISSION_DENIED, f"policy {found[1]}")
    if found := _WEBHOOK_DOWN.search(message):
        return Failure(FailureClass.WEBHOOK_DOWN, f"webhook {found[1]} cannot be called", retry_after)
    if found := _NO_DRY_RUN.search(message):
        return Failure(FailureClass.DRY_RUN_UNSUPPORTED, f"webhook {found[1]} takes no part in dry runs")
    if status == 410:
        return Failure(FailureClass.EXPIRED, token=str(_part(document, "metadata").get("continue") or ""))
    if status == 422:
        return Failure(FailureClass.INVALID, _fields(document))
    if status >= 500 and any(words in message for words in _LOST_KEY) and not _passing(message):
        found = _SECRET_KEY.search(message)
        secret = f"{found[1]}/{found[2]}" if found else ""
        if _KMS_REFUSED in message:
            return Failure(FailureClass.KEY_UNAVAILABLE, "Key Vault did not decrypt it", retry_after, secret=secret)
        return Failure(FailureClass.UNDECRYPTABLE, "the API server has no key for it", secret=secret)
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = FailureClass.TRANSIENT if status >= 500 else FailureClass.UNEXPECTED
    return Failure(kind, f"HTTP {status}", retry_after)


_BY_STATUS = {
    401: FailureClass.UNAUTHORIZED,
    403: FailureClass.FORBIDDEN,
    408: FailureClass.TIMED_OUT,
    409: FailureClass.TRANSIENT,
    413: FailureClass.TOO_LARGE,
    429: FailureClass.THROTTLED,
    504: FailureClass.TIMED_OUT,
}


def no_answer(error: Exception) -> Failure:
    """A request that got no answer, by the kind of exception; its text is dropped."""
    name = type(error).__name__
    return Failure(FailureClass.TIMED_OUT if "Timeout" in name else FailureClass.TRANSIENT, name)


def _passing(message: str) -> bool:
    return any(words in message for words in _PASSING)


def _status(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and document.get("kind") == "Status" else {}


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _fields(document: Mapping[str, Any]) -> str:
    causes = _part(document, "details").get("causes")
    fields = [str(c.get("field")) for c in causes if isinstance(c, dict)] if isinstance(causes, list) else []
    return ", ".join(f for f in fields if _FIELD.match(f)) or "no field named"


def _seconds(text: str | None) -> float | None:
    """A Retry-After that can be waited for; a date, or a number that makes no sense, counts as none."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return min(seconds, _LONGEST_WAIT) if 0 <= seconds < float("inf") else None
