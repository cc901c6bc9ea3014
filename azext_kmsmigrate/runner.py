"""What each command asks of the ports: one method a command. Talks to ports only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.check_document import CheckDocument
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import ClusterError, Refused
from azext_kmsmigrate.granting import Granting, curable
from azext_kmsmigrate.handover.account import report_of
from azext_kmsmigrate.handover.document import Report
from azext_kmsmigrate.inspection import Inspection, refusal
from azext_kmsmigrate.loop import (
    Request,
    Run,
    command_of,
    drift,
    measure,
    nothing_to_do,
    observe,
    observe_in_part,
    refuse_outdated,
)
from azext_kmsmigrate.migration.events import StepBegun
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation, decide, only
from azext_kmsmigrate.migration.plan_file import facts_of
from azext_kmsmigrate.migration.secret import SecretRef
from azext_kmsmigrate.migration.step import StepStatus
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.patient_cluster import PatientCluster
from azext_kmsmigrate.report.checks_text import check_lines
from azext_kmsmigrate.results import (
    CheckReport,
    ClusterDocument,
    CountsDocument,
    EvidenceDocument,
    PlanDocument,
    ProblemDocument,
    RunResult,
    RunState,
    Status,
    StepDocument,
    Verification,
    failed_documents,
)
from azext_kmsmigrate.retrospect import retrospect
from azext_kmsmigrate.rewrite.dry_run import DryRun
from azext_kmsmigrate.rewrite.own_canary import OwnCanary
from azext_kmsmigrate.rewrite.rewriting import Limits, Rewriting, stored_form
from azext_kmsmigrate.standing import Standing

Confirm = Callable[[ClusterFacts, Plan, Preflight], None]
"""Shows the plan and what the checks warn of, and asks; raises when the user declines."""

_NOTHING_CHANGED = "Nothing was changed: it was to be known before KMS is turned off, not after."


class Runner:
    """One cluster, one command."""

    def __init__(self, world: World, limits: Limits) -> None:
        patience = world.patience or Patience(world.clock, world.observer.tell)
        cluster = PatientCluster(world.cluster, patience, world.tick)
        self._world, self._limits = replace(world, cluster=cluster, patience=patience), limits
        self._patience = patience
        # The dry run goes over the ports of the run itself, at its pace.
        dry_run = DryRun(self._rewriting(world.secrets.create_canary), world.observer.tell)
        self._world = replace(self._world, inspectors=(*world.inspectors, dry_run))

    # read-only

    def plan(self, goal: Goal, skipped: frozenset[str] = frozenset()) -> PlanDocument:
        """What ``start`` would do now, and whether the checks let it."""
        document, _ = self.plan_and_facts(goal, skipped)
        return document

    def plan_and_facts(self, goal: Goal, skipped: frozenset[str] = frozenset()) -> tuple[PlanDocument, dict[str, Any]]:
        """The same, and what it was made from: see ``migration.plan_file``."""
        situation = self._measured(self._observe(), Request(goal))
        cluster, plan = situation.cluster, decide(situation, goal)
        facts = facts_of(situation, plan)
        if plan.blocked or not plan.pending:
            return PlanDocument.of(cluster, plan, goal), facts
        with self._world.observer.watching():
            found = Inspection(self._world, skipped).quick(situation, goal)
        command = command_of(Request(goal, skipped=skipped), cluster)
        stopped = refusal(found, cluster, plan.steps[0].id, _NOTHING_CHANGED, command)
        return PlanDocument.of(cluster, plan, goal, found, stopped), facts

    def check(
        self, goal: Goal, skipped: frozenset[str] = frozenset(), *, warnings_as_errors: bool = False
    ) -> CheckReport:
        """All checks, whatever they find: a cluster that cannot be reached is a finding too."""
        inspection = Inspection(self._world, skipped)
        with self._world.observer.watching():
            situation = observe_in_part(self._world, inspection.reaches)
            plan = decide(situation, goal)
            found = inspection.whole(situation, goal)
            for line in check_lines(found):
                self._world.say(line)
        options = Request(goal, skipped=skipped).option_text
        return CheckReport.of(situation.cluster, plan, found, warnings_as_errors=warnings_as_errors, options=options)

    def show(self) -> Status:
        """Where the migration stands."""
        return Standing.of(self._world).status()

    def report(self) -> Report:
        """What is recorded of the migration, beside what is seen now; looks at no Secret."""
        return report_of(retrospect(self._world))

    def verify(self, namespaces: tuple[str, ...] = ()) -> Verification:
        """Prove in what form the Secrets are; changes nothing but a Secret of the tool's own."""
        situation = self._observe()
        cluster = situation.cluster
        self._refuse_without_legacy_kms(situation)
        wanted = stored_form(cluster.kms_state)
        canary = situation.journal.canary_for(cluster.kms_state) if situation.journal else None
        begun = StepBegun("verify", "Prove in what form the Secrets are stored", f"KMS is {cluster.kms_state.value}")
        world = self._world
        with (
            world.observer.watching(),
            world.heard(),
            world.telling(begun) as wrong,
            OwnCanary(world.secrets, world.observer) as own,
        ):
            evidence = self._rewriting(own.make).prove(wanted, canary, cluster, world.observer.tell, namespaces)
            if not evidence.verified:
                wrong(f"not proven: {'; '.join(evidence.missing)}")
        command = "start" if decide(situation, Goal()).pending else "rewrite-secrets"
        return Verification(
            cluster=ClusterDocument.of(cluster),
            verified=evidence.verified,
            stored_as=wanted.value,
            evidence=EvidenceDocument.of(evidence),
            unverified=failed_documents(evidence),
            unverified_count=len(evidence.unverified),
            next_command=None if evidence.verified else f"az aks kms-migrate {command} {cluster.name.option_text}",
        )

    # changing

    def run(self, request: Request, confirm: Confirm) -> RunResult:
        """Do what is left, to the end or to where it has to stop.

        Raises ``Refused`` when nothing may begin. A failure after something began is in the result.
        """
        began = self._world.clock.now()
        situation = self._observe()
        refuse_outdated(situation, request)
        situation = self._measured(situation, request)
        shown = self._planned(situation, request)
        if nothing := nothing_to_do(situation, shown, request):
            self._clear_up(situation)
            return nothing
        inspection = Inspection(self._world, request.skipped, planned=lambda seen, _: request.decide(seen))
        granting = Granting(self._world, inspection)
        with self._world.observer.watching():
            found = inspection.whole(situation, request.goal)
            grants = request.assign_roles and curable(found) and granting.tell(situation, request.goal)
            if not grants and (stopped := self._stopped_by(found, situation, shown, request)):
                return stopped
        confirm(situation.cluster, shown, found)
        with self._world.observer.watching():
            if grants:
                granting.assign(situation, request.goal)
                found = inspection.whole(situation, request.goal)
                if stopped := self._stopped_by(found, situation, shown, request):
                    return stopped
            with self._world.heard(), self._world.lease.held(), self._patience.of_a_run():
                return self._go(request, shown, inspection, found, began)

    def _go(
        self, request: Request, shown: Plan, inspection: Inspection, found: Preflight, began: datetime
    ) -> RunResult:
        """The run, while it holds the Lease. ``shown``: the plan that the user agreed to."""
        # Another run, or somebody else, may have come between the plan and the Lease.
        situation = self._observe()
        refuse_outdated(situation, request)
        plan = self._planned(situation, request)
        if nothing := nothing_to_do(situation, plan, request):
            return nothing
        if plan.steps[0].id.place < shown.steps[0].id.place:
            command = command_of(request, situation.cluster)
            raise drift(self._world, situation.cluster, plan.steps[0].id, command, began)
        rewriting = self._rewriting(self._world.secrets.create_canary)
        return Run(self._world, rewriting, inspection, found, request, situation).to_the_end()

    def rewrite(self, confirm: Confirm, namespaces: tuple[str, ...] = ()) -> RunResult:
        """Rewrite all Secrets in the form of the present KMS state, and prove it; Azure is not changed."""
        situation = self._observe()
        self._refuse_without_legacy_kms(situation)
        cluster = situation.cluster
        told = Plan(cluster.kms_state, "All Secrets are rewritten as the API servers store them now.")
        confirm(cluster, told, Preflight())
        wanted = stored_form(cluster.kms_state)
        canary = situation.journal.canary_for(cluster.kms_state) if situation.journal else None
        begun = StepBegun("rewrite-secrets", "Rewrite all Secrets, and prove it", f"KMS is {cluster.kms_state.value}")
        world = self._world
        with (
            world.observer.watching(),
            world.heard(),
            world.lease.held(),
            self._patience.of_a_run(),
            world.telling(begun) as wrong,
            OwnCanary(world.secrets, world.observer) as own,
        ):
            began = self._world.clock.monotonic()
            started = self._world.now()
            tick, rewriting = self._world.tick, self._rewriting(own.make)
            settled = rewriting.settle(wanted, canary, tick)
            barrier = rewriting.barrier()
            evidence = rewriting.rewrite_and_prove(
                wanted, settled, cluster, tick, barrier=barrier, namespaces=namespaces
            )
            if not evidence.verified:
                wrong(f"not proven: {'; '.join(evidence.missing)}")
        step = StepDocument(
            "rewrite-secrets",
            (StepStatus.DONE if evidence.verified else StepStatus.FAILED).value,
            started,
            round(self._world.clock.monotonic() - began, 1),
            wanted.value,
            CountsDocument.of(evidence.counts),
        )
        name = cluster.name.option_text
        pending = decide(situation, Goal()).pending
        return RunResult(
            ClusterDocument.of(cluster),
            RunState.COMPLETED if evidence.verified else RunState.FAILED,
            f"Every Secret is proven to be stored as {wanted.value}."
            if evidence.verified
            else f"Not proven: {'; '.join(evidence.missing)}.",
            [step],
            EvidenceDocument.of(evidence),
            failed_documents(evidence),
            next_command=f"az aks kms-migrate {'start' if pending else 'verify'} {name}",
        )

    def _clear_up(self, situation: Situation) -> None:
        """A migration that died between its last record and its last request left its canary behind."""
        journal, secrets = situation.journal, self._world.secrets
        if journal is not None and not journal.unfinished:
            with suppress(ClusterError):  # it harms nobody
                if secrets.find_canary() is not None:
                    secrets.delete_canary()

    def _stopped_by(self, found: Preflight, situation: Situation, plan: Plan, request: Request) -> RunResult | None:
        cluster = situation.cluster
        command = command_of(request, cluster)
        refused = refusal(found, cluster, plan.steps[0].id, _NOTHING_CHANGED, command)
        if refused is None:
            return None
        for line in check_lines(found):
            self._world.say(line)
        return RunResult(
            ClusterDocument.of(cluster),
            RunState.FAILED,
            refused.what,
            problem=ProblemDocument.of(refused),
            next_command=command,
            checks=[CheckDocument.of(r).shortened() for r in (*found.blocking, *found.warnings, *found.unknown)],
        )

    def _rewriting(self, plant: Callable[[], SecretRef]) -> Rewriting:
        """``plant``: a migration's canary stays until its end, a command's own goes with it."""
        world = self._world
        observe = world.cluster.observe
        return Rewriting(world.secrets, world.clock, world.observer, observe, self._limits, plant, self._patience)

    def _planned(self, situation: Situation, request: Request) -> Plan:
        plan = request.decide(situation)
        return only(plan, request.only, situation.cluster) if request.only else plan

    def _observe(self) -> Situation:
        return observe(self._world)

    def _measured(self, situation: Situation, request: Request) -> Situation:
        """With the numbers for an estimate, where there is something to estimate."""
        pending = request.decide(situation).pending
        return replace(situation, numbers=measure(self._world)) if pending else situation

    @staticmethod
    def _refuse_without_legacy_kms(situation: Situation) -> None:
        cluster = situation.cluster
        if cluster.kms_state is KmsState.PLATFORM:
            raise Refused(errors.KMS_PLATFORM, **cluster.name.words)
        blocked = decide(situation, Goal()).blocked
        if blocked and (cluster.power != "Running" or cluster.busy or cluster.state == "Deleting"):
            raise blocked
