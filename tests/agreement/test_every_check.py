"""For every check: once the local Azure or the API servers make it speak, with the object's name; once they do not."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.check_document import CheckDocument
from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.suite import Outcome
from tests.agreement.cases import CASES
from tests.agreement.disturbances import Disturbance
from tests.agreement.trial import EVERY_CHECK, trial

IDS = sorted(CASES)
# A dry run goes over every Secret: it is left to the one check that is about it.
SPARED = frozenset({"C-04"})


def test_no_check_is_without_a_case() -> None:
    assert set(CASES) == {check.id for check in CHECKS}


def look(check_id: str, state: Disturbance) -> CheckDocument:
    with trial(**state.options) as attempt:
        state.disturb(attempt)
        before = len(attempt.cluster_puts())
        report = attempt.check(SPARED - {check_id})
        assert len(attempt.cluster_puts()) == before
        assert {check.id for check in report.checks} == EVERY_CHECK
        return next(check for check in report.checks if check.id == check_id)


@pytest.mark.parametrize("check_id", [pytest.param(id_, marks=CASES[id_].marks) for id_ in IDS])
def test_it_speaks_of_what_is_wrong_and_tells_what_to_type(check_id: str) -> None:
    case = CASES[check_id]
    found = look(check_id, case.wrong)
    assert found.findings, found
    if found.severity == "block":
        assert found.outcome == "failed"
    assert any(case.finds in finding.object for finding in found.findings), found.findings
    assert all(finding.what and finding.fix for finding in found.findings)


@pytest.mark.parametrize("check_id", IDS)
def test_it_is_quiet_where_nothing_is_wrong(check_id: str) -> None:
    case = CASES[check_id]
    found = look(check_id, case.well)
    assert (found.outcome, found.findings) == (case.quiet, []), found
    assert found.outcome in {outcome.value for outcome in Outcome}
