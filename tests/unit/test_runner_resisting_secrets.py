"""Whole migrations with Secrets, lists and permissions that fail."""

from __future__ import annotations

from collections import deque

import pytest

from azext_kmsmigrate.migration.secret import Failure, FailureClass, StoredAs
from tests.sim.cluster import SimCluster
from tests.unit.runs import UNASKED, assert_completes, assert_fails


def test_a_webhook_that_denies_one_secret_stops_the_migration_before_the_upgrade() -> None:
    sim = SimCluster()
    sim.api.deny("ns-1", "secret-4", "deny.example.com")
    result = sim.start(UNASKED)
    assert_fails(result, "KMSM401", 11)
    assert [(f.namespace, f.name, f.kind, f.detail) for f in result.failed] == [
        ("ns-1", "secret-4", "admissionDenied", "webhook deny.example.com")
    ]
    assert sim.forms == {"plain": 5, "kms-v1": 1}
    assert sim.puts == ["disable-kms"]
    assert result.next_command == "az aks kms-migrate start -g shop -n blue --skip-check C-04 K-10"
    assert (result.cluster.kubernetes_version, result.cluster.kms) == ("1.26.15", "Off")
    sim.api.allow("ns-1", "secret-4")
    assert_completes(sim)


def test_a_webhook_that_is_down_in_one_namespace_keeps_no_other_secret_from_being_rewritten() -> None:
    sim = SimCluster(secrets=6)
    down = Failure(FailureClass.WEBHOOK_DOWN, "webhook down.example.com cannot be called")
    for number in range(40):
        sim.api.add("broken", f"s-{number:02}")
        sim.api.always["broken", f"s-{number:02}"] = down
    result = sim.start(UNASKED)
    assert_fails(result, "KMSM401", 11)
    assert len(result.failed) == 40
    assert sim.forms == {"plain": 6, "kms-v1": 40}


def test_an_api_server_that_refuses_everything_alike_is_not_asked_forever() -> None:
    sim = SimCluster(secrets=200)
    for key in list(sim.api.secrets):
        sim.api.always[key] = Failure(FailureClass.FORBIDDEN, "HTTP 403")
    result = sim.start(UNASKED)
    assert_fails(result, "KMSM403", 11)
    assert 25 <= len(result.failed) < 130
    assert sim.puts == ["disable-kms"]


def test_a_failure_that_passes_is_retried() -> None:
    sim = SimCluster()
    sim.api.answers["ns-0", "secret-0"] = deque(
        [Failure(FailureClass.THROTTLED, "HTTP 429", retry_after=7.0), Failure(FailureClass.TIMED_OUT, "ReadTimeout")]
    )
    assert_completes(sim)
    assert 7.0 in sim.clock.sleeps


def test_a_list_that_is_throttled_is_asked_again_at_every_place_it_is_read() -> None:
    sim = SimCluster()
    sim.api.page_answers.extend([Failure(FailureClass.THROTTLED, "HTTP 429", retry_after=3.0)] * 2)
    assert_completes(sim)


def test_a_list_that_expires_in_the_middle_misses_no_secret() -> None:
    sim = SimCluster(secrets=1100)
    sim.api.expiring = 3
    assert_completes(sim, secrets=1100)


def test_a_secret_that_nobody_can_read_is_named_and_no_upgrade_is_begun() -> None:
    sim = SimCluster()
    sim.api.always["ns-2", "secret-5"] = Failure(FailureClass.UNDECRYPTABLE, "the API server has no key for it")
    result = sim.start(UNASKED)
    assert_fails(result, "KMSM401", 11)
    assert [(f.name, f.kind) for f in result.failed] == [("secret-5", "undecryptable")]
    assert sim.puts == ["disable-kms"]


@pytest.mark.parametrize("bad", [("a-first", "secret"), ("ns-1", "secret-4"), ("z-last", "secret")])
def test_a_secret_that_breaks_the_list_is_named_and_no_upgrade_is_begun(bad: tuple[str, str]) -> None:
    sim = SimCluster()
    sim.api.add(*bad)
    sim.api.secrets[bad].form = StoredAs.KMS_V2  # a key that this cluster never had
    result = sim.start(UNASKED)
    assert_fails(result, "KMSM401", 11)
    assert [(f.namespace, f.name, f.kind) for f in result.failed] == [(*bad, "undecryptable")]
    assert sim.forms["kms-v2"] == 1
    assert sim.forms.get("kms-v1", 0) == 0
    assert sim.puts == ["disable-kms"]
    sim.api.delete(*bad)
    assert_completes(sim, secrets=sum(sim.forms.values()))
