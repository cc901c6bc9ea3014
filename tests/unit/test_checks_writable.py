"""C-04: what a dry run of the rewrite found, judged."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import CheckResult, Outcome, judged
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.checks.writable import CHECKS, WRITABLE, Writable
from azext_kmsmigrate.migration.plan import Goal, decide
from azext_kmsmigrate.migration.secret import FailedSecret, FailureClass
from azext_kmsmigrate.migration.step import StepId
from tests.unit.situations import KEY, NAME, cluster, situation

UNTRIED = FailureClass.DRY_RUN_UNSUPPORTED
NO_SECRETS_OWN = {FailureClass.OTHER_FORM, FailureClass.EXPIRED}  # of a proof, and of a list


def judge(seen: Writable | Unseen) -> CheckResult:
    now = datetime(2026, 1, 31, tzinfo=timezone.utc)
    there = situation(cluster())
    (result,) = judged(CHECKS, Scene(there, Goal(), decide(there, Goal()), now, {WRITABLE: seen}))
    return result


def failed(name: str, kind: FailureClass, detail: str = "") -> FailedSecret:
    return FailedSecret("shop", name, kind, detail)


def test_it_is_asked_before_kms_is_turned_off_and_takes_its_time() -> None:
    (check,) = CHECKS
    assert check.before == {StepId.DISABLE_KMS}
    assert check.severity is Severity.BLOCK
    assert WRITABLE.patient


def test_nothing_in_the_way_passes() -> None:
    assert judge(Writable(4000)).outcome is Outcome.PASSED


def test_what_could_not_be_looked_at_is_unknown_with_the_missing_permission() -> None:
    result = judge(Unseen("forbidden", "patch secrets"))
    assert (result.outcome, result.permission) == (Outcome.UNKNOWN, "patch secrets")


@pytest.mark.parametrize("kind", [k for k in FailureClass if k not in {UNTRIED, *NO_SECRETS_OWN}])
def test_a_secret_that_cannot_be_rewritten_blocks_and_is_named_with_class_detail_and_remedy(kind: FailureClass) -> None:
    result = judge(Writable(9, (failed("db", kind, "what the server named"),)))
    assert result.blocks
    (finding,) = result.findings
    assert finding.subject == "Secret shop/db"
    assert kind.value in finding.what
    assert "what the server named" in finding.what
    assert finding.fix.endswith((".", ".webhooks[*].name", "--namespace shop", NAME.resource_id, KEY))


def test_a_webhook_that_takes_no_part_in_dry_runs_is_told_and_blocks_nothing() -> None:
    result = judge(Writable(9, (failed("db", UNTRIED, "webhook old.example takes no part in dry runs"),)))
    assert (result.outcome, result.severity, result.blocks) == (Outcome.FAILED, Severity.WARN, False)
    assert "unknown" in result.findings[0].what
    assert "kubectl get validatingwebhookconfigurations" in result.findings[0].fix


def test_one_that_is_only_unknown_weighs_nothing_beside_one_that_is_denied() -> None:
    assert judge(Writable(9, (failed("a", UNTRIED), failed("b", FailureClass.ADMISSION_DENIED)))).blocks


def test_a_dry_run_that_was_stopped_blocks_even_when_it_names_no_secret() -> None:
    result = judge(Writable(25, (), "forbidden (HTTP 403)"))
    assert result.blocks
    assert "forbidden (HTTP 403)" in result.findings[0].what


@pytest.mark.parametrize(
    ("namespace", "subject"), [("*", "the list of all Secrets"), ("shop", "the list of Secrets in shop")]
)
def test_a_list_that_cannot_be_read_to_its_end_blocks(namespace: str, subject: str) -> None:
    result = judge(Writable(1, (FailedSecret(namespace, "*", FailureClass.KEY_UNAVAILABLE, "Key Vault did not"),)))
    assert result.blocks
    assert result.findings[0].subject == subject
    assert f"az keyvault key show --id {KEY}" in result.findings[0].fix


SECRETS = st.lists(
    st.builds(
        FailedSecret,
        st.sampled_from("abc"),
        st.text("xyz", min_size=1, max_size=4),
        st.sampled_from(sorted(set(FailureClass) - NO_SECRETS_OWN, key=lambda k: k.value)),
        st.sampled_from(["", "webhook one", "webhook two"]),
    ),
    unique_by=lambda f: (f.namespace, f.name),
)


@given(SECRETS)
def test_every_secret_is_named_once_and_the_first_ones_show_every_cause(secrets: list[FailedSecret]) -> None:
    result = judge(Writable(99, tuple(secrets)))
    assert sorted(f.subject for f in result.findings) == sorted(f"Secret {f.namespace}/{f.name}" for f in secrets)
    causes = {(f.kind, f.detail) for f in secrets}
    first = result.findings[: len(causes)]
    assert {f.what for f in first} == {f.what for f in result.findings}
    assert result.blocks is any(f.kind is not UNTRIED for f in secrets)
