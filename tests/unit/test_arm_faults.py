"""What the Azure SDK and az's sign-in raise, as catalogue entries."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import msal
import pytest
import requests
from azure.core import exceptions as sdk
from hypothesis import given
from hypothesis import strategies as st
from knack.util import CLIError
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, SSLError

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.faults import one_line, translate, translated, words_of
from azext_kmsmigrate.errors import AzureError, Conflict, Refused
from tests.unit.situations import NAME


def answer(status: int | None, code: str = "", message: str = "") -> Any:
    """A response of Azure, as far as an exception looks into it."""
    body = f'{{"error": {{"code": "{code}", "message": "{message}"}}}}' if code else ""
    parts: dict[str, Any] = {"reason": "Reason", "headers": {}, "request": None, "body": body.encode}
    return SimpleNamespace(status_code=status, text=lambda encoding=None: body, **parts)


def _made(kind: Any) -> Exception:
    """An exception of the class, as the SDK makes it when no answer says more."""
    if kind is sdk.ODataV4Error:
        made = kind(answer(400, "BadRequest", "no"))
    elif kind in (sdk.StreamClosedError, sdk.StreamConsumedError, sdk.ResponseNotReadError):
        made = kind(answer(200))
    else:
        made = kind([] if kind is sdk.TooManyRedirectsError else "told by the SDK")
    assert isinstance(made, Exception)
    return made


# Every exception class of azure.core, and the entry it becomes when no status says more.
ENTRY_OF = {
    "AzureError": "KMSM201",
    "ClientAuthenticationError": "KMSM206",
    "DecodeError": "KMSM205",
    "HttpResponseError": "KMSM205",
    "IncompleteReadError": "KMSM205",
    "ODataV4Error": "KMSM201",
    "ResourceExistsError": "KMSM205",
    "ResourceModifiedError": "KMSM205",
    "ResourceNotFoundError": "KMSM205",
    "ResourceNotModifiedError": "KMSM205",
    "ResponseNotReadError": "KMSM201",
    "ServiceRequestError": "KMSM205",
    "ServiceRequestTimeoutError": "KMSM205",
    "ServiceResponseError": "KMSM205",
    "ServiceResponseTimeoutError": "KMSM205",
    "StreamClosedError": "KMSM201",
    "StreamConsumedError": "KMSM201",
    "TooManyRedirectsError": "KMSM205",
}
RAISED = {n: c for n, c in inspect.getmembers(sdk, inspect.isclass) if issubclass(c, sdk.AzureError)}


def test_every_exception_of_the_sdk_has_its_entry() -> None:
    assert sorted(RAISED) == sorted(ENTRY_OF)


@pytest.mark.parametrize("name", sorted(ENTRY_OF))
def test_an_exception_of_the_sdk_leaves_as_its_entry(name: str) -> None:
    with pytest.raises(errors.KmsMigrateError) as caught, translated("turning KMS off", NAME):
        raise _made(RAISED[name])
    assert caught.value.entry.code == ENTRY_OF[name]
    assert isinstance(caught.value, AzureError)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "KMSM201", AzureError),
        (401, "KMSM206", AzureError),
        (403, "KMSM204", AzureError),
        (404, "KMSM201", AzureError),
        (409, "KMSM203", Conflict),
        (412, "KMSM203", Conflict),
        (408, "KMSM205", AzureError),
        (429, "KMSM210", AzureError),
        (500, "KMSM208", AzureError),
        (503, "KMSM208", AzureError),
    ],
)
def test_the_status_of_an_answer_decides(status: int, code: str, kind: type[AzureError]) -> None:
    found = translate(sdk.HttpResponseError(response=answer(status, "Code", "message")), "turning KMS off", NAME)
    assert (found.entry.code, type(found)) == (code, kind)
    assert "Code" in found.what


def test_azures_own_words_are_kept_on_one_line() -> None:
    refused = sdk.HttpResponseError(response=answer(400, "InvalidParameter", "Vnet integration\\nshould be enabled."))
    assert words_of(refused) == ("InvalidParameter", "Vnet integration should be enabled")
    assert translate(refused, "turning KMS on", NAME).what == (
        "Azure refused turning KMS on: InvalidParameter: Vnet integration should be enabled."
    )


def test_a_sign_in_of_az_that_fails_is_told_as_that() -> None:
    with pytest.raises(AzureError, match="KMSM206"), translated("the API server", NAME):
        raise CLIError("AADSTS700082: the refresh token has expired")


def test_our_own_errors_pass_unchanged() -> None:
    with pytest.raises(Refused, match="KMSM502"), translated("anything", NAME):
        raise Refused(errors.DECLINED)


def test_a_bug_of_our_own_is_not_taken_for_azures() -> None:
    with pytest.raises(ZeroDivisionError), translated("anything", NAME):
        raise ZeroDivisionError


@given(st.text(alphabet="#v so[\n]ab.", max_size=40))
def test_one_line_cannot_speak_to_a_pipeline(text: str) -> None:
    found = one_line(text)
    assert "##" not in found
    assert "\n" not in found


def test_a_code_of_azure_cannot_speak_to_a_pipeline_either() -> None:
    code, _ = words_of(sdk.HttpResponseError(response=answer(400, "##vso[task.complete]", "no")))
    assert code == "#vso[task.complete]"


def test_one_line_has_an_end() -> None:
    assert len(one_line("x" * 10_000)) == 400


@pytest.mark.parametrize("kind", [ConnectTimeout, SSLError, RequestsConnectionError])
def test_a_sign_in_that_reaches_nobody_is_no_sign_in_that_is_refused(kind: Any) -> None:
    with pytest.raises(AzureError, match="KMSM205"), translated("reading", NAME):
        raise kind("no route")


def test_a_refused_sign_in_is_told_with_the_code_of_entra_id_and_no_more() -> None:
    text = "AADSTS700024: Client assertion is not within its valid time range. Current time: 2026-11-24T10:00:00Z"
    told = translate(CLIError(text), "reading", NAME)
    assert told.what == "The sign-in of az gave no token for reading (AADSTS700024)."
    assert "valid time" not in str(told)


class _NoEntra:
    """MSAL's HTTP client, where Entra ID cannot be reached, or something else answers in its place."""

    def __init__(self, said: Exception | str) -> None:
        self._said = said

    def get(self, *_: Any, **__: Any) -> Any:
        if isinstance(self._said, Exception):
            raise self._said
        return SimpleNamespace(status_code=200, text=self._said, headers={}, raise_for_status=lambda: None)


@pytest.mark.parametrize("said", [requests.ConnectionError("refused"), "<html>sign in to the network</html>", "{}"])
def test_an_entra_id_that_is_away_is_no_state_that_is_not_known(said: Exception | str) -> None:
    with pytest.raises(AzureError, match="KMSM205") as caught, translated("reading the cluster", NAME):
        msal.ConfidentialClientApplication(
            "id", client_credential="secret", authority="https://login.example.com/tenant", http_client=_NoEntra(said)
        ).acquire_token_for_client(["scope"])
    assert "html" not in str(caught.value)


def test_other_exceptions_are_let_through() -> None:
    with pytest.raises(ValueError, match="ours"), translated("reading the cluster", NAME):
        raise ValueError("ours")
