"""The kubeconfig that ARM gives, reduced to what a connection needs."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError, KmsMigrateError
from azext_kmsmigrate.kube.access import AKS_SERVER_APP, BearerToken, Kubeconfig, parse
from tests.unit.situations import NAME


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(user: Any, **changes: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "blue",
        "contexts": [
            {"name": "other", "context": {"cluster": "other", "user": "other"}},
            {"name": "blue", "context": {"cluster": "blue", "user": "clusterUser_shop_blue"}},
        ],
        "clusters": [
            {"name": "other", "cluster": {"server": "https://other:443"}},
            {"name": "blue", "cluster": {"server": "https://blue:443", "certificate-authority-data": b64("CA")}},
        ],
        "users": [{"name": "other", "user": {}}, {"name": "clusterUser_shop_blue", "user": user}],
    }
    return yaml.safe_dump(document | changes)


EXEC = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "kubelogin"}
SERVER = {"server": "https://blue:443", "ca_pem": "CA"}


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (
            {"client-certificate-data": b64("CERT"), "client-key-data": b64("KEY"), "token": "t"},
            Kubeconfig(**SERVER, cert_pem="CERT", key_pem="KEY"),
        ),
        (
            {"exec": {**EXEC, "args": ["get-token", "--environment", "AzurePublicCloud", "--server-id", "app-1"]}},
            Kubeconfig(**SERVER, server_app="app-1"),
        ),
        ({"exec": {**EXEC, "args": ["get-token", "--server-id=app-2"]}}, Kubeconfig(**SERVER, server_app="app-2")),
        ({"exec": {**EXEC, "args": None}}, Kubeconfig(**SERVER, server_app=AKS_SERVER_APP)),
        ({"exec": EXEC}, Kubeconfig(**SERVER, server_app=AKS_SERVER_APP)),
        (
            {"auth-provider": {"name": "azure", "config": {"apiserver-id": "app-3"}}},
            Kubeconfig(**SERVER, server_app="app-3"),
        ),
        ({"auth-provider": {"name": "azure"}}, Kubeconfig(**SERVER, server_app=AKS_SERVER_APP)),
    ],
)
def test_the_current_context_is_read(user: Any, expected: Kubeconfig) -> None:
    assert parse(kubeconfig(user), NAME) == expected


@pytest.mark.parametrize(
    "text",
    [
        kubeconfig({}),
        kubeconfig(None),
        kubeconfig({"client-certificate-data": b64("CERT")}),
        kubeconfig({"client-certificate-data": "%", "client-key-data": "%"}),
        kubeconfig({}, **{"current-context": "missing"}),
        kubeconfig({}, users=None),
        "",
        "[]",
        "{",
    ],
)
def test_a_kubeconfig_without_a_way_in_is_told_as_that(text: str) -> None:
    with pytest.raises(ClusterError, match="KMSM304"):
        parse(text, NAME)


def test_no_credential_shows_in_a_repr() -> None:
    found = parse(kubeconfig({"client-certificate-data": b64("CERT"), "client-key-data": b64("KEY")}), NAME)
    assert "KEY" not in repr(found)
    assert "CERT" not in repr(found)


def test_a_token_is_fetched_once_and_renewed_before_it_ends() -> None:
    now = [1000.0]
    asked: list[str] = []

    def fetch(app: str, anew: bool) -> tuple[str, float]:
        assert not anew
        asked.append(app)
        return f"token-{len(asked)}", now[0] + 3600.0

    token = BearerToken("app", fetch, lambda: now[0])
    assert token.header() == token.header() == {"Authorization": "Bearer token-1"}
    now[0] += 3299.0
    assert token.header() == {"Authorization": "Bearer token-1"}
    now[0] += 2.0
    assert token.header() == {"Authorization": "Bearer token-2"}
    assert asked == ["app", "app"]


class Entra:
    """Gives the token that it keeps until it is asked for one anew."""

    def __init__(self, *, changes: bool = True) -> None:
        self.fetched: list[bool] = []
        self._changes = changes

    def fetch(self, app: str, anew: bool) -> tuple[str, float]:
        self.fetched.append(anew)
        number = sum(self.fetched) if self._changes else 0
        return f"token-{number}", 10_000.0


def test_a_token_that_is_refused_is_renewed_once_for_all_who_had_it() -> None:
    entra = Entra()
    token = BearerToken("app", entra.fetch, lambda: 0.0)
    refused = token.header()
    assert token.renewed(refused)
    assert token.renewed(refused)
    assert token.header() == {"Authorization": "Bearer token-1"}
    assert entra.fetched == [False, True]


def test_a_new_token_that_is_refused_too_is_not_renewed_again_and_again() -> None:
    entra, now = Entra(), [0.0]
    token = BearerToken("app", entra.fetch, lambda: now[0])
    assert token.renewed(token.header())
    assert not token.renewed(token.header())
    now[0] += 11.0
    assert token.renewed(token.header())
    assert entra.fetched == [False, True, True]


def test_a_sign_in_that_gives_the_same_token_again_has_nothing_new() -> None:
    token = BearerToken("app", Entra(changes=False).fetch, lambda: 0.0)
    assert not token.renewed(token.header())


class Refusing:
    """Gives one token that ends at 1000, and then fails."""

    def __init__(self, error: KmsMigrateError) -> None:
        self.asked = 0
        self._error = error

    def fetch(self, app: str, anew: bool) -> tuple[str, float]:
        self.asked += 1
        if self.asked > 1:
            raise self._error
        return "token", 1000.0


AWAY = AzureError(errors.AZURE_UNREACHABLE, what="it", code="ConnectionError")
REFUSED = AzureError(errors.SIGN_IN_FAILED, what="it", code="AADSTS700024")
HEADER = {"Authorization": "Bearer token"}


def test_while_azure_is_away_the_token_at_hand_has_to_do_as_long_as_it_lasts() -> None:
    entra, now = Refusing(AWAY), [0.0]
    token = BearerToken("app", entra.fetch, lambda: now[0])
    for now[0] in (0.0, 701.0, 702.0, 705.0, 999.0):
        assert token.header() == HEADER
    assert entra.asked == 3  # not at each request
    now[0] = 1001.0
    with pytest.raises(AzureError, match="KMSM205"):
        token.header()


def test_a_sign_in_that_is_over_is_told_while_the_last_token_still_serves_to_end_well() -> None:
    entra, now, ends = Refusing(REFUSED), [0.0], [False]
    token = BearerToken("app", entra.fetch, lambda: now[0], lambda: ends[0])
    assert token.header() == HEADER
    now[0] = 701.0
    with pytest.raises(AzureError, match="AADSTS700024"):
        token.header()
    ends[0] = True
    assert token.header() == HEADER
    now[0] = 1001.0
    with pytest.raises(AzureError, match="AADSTS700024"):
        token.header()
