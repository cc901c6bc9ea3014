"""What each command asks of the ports: one method a command. Talks to ports only."""

from __future__ import annotations

from collections.abc import Callable

from azext_kmsmigrate import errors
from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.loop import Request, Run, command_of, drift, nothing_to_do, observe
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation, decide, only
from azext_kmsmigrate.migration.secret import SecretRef
from azext_kmsmigrate.migration.step import StepStatus
from azext_kmsmigrate.results import (
    ClusterDocument,
    CountsDocument,
    EvidenceDocument,
    JournalDocument,
    PlanDocument,
    ProblemDocument,
    RunResult,
    RunState,
    Status,
    StepDocument,
    Verification,
    failed_documents,
)
from azext_kmsmigrate.rewrite.own_canary import OwnCanary
from azext_kmsmigrate.rewrite.rewriting import Limits, Rewriting, stored_form

Confirm = Callable[[ClusterFacts, Plan], None]
"""Shows the plan and asks; raises when the user declines."""


class Runner:
    """One cluster, one command."""

    def __init__(self, world: World, limits: Limits) -> None:
        self._world, self._limits = world, limits

    # read-only

    def plan(self, goal: Goal) -> PlanDocument:
        """What ``start`` would do now."""
        situation = self._observe()
        return PlanDocument.of(situation.cluster, decide(situation, goal))

    def show(self) -> Status:
        """Where the migration stands."""
        situation = self._observe()
        plan = decide(situation, Goal())
        name = situation.cluster.name.option_text
        return Status(
            cluster=ClusterDocument.of(situation.cluster),
            summary=plan.summary,
            remaining=[s.id.value for s in plan.steps],
            blocked=ProblemDocument.of(plan.blocked) if plan.blocked else None,
            journal=JournalDocument.of(situation.journal) if situation.journal else None,
            runner=self._world.lease.holder() if situation.cluster.power == "Running" else None,
            next_command=None if plan.blocked else f"az aks kms-migrate {'start' if plan.pending else 'verify'} {name}",
        )

    def verify(self, namespaces: tuple[str, ...] = ()) -> Verification:
        """Prove in what form the Secrets are; changes nothing but a Secret of the tool's own."""
        situation = self._observe()
        cluster = situation.cluster
        self._refuse_without_legacy_kms(situation)
        wanted = stored_form(cluster.kms_state)
        canary = situation.journal.canary_for(cluster.kms_state) if situation.journal else None
        with OwnCanary(self._world.secrets, self._world.observer) as own:
            evidence = self._rewriting(own.make).prove(
                wanted, canary, cluster, self._world.observer.heartbeat, namespaces
            )
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
        situation = self._observe()
        shown = self._planned(situation, request)
        if nothing := nothing_to_do(situation, shown, request):
            return nothing
        confirm(situation.cluster, shown)
        with self._world.lease.held():
            # Another run, or somebody else, may have come between the plan and the Lease.
            situation = self._observe()
            plan = self._planned(situation, request)
            if nothing := nothing_to_do(situation, plan, request):
                return nothing
            if plan.steps[0].id.place < shown.steps[0].id.place:
                raise drift(situation.cluster, plan.steps[0].id, command_of(request, situation.cluster))
            rewriting = self._rewriting(self._world.secrets.create_canary)
            return Run(self._world, rewriting, request, situation).to_the_end()

    def rewrite(self, confirm: Confirm, namespaces: tuple[str, ...] = ()) -> RunResult:
        """Rewrite all Secrets in the form of the present KMS state, and prove it; Azure is not changed."""
        situation = self._observe()
        self._refuse_without_legacy_kms(situation)
        cluster = situation.cluster
        confirm(cluster, Plan(cluster.kms_state, "All Secrets are rewritten as the API servers store them now."))
        wanted = stored_form(cluster.kms_state)
        canary = situation.journal.canary_for(cluster.kms_state) if situation.journal else None
        with self._world.lease.held(), OwnCanary(self._world.secrets, self._world.observer) as own:
            began = self._world.clock.monotonic()
            started = self._world.now()
            tick, rewriting = self._world.tick, self._rewriting(own.make)
            settled = rewriting.settle(wanted, canary, tick)
            barrier = rewriting.barrier()
            evidence = rewriting.rewrite_and_prove(
                wanted, settled, cluster, tick, barrier=barrier, namespaces=namespaces
            )
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

    def _rewriting(self, plant: Callable[[], SecretRef]) -> Rewriting:
        """``plant``: a migration's canary stays until its end, a command's own goes with it."""
        world = self._world
        return Rewriting(world.secrets, world.clock, world.observer, world.cluster.observe, self._limits, plant)

    def _planned(self, situation: Situation, request: Request) -> Plan:
        plan = decide(situation, request.goal)
        return only(plan, request.only, situation.cluster) if request.only else plan

    def _observe(self) -> Situation:
        return observe(self._world)

    @staticmethod
    def _refuse_without_legacy_kms(situation: Situation) -> None:
        cluster = situation.cluster
        if cluster.kms_state is KmsState.PLATFORM:
            raise Refused(errors.KMS_PLATFORM, name=cluster.name.name, group=cluster.name.group)
        blocked = decide(situation, Goal()).blocked
        if blocked and (cluster.power != "Running" or cluster.busy or cluster.state == "Deleting"):
            raise blocked
