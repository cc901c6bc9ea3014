"""A user who may not do everything, is pushed back, or whose token ends: signed in through Entra ID.

KMS v2 is on and every Secret lies in etcd as it was before that: plain. The API servers take very few requests at
once from anybody but the cluster's own administrators.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.permissions import limited
from tests.e2e.rewriting import (
    answered,
    assert_all_but,
    assert_proven,
    counted,
    extra_secrets,
    forms,
    real_lab,
    rewrite,
    rewrite_and_meanwhile,
    stored_plain,
    turn_kms_v2_on,
)
from tests.lab.administrator import administrator
from tests.lab.model import StoredForm

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 60
V2 = StoredForm.KMS_V2
FEW = "--enable-priority-and-fairness=false --max-requests-inflight=3 --max-mutating-requests-inflight=1"


@pytest.fixture(scope="module")
def encrypted(extensions: Path) -> Iterator[Az]:
    options = {"kubernetes": "1.27.1", "kms": False, "secrets": SECRETS, "access": "entra"}
    with real_lab(extensions, "access", **options, extra={"proxy": "on", "apiserver-flags": FEW}) as az:
        turn_kms_v2_on(az)
        yield az


@pytest.fixture
def az(encrypted: Az) -> Az:
    encrypted.lab.fault("put-raw", "all")
    assert counted(encrypted.lab) == {"plain": SECRETS}
    return encrypted


def test_api_servers_that_push_back(az: Az) -> None:
    before = answered(az.lab, code=429, verb="PATCH")
    done = rewrite(az)
    assert answered(az.lab, code=429, verb="PATCH") > before, "nobody was pushed back"
    assert_proven(done, az.lab, V2)


def test_no_permission_to_patch_in_one_namespace(az: Az) -> None:
    locked = {name: "forbidden" for name in forms(az.lab) if name.startswith("orders/")}
    assert locked
    with limited(az.lab, metrics=True, no_patch_in=["orders"]):
        assert_all_but(rewrite(az), az.lab, V2, locked)


def test_no_permission_to_patch_in_a_namespace_with_many_secrets(az: Az) -> None:
    """As many as a pass takes for a sign that nothing works at all; other namespaces come before and after it."""
    with administrator(az.lab.endpoint()) as api:
        api.create_if_absent("/api/v1/namespaces", {"metadata": {"name": "locked"}})
    locked = {f"locked/opaque-{number:05d}" for number in range(40)}
    with (
        extra_secrets(az.lab, {name: stored_plain(name) for name in locked}),
        limited(az.lab, metrics=True, no_patch_in=["locked"]),
    ):
        assert_all_but(rewrite(az), az.lab, V2, dict.fromkeys(locked, "forbidden"))


def test_tokens_that_end_in_mid_pass(az: Az) -> None:
    az.lab.fault("token-seconds", "10")
    az.lab.fault("connections", "slow:120")
    _forget_tokens(az)
    before = _tokens(az)
    try:
        done = rewrite(az)
    finally:
        az.lab.fault("token-seconds", "3600")
        az.lab.fault("connections", "ok")
        _forget_tokens(az)
    assert _tokens(az) > before + 3, "one token was enough"
    assert_proven(done, az.lab, V2)


def test_an_api_server_that_begins_anew_and_knows_no_token_yet(az: Az) -> None:
    """It asks Entra ID for the signing keys at the first token; until it has them it answers 401."""

    def meanwhile() -> None:
        az.lab.fault("connections", "slow:1500")
        az.lab.fault("replica", "restart 0")
        az.lab.fault("connections", "ok")

    az.lab.fault("connections", "slow:150")
    done = rewrite_and_meanwhile(az, V2, meanwhile, already=5)
    assert_proven(done, az.lab, V2)


def _forget_tokens(az: Az) -> None:
    """az keeps tokens between commands until they end."""
    kept = list(Path(az.environment["AZURE_CONFIG_DIR"]).glob("msal_token_cache.*"))
    assert kept, "az keeps its tokens elsewhere"
    for file in kept:
        file.unlink()


def _tokens(az: Az) -> int:
    return sum(one["path"].endswith("/oauth2/v2.0/token") for one in az.lab.requests())
