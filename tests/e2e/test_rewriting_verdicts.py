"""No command claims more than etcd holds, whether the API servers' counters may be read or not."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from tests.az import Az, Typed
from tests.e2e.permissions import limited
from tests.e2e.rewriting import (
    CANARY,
    PROVEN,
    SETTLE,
    UNPROVEN,
    assert_proven,
    canaries,
    checked,
    counted,
    failures,
    forms,
    named,
    passes,
    path_of,
    rewrite,
    verify,
    verify_and_meanwhile,
)
from tests.lab.administrator import administrator
from tests.lab.model import SECRETS_PREFIX, StoredForm
from tests.labs import UpLab

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 120
WORKERS = 24
V2 = StoredForm.KMS_V2
COUNTERS = pytest.mark.parametrize("metrics", [True, False], ids=["counters", "no-counters"])


LAB = {
    "name": "verdicts",
    "kubernetes": "1.27.1",
    "kms": False,
    "secrets": SECRETS,
    "access": "entra",
    "extra": {"proxy": "on"},
}


@pytest.fixture
def az(lab_az: Az) -> Iterator[Az]:
    """KMS v2 is on, every Secret is under it, and that is proven."""
    if lab_az.migrate("show").document["remaining"]:
        done = lab_az.start("--key-id", lab_az.lab.key_id(), "--key-vault-access", "Public")
        assert_proven(checked(done), lab_az.lab, V2)
    yield lab_az
    if set(forms(lab_az.lab).values()) != {V2}:
        assert_proven(rewrite(lab_az), lab_az.lab, V2)


def test_a_canary_deleted_before_anybody_saw_it_move_leaves_nothing_to_prove_with(lab_az: Az) -> None:
    """Without counters only the canary from before the change shows that the API servers changed over."""
    key = ("--key-id", lab_az.lab.key_id(), "--key-vault-access", "Public")
    done = lab_az.start(*key, "--stop-after", "enable-kms")
    assert done.code == 0, done.stderr
    assert canaries(lab_az.lab) == {CANARY}
    _delete_canary(lab_az)
    with limited(lab_az.lab, metrics=False):
        done = checked(lab_az.start(*key))
        assert done.code == UNPROVEN, done.stderr
        assert done.document["evidence"]["grade"] == "none"
        assert done.document["state"] == "Failed"
        assert "proven" not in done.document["summary"].replace("not proven", "")
    # With counters there is something to prove it with.
    assert_proven(checked(lab_az.start(*key)), lab_az.lab, V2)


def test_a_secret_that_comes_to_lie_in_its_old_form_behind_the_proof_is_found_without_counters(up: UpLab) -> None:
    """The pass has been at it by then: only the closing look comes to it once more."""
    az = up("real", kubernetes="1.27.1", kms=False, secrets=60, access="entra", extra={"proxy": "on"})
    key = (*SETTLE, "--key-id", az.lab.key_id(), "--key-vault-access", "Public")
    assert az.start(*key, "--stop-after", "enable-kms").code == 0
    victim = sorted(forms(az.lab))[0]
    with limited(az.lab, metrics=False):
        process = az.begin("start", "--yes", *key)
        assert process.stderr is not None
        said = ""
        while "Now the proof" not in said:
            line = process.stderr.readline()
            assert line, f"it ended before the proof: {said}"
            said += line
        az.lab.fault("connections", "slow:600")
        time.sleep(5.0)  # the first Secrets of the list take one or two round trips, all of them some more
        az.lab.fault("put-raw", victim)
        az.lab.fault("connections", "ok")
        stdout, stderr = process.communicate()
    done = checked(Typed(process.returncode, stdout, said + stderr))
    assert f"The proof met a Secret in another form ({victim})" in done.stderr
    assert done.document["evidence"]["grade"] == "behavioural"
    assert done.document["evidence"]["closingLooks"]
    assert done.document["steps"][-1]["secrets"]["rewritten"] == 61
    assert_proven(done, az.lab, V2)


@COUNTERS
def test_azure_says_encrypted_and_every_api_server_still_writes_plain_text(az: Az, metrics: bool) -> None:
    az.lab.fault("put-raw", "all")
    with _writing_plain_text(az, 0, 1), _rights(az, metrics):
        before = _raw(az)
        assert counted(az.lab) == {"plain": SECRETS}
        assert_claims_nothing(verify(az))
        nothing = checked(az.migrate("start", "--yes", *SETTLE))
        if not metrics:
            assert_claims_nothing(rewrite(az))
        assert _raw(az) == before
    assert nothing.document["state"] == "NothingToDo"
    assert "proven" not in nothing.stdout
    assert "every Secret" not in nothing.stdout


@COUNTERS
def test_one_api_server_goes_back_to_plain_text_after_the_proof(az: Az, metrics: bool) -> None:
    """``test_rewriting_vault`` has one that goes back to KMS v1."""
    before = _raw(az)
    with _writing_plain_text(az, 0), _rights(az, metrics):
        assert_claims_nothing(verify(az))
    _assert_hardly_touched(az, before, at_most=1)


@COUNTERS
def test_one_api_server_goes_back_to_plain_text_during_the_proof(az: Az, metrics: bool) -> None:
    """After the settling: ``verify`` has to find out by itself, before it has converted more than it looks at."""
    before = _raw(az)

    with contextlib.ExitStack() as going_back, _rights(az, metrics):

        def go_back() -> None:
            az.lab.fault("connections", "slow:1500")  # so that it has gone back before the proof is over
            going_back.enter_context(_writing_plain_text(az, 0))
            az.lab.fault("connections", "ok")

        assert_claims_nothing(verify_and_meanwhile(az, "settled", go_back))
    _assert_hardly_touched(az, before, at_most=WORKERS)


@COUNTERS
def test_the_key_changes_between_the_passes(az: Az, metrics: bool) -> None:
    with _rights(az, metrics):
        try:
            done = verify_and_meanwhile(
                az, "settled", lambda: az.lab.fault("cluster", _kms_key(az.lab.key_id("kms-new")))
            )
        finally:
            az.lab.fault("cluster", _kms_key(az.lab.key_id()))
        assert_claims_nothing(done)


@COUNTERS
@pytest.mark.parametrize("moment", ["settling", "settled"])
def test_somebody_deletes_the_canary(az: Az, metrics: bool, moment: str) -> None:
    with _rights(az, metrics):
        done = verify_and_meanwhile(az, moment, lambda: _delete_canary(az))
    assert_no_more_than_etcd_holds(done, az)
    if not metrics:
        assert_claims_nothing(done)


@COUNTERS
def test_a_secret_in_its_old_form_is_found_and_named(az: Az, metrics: bool) -> None:
    victim = sorted(forms(az.lab))[-1]
    az.lab.fault("put-raw", victim)
    before = _raw(az)
    with _rights(az, metrics):
        done = verify(az)
    assert_claims_nothing(done)
    assert victim in named(done)
    assert {name for name, raw in _raw(az).items() if before[name] != raw} <= {victim}


def test_the_remedy_that_is_told_is_one(az: Az) -> None:
    victim = sorted(forms(az.lab))[0]
    az.lab.fault("put-raw", victim)
    found = verify(az)
    assert failures(found) == [(victim, "otherForm")]
    words = found.document["nextCommand"].split()
    assert words[:3] == ["az", "aks", "kms-migrate"]
    done = checked(az.type(*words[1:], "--yes", *SETTLE))
    assert_proven(done, az.lab, V2)
    assert_proven(verify(az), az.lab, V2)


@COUNTERS
def test_two_verifies_at_once_leave_each_other_alone_and_nothing_behind(az: Az, metrics: bool) -> None:
    with _rights(az, metrics):
        alone = verify(az)
        others: list[Typed] = []
        done = verify_and_meanwhile(az, "settling", lambda: others.append(verify(az)))
    lacking = [one.document["evidence"]["missing"] for one in (alone, done, *others)]
    assert lacking == [lacking[0]] * 3
    if metrics:
        assert (done.code, failures(done)) == (PROVEN, [])
        # The other's canary was there when this one listed, and is gone by now.
        assert 0 <= passes(done)[-1]["total"] - passes(done)[-1]["gone"] - len(forms(az.lab)) <= 1
    assert canaries(az.lab) == set()


@pytest.mark.parametrize("moment", ["settling", "settled"])
def test_ctrl_c_leaves_no_canary_behind(az: Az, moment: str) -> None:
    done = verify_and_meanwhile(az, moment, lambda: None, interrupt=True)
    assert done.code not in (PROVEN, UNPROVEN)
    assert done.stdout == ""
    assert canaries(az.lab) == set()


def assert_claims_nothing(done: Typed) -> None:
    assert done.code == UNPROVEN, done.stderr + done.stdout
    document = done.document
    assert document["evidence"]["missing"]
    assert document.get("verified") in (None, False)
    assert document.get("state") in (None, "Failed")


def assert_no_more_than_etcd_holds(done: Typed, az: Az) -> None:
    if done.code == 0:
        assert_proven(done, az.lab, V2)
        assert passes(done)[-1]["rewritten"] == 0
    else:
        assert_claims_nothing(done)


@contextmanager
def _writing_plain_text(az: Az, *replicas: int) -> Iterator[None]:
    """These API servers write as before KMS was turned on; they have their own configuration again at the end."""
    for replica in replicas:
        az.lab.fault("replica-config", f"{replica} identity-first")
    try:
        yield
    finally:
        az.lab.fault("connections", "ok")
        for replica in replicas:
            az.lab.fault("replica", f"restart {replica}")


def _rights(az: Az, metrics: bool) -> AbstractContextManager[None]:
    return nullcontext() if metrics else limited(az.lab, metrics=False)


def _raw(az: Az) -> dict[str, bytes]:
    found = {key.removeprefix(SECRETS_PREFIX): raw for key, raw in az.lab.etcd_raw().items()}
    return {name: raw for name, raw in found.items() if not name.startswith(CANARY)}


def _assert_hardly_touched(az: Az, before: dict[str, bytes], at_most: int) -> None:
    assert len({name for name, raw in _raw(az).items() if before[name] != raw}) <= at_most


def _delete_canary(az: Az) -> None:
    """Whichever is there: the migration's, or a command's."""
    with administrator(az.lab.endpoint()) as api:
        for canary in canaries(az.lab):
            api.delete_if_present(path_of(canary))


def _kms_key(key_id: str) -> str:
    return json.dumps({"properties": {"securityProfile": {"azureKeyVaultKms": {"keyId": key_id}}}})
