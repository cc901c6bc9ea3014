"""The vault as a KMS plugin sees it: over HTTPS, with a bearer token, real RSA, Key Vault's refusals."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.lab.azure.identity import ARM_AUDIENCES, VAULT_AUDIENCE
from tests.lab.azure.vault_keys import decode, encode
from tests.unit.lab.azure.conftest import Lab, LabFactory, token


def _plugin_token(lab: Lab, resource: str = VAULT_AUDIENCE) -> str:
    access = lab.azure.vault_access()
    return str(token(lab, access.client_id, access.client_secret, resource).json()["access_token"])


def _call(
    lab: Lab,
    operation: str,
    value: bytes = b"dek",
    *,
    alg: str = "RSA-OAEP-256",
    bearer: str | None = None,
    key_id: str | None = None,
) -> requests.Response:
    url = key_id or lab.azure.key_id()
    headers = {"Authorization": f"Bearer {_plugin_token(lab) if bearer is None else bearer}"}
    if operation == "get":
        return requests.get(f"{url}?api-version=7.4", headers=headers, verify=lab.ca_bundle, timeout=30)
    body = {"alg": alg, "value": encode(value)}
    return requests.post(
        f"{url}/{operation}?api-version=7.4", json=body, headers=headers, verify=lab.ca_bundle, timeout=30
    )


def _refusal(response: requests.Response) -> tuple[int, str, str]:
    error: dict[str, Any] = response.json()["error"]
    return response.status_code, error["code"], error.get("innererror", {}).get("code", "")


@pytest.mark.parametrize("alg", ["RSA1_5", "RSA-OAEP-256"])
def test_what_was_encrypted_decrypts(lab: Lab, alg: str) -> None:
    data = bytes(range(32))
    encrypted = _call(lab, "encrypt", data, alg=alg).json()
    assert encrypted["kid"] == lab.azure.key_id()
    assert decode(encrypted["value"]) != data
    decrypted = _call(lab, "decrypt", decode(encrypted["value"]), alg=alg).json()
    assert decode(decrypted["value"]) == data
    assert lab.azure.vault.calls() == {"encrypt": 1, "decrypt": 1}


def test_keys_do_not_decrypt_for_each_other(lab: Lab) -> None:
    encrypted = decode(_call(lab, "encrypt").json()["value"])
    answer = _call(lab, "decrypt", encrypted, key_id=lab.azure.key_id("kms-new"))
    assert _refusal(answer) == (400, "BadParameter", "")


def test_the_key_shows_its_attributes(lab: Lab) -> None:
    lab.azure.vault.set_key(expires=2_000_000_000, not_before=1_000_000_000)
    shown = _call(lab, "get").json()
    assert shown["key"]["kid"] == lab.azure.key_id()
    assert shown["key"]["kty"] == "RSA"
    assert {"encrypt", "decrypt"} <= set(shown["key"]["key_ops"])
    attributes = shown["attributes"]
    assert (attributes["enabled"], attributes["exp"], attributes["nbf"]) == (
        True,
        2_000_000_000,
        1_000_000_000,
    )
    versionless = _call(lab, "get", key_id=lab.azure.key_id().rpartition("/")[0]).json()
    assert versionless["key"]["kid"] == lab.azure.key_id()


@pytest.mark.parametrize(
    ("change", "operation", "expected"),
    [
        ({"enabled": False}, "encrypt", (403, "Forbidden", "KeyDisabled")),
        ({"enabled": False}, "decrypt", (403, "Forbidden", "KeyDisabled")),
        ({"expires": 1}, "encrypt", (403, "Forbidden", "KeyExpired")),
        ({"not_before": 4_000_000_000}, "encrypt", (403, "Forbidden", "KeyNotYetValid")),
        ({"deleted": True}, "encrypt", (404, "KeyNotFound", "")),
        ({"deleted": True}, "get", (404, "KeyNotFound", "")),
        ({"granted": False}, "decrypt", (403, "Forbidden", "ForbiddenByRbac")),
        ({"granted": {"decrypt"}}, "encrypt", (403, "Forbidden", "ForbiddenByRbac")),
    ],
)
def test_refused(lab: Lab, change: dict[str, Any], operation: str, expected: tuple[int, str, str]) -> None:
    lab.azure.vault.set_key(**change)
    assert _refusal(_call(lab, operation)) == expected
    assert not lab.azure.vault.usable_in_public(lab.azure.key_id())


@pytest.mark.parametrize("change", [{"expires": 1}, {"not_before": 4_000_000_000}])
def test_outside_its_time_a_key_still_decrypts(lab: Lab, change: dict[str, Any]) -> None:
    encrypted = decode(_call(lab, "encrypt").json()["value"])
    lab.azure.vault.set_key(**change)
    assert _call(lab, "decrypt", encrypted).status_code == 200


def test_a_change_can_be_taken_back(lab: Lab) -> None:
    vault = lab.azure.vault
    vault.set_key(enabled=False, expires=1, deleted=True, granted=False)
    vault.set_key(enabled=True, expires=0, deleted=False, granted=True)
    assert _call(lab, "encrypt").status_code == 200
    assert vault.usable_in_public(lab.azure.key_id())


def test_another_services_token_is_refused(lab: Lab) -> None:
    assert _refusal(_call(lab, "encrypt", bearer=_plugin_token(lab, ARM_AUDIENCES[0]))) == (
        401,
        "Unauthorized",
        "",
    )
    missing = requests.post(f"{lab.azure.key_id()}/encrypt", json={}, verify=lab.ca_bundle, timeout=30)
    assert missing.status_code == 401
    assert 'resource="https://vault.azure.net"' in missing.headers["WWW-Authenticate"]


def test_the_operator_may_look_but_not_encrypt(lab: Lab) -> None:
    bearer = lab.token(VAULT_AUDIENCE)
    assert _call(lab, "get", bearer=bearer).status_code == 200
    assert _refusal(_call(lab, "encrypt", bearer=bearer)) == (403, "Forbidden", "ForbiddenByRbac")


def test_a_private_vault_lets_only_the_cluster_in(new_lab: LabFactory) -> None:
    lab = new_lab(key_vault="private")
    assert _call(lab, "encrypt").status_code == 200
    assert _refusal(_call(lab, "get", bearer=lab.token(VAULT_AUDIENCE))) == (
        403,
        "Forbidden",
        "ForbiddenByConnection",
    )
    assert not lab.azure.vault.usable_in_public(lab.azure.key_id())


@pytest.mark.parametrize("body", [{"alg": "none", "value": "AA"}, {"alg": "RSA1_5"}, {"alg": "RSA1_5", "value": "A"}])
def test_bad_parameters(lab: Lab, body: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {_plugin_token(lab)}"}
    answer = requests.post(
        f"{lab.azure.key_id()}/decrypt", json=body, headers=headers, verify=lab.ca_bundle, timeout=30
    )
    assert _refusal(answer) == (400, "BadParameter", "")


def test_calls_can_be_slow(lab: Lab) -> None:
    lab.azure.vault.delay_seconds = 0.3
    before = time.monotonic()
    _call(lab, "encrypt")
    assert time.monotonic() - before >= 0.3


def test_a_vault_takes_so_many_calls_in_ten_seconds_and_refuses_more(lab: Lab) -> None:
    lab.azure.vault.limit = 2
    encrypted = decode(_call(lab, "encrypt").json()["value"])
    assert _call(lab, "decrypt", encrypted).status_code == 200
    assert _refusal(_call(lab, "encrypt")) == (429, "Throttled", "")
    assert _call(lab, "get").status_code == 200
    lab.azure.vault.limit = None
    assert _call(lab, "encrypt").status_code == 200
