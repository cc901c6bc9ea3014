"""The dry run on real API servers: it names what the rewrite fails on afterwards, and etcd does not notice it.

KMS is on: v1 with Secrets that lie under it (1.26), as before a migration; v2 with Secrets that are all stale (1.27).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.az import Az, Typed
from tests.e2e.permissions import limited, user_of
from tests.e2e.rewriting import checked as free_of_raw_words
from tests.e2e.rewriting import (
    dry_run_says,
    extra_secrets,
    failures,
    forms,
    path_of,
    put_raw,
    real_lab,
    rewrite,
    stored_plain,
    turn_kms_v2_on,
    wait_until,
)
from tests.e2e.trying import named, nothing_written, try_all
from tests.lab.administrator import Document, administrator
from tests.lab.client import LabClient
from tests.lab.webhook import SEEN

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 80
OPEN = "monitoring"  # the namespace of the webhook that takes no part in dry runs
LOST = b"k8s:enc:kms:v1:gone:\x00\x01"


@pytest.fixture(scope="module", params=["1.26.15", "1.27.1"])
def encrypted(extensions: Path, request: pytest.FixtureRequest) -> Iterator[Az]:
    below = request.param == "1.26.15"
    name = f"dry{request.param.replace('.', '')}"
    with real_lab(extensions, name, kubernetes=request.param, kms=below, secrets=SECRETS, access="entra") as az:
        if not below:
            turn_kms_v2_on(az)
        yield az


@pytest.fixture
def az(encrypted: Az) -> Iterator[Az]:
    encrypted.lab.fault("put-raw", "all")
    yield encrypted
    encrypted.lab.fault("webhook", "allow")
    wait_until(lambda: not _says_anywhere(encrypted.lab, _some(encrypted, OPEN)), "the webhooks are gone")


def version(az: Az) -> str:
    return str(az.lab.cluster()["properties"]["currentKubernetesVersion"])


def tried(az: Az, user: str = "") -> dict[str, str]:
    """What the dry run names; nothing may be written by it."""
    with nothing_written(az.lab):
        seen = try_all(az.lab, version(az), kms=True, user=user)
    assert seen.tried >= SECRETS
    assert not seen.stopped
    return named(seen)


def _says_anywhere(lab: LabClient, secret: str) -> bool:
    return any(dry_run_says(lab, replica, secret) for replica in (0, 1))


def _some(az: Az, namespace: str, number: int = 0) -> str:
    return sorted(name for name in forms(az.lab) if name.startswith(f"{namespace}/"))[number]


def _webhook(az: Az, told: str, secret: str, says: str) -> None:
    az.lab.fault("webhook", told)
    wait_until(
        lambda: all(says in dry_run_says(az.lab, replica, secret) for replica in (0, 1)), f"the webhook does {told}"
    )


@contextmanager
def faults_of_every_kind(az: Az) -> Iterator[dict[str, str]]:
    """What is in the way of which Secret, by class."""
    denied, slow, lost = _some(az, "billing"), _some(az, "catalog"), _some(az, "search")
    legacy, frozen = "default/legacy-00001", "default/frozen-00001"
    stored = {
        legacy: stored_plain(legacy, "kubernetes.io/tls"),
        frozen: stored_plain(frozen, immutable=True),
    }
    with ExitStack() as ends:
        ends.enter_context(extra_secrets(az.lab, stored))
        _webhook(az, f"deny {denied}", denied, "denied the request")
        _webhook(az, f"delay {slow}", slow, "failed calling webhook")
        _webhook(az, f"leave-open {OPEN}", _some(az, OPEN), "does not support dry run")
        put_raw(az.lab, lost, LOST)
        ends.callback(az.lab.fault, "put-raw", lost)
        yield {
            denied: "admissionDenied",
            slow: "webhookDown",
            legacy: "invalid",
            lost: "undecryptable",
        }


def checked(az: Az, *words: str) -> Typed:
    """``check`` as a user types it: nothing is written, in etcd or to Azure, and no server's own word is printed."""
    puts = len(az.lab.puts())
    with nothing_written(az.lab):
        done = free_of_raw_words(az.migrate("check", *words))
    assert len(az.lab.puts()) == puts
    return done


def c04(document: Document) -> Document:
    (check,) = [check for check in document["checks"] if check["id"] == "C-04"]
    return dict(check)


def found(document: Document) -> dict[str, tuple[str, str]]:
    """Of C-04: each Secret, with the class of its failure and how much that weighs."""
    return {
        finding["object"].removeprefix("Secret "): (
            finding["what"].partition("(")[2].split(":")[0],
            finding["severity"],
        )
        for finding in c04(document)["findings"]
    }


def below_1_27(az: Az) -> Az:
    if not version(az).startswith("1.26."):
        pytest.skip("KMS v2 is on: no step that turns KMS off is left")
    return az


def test_check_names_them_with_their_class_and_start_begins_nothing(az: Az, tmp_path: Path) -> None:
    below_1_27(az)
    report = tmp_path / "findings.json"
    unknown = {name: ("dryRunUnsupported", "warn") for name in forms(az.lab) if name.startswith(f"{OPEN}/")}
    with faults_of_every_kind(az) as expected:
        done = checked(az, "--report-file", str(report))
        assert done.code == 11, done.stderr
        assert c04(done.document)["outcome"] == "failed"
        blocking = {name: (kind, "block") for name, kind in expected.items()}
        assert found(done.document) == found(json.loads(report.read_text())) == blocking | unknown
        assert all(finding["fix"] for finding in c04(done.document)["findings"])
        assert c04(done.document)["findingsCount"] == len(blocking | unknown)

        with nothing_written(az.lab):
            refused = free_of_raw_words(az.start())
        assert refused.code == 11, refused.stderr
        assert refused.document["problem"]["code"] == "KMSM115"
        assert found(refused.document) == blocking | unknown
        assert az.lab.puts() == []

        left_out = checked(az, "--skip-check", "C-04", "K-10")
        assert c04(left_out.document)["outcome"] == "skipped"


def test_check_without_a_fault_passes_and_a_webhook_that_could_not_be_asked_only_warns(az: Az) -> None:
    below_1_27(az)
    assert c04(checked(az).document)["outcome"] == "passed"
    _webhook(az, f"leave-open {OPEN}", _some(az, OPEN), "does not support dry run")
    done = checked(az)
    assert c04(done.document)["outcome"] == "warned"
    assert done.document["ready"] is True, done.stdout


def test_nothing_in_the_way_names_nothing_and_writes_nothing(az: Az) -> None:
    assert tried(az) == {}


def test_it_names_what_the_rewrite_fails_on_afterwards_and_what_it_could_not_ask(az: Az) -> None:
    unknown = {name: "dryRunUnsupported" for name in forms(az.lab) if name.startswith(f"{OPEN}/")}
    assert unknown
    with faults_of_every_kind(az) as expected:
        assert tried(az) == expected | unknown
        assert dict(failures(rewrite(az))) == expected


def test_a_webhook_that_changes_what_is_written_is_asked_and_its_change_is_not_stored(az: Az) -> None:
    namespace = "billing"
    az.lab.fault("webhook", f"mutate {namespace}")
    some = _some(az, namespace)

    def mutates(replica: int) -> bool:
        with administrator(az.lab.endpoint(replica)) as api:
            answer = api.merge(f"{path_of(some)}?dryRun=All", {})
        return SEEN in (answer["metadata"].get("annotations") or {})

    wait_until(lambda: mutates(0) and mutates(1), "it mutates")
    assert tried(az) == {}


def test_no_permission_to_patch_in_one_namespace(az: Az) -> None:
    locked = {name: "forbidden" for name in forms(az.lab) if name.startswith("orders/")}
    assert locked
    user = user_of(az.lab)
    with limited(az.lab, metrics=True, no_patch_in=["orders"]):
        assert tried(az, user) == locked
        assert dict(failures(rewrite(az))) == locked
