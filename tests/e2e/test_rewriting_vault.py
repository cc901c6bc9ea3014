"""KMS v1 with more Secrets than an API server keeps keys for (1,000): each Secret that is read is a call to the vault.

KMS was turned off, and every Secret still lies under KMS v1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime

import pytest

from tests.az import Az
from tests.e2e.rewriting import (
    answered,
    assert_proven,
    counted,
    failures,
    forms,
    rewrite,
    rewrite_and_meanwhile,
    verify,
)
from tests.lab.model import StoredForm

pytestmark = [pytest.mark.az, pytest.mark.real, pytest.mark.slow]

SECRETS = 5000
FAILING_SECONDS = 30.0
CALL_MILLISECONDS = 40
WINDOW_SECONDS, MOST_CALLS = 10.0, 1000
PLAIN = StoredForm.PLAIN


LAB = {"name": "vault", "secrets": SECRETS}


@pytest.fixture(scope="module")
def az(lab_az: Az) -> Az:
    done = lab_az.migrate("disable-kms", "--yes")
    assert done.code == 0, done.stderr
    assert counted(lab_az.lab) == {"kms-v1": SECRETS}
    return lab_az


def test_the_key_is_slow_and_then_fails_for_30_seconds(az: Az) -> None:
    def meanwhile() -> None:
        az.lab.fault("vault-delay", "200")
        time.sleep(5)
        az.lab.fault("key", "disabled")
        time.sleep(FAILING_SECONDS)
        az.lab.fault("key", "enabled")
        az.lab.fault("vault-delay", "0")

    before = answered(az.lab, code=500, verb="PATCH")
    done = rewrite_and_meanwhile(az, PLAIN, meanwhile, "--namespace", "orders", "payments")
    assert answered(az.lab, code=500, verb="PATCH") > before, "the key that was away was not needed"
    assert done.code == 0, done.stderr + done.stdout
    assert failures(done) == []
    for name, form in forms(az.lab).items():
        assert (form is PLAIN) == name.startswith(("orders/", "payments/")), name


def test_one_api_server_goes_back_to_kms_v1(az: Az) -> None:
    az.lab.fault("replica-config", "0 kms-first")
    before = az.lab.etcd_raw()
    try:
        done = verify(az)
        after = az.lab.etcd_raw()
    finally:
        az.lab.fault("replica", "restart 0")
    assert done.code == 11, done.stderr + done.stdout
    assert done.document["verified"] is False
    assert done.document["evidence"]["missing"]
    assert len([key for key in before if before[key] != after.get(key)]) <= 1


def test_5000_secrets_with_a_vault_that_takes_40_ms(az: Az, capsys: pytest.CaptureFixture[str]) -> None:
    az.lab.fault("put-raw", "all")
    az.lab.fault("vault-delay", str(CALL_MILLISECONDS))
    began = time.time()
    done = rewrite(az)
    ended = time.time()
    calls = [at for at in _calls(az) if began <= at <= ended]
    figures = {"seconds": round(ended - began), "calls": len(calls), "most calls in 10 s": _most_in_a_window(calls)}
    with capsys.disabled():
        sys.stdout.write(f"\n{SECRETS:,} Secrets, {CALL_MILLISECONDS} ms a call to the vault: {figures}\n")
    assert_proven(done, az.lab, PLAIN)
    assert done.document["steps"][0]["secrets"]["rewritten"] == SECRETS
    assert len(calls) >= SECRETS, figures
    assert figures["most calls in 10 s"] <= MOST_CALLS, figures


def test_a_window_is_as_wide_as_it_says() -> None:
    assert _most_in_a_window([0.0, 1.0, 9.9, 10.0, 10.5]) == 4
    assert _most_in_a_window([]) == 0


def _calls(az: Az) -> list[float]:
    """When each call to the vault came, in seconds, oldest first."""
    return sorted(
        datetime.fromisoformat(one["time"]).timestamp() for one in az.lab.requests() if one["service"] == "vault"
    )


def _most_in_a_window(calls: Sequence[float]) -> int:
    most, first = 0, 0
    for last, at in enumerate(calls):
        while calls[first] <= at - WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most
