"""A user who may not do everything, is pushed back, or whose token ends: signed in through Entra ID.

KMS v2 is on and every Secret lies in etcd as it was before that: plain. The API servers take very few requests at
once from anybody but the cluster's own administrators.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.permissions import limited
from tests.e2e.rewriting import (
    answered,
    assert_all_but,
    assert_proven,
    canaries,
    extra_secrets,
    forms,
    path_of,
    rewrite,
    rewrite_and_meanwhile,
    stored_plain,
    verify_and_meanwhile,
)
from tests.lab.administrator import administrator
from tests.lab.model import StoredForm

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 60
HELD = 12  # seconds that a token really holds, where it ends early
ALL_OVER = HELD + 18.0  # seconds from the first words typed: az begins, and an API server remembers a token for ten
V2 = StoredForm.KMS_V2
FEW = "--enable-priority-and-fairness=false --max-requests-inflight=3 --max-mutating-requests-inflight=1"


LAB = {
    "name": "access",
    "kubernetes": "1.27.1",
    "kms": False,
    "secrets": SECRETS,
    "access": "entra",
    "extra": {"proxy": "on", "apiserver-flags": FEW},
}


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


def test_tokens_that_are_renewed_in_mid_pass_before_they_end(az: Az) -> None:
    """One is renewed when it has five minutes left: here every three seconds."""
    az.lab.fault("token-seconds", "303")
    az.lab.fault("connections", "slow:100")
    _forget_tokens(az)
    before = _tokens(az)
    try:
        done = rewrite(az)
    finally:
        az.lab.fault("token-seconds", "3600")
        _forget_tokens(az)
    assert _tokens(az) > before + 3, "one token was enough"
    assert_proven(done, az.lab, V2)


def test_a_token_that_ends_in_mid_pass_long_before_it_says_so(az: Az) -> None:
    """As after a session was revoked, or on a machine whose clock is wrong: az takes the token for good for an hour."""
    with _tokens_that_end_early(az):
        begun = time.monotonic()
        before = _tokens(az)

        def wait_for_its_end() -> None:
            az.lab.fault("connections", "slow:1500")
            time.sleep(max(0.0, begun + ALL_OVER - time.monotonic()))
            az.lab.fault("connections", "ok")

        az.lab.fault("connections", "slow:100")
        done = rewrite_and_meanwhile(az, V2, wait_for_its_end, already=5)
        assert _tokens(az) >= before + 3, "no token was asked for but the first ones, for Azure and for the cluster"
    assert_proven(done, az.lab, V2)


def test_a_sign_in_that_is_refused_for_good_in_mid_pass_is_told_as_that(az: Az) -> None:
    assert_proven(rewrite(az), az.lab, V2)
    before = forms(az.lab)
    with _tokens_that_end_early(az):
        begun = time.monotonic()

        def no_more_tokens() -> None:
            az.lab.fault("connections", "slow:1500")
            az.lab.fault("cluster-token-seconds", "0")
            time.sleep(max(0.0, begun + ALL_OVER - time.monotonic()))
            az.lab.fault("connections", "ok")

        done = verify_and_meanwhile(az, "settled", no_more_tokens)
    assert done.code == 1
    assert done.stdout == ""
    assert "KMSM310" in done.stderr
    assert "az login" in done.stderr
    assert forms(az.lab) == before
    with administrator(az.lab.endpoint()) as api:
        for left in canaries(az.lab):  # with no sign-in it could not be removed: a later command does it
            api.delete_if_present(path_of(left))


def test_an_api_server_that_begins_anew_and_knows_no_token_yet(az: Az) -> None:
    """It asks Entra ID for the signing keys at the first token; until it has them it answers 401."""

    def meanwhile() -> None:
        az.lab.fault("connections", "slow:1500")
        az.lab.fault("replica", "restart 0")
        az.lab.fault("connections", "ok")

    az.lab.fault("connections", "slow:100")
    done = rewrite_and_meanwhile(az, V2, meanwhile, already=5)
    assert_proven(done, az.lab, V2)


@contextmanager
def _tokens_that_end_early(az: Az) -> Iterator[None]:
    az.lab.fault("cluster-token-seconds", str(HELD))
    _forget_tokens(az)
    try:
        yield
    finally:
        az.lab.fault("cluster-token-seconds", "ok")
        az.lab.fault("connections", "ok")
        _forget_tokens(az)


def _forget_tokens(az: Az) -> None:
    """az keeps tokens between commands until they end."""
    for file in Path(az.environment["AZURE_CONFIG_DIR"]).glob("msal_token_cache.*"):
        file.unlink()


def _tokens(az: Az) -> int:
    return sum(one["path"].endswith("/oauth2/v2.0/token") for one in az.lab.requests())
