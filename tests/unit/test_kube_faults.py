"""Error answers of the API server, reduced to a class and a name. No body survives."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.kube.faults import failure_of, no_answer
from azext_kmsmigrate.migration.secret import Failure, FailureClass

VALUE, ENCODED = "hunter2-the-password", "aHVudGVyMi10aGUtcGFzc3dvcmQ="


def status(code: int, message: str, reason: str = "", **more: object) -> bytes:
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code}
        | more
    ).encode()


# (what, HTTP status, body, class, detail): texts as kube-apiserver 1.26 to 1.34 gives them.
ANSWERS: list[tuple[str, int, bytes, FailureClass, str]] = [
    (
        "a webhook denies",
        403,
        status(403, f'admission webhook "deny.example.com" denied the request: value {VALUE} is weak', "Forbidden"),
        FailureClass.ADMISSION_DENIED,
        "webhook deny.example.com",
    ),
    (
        "a webhook denies with 400",
        400,
        status(400, f'admission webhook "kyverno.svc-fail" denied the request: {ENCODED}', "BadRequest"),
        FailureClass.ADMISSION_DENIED,
        "webhook kyverno.svc-fail",
    ),
    (
        "a policy denies",
        422,
        status(
            422,
            "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'no-secrets' with binding 'b' denied request: "
            + VALUE,
            "Invalid",
        ),
        FailureClass.ADMISSION_DENIED,
        "policy no-secrets",
    ),
    (
        "a webhook is down",
        500,
        status(
            500,
            'Internal error occurred: failed calling webhook "down.example.com": failed to call webhook: Post '
            f'"https://x.y.svc:443/?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused {VALUE}',
            "InternalError",
        ),
        FailureClass.WEBHOOK_DOWN,
        "webhook down.example.com cannot be called",
    ),
    (
        "a webhook that takes no part in dry runs",
        400,
        status(400, 'admission webhook "old.example.com" does not support dry run', "BadRequest"),
        FailureClass.DRY_RUN_UNSUPPORTED,
        "webhook old.example.com takes no part in dry runs",
    ),
    (
        "RBAC",
        403,
        status(403, 'secrets "s" is forbidden: User "x" cannot patch resource "secrets"', "Forbidden"),
        FailureClass.FORBIDDEN,
        "HTTP 403",
    ),
    ("no sign-in", 401, status(401, "Unauthorized", "Unauthorized"), FailureClass.UNAUTHORIZED, "HTTP 401"),
    (
        "validation",
        422,
        status(
            422,
            f'Secret "s" is invalid: data[tls.key]: Required value {ENCODED}',
            "Invalid",
            details={"causes": [{"field": "data[tls.key]", "message": VALUE}, {"field": f"data {VALUE}"}]},
        ),
        FailureClass.INVALID,
        "data[tls.key]",
    ),
    (
        "a patch that fails to decode quotes the object",
        422,
        status(422, f'Invalid value: "{{\\"data\\":{{\\"p\\":\\"{ENCODED}\\"}}}}"', "Invalid"),
        FailureClass.INVALID,
        "no field named",
    ),
    (
        "no reader",
        500,
        status(500, "Internal error occurred: no matching prefix found", "InternalError"),
        FailureClass.UNDECRYPTABLE,
        "the API server has no key for it",
    ),
    (
        "plain text expected",
        500,
        status(500, "Internal error occurred: identity transformer tried to read encrypted data", "InternalError"),
        FailureClass.UNDECRYPTABLE,
        "the API server has no key for it",
    ),
    (
        "another key",
        500,
        status(500, "Internal error occurred: cipher: message authentication failed", "InternalError"),
        FailureClass.UNDECRYPTABLE,
        "the API server has no key for it",
    ),
    (
        "the vault refuses, which may pass",
        500,
        status(
            500,
            'Internal error occurred: unable to transform key "/registry/secrets/shop/db": failed to decrypt DEK, '
            "error: rpc error: code = Unknown desc = Operation decrypt is not allowed on a disabled key",
            "InternalError",
        ),
        FailureClass.KEY_UNAVAILABLE,
        "Key Vault did not decrypt it",
    ),
    (
        "KMS v2 has lost its Status",
        500,
        status(
            500,
            'Internal error occurred: encryptedDEKSource with keyID hash "sha256:ab" expired at 2026-01-31 '
            "(current time is 2026-01-31), unable to transform key",
            "InternalError",
        ),
        FailureClass.TRANSIENT,
        "HTTP 500",
    ),
    (
        "KMS v2 is not primed",
        500,
        status(500, "Internal error occurred: got unexpected nil transformer", "InternalError"),
        FailureClass.TRANSIENT,
        "HTTP 500",
    ),
    (
        "etcd",
        500,
        status(500, "etcdserver: request timed out", "InternalError"),
        FailureClass.TRANSIENT,
        "HTTP 500",
    ),
    (
        "etcd has a new leader",
        500,
        status(500, "rpc error: unable to transform key: etcdserver: leader changed", "InternalError"),
        FailureClass.TRANSIENT,
        "HTTP 500",
    ),
    ("a conflict", 409, status(409, "the object has been modified", "Conflict"), FailureClass.TRANSIENT, "HTTP 409"),
    ("too large", 413, status(413, "etcdserver: request is too large"), FailureClass.TOO_LARGE, "HTTP 413"),
    ("throttled", 429, status(429, "Too many requests"), FailureClass.THROTTLED, "HTTP 429"),
    ("a gateway", 502, b"<html>bad gateway</html>", FailureClass.TRANSIENT, "HTTP 502"),
    ("a timeout", 504, status(504, "Timeout: request did not complete", "Timeout"), FailureClass.TIMED_OUT, "HTTP 504"),
    ("a redirect", 302, b"", FailureClass.UNEXPECTED, "HTTP 302"),
    ("bad request", 400, status(400, f"cannot be handled: {VALUE}"), FailureClass.UNEXPECTED, "HTTP 400"),
]


@pytest.mark.parametrize(
    ("code", "body", "kind", "detail"), [a[1:] for a in ANSWERS], ids=[a[0].replace(" ", "-") for a in ANSWERS]
)
def test_an_answer_becomes_a_class_and_a_name(code: int, body: bytes, kind: FailureClass, detail: str) -> None:
    found = failure_of(code, {}, body)
    assert (found.kind, found.detail) == (kind, detail)
    assert VALUE not in repr(found)
    assert ENCODED not in repr(found)


def test_a_page_that_cannot_be_read_names_the_secret() -> None:
    body = status(500, 'unable to transform key "/registry/secrets/shop/db-password": no matching prefix found')
    found = failure_of(500, {}, body)
    assert (found.kind, found.secret) == (FailureClass.UNDECRYPTABLE, "shop/db-password")


def test_an_expired_list_gives_the_token_to_go_on_with() -> None:
    body = status(410, "The provided continue parameter is too old", "Expired", metadata={"continue": "token"})
    assert failure_of(410, {}, body) == Failure(FailureClass.EXPIRED, token="token")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1.0),
        ("2.5", 2.5),
        ("86400", 60.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("", None),
    ],
)
def test_a_retry_after_is_read_when_it_can_be_waited_for(header: str, seconds: float | None) -> None:
    assert failure_of(429, {"Retry-After": header}, b"").retry_after == seconds


class ReadTimeoutError(Exception):
    """Named as urllib3 names it."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ReadTimeoutError(VALUE), FailureClass.TIMED_OUT),
        (ConnectionResetError(VALUE), FailureClass.TRANSIENT),
        (EOFError(VALUE), FailureClass.TRANSIENT),
    ],
)
def test_no_answer_is_a_failure_that_may_pass_without_the_exceptions_text(error: Exception, kind: FailureClass) -> None:
    found = no_answer(error)
    assert (found.kind, found.detail) == (kind, type(error).__name__)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    _JSON.map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda parts: json.dumps({"kind": "Status", **parts}).encode(),
        st.dictionaries(st.sampled_from(["message", "details", "metadata", "reason"]), _JSON, max_size=4),
    ),
)


@given(st.integers(300, 599), _BODIES, st.dictionaries(st.just("Retry-After"), st.text(max_size=6), max_size=1))
def test_no_body_breaks_the_reader(code: int, body: bytes, headers: dict[str, str]) -> None:
    assert isinstance(failure_of(code, headers, body), Failure)


@given(st.sampled_from(ANSWERS), st.sampled_from([VALUE, ENCODED]), st.data())
def test_no_value_in_a_body_survives(
    answer: tuple[str, int, bytes, FailureClass, str], value: str, data: st.DataObject
) -> None:
    """Wherever a server or a webhook quotes it: before, after or between the words of any answer."""
    _, code, body, _, _ = answer
    if not body.startswith(b"{"):
        return
    document = json.loads(body)
    words = document["message"].split(" ")
    place = data.draw(st.integers(0, len(words)))
    document["message"] = " ".join([*words[:place], f"value={value}", *words[place:]])
    document["details"] = {"causes": [{"field": f"value: {value}", "message": value, "reason": value}], "name": value}
    assert value not in repr(failure_of(code, {}, json.dumps(document).encode()))


@given(
    st.sampled_from(
        [
            'admission webhook "{}" denied the request: no',
            "ValidatingAdmissionPolicy '{}' with binding 'b' denied request: no",
            'failed calling webhook "{}": no',
        ]
    ),
    st.text(alphabet="#v so[]-.", min_size=1, max_size=20),
)
def test_a_name_cannot_speak_to_a_pipeline(message: str, name: str) -> None:
    assert "##" not in repr(failure_of(500, {}, status(500, message.format(name))))
