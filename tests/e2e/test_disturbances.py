"""What goes wrong on the way: webhooks, other writers, late replicas, operations of Azure that fail or lie."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from tests.az import Az
from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed, assert_unchanged, forms
from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.labs import BOTH, UpLab

pytestmark = pytest.mark.az


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_secret_that_a_webhook_protects_is_known_first_and_stops_the_upgrade_when_nobody_would_know(
    up: UpLab, apiserver: str
) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    before = az.lab.fingerprints()
    protected = sorted(before)[7]
    namespace, _, name = protected.partition("/")
    az.lab.fault("webhook", f"deny {protected}")
    _wait_until_denied(az, protected)

    raw, revisions = az.lab.etcd_raw(), az.lab.etcd_revisions()
    refused = az.start()

    assert refused.code == 11, refused.stderr
    assert refused.document["problem"]["code"] == "KMSM115"
    (failed,) = [check for check in refused.document["checks"] if check["outcome"] == "failed"]
    assert failed["id"] == "C-04"
    assert [finding["object"] for finding in failed["findings"]] == [f"Secret {protected}"]
    assert (az.lab.puts(), az.lab.etcd_raw(), az.lab.etcd_revisions()) == ([], raw, revisions)

    stopped = az.start("--skip-check", "C-04")

    assert stopped.code == 11, stopped.stderr
    result = stopped.document
    assert result["state"] == "Failed"
    assert result["problem"]["code"] == "KMSM401"
    assert [(f["namespace"], f["name"], f["kind"]) for f in result["failed"]] == [(namespace, name, "admissionDenied")]
    assert result["failed"][0]["detail"].startswith("webhook ")
    assert protected in stopped.stderr
    assert forms(az.lab) == {"kms-v1": 1, "plain": secrets - 1}
    assert result["cluster"]["kubernetesVersion"] == "1.26.15"
    assert result["nextCommand"].startswith("az aks kms-migrate start ")

    az.lab.fault("webhook", "allow")
    time.sleep(2)  # an admission configuration takes a moment to reach every API server
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)
    assert_unchanged(before, az.lab.fingerprints())


@pytest.mark.parametrize("apiserver", BOTH)
def test_what_others_create_change_and_delete_meanwhile_ends_right(up: UpLab, apiserver: str) -> None:
    secrets = 150
    az = up(apiserver, secrets=secrets)
    before = az.lab.fingerprints()
    names = sorted(n for n in before if not n.startswith("kube-system/"))
    mutable = _mutable(az.lab, names)
    with _Others(az.lab, mutable) as others:
        assert_completed(az.start())
    assert others.problems == []
    assert others.changed, "nobody changed anything while the migration ran"
    after = az.lab.fingerprints()
    assert_unchanged({n: f for n, f in before.items() if n not in others.touched and n not in others.deleted}, after)
    assert not others.deleted & set(after)
    assert others.created <= set(after)
    for name, value in others.changed.items():
        assert others.label_of(name) == value
    assert_all_under_kms_v2(az.lab, len(after))


@pytest.mark.real
def test_a_replica_that_changes_over_20_seconds_later_leaves_no_secret_behind(up: UpLab) -> None:
    secrets = 200
    az = up("real", secrets=secrets, roll_seconds=20.0)
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


@pytest.mark.parametrize("apiserver", BOTH)
def test_success_that_azure_reports_too_early_is_not_believed(up: UpLab, apiserver: str) -> None:
    secrets = 100
    az = up(apiserver, secrets=secrets, roll_seconds=8.0)
    az.lab.fault("operation", "disable-kms early-success")
    az.lab.fault("operation", "enable-kms early-success")
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


@pytest.mark.parametrize("apiserver", BOTH)
def test_turning_kms_off_that_fails_after_it_took_effect(up: UpLab, apiserver: str) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    az.lab.fault("operation", "disable-kms failed-after-effect")

    done = az.start("--stop-after", "decrypt-secrets")

    assert done.code == 0, done.stderr
    assert done.document["state"] == "Stopped"
    assert "Rewriting all Secrets all the same" in done.stderr
    assert "Reconciling the cluster once" in done.stderr
    assert len(az.lab.puts()) == 2  # one to turn it off, one to reconcile
    assert forms(az.lab) == {"plain": secrets}
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


@pytest.mark.parametrize("apiserver", BOTH)
def test_turning_kms_off_that_fails_and_cannot_be_reconciled_is_told_truthfully(up: UpLab, apiserver: str) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    az.lab.fault("operation", "disable-kms failed-after-effect")
    az.lab.fault("operation", "reconcile failed-after-effect")

    done = az.start()

    assert done.code == 1
    result = done.document
    assert result["state"] == "Failed"
    assert result["problem"]["code"] == "KMSM202"
    assert "KMS is off" in result["problem"]["why"]
    assert result["exposure"]["start"]
    assert forms(az.lab) == {"plain": secrets}  # the rewrite ran all the same
    assert result["nextCommand"].startswith("az aks kms-migrate start ")
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


def _wait_until_denied(az: Az, secret: str) -> None:
    namespace, _, name = secret.partition("/")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with administrator(az.lab.endpoint()) as api:
            try:
                api.merge(f"/api/v1/namespaces/{namespace}/secrets/{name}?dryRun=All", {})
            except Exception as error:  # whatever the administrator raises, the words are the webhook's
                if "denied the request" in str(error):
                    return
        time.sleep(0.2)
    raise AssertionError("the webhook denies nothing")


def _mutable(lab: LabClient, names: list[str]) -> list[str]:
    with administrator(lab.endpoint()) as api:
        immutable = {
            f"{s['metadata']['namespace']}/{s['metadata']['name']}"
            for s in api.items("/api/v1/secrets")
            if s.get("immutable")
        }
    return [n for n in names if n not in immutable]


class _Others:
    """Other writers: each round changes one Secret, creates one and deletes one, until the end."""

    def __init__(self, lab: LabClient, names: list[str]) -> None:
        self._lab, self._names = lab, names
        self.created: set[str] = set()
        self.deleted: set[str] = set()
        self.touched: set[str] = set()
        self.changed: dict[str, str] = {}
        self.problems: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> _Others:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def label_of(self, name: str) -> str:
        namespace, _, bare = name.partition("/")
        with administrator(self._lab.endpoint()) as api:
            labels = api.get(f"/api/v1/namespaces/{namespace}/secrets/{bare}")["metadata"]["labels"]
        return str(labels["round"])

    def _work(self) -> None:
        for number in itertools.count():
            if self._end.wait(0.3):
                return
            # An API server that is being replaced may refuse; the next round is another chance.
            try:
                self._round(number)
            except OSError:
                continue
            except Exception as error:
                text = str(error)
                if "no matching prefix" not in text and "connection" not in text.lower():
                    self.problems.append(f"{type(error).__name__}: {text[:200]}")

    def _round(self, number: int) -> None:
        target = self._names[number % (len(self._names) // 2)]
        namespace, _, bare = target.partition("/")
        with administrator(self._lab.endpoint()) as api:
            body = {"metadata": {"labels": {"round": str(number)}}}
            self.touched.add(target)
            api.merge(f"/api/v1/namespaces/{namespace}/secrets/{bare}", body)
            self.changed[target] = str(number)
            fresh = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"made-{number}", "namespace": "default"},
                "data": {"k": "dg=="},
            }
            api.create_if_absent("/api/v1/namespaces/default/secrets", fresh)
            self.created.add(f"default/made-{number}")
            if number % 5 == 0 and len(self._names) > 20:
                victim = self._names.pop()
                namespace, _, bare = victim.partition("/")
                self.deleted.add(victim)
                api.delete_if_present(f"/api/v1/namespaces/{namespace}/secrets/{bare}")
