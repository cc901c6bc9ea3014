"""AZ-01 to AZ-05, K-01 to K-04, K-12: each where it fails and where it passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.suite import Outcome
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.step import StepId
from tests.unit.scenes import findings_of, passes, result_of, scene
from tests.unit.situations import KEY, NEVER, OFF, cluster, journal, pool

OURS = journal(StepId.DISABLE_KMS, original_kms=cluster().kms)


@pytest.mark.parametrize(
    ("check", "seen", "kept", "fix"),
    [
        ("AZ-01", cluster(state="Deleting"), None, "az aks list"),
        ("AZ-02", cluster(power="Stopped"), None, "az aks start -g shop -n blue"),
        ("AZ-03", cluster(state="Failed"), None, "az aks update -g shop -n blue"),
        ("AZ-03", cluster(state="Canceled"), None, "az aks update -g shop -n blue"),
        ("AZ-05", cluster(state="Upgrading"), None, "az aks wait -g shop -n blue"),
        ("K-01", cluster(kms=NEVER), None, "--key-id"),
        ("K-04", cluster(identity="SystemAssigned"), None, "az aks update -g shop -n blue"),
        ("K-04", cluster(identity=""), None, "az aks update -g shop -n blue"),
        ("AZ-04", cluster(pools=(pool(state="Failed"),)), None, "az aks nodepool upgrade -g shop --cluster-name blue"),
        ("AZ-04", cluster(pools=(replace(pool(), power="Stopped"),)), None, "az aks nodepool start -g shop"),
    ],
)
def test_what_blocks(check: str, seen: ClusterFacts, kept: Journal | None, fix: str) -> None:
    assert passes(check, scene())
    where = scene(seen, kept=kept)
    (finding,) = findings_of(check, where)
    assert fix in finding.fix
    assert finding.subject.endswith("'blue'") or finding.subject == "node pool 'system'"
    assert result_of(check, where).blocks


@pytest.mark.parametrize(
    ("check", "seen", "kept", "says"),
    [
        ("AZ-03", cluster(state="Failed", kms=OFF), OURS, "reconciles the cluster once"),
        ("AZ-05", cluster(state="Updating", kms=OFF), OURS, "follows it to its end"),
        ("K-01", cluster(kms=OFF), None, KEY),
        ("K-02", cluster("1.27.1"), None, "KMS v2 is on"),
        ("K-03", cluster("1.34.4", kms=NEVER, platform_kms=True), None, "cannot be turned off"),
    ],
)
def test_what_is_good_to_know_and_stops_nothing(
    check: str, seen: ClusterFacts, kept: Journal | None, says: str
) -> None:
    where = scene(seen, kept=kept)
    (finding,) = findings_of(check, where)
    assert says in finding.what
    assert result_of(check, where).severity is Severity.INFO
    assert result_of(check, scene()).outcome is Outcome.PASSED


def test_a_failed_pool_stops_turning_kms_on_and_nothing_where_only_secrets_are_left() -> None:
    failed = (pool("1.27.1", state="Failed"),)
    enabling = scene(cluster("1.27.1", kms=OFF, pools=failed))
    assert result_of("AZ-04", enabling).severity is Severity.BLOCK
    proving = scene(cluster("1.27.1", pools=failed), kept=journal(StepId.ENABLE_KMS))
    assert result_of("AZ-04", proving).outcome is Outcome.NOT_APPLICABLE


def test_a_pool_that_this_migrations_own_upgrade_failed_is_mended_by_the_run() -> None:
    failed = cluster("1.26.15", kms=OFF, state="Failed", pools=(pool("1.26.15", state="Failed"),))
    ours = scene(failed, kept=journal(StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS))
    assert result_of("AZ-04", ours).severity is Severity.INFO


def test_every_pool_that_is_not_well_is_named() -> None:
    where = scene(cluster(pools=(pool(name="a", state="Failed"), pool(name="b"), pool(name="c", state="Canceled"))))
    assert [f.subject for f in findings_of("AZ-04", where)] == ["node pool 'a'", "node pool 'c'"]


def test_the_time_without_kms_is_told_as_long_as_there_is_one() -> None:
    assert result_of("K-12", scene()).severity is Severity.WARN
    assert "--yes" in findings_of("K-12", scene())[0].fix
    assert result_of("K-12", scene(cluster("1.27.1"))).outcome is Outcome.NOT_APPLICABLE


def test_a_check_whose_step_is_not_left_does_not_apply() -> None:
    result = result_of("K-04", scene(cluster("1.27.1", identity="SystemAssigned")))
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert result.note == "none of the steps that need it is left"
    assert result_of("K-04", scene(cluster("1.27.1")), skipped=frozenset({"K-04"})).outcome is Outcome.NOT_APPLICABLE


def test_a_skipped_check_is_not_judged() -> None:
    result = result_of("K-04", scene(cluster(identity="")), skipped=frozenset({"K-04"}))
    assert (result.outcome, result.findings, result.blocks) == (Outcome.SKIPPED, (), False)
