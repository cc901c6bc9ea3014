"""Does one documented step, records it in the journal, and checks that it came about.

Each deed is safe to begin again: it is planned from what is observed, and the journal is written before anything that
Azure may go on with when this process ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError, Conflict, KmsMigrateError, Refused
from azext_kmsmigrate.kubelets import Kubelets
from azext_kmsmigrate.migration.chronicle import Chronicle
from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.events import Moment, Note, Outcome, StepBegun, StepEnded, Warned
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName, SupportPlan
from azext_kmsmigrate.migration.hindsight import in_hindsight
from azext_kmsmigrate.migration.journal import CanaryRecord, Journal, StepRecord
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.refusal import refusal_in, shortened
from azext_kmsmigrate.migration.secret import SecretRef
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.migration.upgrade_path import Hop
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.patience import SIGN_IN, Patience
from azext_kmsmigrate.ports import (
    Activity,
    Clock,
    Cluster,
    Inspector,
    JournalStore,
    Lease,
    Nodes,
    Observer,
    OperationResult,
    Roles,
    Secrets,
    Stop,
)
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.rewrite.evidence import Evidence
from azext_kmsmigrate.rewrite.rewriting import Rewriting, stored_form
from azext_kmsmigrate.rewrite.settler import Settled


@dataclass(frozen=True)
class World:
    """All that a run touches, as ports. ``user``: who runs it and where, in words for a record.

    ``account``: the signed-in user of Azure; ``tool``: this tool and its version. Empty where they are not known.
    """

    cluster: Cluster
    secrets: Secrets
    journal: JournalStore
    lease: Lease
    nodes: Nodes
    clock: Clock
    observer: Observer
    inspectors: tuple[Inspector, ...] = ()
    roles: Roles | None = None
    stop: Stop | None = None
    user: str = ""
    activity: Activity | None = None
    patience: Patience | None = None
    account: str = ""
    tool: str = ""

    def now(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def say(self, text: str) -> None:
        self.observer.tell(Note(text))

    def warn(self, text: str) -> None:
        self.observer.tell(Warned(text))

    @contextmanager
    def telling(self, begun: StepBegun) -> Iterator[Callable[[str], None]]:
        """Tell of a step for the length of a ``with``, and by what leaves it how it ended.

        Gives a function to call with what is wrong, when the step ends without an error and yet not well.
        """
        problems: list[str] = []
        outcome, began = Outcome.FAILED, self.clock.monotonic()
        self.observer.tell(begun)
        try:
            yield problems.append
            outcome = Outcome.FAILED if problems else Outcome.DONE
        except Conflict:
            outcome = Outcome.AGAIN
            raise
        except KmsMigrateError as error:
            problems.append(f"{error.entry.code}: {error.what}")
            outcome = Outcome.STOPPED if error.entry in SIGN_IN else Outcome.FAILED
            raise
        except KeyboardInterrupt:
            outcome = Outcome.STOPPED
            raise
        finally:
            seconds = self.clock.monotonic() - began
            self.observer.tell(StepEnded(begun.id, outcome, seconds, "; ".join(problems)))

    def heard(self) -> AbstractContextManager[None]:
        return self.stop.heard() if self.stop else nullcontext()

    def tick(self, moment: Moment) -> None:
        """What every wait calls: keeps the Lease, shows a sign of life, ends when the time is over."""
        if self.stop:
            self.stop.due()
        self.lease.renew()
        self.observer.tell(moment)


class Deeds:
    """The steps of one run. ``journal`` is the newest state of the journal, stored or about to be.

    A step that has to be done again in this run (a hop, or somebody else's change, makes its proof due anew) counts its
    Secrets over all of that, in the journal and in the result: see ``SecretCounts.over_rounds``.
    """

    def __init__(
        self,
        world: World,
        rewriting: Rewriting,
        journal: Journal,
        next_command: str,
        name: ClusterName,
        force_until: datetime | None = None,
    ) -> None:
        self._world, self._rewriting, self._next = world, rewriting, next_command
        self._name, self._force_until = name, force_until
        self._kubelets = Kubelets(world.nodes, world.cluster, world.observer)
        self.journal = journal
        self.evidence: Evidence | None = None
        self._counts: dict[StepId, SecretCounts] = {}
        self._saved = False

    def do(self, step: StepId, seen: ClusterFacts, plan: Plan) -> None:
        """Do one step to its end. Raises what stopped it; the journal then holds the step as failed."""
        planned = next(s for s in plan.steps if s.id is step)
        self._begin(step, planned.detail, plan, seen)
        try:
            {
                StepId.DISABLE_KMS: self._disable_kms,
                StepId.DECRYPT_SECRETS: self._rewrite,
                StepId.UPGRADE: self._upgrade,
                StepId.ENABLE_KMS: self._enable_kms,
                StepId.ENCRYPT_SECRETS: self._rewrite,
                StepId.UPGRADE_NODE_POOLS: self._upgrade_node_pools,
            }[step](step, seen, plan)
        except errors.Lost:
            raise
        except KmsMigrateError as error:
            if error.entry in SIGN_IN:  # it stops here and did not fail
                raise
            with suppress(ClusterError):  # an API server that is away must not hide what stopped the step
                self._end(step, StepStatus.FAILED, str(error))
            raise
        self._end(step, StepStatus.DONE, "")

    def reconcile(self, seen: ClusterFacts) -> None:
        """After an operation of ours failed: the documented rewrite if KMS was being turned off, then one reconcile."""
        record = self.journal.record_of(StepId.DISABLE_KMS)
        turning_off = record is not None and record.status is not StepStatus.DONE
        self._recover(turning_off, OperationResult(seen.state))

    def came_about(self, step: StepId) -> StepRecord:
        """A step that was begun is done, seen from the cluster: its record, with the time at which that was seen."""
        self._end(step, StepStatus.DONE, "")
        record = self.journal.record_of(step)
        assert record is not None
        return record

    def complete(self, seen: ClusterFacts) -> None:
        """Everything is done and proven."""
        self.note(self._ended(RunState.COMPLETED))
        journal = in_hindsight(self.journal, seen)
        self._save(replace(journal, completed_at=self._world.now(), canary=None, last_problem=""))
        self._world.secrets.delete_canary()

    def end_force(self, seen: ClusterFacts) -> None:
        """Take away an override of the upgrade that this migration set; a failure is told, for it ends by itself."""
        ours = self.journal.forced_until
        if not ours:
            return
        if seen.forced_until == ours:
            try:
                result = self._world.cluster.end_force(seen, self._world.tick)
                problem = "" if result.succeeded else f"{result.status} ({result.code or 'no code'})"
            except AzureError as error:
                problem = error.what
            if problem:
                self._world.warn(
                    f"The upgrade's override could not be taken away: {problem} It ends by itself at {ours}, or with: "
                    f"az aks update {seen.name.option_text} --disable-force-upgrade"
                )
                return
        self._save(replace(self.journal, forced_until=""))

    def stopped(self, cause: str) -> None:
        """For who reads the journal: the step that was under way did not fail."""
        self.note(self._ended(RunState.STOPPED))
        with suppress(KmsMigrateError):
            self._save(replace(self.journal, last_problem=f"stopped: {cause}"))

    def note(self, chronicle: Chronicle) -> None:
        """For a report: goes with the next thing that is saved."""
        self.journal = replace(self.journal, chronicle=chronicle)

    def close(self, outcome: RunState, problem: str = "") -> None:
        """The run ends before everything is done. One that has changed nothing leaves no trace of itself."""
        self.note(self._ended(outcome, problem))
        if problem and self._world.patience is not None:
            self._world.patience.hurry()  # its last words are not worth a further wait for who is away
        if self._saved:
            with suppress(KmsMigrateError):
                self._save(self.journal)

    def where_it_stands(self) -> str:
        """What state the Secrets are in, for somebody who stops here."""
        if self.journal.exposed_from and not self.journal.exposed_to:
            return self._unencrypted()
        return "Every Secret is readable; none is lost."

    # the steps

    def _disable_kms(self, step: StepId, seen: ClusterFacts, plan: Plan) -> None:
        self._plant_canary(step)
        self._save(replace(self.journal, original_kms=seen.kms, exposed_from=self._world.now(), exposed_to=""))
        try:
            result = self._world.cluster.disable_kms(seen, self._world.tick)
        except AzureError:
            # A refusal and a lost connection look alike from here; only the cluster knows whether it was accepted.
            with suppress(AzureError, ClusterError):
                seen = self._world.cluster.observe()
                if seen.kms.enabled and not seen.busy:
                    self._save(replace(self.journal, exposed_from=""))
            raise
        _unless_preempted("turning KMS off", result)
        after = self._world.cluster.observe()
        if not result.succeeded or after.failed:
            after = self._recover(True, result)
        if after.kms.enabled:
            self._save(replace(self.journal, exposed_from=""))
            raise self._failed(
                "turning KMS off", result, "KMS is still on and Secrets are readable as before; nothing is lost."
            )

    def _enable_kms(self, step: StepId, seen: ClusterFacts, plan: Plan) -> None:
        assert plan.target_kms is not None
        if plan.back:
            self._plant_where_nothing_is_proven(step, seen)
        else:
            # That of the proof just made, if it is there: a run that dies here still has a sign of what was proven.
            self._plant_canary(step, self._world.secrets.find_canary())
        result = self._world.cluster.enable_kms(seen, plan.target_kms, self._world.tick)
        _unless_preempted("turning KMS on", result)
        after = self._world.cluster.observe()
        if not result.succeeded or after.failed:
            after = self._recover(False, result)
        if not after.kms.enabled or after.kms.key_id != plan.target_kms.key_id:
            raise self._failed("turning KMS on", result, self._unencrypted())

    def _upgrade(self, step: StepId, seen: ClusterFacts, plan: Plan) -> None:
        hop = plan.hop
        assert hop is not None
        self._world.say(
            f"Upgrading from {seen.version} to {hop.version}"
            + (", control plane and node pools." if hop.whole else ", the control plane first.")
        )
        self._note_force()
        result = self._request(hop, seen)
        _unless_preempted(f"the upgrade to {hop.version}", result)
        after = self._world.cluster.observe()
        if not result.succeeded:
            raise self._failed(f"the upgrade to {hop.version}", result, self._unencrypted())
        behind = [p.name for p in after.pools if p.upgradable and p.version < hop.version] if hop.whole else []
        if after.version != hop.version or behind:
            found = f"Kubernetes {after.version}" + (f", node pools behind: {', '.join(behind)}" if behind else "")
            raise self._not_as_asked(f"the upgrade to {hop.version}", found, after)
        if hop.whole:
            self._check_kubelets(step, hop.version, after)

    def _request(self, hop: Hop, seen: ClusterFacts) -> OperationResult:
        try:
            return self._world.cluster.upgrade(
                seen,
                hop.version,
                whole=hop.whole,
                tick=self._world.tick,
                plan=hop.plan,
                force_until=self._force_until,
            )
        except errors.Conflict:
            raise
        except AzureError as error:
            if not hop.conditional and hop.version not in self._world.cluster.offers().versions:
                raise errors.Conflict(errors.OFFER_GONE, version=hop.version, **seen.name.words) from error
            raise

    def _upgrade_node_pools(self, step: StepId, seen: ClusterFacts, plan: Plan) -> None:
        for pool in seen.pools:
            if pool.version >= seen.version or not pool.upgradable:
                continue
            self._world.say(f"Upgrading node pool {pool.name} from {pool.version} to {seen.version}.")
            now = self._world.cluster.observe()
            self._world.lease.renew(now=True)
            result = self._world.cluster.upgrade_pool(now, pool.name, seen.version, self._world.tick)
            _unless_preempted(f"the upgrade of node pool {pool.name}", result)
            if not result.succeeded:
                raise self._failed(f"the upgrade of node pool {pool.name}", result, "Secrets are under KMS v2.")
        self._check_kubelets(step, seen.version, self._world.cluster.observe())

    def _note_force(self) -> None:
        """What is set has to be known to whoever goes on after this process, so it is noted before it is."""
        if self._force_until is None:
            return
        until = self._force_until.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._world.clock.now() >= self._force_until:
            raise Refused(errors.FORCE_EXPIRED, until=until, state=self._unencrypted(), next=self._next)
        self._world.say(f"Passing over deprecated APIs and PodDisruptionBudgets, as asked, until {until}.")
        self._save(replace(self.journal, forced_until=until))

    def _rewrite(self, step: StepId, seen: ClusterFacts, plan: Plan) -> None:
        wanted = stored_form(seen.kms_state)
        settled = self._rewriting.settle(wanted, self.journal.canary_for(seen.kms_state), self._world.tick)
        barrier = self._barrier(settled)
        self.evidence = self._rewriting.rewrite_and_prove(wanted, settled, seen, self._world.tick, barrier=barrier)
        earlier = self._counts.get(step)
        self._counts[step] = self.evidence.counts.over_rounds(earlier.rewritten if earlier else 0)
        self.note(self.journal.chronicle.with_proof(step, self.evidence.kept))
        self._judge(self.evidence, step)
        # The canary stays until the next change or the end: a later run has to prove this anew, and without the API
        # servers' counters nothing else shows that they changed over.
        if step is StepId.ENCRYPT_SECRETS:
            self._save(replace(self.journal, exposed_to=self._world.now()))

    # what they share

    def _barrier(self, settled: Settled) -> int:
        """That of an earlier run, so that what it rewrote is skipped, when nothing has moved back since; else one now.

        Skipping is never a proof: the second pass looks at every Secret. A barrier above the present one is from
        another time: etcd was restored.
        """
        now, before = self._rewriting.barrier(), self.journal.barrier
        if before and before <= now and settled.record is not None and settled.moves <= 1:
            self._world.say("Going on where an earlier run stopped.")
            return before
        self._save(replace(self.journal, barrier=now))
        return now

    def _judge(self, evidence: Evidence, step: StepId) -> None:
        state = (
            "The upgrade is not begun: a Secret left under KMS v1 could be unreadable for good after it."
            if step is StepId.DECRYPT_SECRETS
            else "KMS is on; the Secrets that are not proven may be stored without it."
        )
        if evidence.systemic:
            raise ClusterError(
                errors.SAME_FAILURE,
                count=len(evidence.failed),
                failure=evidence.systemic,
                state=state,
                next=self._next,
            )
        if evidence.failed:
            first = evidence.failed[0]
            raise ClusterError(
                errors.SECRETS_FAILED,
                count=len(evidence.failed),
                total=evidence.passes[-1].counts.total,
                first=f"{first.namespace}/{first.name}: {first.kind.value} ({first.detail})",
                state=state,
                next=self._next,
            )
        if not evidence.verified:
            raise ClusterError(
                errors.NOT_PROVEN,
                form=evidence.stored_as.value,
                missing="; ".join(evidence.missing),
                state=state,
                next=self._next,
            )

    def _recover(self, turning_off: bool, first: OperationResult) -> ClusterFacts:
        """Azure's own remedies after a failed KMS operation; returns the cluster as it is then."""
        world = self._world
        world.say(f"Azure reports '{first.status}' ({first.code or 'no code'}).")
        if turning_off:
            world.say("Rewriting all Secrets all the same, as Microsoft's article says.")
            self._rewriting.rewrite_unsettled(world.tick)
        world.say("Reconciling the cluster once.")
        world.lease.renew(now=True)
        result = world.cluster.reconcile(world.cluster.observe(), world.tick)
        after = world.cluster.observe()
        if after.failed or not result.succeeded:
            kms = "on" if after.kms.enabled else "off"
            raise self._failed(
                "reconciling the cluster", result, f"Azure says that KMS is {kms}. {self._unencrypted()}"
            )
        return after

    def _plant_canary(self, before: StepId, planted: SecretRef | None = None) -> None:
        canary = planted or self._world.secrets.create_canary()
        record = CanaryRecord(canary.uid, str(canary.resource_version), before)
        self._save(replace(self.journal, canary=record, barrier=0))

    def _plant_where_nothing_is_proven(self, step: StepId, seen: ClusterFacts) -> None:
        """A canary that turning KMS on has to move: one that every API server has left without KMS.

        One that an API server may still have written under KMS v1 would never move, and tell nothing.
        """
        wanted = stored_form(seen.kms_state)
        try:
            settled = self._rewriting.settle(wanted, self.journal.canary_for(seen.kms_state), self._world.tick)
        except ClusterError as error:
            if error.entry is not errors.NOT_SETTLED:
                raise
            self._world.warn(f"{error.what} Turning KMS on all the same.")
            self._save(replace(self.journal, canary=None, barrier=0))
            return
        self._plant_canary(step, settled.canary)

    def _check_kubelets(self, step: StepId, version: KubernetesVersion, seen: ClusterFacts) -> None:
        told = self._kubelets.confirm(version, seen, self._world.tick)
        record = self.journal.record_of(step)
        if told and record is not None:
            self._save(self.journal.with_step(replace(record, detail=f"{record.detail}; {told}")))

    def _unencrypted(self) -> str:
        since = self.journal.exposed_from
        return "Secrets may be stored without KMS" + (f", since {since}; none is lost." if since else "; none is lost.")

    def _failed(self, what: str, result: OperationResult, state: str) -> AzureError:
        refusal = refusal_in(result.code, result.detail)
        if refusal is not None:
            how = f"Azure's operation for {what} ended '{result.status}'"
            return refusal.error(how, state, self._name, self._next)
        return AzureError(
            errors.OPERATION_FAILED,
            what=what,
            status=result.status,
            code=result.code or "no code",
            detail=shortened(result.detail) or "no detail",
            state=state,
            next=self._next,
        )

    def _not_as_asked(self, what: str, found: str, seen: ClusterFacts) -> AzureError:
        return AzureError(
            errors.NOT_WHAT_WAS_ASKED,
            what=what,
            found=found,
            **seen.name.words,
            next=self._next,
        )

    def _begin(self, step: StepId, detail: str, plan: Plan, seen: ClusterFacts) -> None:
        target = self.journal.target_version if plan.hop is None else plan.target.as_typed
        journal = in_hindsight(self.journal, seen)
        self._save(
            replace(
                journal.with_step(StepRecord(step, StepStatus.RUNNING, self._world.now(), detail=detail)),
                target_kms=self.journal.target_kms if plan.back else plan.target_kms or self.journal.target_kms,
                target_version=target,
                support_plan=plan.support_plan.value if plan.support_plan is SupportPlan.LONG_TERM else "",
            )
        )

    def _end(self, step: StepId, status: StepStatus, problem: str) -> None:
        record = self.journal.record_of(step)
        assert record is not None
        counts = self._counts.get(step)
        ended = replace(record, status=status, finished_at=self._world.now(), secrets=counts)
        self._save(replace(self.journal.with_step(ended), last_problem=problem))

    def _ended(self, outcome: RunState, problem: str = "") -> Chronicle:
        return self.journal.chronicle.with_run_ended(self._world.now(), outcome.value, problem)

    def _save(self, journal: Journal) -> None:
        self._world.lease.renew(now=True)
        self._world.journal.save(journal)
        self.journal, self._saved = journal, True


def _unless_preempted(what: str, result: OperationResult) -> None:
    """A newer operation took the place of ours: the cluster is looked at again before anything else is asked for.

    https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/aksoperationpreempted-error
    """
    if result.code.startswith("AKSOperationPreempted"):
        raise errors.Conflict(errors.CHANGED_MEANWHILE, what=what, code=result.code)
