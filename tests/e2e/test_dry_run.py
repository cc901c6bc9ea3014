"""The dry run on real API servers: it names what the rewrite fails on afterwards, and etcd does not notice it.

KMS is on: v1 with Secrets that lie under it (1.26), as before a migration; v2 with Secrets that are all stale (1.27).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.permissions import limited, user_of
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
from tests.lab.administrator import administrator
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
