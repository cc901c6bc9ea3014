"""One handler a command: wire, run, return."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import NetworkAccess
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import PlanDocument, RunResult, Status, Verification
from azext_kmsmigrate.rewrite.rewriting import Limits
from azext_kmsmigrate.wiring import command, confirmation, runner_for, write_report


@command
def plan(
    cmd: Any,
    resource_group_name: str,
    name: str,
    kubernetes_version: str | None = None,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
) -> PlanDocument:
    goal = _goal(kubernetes_version, key_id, key_vault_access, key_vault)
    return runner_for(cmd, resource_group_name, name, Limits()).plan(goal)


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
    settle_seconds: int = 60,
    max_parallel: int = 64,
    yes: bool = False,
) -> RunResult:
    goal = _goal(kubernetes_version, key_id, key_vault_access, key_vault)
    request = Request(goal, stop_after=StepId(stop_after) if stop_after else None)
    runner = runner_for(cmd, resource_group_name, name, _limits(settle_seconds, max_parallel))
    return runner.run(request, confirmation("az aks kms-migrate start", yes=yes))


@command
def show(cmd: Any, resource_group_name: str, name: str) -> Status:
    return runner_for(cmd, resource_group_name, name, Limits()).show()


@command
def verify(
    cmd: Any,
    resource_group_name: str,
    name: str,
    namespace: list[str] | None = None,
    settle_seconds: int = 5,
    max_parallel: int = 64,
    report_file: str | None = None,
) -> Verification:
    limits = _at_rest(settle_seconds, max_parallel, patience=30.0)
    found = runner_for(cmd, resource_group_name, name, limits).verify(tuple(namespace or ()))
    if report_file:
        write_report(report_file, found)
    return found.shortened(100)


@command
def disable_kms(cmd: Any, resource_group_name: str, name: str, yes: bool = False) -> RunResult:
    request = Request(only=StepId.DISABLE_KMS)
    runner = runner_for(cmd, resource_group_name, name, Limits())
    return runner.run(request, confirmation("az aks kms-migrate disable-kms", yes=yes))


@command
def upgrade(
    cmd: Any,
    resource_group_name: str,
    name: str,
    kubernetes_version: str | None = None,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    yes: bool = False,
) -> RunResult:
    request = Request(Goal(kubernetes_version=kubernetes_version or ""), only=StepId.UPGRADE)
    runner = runner_for(cmd, resource_group_name, name, _limits(settle_seconds, max_parallel))
    return runner.run(request, confirmation("az aks kms-migrate upgrade", yes=yes))


@command
def enable_kms(
    cmd: Any,
    resource_group_name: str,
    name: str,
    key_id: str | None = None,
    key_vault_access: str | None = None,
    key_vault: str | None = None,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    yes: bool = False,
) -> RunResult:
    goal = _goal(None, key_id, key_vault_access, key_vault)
    runner = runner_for(cmd, resource_group_name, name, _limits(settle_seconds, max_parallel))
    return runner.run(Request(goal, only=StepId.ENABLE_KMS), confirmation("az aks kms-migrate enable-kms", yes=yes))


@command
def rewrite_secrets(
    cmd: Any,
    resource_group_name: str,
    name: str,
    namespace: list[str] | None = None,
    settle_seconds: int = 60,
    max_parallel: int = 64,
    yes: bool = False,
) -> RunResult:
    # One API server that begins anew in the middle is waited for.
    runner = runner_for(cmd, resource_group_name, name, _at_rest(settle_seconds, max_parallel, patience=60.0))
    return runner.rewrite(confirmation("az aks kms-migrate rewrite-secrets", yes=yes), tuple(namespace or ()))


def _goal(version: str | None, key_id: str | None, access: str | None, vault_id: str | None) -> Goal:
    return Goal(version or "", key_id or "", NetworkAccess(access) if access else None, vault_id or "")


def _at_rest(settle_seconds: int, max_parallel: int, patience: float) -> Limits:
    """For commands that change nothing in Azure: API servers that disagree are not waited for as after a change."""
    return replace(_limits(settle_seconds, max_parallel), patience=max(patience, 4.0 * settle_seconds))


def _limits(settle_seconds: int, max_parallel: int) -> Limits:
    return Limits(grace=float(settle_seconds), parallel=max_parallel)
