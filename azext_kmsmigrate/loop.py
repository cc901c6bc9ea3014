"""The loop of one run: observe, decide, do one step, record, prove; again from the start."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from azext_kmsmigrate import errors
from azext_kmsmigrate.check_document import CheckDocument, SkippedCheckDocument
from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.deeds import Deeds, World
from azext_kmsmigrate.errors import AzureError, ClusterError, Conflict, KmsMigrateError, Lost, Refused
from azext_kmsmigrate.inspection import Inspection, refusal
from azext_kmsmigrate.migration.advice import code_after
from azext_kmsmigrate.migration.chronicle import ChecksRecord, Observation, RunRecord
from azext_kmsmigrate.migration.estimate import Numbers
from azext_kmsmigrate.migration.events import StepBegun, Waiting
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState, Offers
from azext_kmsmigrate.migration.journal import Direction, Journal, SkippedCheck
from azext_kmsmigrate.migration.plan import COMMAND_OF, Goal, Plan, Preparation, Situation, decide, only
from azext_kmsmigrate.migration.plan_file import PlanFile, facts_of
from azext_kmsmigrate.migration.reverting import decide_back
from azext_kmsmigrate.migration.secret import Failure
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.patience import AZURE_AWAY, PATIENCE, SIGN_IN
from azext_kmsmigrate.results import (
    ClusterDocument,
    CountsDocument,
    EvidenceDocument,
    ProblemDocument,
    RunResult,
    RunState,
    StepDocument,
    exposure_of,
    failed_documents,
)
from azext_kmsmigrate.rewrite.rewriting import Rewriting

_CONFLICTS = 3  # times that somebody else may change the cluster under our hands before we give up
_PAUSE = 30.0  # seconds; a cluster takes about one PUT a minute
_PROOFS = (StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS)


@dataclass(frozen=True)
class Request:
    """What a command wants of a run. ``only``: one documented step (and the proof it stands on).

    ``plan``: run this plan, from the file at ``path``, or nothing. ``skipped``: ids of the checks that the user leaves
    out. ``assign_roles``: give the identity the roles that lack. ``back``: to KMS v1, as ``migration.reverting`` says.
    """

    goal: Goal = Goal()  # noqa: RUF009 a frozen value
    only: StepId | None = None
    stop_after: StepId | None = None
    skipped: frozenset[str] = frozenset()
    plan: PlanFile | None = None
    path: str = ""
    assign_roles: bool = False
    back: bool = False

    @property
    def option_text(self) -> str:
        """The options that say the same, each with a space before it; not those of how fast or how long."""
        force = self.goal.force_until
        return "".join(
            (
                f" --plan {shlex.quote(self.path)}" if self.plan else self.goal.option_text,
                f" --force-upgrade-until {force:%Y-%m-%dT%H:%M:%SZ}" if force else "",
                f" --stop-after {self.stop_after.value}" if self.stop_after else "",
                f" --skip-check {' '.join(sorted(self.skipped))}" if self.skipped else "",
                " --assign-role" if self.assign_roles else "",
            )
        )

    def decide(self, situation: Situation) -> Plan:
        """All steps from here to where the command goes."""
        return decide_back(situation, self.goal) if self.back else decide(situation, self.goal)


def observe(world: World, done: frozenset[StepId] = frozenset()) -> Situation:
    """The situation now. A cluster that has no API server at work is described by ARM alone."""
    cluster = world.cluster.observe()
    if cluster.power != "Running" or cluster.state == "Deleting" or cluster.kms_state is KmsState.PLATFORM:
        return Situation(cluster, Offers(seen=False), None, done)
    return Situation(cluster, world.cluster.offers(), world.journal.load(), done)


def observe_in_part(world: World, reaches: Callable[[ClusterFacts], bool]) -> Situation:
    """The situation as far as it can be seen; what is not seen of it, a check tells.

    Without an API server in reach no journal is known; without a right to read them, no offers.
    """
    cluster = world.cluster.observe()
    if cluster.power != "Running" or cluster.state == "Deleting" or cluster.kms_state is KmsState.PLATFORM:
        return Situation(cluster, Offers(seen=False))
    journal, offers = None, Offers(seen=False)
    with suppress(AzureError, ClusterError):
        journal = world.journal.load() if reaches(cluster) else None
    with suppress(AzureError):
        offers = world.cluster.offers()
    return Situation(cluster, offers, journal)


def measure(world: World) -> Numbers:
    """How many Secrets there are, and how long a request takes on a connection that is open: two pages of one."""
    world.secrets.page(limit=1)
    began = world.clock.monotonic()
    page = world.secrets.page(limit=1)
    took = world.clock.monotonic() - began
    if isinstance(page, Failure) or (page.token and page.remaining is None):
        return Numbers()
    return Numbers(len(page.items) + (page.remaining or 0), took)


def refuse_outdated(situation: Situation, request: Request) -> None:
    """Raise what has changed since the plan was made, unless this plan's own run did it."""
    plan, journal, name = request.plan, situation.journal, situation.cluster.name
    if plan is None or (journal is not None and journal.plan_digest == plan.digest):
        return
    if changes := plan.changes(facts_of(situation, request.decide(situation))):
        raise Refused(errors.PLAN_OUTDATED, path=request.path, **name.words, changes="; ".join(changes))


class Run:
    """The loop of one run, while it holds the Lease."""

    def __init__(
        self,
        world: World,
        rewriting: Rewriting,
        inspection: Inspection,
        found: Preflight,
        request: Request,
        first: Situation,
    ) -> None:
        self._world, self._inspection, self._request = world, inspection, request
        self._command = command_of(request, first.cluster)
        journal = first.journal if first.journal and first.journal.unfinished else None
        journal = journal or Journal.from_scratch(cluster_id=first.cluster.name.resource_id, now=world.now())
        journal = replace(journal, direction=Direction.BACK if request.back else Direction.FORWARD)
        if request.plan is not None:
            journal = replace(journal, plan_digest=request.plan.digest)
        self._deeds = Deeds(
            world,
            rewriting,
            journal.with_skipped(_left_out(found, world)),
            self._command,
            first.cluster.name,
            request.goal.force_until,
        )
        self._situation = first
        self._began = world.clock.now()
        self._proven: set[StepId] = set()
        self._distrusted: set[StepId] = set()
        self._ended: dict[StepId, StepDocument] = {}
        self._followed: StepId | None = None
        self._warned = {r.check.id for r in found.warnings}
        self._stopping: Preflight = Preflight()
        self._reconciled = False
        self._conflicts = 0
        self._unheard = 0.0
        run = RunRecord(verb_of(request), world.user, world.now(), world.account, world.tool)
        self._deeds.note(self._deeds.journal.chronicle.with_run(run).with_checks(_asked(found, world.now())))
        self._note_seen(first.cluster)

    def to_the_end(self) -> RunResult:
        """Step by step, each from a new observation."""
        try:
            while not (stop := stops_here(self._situation, self._request)) and (step := self._next()) is not None:
                self._do(step)
                self._situation = self._look()
            self._deeds.end_force(self._situation.cluster)
        except Lost:
            raise
        except KmsMigrateError as error:
            if error.entry in SIGN_IN:
                return self._stopped_without_sign_in(error)
            if not self._ended and isinstance(error, Refused) and not self._stopping.results:
                raise
            self._deeds.close(RunState.FAILED, error.entry.code)
            with suppress(KmsMigrateError):  # the result tells the state now, not the one before the step
                self._situation = replace(self._situation, cluster=self._world.cluster.observe())
            return replace(self._result(RunState.FAILED, error.what, self._command), problem=self._told(error))
        except KeyboardInterrupt as asked:
            running = self._deeds.journal.running
            cause = str(asked) or "Ctrl-C"
            self._deeds.stopped(cause)
            stopped = KmsMigrateError(
                errors.INTERRUPTED,
                step=running.id.value if running else "looking",
                cause=cause,
                state=self._deeds.where_it_stands(),
                next=self._command,
            )
            return replace(
                self._result(RunState.STOPPED, stopped.what, self._command), problem=ProblemDocument.of(stopped)
            )
        if stop:
            self._deeds.close(RunState.STOPPED)
            return self._result(
                RunState.STOPPED, stop, command_of(replace(self._request, stop_after=None), self._situation.cluster)
            )
        if self._request.only:
            self._deeds.close(RunState.COMPLETED)
            return self._result(RunState.COMPLETED, f"'{self._request.only.value}' is done.", self._next_start())
        self._deeds.complete(self._situation.cluster)
        self._world.say(code_after(self._situation.cluster))
        return self._result(
            RunState.COMPLETED,
            f"KMS {'v1' if self._request.back else 'v2'} is on, and every Secret is proven to be stored under it.",
            f"az aks kms-migrate verify {self._situation.cluster.name.option_text}",
        )

    def _stopped_without_sign_in(self, error: KmsMigrateError) -> RunResult:
        """With what is left of the sign-in: the journal is written, and the Lease given back by who holds it."""
        if self._world.patience:
            self._world.patience.hurry()
        self._deeds.stopped(f"{error.entry.code}: {error.what}")
        problem = ProblemDocument.of(error)
        problem = replace(problem, why=f"{problem.why} {self._deeds.where_it_stands()}")
        return replace(self._result(RunState.STOPPED, error.what, self._command), problem=problem)

    def _told(self, error: KmsMigrateError) -> ProblemDocument:
        """The problem, and since when Secrets may be stored without KMS, where it does not say so itself."""
        problem, exposed = ProblemDocument.of(error), self._deeds.journal.exposed_from
        if not exposed or self._deeds.journal.exposed_to or exposed in problem.why:
            return problem
        return replace(problem, why=f"{problem.why} {self._deeds.where_it_stands()}")

    def _next(self) -> StepId | None:
        """The next step, when the world still fits; waits and reconciles first where that is called for."""
        while True:
            plan = self._plan()
            if plan.blocked:
                raise plan.blocked
            running = self._deeds.journal.running
            if running is not None and plan.preparation in (Preparation.WAIT, Preparation.RECONCILE):
                self._followed = running.id
            if plan.preparation is Preparation.WAIT:
                self._world.say(f"An operation is under way ({self._situation.cluster.state}): following it.")
                self._world.cluster.wait(self._world.tick)
                self._distrust()
            elif plan.preparation is Preparation.RECONCILE and not self._reconciled:
                self._reconcile()
            else:
                break
            self._situation = self._look()
        self._note_followed(plan)
        step = plan.steps[0].id if plan.steps else None
        if step is not None and self._goes_back(step):
            raise drift(self._world, self._situation.cluster, step, self._command, self._began)
        if step is not None:
            self._inspect(step)
        return step

    def _reconcile(self) -> None:
        self._reconciled = True
        try:
            self._deeds.reconcile(self._situation.cluster)
        except AzureError as error:
            if not self._waits(error):
                raise

    def _waits(self, error: KmsMigrateError) -> bool:
        """After a request of which nobody knows whether it arrived: whether there is patience to look at the cluster.

        An accepted request whose answer was lost shows in the cluster, which is then under way.
        """
        if error.entry not in AZURE_AWAY or self._unheard >= PATIENCE:
            return False
        self._world.warn(f"{error.what} Looking at what came of it.")
        self._unheard += _PAUSE
        self._distrust()
        self._pause(_PAUSE, error.what)
        return True

    def _note_followed(self, plan: Plan) -> None:
        """A step that was begun and not seen to its end, by an earlier run or by this one, and has come about now."""
        step, self._followed = self._followed, None
        if step is None or step in _PROOFS or step in self._ended or step in {s.id for s in plan.steps}:
            return
        record = self._deeds.came_about(step)
        seconds = (_time(record.finished_at) - _time(record.started_at)).total_seconds()
        done = StepStatus.DONE.value
        self._ended[step] = StepDocument(step.value, done, record.started_at, seconds, record.detail, None)

    def _inspect(self, step: StepId) -> None:
        """Ask the checks that the step stands on; tell what warns now and did not before."""
        found = self._inspection.before(step, self._situation, self._request.goal)
        if found.blocking:
            # It may be no more than an outage, which a look at everything waits for.
            self._situation = self._look()
            found = self._inspection.before(step, self._situation, self._request.goal)
        for result in found.warnings:
            if result.check.id not in self._warned:
                self._warned.add(result.check.id)
                self._world.warn(f"{result.check.id}, {result.findings[0].subject}: {result.findings[0].what}")
        cluster, state = self._situation.cluster, self._deeds.where_it_stands()
        if refused := refusal(found, cluster, step, state, self._command):
            self._stopping = found
            raise refused

    def _do(self, step: StepId) -> None:
        began, started = self._world.clock.monotonic(), self._world.now()
        try:
            plan = self._plan()
            with self._world.telling(self._begun(step, plan)):
                self._deeds.do(step, self._situation.cluster, plan)
        except Conflict as conflict:
            self._conflicts += 1
            if self._conflicts > _CONFLICTS:
                raise
            self._world.warn(f"{conflict.what} Looking at it again.")
            self._distrust()
            self._pause(_PAUSE if self._conflicts > 1 else 0.0, conflict.what)
            return
        except KmsMigrateError as error:
            self._followed = step
            if self._waits(error):
                return
            self._note(step, StepStatus.FAILED, began, started)
            raise
        if step not in _PROOFS:  # one that is due anew meanwhile says nothing about Azure
            self._unheard = 0.0
        self._note(step, StepStatus.DONE, began, started)
        if step in (*_PROOFS, StepId.UPGRADE_NODE_POOLS):
            self._proven.add(step)

    def _begun(self, step: StepId, plan: Plan) -> StepBegun:
        planned = next(s for s in plan.steps if s.id is step)
        behind = len(set(self._ended) - {s.id for s in plan.steps})
        return StepBegun(step.value, planned.title, planned.reason, behind + 1, behind + len(plan.steps))

    def _goes_back(self, step: StepId) -> bool:
        """Whether the world is behind what this run has done: an upgrade has hops, a proof may be due again."""
        after = {s for s in self._ended if s.place > step.place}
        if step is StepId.DECRYPT_SECRETS:
            after.discard(StepId.UPGRADE)
        again = step in self._ended and step not in self._distrusted and step is not StepId.UPGRADE
        return again or bool(after)

    def _distrust(self) -> None:
        """Somebody else was at the cluster, and may have turned KMS on and off: a proof has to be made anew."""
        self._distrusted = self._proven - {StepId.UPGRADE_NODE_POOLS}
        self._proven -= self._distrusted

    def _note(self, step: StepId, status: StepStatus, began: float, started: str) -> None:
        record = self._deeds.journal.record_of(step)
        secrets = CountsDocument.of(record.secrets) if record and record.secrets else None
        seconds = round(self._world.clock.monotonic() - began, 1)
        detail = record.detail if record else ""
        self._ended[step] = StepDocument(step.value, status.value, started, seconds, detail, secrets)

    def _plan(self) -> Plan:
        plan = self._request.decide(self._situation)
        if not self._request.only:
            return plan
        if self._request.only in self._ended and self._request.only not in [s.id for s in plan.steps]:
            return replace(plan, steps=())
        return only(plan, self._request.only, self._situation.cluster)

    def _look(self) -> Situation:
        situation = observe(self._world, frozenset(self._proven))
        self._note_seen(situation.cluster)
        return situation

    def _note_seen(self, cluster: ClusterFacts) -> None:
        seen = Observation(self._world.now(), cluster.kms_state.value, str(cluster.version), cluster.kms.key_id)
        self._deeds.note(self._deeds.journal.chronicle.with_observation(seen))

    def _pause(self, seconds: float, why: str) -> None:
        until = self._world.clock.monotonic() + seconds
        while self._world.clock.monotonic() < until:
            self._world.tick(Waiting("looking again in a moment", why))
            self._world.clock.sleep(1.0)

    def _next_start(self) -> str:
        return f"az aks kms-migrate start {self._situation.cluster.name.option_text}"

    def _result(self, state: RunState, summary: str, next_command: str) -> RunResult:
        journal, evidence = self._deeds.journal, self._deeds.evidence
        cluster = self._situation.cluster
        old = journal.original_kms.key_id if journal.original_kms else ""
        return RunResult(
            cluster=ClusterDocument.of(cluster),
            state=state,
            summary=summary,
            steps=list(self._ended.values()),
            evidence=EvidenceDocument.of(evidence) if evidence else None,
            failed=failed_documents(evidence) if state is RunState.FAILED else [],
            exposure=exposure_of(journal) if journal.exposed_from else None,
            keep_keys=list(dict.fromkeys(k for k in (old, cluster.kms.key_id) if k)),
            next_command=next_command,
            checks=[CheckDocument.of(r).shortened() for r in self._stopping.blocking],
            skipped_checks=SkippedCheckDocument.all_of(journal),
        )


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def _left_out(found: Preflight, world: World) -> tuple[SkippedCheck, ...]:
    """For the journal: the checks that would stop a run, and are not asked because the user said so."""
    stopping = (r.check.id for r in found.skipped if r.check.severity is Severity.BLOCK)
    return tuple(SkippedCheck(check, world.user, world.now()) for check in stopping)


def _asked(found: Preflight, now: str) -> ChecksRecord:
    ids = (tuple(r.check.id for r in some) for some in (found.warnings, found.unknown, found.skipped))
    return ChecksRecord(now, found.passed, *ids)


def nothing_to_do(situation: Situation, plan: Plan, request: Request) -> RunResult | None:
    """The result when nothing is left. Raises what blocks the rest."""
    if plan.blocked:
        raise plan.blocked
    stop = stops_here(situation, request)
    if plan.pending and not stop:
        return None
    cluster = situation.cluster
    onward = command_of(replace(request, stop_after=None), cluster)
    return RunResult(
        ClusterDocument.of(cluster),
        RunState.NOTHING_TO_DO,
        f"Nothing to do up to '{request.stop_after.value}'." if stop and request.stop_after else plan.summary,
        next_command=onward if stop else f"az aks kms-migrate verify {cluster.name.option_text}",
    )


def drift(world: World, cluster: ClusterFacts, step: StepId, command: str, since: datetime) -> Refused:
    """What somebody else changed since this run began, who, and the choices."""
    key = f" with the key {cluster.kms.key_id}" if cluster.kms.enabled else ""
    who = world.activity.writers(since) if world.activity else "who did it is not known"
    return Refused(
        errors.DRIFT,
        **cluster.name.words,
        change=f"KMS is {cluster.kms_state.value}{key}, Kubernetes {cluster.version}; '{step.value}' would have to be "
        f"done again; {who}",
        next=command,
    )


def stops_here(situation: Situation, request: Request) -> str:
    """The sentence that says so, when what is left comes after the step to stop at."""
    left = request.decide(situation).steps
    stop = request.stop_after
    return f"Stopped after '{stop.value}', as asked." if stop and left and left[0].id.place > stop.place else ""


def command_of(request: Request, cluster: ClusterFacts) -> str:
    """The same command again, ready to paste, with the options that decide what it does."""
    return f"{verb_of(request)} {cluster.name.option_text}{request.option_text}"


def verb_of(request: Request) -> str:
    """What was typed, without its options."""
    return COMMAND_OF[request.only] if request.only else f"az aks kms-migrate {'revert' if request.back else 'start'}"
