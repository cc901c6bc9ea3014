"""What az makes of the results: JSON, tables, exit codes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from azure.cli.core.util import todict
from knack.output import format_json, format_table
from knack.util import CommandResultItem

from azext_kmsmigrate import _format, errors
from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.exit_codes import ExitCode, exit_code
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.results import EstimateDocument, PlanDocument, ProblemDocument, RunResult, RunState
from tests.sim.cluster import KEY, OTHER_KEY, SimCluster
from tests.unit.documents import ALL, CHECK, PLAN, PROBLEM, REPORT, RUN, STATUS, VERIFICATION


def _name(document: object) -> str:
    return type(document).__name__


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(k for inner in value.values() for k in _keys(inner))]
    return [k for inner in value for k in _keys(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("document", ALL, ids=_name)
def test_a_result_is_one_json_document_in_camel_case_with_no_repr_in_it(document: Any) -> None:
    text = format_json(CommandResultItem(todict(document)))
    read = json.loads(text)
    assert read["schemaVersion"] == 1
    assert all(key[0].islower() and "_" not in key for key in _keys(read))
    assert "Document(" not in text
    assert "RunState." not in text


@pytest.mark.parametrize("document", ALL, ids=_name)
def test_every_field_of_a_result_is_printed(document: Any) -> None:
    printed = todict(document)
    assert len(printed) == len(dataclasses.fields(document))


def test_a_whole_run_is_printed_without_a_repr() -> None:
    sim = SimCluster()
    before = sim.runner().plan(Goal())
    run = sim.start()
    for document in (
        before,
        run,
        sim.runner().show(),
        sim.runner().verify(),
        sim.runner().check(Goal()),
        sim.runner().report(),
    ):
        assert "Document(" not in format_json(CommandResultItem(todict(document)))
    assert todict(run)["state"] == "Completed"
    assert todict(run)["steps"][0]["id"] == "disable-kms"


TABLES: list[tuple[object, Callable[[dict[str, Any]], list[Any]]]] = [
    (PLAN, _format.plan_rows),
    (replace(PLAN, steps=[], blocked=None), _format.plan_rows),
    (replace(PLAN, steps=[]), _format.plan_rows),
    (RUN, _format.run_rows),
    (replace(RUN, steps=[], failed=[]), _format.run_rows),
    (STATUS, _format.status_rows),
    (replace(STATUS, remaining=[], next_command=None), _format.status_rows),
    (VERIFICATION, _format.verification_rows),
    (CHECK, _format.check_rows),
    (replace(CHECK, blocked=None), _format.check_rows),
    (REPORT, _format.report_rows),
    (replace(VERIFICATION, verified=True, unverified=[]), _format.verification_rows),
]


@pytest.mark.parametrize(("document", "rows"), TABLES, ids=[_name(t[0]) for t in TABLES])
def test_every_table_fits_a_hundred_columns(document: object, rows: Callable[[dict[str, Any]], list[Any]]) -> None:
    text = format_table(CommandResultItem(todict(document), table_transformer=rows))
    assert text.strip()
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_table_of_a_plan_shows_the_steps_and_what_blocks_them() -> None:
    rows = _format.plan_rows(todict(PLAN))
    assert [row["Step"] for row in rows][:2] == ["disable-kms", "decrypt-secrets"]
    assert rows[-1]["Status"] == "Blocked"
    assert str(rows[-1]["Detail"]).startswith("KMSM102")
    assert (rows[0]["Time"], rows[0]["Undo"]) == ("25-250 h", "yes")
    assert [(row["Status"], row["Time"]) for row in rows[-3:-1]] == [("Together", "25-250 h"), ("Exposure", "25-250 h")]


def test_a_table_of_a_plan_that_cannot_be_estimated_says_so() -> None:
    unknown = replace(PLAN, estimate=EstimateDocument(None, None, []), exposure=None, blocked=None)
    rows = _format.plan_rows(todict(unknown))
    assert (rows[-1]["Status"], rows[-1]["Time"]) == ("Together", "?")


def test_a_plan_of_a_measured_cluster_is_whole() -> None:
    plan = SimCluster(supported=True, secrets=9).runner().plan(Goal(kubernetes_version="1.28", key_id=OTHER_KEY))
    assert plan.estimate is not None
    assert plan.exposure is not None
    assert plan.estimate.basis[0].startswith("9 Secrets")
    assert 0 < plan.exposure.low_seconds < plan.exposure.high_seconds
    assert all(step.estimate for step in plan.steps)
    assert [(h.kubernetes_version, h.scope, h.firm) for h in plan.hops] == [
        ("1.27.1", "ControlPlane", True),
        ("1.28.3", "ControlPlane", False),
    ]
    assert plan.next_command == (
        f"az aks kms-migrate start -g shop -n blue --kubernetes-version 1.28 --key-id {OTHER_KEY}"
    )
    assert any(KEY in one.what for one in plan.manual)
    assert any("upgrade, upgrade-node-pools" in text for text in plan.warnings)


def test_show_names_what_cannot_be_undone() -> None:
    assert SimCluster(supported=True).runner().show().irreversible == ["upgrade", "upgrade-node-pools"]
    assert SimCluster(version="1.27.1", kms=False).runner().show().irreversible == []


def test_a_table_of_a_run_names_every_secret_that_failed() -> None:
    rows = _format.run_rows(todict(RUN))
    assert rows[-1]["Status"] == "admissionDenied"
    assert [row["Step"] for row in rows].count("-") == 1


def test_a_table_of_a_plan_with_nothing_to_do_says_so() -> None:
    sim = SimCluster(version="1.27.1")
    rows = _format.plan_rows(todict(sim.runner().plan(Goal())))
    assert [row["Status"] for row in rows] == ["NothingToDo"]


# exit codes


def _problem(code: str) -> ProblemDocument:
    return replace(PROBLEM, code=code)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (VERIFICATION, ExitCode.UNPROVEN),
        (replace(VERIFICATION, verified=True), ExitCode.DONE),
        (replace(RUN, state=RunState.COMPLETED, problem=None), ExitCode.DONE),
        (replace(RUN, state=RunState.NOTHING_TO_DO, problem=None), ExitCode.DONE),
        (replace(RUN, state=RunState.STOPPED, problem=None), ExitCode.DONE),
        (replace(RUN, state=RunState.STOPPED, problem=_problem("KMSM901")), ExitCode.STOPPED),
        (replace(RUN, state=RunState.FAILED, problem=_problem("KMSM202")), ExitCode.FAILURE),
        (replace(RUN, state=RunState.FAILED, problem=_problem("KMSM401")), ExitCode.UNPROVEN),
        (replace(RUN, state=RunState.FAILED, problem=_problem("KMSM402")), ExitCode.UNPROVEN),
        (replace(RUN, state=RunState.FAILED, problem=_problem("KMSM403")), ExitCode.UNPROVEN),
        (replace(RUN, state=RunState.FAILED, problem=None), ExitCode.UNPROVEN),
        (PLAN, ExitCode.DONE),
        (replace(PLAN, blocked=None), ExitCode.DONE),
        (STATUS, ExitCode.DONE),
    ],
)
def test_the_result_decides_the_exit_code(result: object, code: ExitCode) -> None:
    assert exit_code(result) is code


def test_our_own_exit_codes_leave_azs_alone() -> None:
    assert {int(c) for c in ExitCode} & {2, 3} == set()
    assert all(c in (0, 1) or c >= 10 for c in ExitCode)


def test_a_problem_is_the_entry_with_its_values() -> None:
    found = ProblemDocument.of(KmsMigrateError(errors.DECLINED))
    assert (found.code, found.what, found.fix) == (
        "KMSM502",
        "You did not confirm.",
        "Type the command again when you are ready.",
    )


def test_a_plan_that_has_nothing_to_do_names_no_goal() -> None:
    sim = SimCluster(version="1.27.1")
    document = sim.runner().plan(Goal())
    assert isinstance(document, PlanDocument)
    assert (document.goal, document.pending, document.steps) == (None, False, [])


def test_a_run_result_starts_empty() -> None:
    first, second = (RunResult(RUN.cluster, RunState.COMPLETED, "") for _ in range(2))
    first.steps.append(RUN.steps[0])
    assert second.steps == []
