"""Sign-in as a client that checks everything sees it, and what a wrong client is told."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
import requests

from tests.lab.azure.identity import AKS_SERVER_APP, ARM_AUDIENCES, TENANT_ID, VAULT_AUDIENCE
from tests.unit.lab.azure.conftest import Lab, token


def _get(lab: Lab, url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, verify=lab.ca_bundle, timeout=30)


@pytest.mark.parametrize("audience", [*ARM_AUDIENCES, VAULT_AUDIENCE, AKS_SERVER_APP])
def test_a_token_verifies_with_what_discovery_publishes(lab: Lab, audience: str) -> None:
    trust = lab.azure.entra_trust()
    discovery = _get(lab, f"{trust.issuer}/.well-known/openid-configuration").json()
    assert discovery["issuer"] == trust.issuer
    text = lab.token(audience)
    header = jwt.get_unverified_header(text)
    (published,) = _get(lab, discovery["jwks_uri"]).json()["keys"]
    assert (published["kid"], published["alg"], published["use"]) == (header["kid"], "RS256", "sig")
    claims = jwt.decode(text, jwt.PyJWK(published).key, algorithms=["RS256"], audience=audience, issuer=trust.issuer)
    assert (claims["oid"], claims["tid"]) == (lab.azure.operator.object_id, TENANT_ID)
    assert claims["appid"] == lab.azure.operator.client_id
    assert trust.client_id == AKS_SERVER_APP
    assert trust.admin_object_id == claims["oid"]


def _error(response: requests.Response) -> tuple[int, str, int]:
    body: dict[str, Any] = response.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    return response.status_code, body["error"], body["error_codes"][0]


def test_what_sign_in_refuses(lab: Lab) -> None:
    operator = lab.azure.operator
    arm = ARM_AUDIENCES[0]
    wrong_secret = token(lab, operator.client_id, "wrong", arm)
    assert _error(wrong_secret) == (401, "invalid_client", 7000215)
    assert _error(token(lab, "nobody", operator.secret, arm)) == (400, "unauthorized_client", 700016)
    assert _error(token(lab, operator.client_id, "", arm)) == (401, "invalid_client", 7000218)
    unknown = token(lab, operator.client_id, operator.secret, "https://graph.microsoft.com")
    assert _error(unknown) == (400, "invalid_resource", 500011)
    url = lab.azure.vault_access().token_url
    other_tenant = requests.post(url.replace(TENANT_ID, "other"), verify=lab.ca_bundle, timeout=30)
    assert _error(other_tenant) == (400, "invalid_tenant", 90002)
    password = requests.post(url, data={"grant_type": "password"}, verify=lab.ca_bundle, timeout=30)
    assert _error(password) == (400, "unsupported_grant_type", 70003)


def test_resource_manager_wants_its_own_valid_token(lab: Lab) -> None:
    url = f"{lab.azure.url}/subscriptions?api-version=2022-12-01"
    damaged = lab.token()[:-4] + "AAAA"
    for bearer, code in (
        (None, "AuthenticationFailed"),
        (damaged, "InvalidAuthenticationToken"),
        (lab.token(AKS_SERVER_APP), "InvalidAuthenticationTokenAudience"),
    ):
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        answer = _get(lab, url, **headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert _get(lab, url, Authorization=f"Bearer {lab.token()}").status_code == 200


def test_routes_answer_as_resource_manager_does(lab: Lab) -> None:
    headers = {"Authorization": f"Bearer {lab.token()}"}
    cluster = lab.cluster()["id"]
    for path, status, code in (
        (cluster, 400, "MissingApiVersionParameter"),
        (f"{cluster}/nothing?api-version=2026-06-01", 404, "InvalidResourceType"),
        ("/subscriptions/other/resourcegroups/lab?api-version=1", 404, "SubscriptionNotFound"),
    ):
        answer = _get(lab, lab.azure.url + path, **headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    upper = _get(lab, f"{lab.azure.url}{cluster.upper()}?api-version=2026-06-01", **headers)
    assert upper.json()["name"] == "demo"
    wrong_method = requests.delete(
        f"{lab.azure.url}{cluster}?api-version=1", headers=headers, verify=lab.ca_bundle, timeout=30
    )
    assert wrong_method.status_code == 405


def test_the_log_lists_requests_in_order(lab: Lab) -> None:
    lab.token()
    (entry,) = lab.azure.requests()
    assert (entry["service"], entry["method"], entry["status"], entry["body"]) == ("arm", "POST", 200, None)
    assert lab.azure.operator.secret not in str(lab.azure.requests())


def test_a_token_for_the_api_servers_may_end_before_it_says_so_and_no_other_does(lab: Lab) -> None:
    lab.azure.set_cluster_token_seconds(7)
    ends = {}
    for audience in (AKS_SERVER_APP, VAULT_AUDIENCE):
        claims = jwt.decode(lab.token(audience), options={"verify_signature": False})
        ends[audience] = claims["exp"] - claims["iat"]
    assert ends == {AKS_SERVER_APP: 7, VAULT_AUDIENCE: 3600}
