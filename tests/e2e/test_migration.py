"""The whole migration with the unmodified az; etcd is the judge."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.az import Az, Typed
from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.lab.model import StoredForm
from tests.lab.seeding import MARKER_SIGHTINGS
from tests.labs import BOTH, UpLab

pytestmark = pytest.mark.az


def forms(lab: LabClient) -> dict[str, int]:
    """The Secrets of others by stored form: in the middle of a step the tool's own canary is there too."""
    raw = (value for key, value in lab.etcd_raw().items() if not key.endswith("/aks-kms-migrate-canary"))
    return dict(Counter(StoredForm.of(value).value for value in raw))


def assert_completed(done: Typed) -> dict[str, Any]:
    assert done.code == 0, done.stderr
    result = done.document
    assert result["state"] == "Completed"
    assert result["evidence"]["missing"] == []
    for record in result["evidence"]["passes"]:
        counts = record["secrets"]
        assert counts["total"] == counts["rewritten"] + counts["current"] + counts["gone"] + counts["failed"]
    assert result["evidence"]["passes"][-1]["secrets"]["rewritten"] == 0
    return result


def assert_all_under_kms_v2(lab: LabClient, secrets: int) -> None:
    assert lab.etcd() == {"kms-v1": 0, "kms-v2": secrets, "plain": 0}
    # No reader was taken away while something still needed it.
    assert [change["unreadable"] for change in lab.history() if change["unreadable"]] == []


def assert_unchanged(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> None:
    assert {name for name in before if after.get(name) != before[name]} == set()


@pytest.mark.parametrize(
    ("apiserver", "version", "secrets"),
    [
        ("embedded", "1.27.1", 200),
        ("embedded", "1.34.4", 200),
        pytest.param("real", "1.27.1", 1000, marks=pytest.mark.real),
        pytest.param("real", "1.34.4", 1000, marks=pytest.mark.real),
    ],
)
def test_every_secret_ends_under_kms_v2_and_a_second_start_does_nothing(
    up: UpLab, apiserver: str, version: str, secrets: int
) -> None:
    az = up(apiserver, secrets=secrets)
    before = az.lab.fingerprints()
    assert az.lab.etcd()["kms-v1"] == secrets

    result = assert_completed(az.start("--kubernetes-version", version))

    assert_all_under_kms_v2(az.lab, secrets)
    assert_unchanged(before, az.lab.fingerprints())
    assert result["cluster"]["kubernetesVersion"] == version
    assert [s["id"] for s in result["steps"]] == [
        "disable-kms",
        "decrypt-secrets",
        "upgrade",
        "enable-kms",
        "encrypt-secrets",
    ]
    assert result["evidence"]["grade"] == "direct"
    assert result["evidence"]["apiServers"] == 2

    puts, raw = len(az.lab.puts()), az.lab.etcd_raw()
    again = az.start()
    assert again.code == 0
    assert again.document["state"] == "NothingToDo"
    assert len(az.lab.puts()) == puts
    assert az.lab.etcd_raw() == raw

    proven = az.migrate("verify", "--settle-seconds", "1")
    assert proven.code == 0, proven.stderr
    assert proven.document["verified"] is True
    assert len(az.lab.puts()) == puts
    assert az.lab.etcd_raw() == raw


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_secret_that_a_webhook_protects_stops_the_upgrade_and_nothing_else(up: UpLab, apiserver: str) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    before = az.lab.fingerprints()
    protected = sorted(before)[7]
    namespace, _, name = protected.partition("/")
    az.lab.fault("webhook", f"deny {protected}")
    _wait_until_denied(az, protected)

    stopped = az.start()

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


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_cluster_with_entra_id_and_no_local_accounts(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60, access="entra")
    before = az.lab.fingerprints()
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, 60)
    assert_unchanged(before, az.lab.fingerprints())


@pytest.mark.parametrize("apiserver", BOTH)
def test_no_value_of_a_secret_leaves_the_api_server(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60)
    said = []
    for words in (("start", "--yes", "--settle-seconds", "1", "--debug"), ("verify", "--debug"), ("show", "--debug")):
        done = az.migrate(*words)
        assert done.code == 0, done.stderr[-2000:]
        said += [done.stdout, done.stderr]
    with administrator(az.lab.endpoint()) as api:
        said.append(str(api.get("/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate")))
    for text, sighting in itertools.product(said, MARKER_SIGHTINGS):
        assert sighting not in text
    assert not az.lab.mentions(*MARKER_SIGHTINGS)
    assert not any("BEGIN" in text and "PRIVATE KEY" in text for text in said)


@pytest.mark.parametrize("apiserver", BOTH)
def test_each_documented_step_by_itself(up: UpLab, apiserver: str) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    settle = ("--yes", "--settle-seconds", "2")

    early = az.migrate("upgrade", *settle)
    assert early.code == 1
    assert "KMSM112" in early.stderr
    assert "disable-kms" in early.stderr
    assert az.lab.puts() == []

    done = az.migrate("disable-kms", "--yes")
    assert done.code == 0, done.stderr
    assert forms(az.lab) == {"kms-v1": secrets}  # turning KMS off rewrites nothing
    done = az.migrate("rewrite-secrets", *settle)
    assert done.code == 0, done.stderr
    assert forms(az.lab) == {"plain": secrets}
    done = az.migrate("upgrade", *settle)
    assert done.code == 0, done.stderr
    done = az.migrate("enable-kms", *settle)
    assert done.code == 0, done.stderr
    shown = az.migrate("show").document
    assert shown["remaining"] == ["encrypt-secrets"]
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


@pytest.mark.parametrize("apiserver", BOTH)
def test_kms_that_was_never_on_needs_a_key_and_then_ends_the_same(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60, kms=False)
    refused = az.start()
    assert refused.code == 1
    assert "KMSM102" in refused.stderr
    assert "--key-id" in refused.stderr
    assert az.lab.puts() == []
    key = az.lab.key_id()
    assert_completed(az.start("--key-id", key, "--key-vault-access", "Public"))
    assert_all_under_kms_v2(az.lab, 60)


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_private_vault(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60, key_vault="private")
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, 60)
    last = az.lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]
    assert last["keyVaultNetworkAccess"] == "Private"
    assert last["keyVaultResourceId"]


def test_a_supported_cluster_upgrades_its_node_pools_after_the_secrets_are_safe(up: UpLab) -> None:
    az = up("embedded", secrets=40, supported=True, offers=("1.27.1",))
    result = assert_completed(az.start())
    assert [s["id"] for s in result["steps"]] == [
        "disable-kms",
        "decrypt-secrets",
        "upgrade",
        "enable-kms",
        "encrypt-secrets",
        "upgrade-node-pools",
    ]
    assert_all_under_kms_v2(az.lab, 40)


def test_several_hops_where_the_profile_offers_no_single_one(up: UpLab) -> None:
    az = up("embedded", secrets=40, kubernetes="1.25.11", offers=("1.25.11>1.26.15", "1.26.15>1.27.1"))
    result = assert_completed(az.start())
    assert result["cluster"]["kubernetesVersion"] == "1.27.1"
    assert_all_under_kms_v2(az.lab, 40)


@pytest.mark.parametrize("step", ["disable-kms", "decrypt-secrets", "upgrade", "enable-kms", "encrypt-secrets"])
def test_stopping_after_any_step_and_typing_start_again(up: UpLab, step: str) -> None:
    az = up("embedded", secrets=40)
    stopped = az.start("--stop-after", step)
    assert stopped.code == 0, stopped.stderr
    assert stopped.document["state"] == ("Stopped" if step != "encrypt-secrets" else "Completed")
    again = az.start()
    assert again.code == 0, again.stderr
    assert_all_under_kms_v2(az.lab, 40)


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
