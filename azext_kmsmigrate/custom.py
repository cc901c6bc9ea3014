"""One handler a command: wire, run, return."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from azext_kmsmigrate.check_document import MOST_NAMED
from azext_kmsmigrate.exit_codes import ExitCode
from azext_kmsmigrate.fleet_wiring import clusters_of
from azext_kmsmigrate.handover.document import Report
from azext_kmsmigrate.handover.form import STDOUT, ReportForm, form_of, text_of
from azext_kmsmigrate.listing import ListedCluster
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import NetworkAccess, SupportPlan
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.plan_store import load
from azext_kmsmigrate.results import CheckReport, PlanDocument, RunResult, Status, Verification
from azext_kmsmigrate.rewrite.rewriting import Limits
from azext_kmsmigrate.wiring import (
    as_json,
    cluster_name,
    command,
    confirmation,
    leave_with,
    runner_for,
    write_plan,
    write_report,
)


@command
def plan(
    cmd: Any,
    resource_group_name: str,
    name: str,
    kubernetes_version: str | None = None,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
    skip_check: list[str] | None = None,
    tier: str | None = None,
    k8s_support_plan: str | None = None,
    out: str | None = None,
    detailed_exit_code: bool = False,
    progress: str = "auto",
) -> PlanDocument:
    goal = _goal(kubernetes_version, key_id, key_vault_access, key_vault, tier, k8s_support_plan)
    runner = runner_for(cmd, resource_group_name, name, Limits(), progress)
    document, facts = runner.plan_and_facts(goal, frozenset(skip_check or ()))
    if out:
        document = write_plan(out, goal, facts, document)
    if detailed_exit_code and document.pending:
        leave_with(cmd.cli_ctx, ExitCode.PENDING)
    return document


@command
def check(
    cmd: Any,
    resource_group_name: str,
    name: str,
    kubernetes_version: str | None = None,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
    skip_check: list[str] | None = None,
    warnings_as_errors: bool = False,
    tier: str | None = None,
    k8s_support_plan: str | None = None,
    max_parallel: int = 64,
    report_file: str | None = None,
    progress: str = "auto",
) -> CheckReport:
    goal = _goal(kubernetes_version, key_id, key_vault_access, key_vault, tier, k8s_support_plan)
    runner = runner_for(cmd, resource_group_name, name, Limits(parallel=max_parallel), progress)
    found = runner.check(goal, frozenset(skip_check or ()), warnings_as_errors=warnings_as_errors)
    if report_file:
        write_report(report_file, as_json(found))
    return found.shortened()


@command
def start(
    cmd: Any,
    resource_group_name: str,
    name: str,
    kubernetes_version: str | None = None,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
    stop_after: str | None = None,
    skip_check: list[str] | None = None,
    assign_role: bool = False,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    force_upgrade_until: datetime | None = None,
    take_over: bool = False,
    timeout: float | None = None,
    yes: bool = False,
    tier: str | None = None,
    k8s_support_plan: str | None = None,
    plan_file: str | None = None,
    progress: str = "auto",
) -> RunResult:
    goal = _goal(kubernetes_version, key_id, key_vault_access, key_vault, tier, k8s_support_plan)
    agreed = load(plan_file, cluster_name(cmd, resource_group_name, name)) if plan_file else None
    request = Request(
        replace(agreed.goal if agreed else goal, force_until=force_upgrade_until),
        stop_after=StepId(stop_after) if stop_after else None,
        skipped=frozenset(skip_check or ()),
        plan=agreed,
        path=plan_file or "",
        assign_roles=assign_role,
    )
    limits = _limits(settle_seconds, max_parallel)
    runner = runner_for(cmd, resource_group_name, name, limits, progress, take_over=take_over, timeout=timeout)
    return runner.run(request, confirmation(cmd, "az aks kms-migrate start", yes=yes, progress=progress))


@command
def show(cmd: Any, resource_group_name: str, name: str) -> Status:
    return runner_for(cmd, resource_group_name, name, Limits(), glance=True).show()


@command
def verify(
    cmd: Any,
    resource_group_name: str,
    name: str,
    namespace: list[str] | None = None,
    settle_seconds: int = 5,
    max_parallel: int = 64,
    report_file: str | None = None,
    progress: str = "auto",
) -> Verification:
    limits = _at_rest(settle_seconds, max_parallel, patience=30.0)
    found = runner_for(cmd, resource_group_name, name, limits, progress).verify(tuple(namespace or ()))
    if report_file:
        write_report(report_file, as_json(found))
    return found.shortened(MOST_NAMED)


@command
def report(
    cmd: Any, resource_group_name: str, name: str, report_format: str | None = None, out: str | None = None
) -> Report | None:
    made = runner_for(cmd, resource_group_name, name, Limits()).report()
    form = form_of(report_format, out)
    if out and form:
        write_report(out, text_of(made, form) if form is not ReportForm.JSON else as_json(made))
    return None if out == STDOUT else made


@command
def revert(
    cmd: Any,
    resource_group_name: str,
    name: str,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
    skip_check: list[str] | None = None,
    assign_role: bool = False,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    take_over: bool = False,
    timeout: float | None = None,
    yes: bool = False,
    progress: str = "auto",
) -> RunResult:
    goal = _goal(None, key_id, key_vault_access, key_vault)
    request = Request(goal, skipped=frozenset(skip_check or ()), assign_roles=assign_role, back=True)
    limits = _limits(settle_seconds, max_parallel)
    runner = runner_for(cmd, resource_group_name, name, limits, progress, take_over=take_over, timeout=timeout)
    return runner.run(request, confirmation(cmd, "az aks kms-migrate revert", yes=yes, progress=progress))


@command
def disable_kms(
    cmd: Any,
    resource_group_name: str,
    name: str,
    skip_check: list[str] | None = None,
    take_over: bool = False,
    timeout: float | None = None,
    yes: bool = False,
    progress: str = "auto",
) -> RunResult:
    request = Request(only=StepId.DISABLE_KMS, skipped=frozenset(skip_check or ()))
    runner = runner_for(cmd, resource_group_name, name, Limits(), progress, take_over=take_over, timeout=timeout)
    return runner.run(request, confirmation(cmd, "az aks kms-migrate disable-kms", yes=yes, progress=progress))


@command
def upgrade(
    cmd: Any,
    resource_group_name: str,
    name: str,
    kubernetes_version: str | None = None,
    skip_check: list[str] | None = None,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    force_upgrade_until: datetime | None = None,
    take_over: bool = False,
    timeout: float | None = None,
    yes: bool = False,
    tier: str | None = None,
    k8s_support_plan: str | None = None,
    progress: str = "auto",
) -> RunResult:
    goal = _goal(kubernetes_version, None, None, None, tier, k8s_support_plan)
    goal = replace(goal, force_until=force_upgrade_until)
    request = Request(goal, only=StepId.UPGRADE, skipped=frozenset(skip_check or ()))
    limits = _limits(settle_seconds, max_parallel)
    runner = runner_for(cmd, resource_group_name, name, limits, progress, take_over=take_over, timeout=timeout)
    return runner.run(request, confirmation(cmd, "az aks kms-migrate upgrade", yes=yes, progress=progress))


@command
def enable_kms(
    cmd: Any,
    resource_group_name: str,
    name: str,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
    skip_check: list[str] | None = None,
    assign_role: bool = False,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    take_over: bool = False,
    timeout: float | None = None,
    yes: bool = False,
    progress: str = "auto",
) -> RunResult:
    goal = _goal(None, key_id, key_vault_access, key_vault)
    skipped = frozenset(skip_check or ())
    request = Request(goal, only=StepId.ENABLE_KMS, skipped=skipped, assign_roles=assign_role)
    limits = _limits(settle_seconds, max_parallel)
    runner = runner_for(cmd, resource_group_name, name, limits, progress, take_over=take_over, timeout=timeout)
    return runner.run(request, confirmation(cmd, "az aks kms-migrate enable-kms", yes=yes, progress=progress))


@command
def rewrite_secrets(
    cmd: Any,
    resource_group_name: str,
    name: str,
    namespace: list[str] | None = None,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    take_over: bool = False,
    timeout: float | None = None,
    yes: bool = False,
    progress: str = "auto",
) -> RunResult:
    # One API server that begins anew in the middle is waited for.
    limits = _at_rest(settle_seconds, max_parallel, patience=60.0)
    runner = runner_for(cmd, resource_group_name, name, limits, progress, take_over=take_over, timeout=timeout)
    confirm = confirmation(cmd, "az aks kms-migrate rewrite-secrets", yes=yes, progress=progress)
    return runner.rewrite(confirm, tuple(namespace or ()))


@command
def list_(
    cmd: Any,
    resource_group_name: str | None = None,
    subscriptions: list[str] | None = None,
    management_groups: list[str] | None = None,
) -> list[ListedCluster]:
    return clusters_of(cmd, subscriptions or [], management_groups or [], resource_group_name or "")


def _goal(
    version: str | None,
    key_id: str | None,
    access: str | None,
    vault_id: str | None,
    tier: str | None = None,
    plan: str | None = None,
) -> Goal:
    return Goal(
        version or "",
        key_id or "",
        NetworkAccess(access) if access else None,
        vault_id or "",
        SupportPlan(plan) if plan else None,
        tier or "",
    )


def _at_rest(settle_seconds: int, max_parallel: int, patience: float) -> Limits:
    """For commands that change nothing in Azure: API servers that disagree are not waited for as after a change."""
    return replace(_limits(settle_seconds, max_parallel), patience=max(patience, 4.0 * settle_seconds))


def _limits(settle_seconds: int, max_parallel: int) -> Limits:
    return Limits(grace=float(settle_seconds), parallel=max_parallel)
