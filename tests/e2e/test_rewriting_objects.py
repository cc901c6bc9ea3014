"""Secrets that refuse, change or cannot be read: each is named for what it is, and all others are rewritten.

KMS v2 is on and every Secret lies in etcd as it was before that: plain.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.az import Az
from tests.e2e.rewriting import (
    answered,
    assert_all_but,
    assert_proven,
    dry_run_says,
    extra_secrets,
    forms,
    named,
    path_of,
    put_raw,
    rewrite,
    stored_plain,
    verify,
    wait_until,
)
from tests.lab.administrator import administrator
from tests.lab.model import StoredForm
from tests.lab.webhook import SEEN

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 80
V2 = StoredForm.KMS_V2
MIB = 1 << 20


LAB = {"name": "objects", "kubernetes": "1.27.1", "kms": False, "secrets": SECRETS}


@pytest.fixture(autouse=True)
def no_webhook_stays(encrypted: Az) -> Iterator[None]:
    yield
    encrypted.lab.fault("webhook", "allow")
    wait_until(
        lambda: not any(dry_run_says(encrypted.lab, replica, _one(encrypted)) for replica in (0, 1)),
        "the webhooks are gone",
    )


def _one(az: Az, number: int = 7) -> str:
    return sorted(forms(az.lab))[number]


def test_all_of_them_are_rewritten_when_nothing_is_in_the_way(az: Az) -> None:
    done = rewrite(az)
    assert_proven(done, az.lab, V2)
    assert done.document["steps"][0]["secrets"]["rewritten"] == SECRETS


def test_a_webhook_that_denies(az: Az) -> None:
    victim = _one(az)
    az.lab.fault("webhook", f"deny {victim}")
    wait_until(
        lambda: all("denied the request" in dry_run_says(az.lab, replica, victim) for replica in (0, 1)), "it denies"
    )
    assert_all_but(rewrite(az), az.lab, V2, {victim: "admissionDenied"})
    assert forms(az.lab)[victim] is StoredForm.PLAIN


def test_a_webhook_that_does_not_answer_in_time(az: Az) -> None:
    victim = _one(az)
    az.lab.fault("webhook", f"delay {victim}")
    wait_until(
        lambda: all("failed calling webhook" in dry_run_says(az.lab, replica, victim) for replica in (0, 1)),
        "it is called",
    )
    assert_all_but(rewrite(az), az.lab, V2, {victim: "webhookDown"})


def test_a_webhook_that_changes_something_at_every_write(az: Az) -> None:
    namespace = _one(az).partition("/")[0]
    az.lab.fault("webhook", f"mutate {namespace}")
    some = next(name for name in forms(az.lab) if name.startswith(f"{namespace}/"))
    wait_until(lambda: all(_mutates(az, replica, some) for replica in (0, 1)), "it mutates")
    assert_proven(rewrite(az), az.lab, V2)


def _mutates(az: Az, replica: int, secret: str) -> bool:
    with administrator(az.lab.endpoint(replica)) as api:
        tried = api.merge(f"{path_of(secret)}?dryRun=All", {})
    return SEEN in (tried["metadata"].get("annotations") or {})


def test_a_legacy_secret_that_no_longer_validates(az: Az) -> None:
    legacy = "default/legacy-00001"
    with extra_secrets(az.lab, {legacy: stored_plain(legacy, "kubernetes.io/tls")}):
        before = answered(az.lab, code=422, verb="PATCH")
        assert_all_but(rewrite(az), az.lab, V2, {legacy: "invalid"})
        assert answered(az.lab, code=422, verb="PATCH") > before
        assert forms(az.lab)[legacy] is StoredForm.PLAIN


def test_an_immutable_secret_and_one_of_nearly_a_mebibyte(az: Az) -> None:
    frozen, huge = "default/frozen-00001", "default/huge-00001"
    stored = {frozen: stored_plain(frozen, immutable=True), huge: stored_plain(huge, size=MIB - 8)}
    with extra_secrets(az.lab, stored):
        assert_proven(rewrite(az), az.lab, V2)
        with administrator(az.lab.endpoint()) as api:
            assert api.get(path_of(frozen))["immutable"] is True
            assert len(api.get(path_of(huge))["data"]["value"]) > MIB


def test_a_namespace_that_is_terminating(az: Az) -> None:
    staying = "leaving/opaque-00001"
    with administrator(az.lab.endpoint()) as api:
        api.create_if_absent("/api/v1/namespaces", {"metadata": {"name": "leaving"}})
        api.delete_if_present("/api/v1/namespaces/leaving")
        assert api.get("/api/v1/namespaces/leaving")["status"]["phase"] == "Terminating"
    with extra_secrets(az.lab, {staying: stored_plain(staying)}):
        assert_proven(rewrite(az), az.lab, V2)


@pytest.mark.parametrize("raw", [b"k8s:enc:kms:v1:gone:\x00\x01", b"k8s:enc:kms:v2:azurekmsprovider2:\x0a\x01"])
def test_a_secret_whose_key_is_gone_is_named_and_all_others_go_on(az: Az, raw: bytes) -> None:
    lost = _one(az, SECRETS // 2)
    put_raw(az.lab, lost, raw)
    before = answered(az.lab, code=500, verb="LIST")
    try:
        done = rewrite(az)
        assert answered(az.lab, code=500, verb="LIST") > before
        assert az.lab.etcd_raw()["/registry/secrets/" + lost] == raw
        assert done.code == 11, done.stderr
        assert_all_but(done, az.lab, V2, {lost: "undecryptable"})
    finally:
        az.lab.fault("put-raw", lost)


def test_several_faults_at_once_are_all_named(az: Az) -> None:
    denied, lost, legacy = _one(az, 3), _one(az, SECRETS // 2), "default/legacy-00001"
    az.lab.fault("webhook", f"deny {denied}")
    wait_until(
        lambda: all("denied the request" in dry_run_says(az.lab, replica, denied) for replica in (0, 1)), "it denies"
    )
    with extra_secrets(az.lab, {legacy: stored_plain(legacy, "kubernetes.io/tls")}):
        put_raw(az.lab, lost, b"k8s:enc:kms:v1:gone:\x00\x01")
        try:
            done = rewrite(az)
            failed = {denied: "admissionDenied", lost: "undecryptable", legacy: "invalid"}
            assert_all_but(done, az.lab, V2, failed)
        finally:
            az.lab.fault("put-raw", lost)


def test_a_secret_written_by_an_api_server_with_the_old_configuration_is_found(az: Az) -> None:
    assert_proven(rewrite(az), az.lab, V2)
    victim = _one(az, 20)
    az.lab.fault("replica-config", "0 identity-first")
    with administrator(az.lab.endpoint(0)) as api:
        api.merge(path_of(victim), {"metadata": {"labels": {"tampered": "yes"}}})
    az.lab.fault("replica", "restart 0")
    assert forms(az.lab)[victim] is StoredForm.PLAIN
    done = verify(az)
    assert done.code == 11
    assert victim in named(done), done.stdout


def test_a_secret_put_into_etcd_in_its_old_form_is_found(az: Az) -> None:
    assert_proven(rewrite(az), az.lab, V2)
    victim = _one(az, SECRETS - 1)
    az.lab.fault("put-raw", victim)
    raw = az.lab.etcd_raw()
    done = verify(az)
    assert done.code == 11
    assert victim in named(done), done.stdout
    after = az.lab.etcd_raw()
    assert {key for key in raw if raw[key] != after.get(key)} <= {"/registry/secrets/" + victim}
