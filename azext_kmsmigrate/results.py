"""What the commands print: frozen dataclasses, serialised only by az itself (camelCase, sorted).

Sequences are lists: knack's ``todict`` looks into no tuple.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from azext_kmsmigrate.check_document import MOST_NAMED, CheckDocument, ChecksDocument, SkippedCheckDocument
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.migration import advice
from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.estimate import Estimate
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.plan import Goal, Plan
from azext_kmsmigrate.migration.span import Span
from azext_kmsmigrate.migration.step import StepStatus
from azext_kmsmigrate.rewrite.evidence import Evidence, PassRecord

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ClusterDocument:
    """The cluster as it was observed."""

    id: str
    name: str
    resource_group: str
    kubernetes_version: str
    kms: str
    provisioning_state: str

    @classmethod
    def of(cls, cluster: ClusterFacts) -> ClusterDocument:
        return cls(
            id=cluster.name.resource_id,
            name=cluster.name.name,
            resource_group=cluster.name.group,
            kubernetes_version=str(cluster.version),
            kms=cluster.kms_state.value,
            provisioning_state=cluster.state,
        )


@dataclass(frozen=True)
class ProblemDocument:
    """A catalogue entry with its values: what happened, why it matters, what to type."""

    code: str
    what: str
    why: str
    fix: str

    @classmethod
    def of(cls, error: KmsMigrateError) -> ProblemDocument:
        return cls(error.entry.code, error.what, error.why, error.fix)


@dataclass(frozen=True)
class SpanDocument:
    """Seconds, rounded to tens: at least the one, probably not more than the other."""

    low_seconds: int
    high_seconds: int

    @classmethod
    def of(cls, span: Span) -> SpanDocument:
        return cls(span.low_seconds, span.high_seconds)


@dataclass(frozen=True)
class EstimateDocument:
    """How long all steps take; null where a step cannot be estimated. ``basis``: what the figures stand on."""

    low_seconds: int | None
    high_seconds: int | None
    basis: list[str]

    @classmethod
    def of(cls, estimate: Estimate) -> EstimateDocument:
        total = estimate.total
        return cls(total.low_seconds if total else None, total.high_seconds if total else None, list(estimate.basis))


@dataclass(frozen=True)
class CheckReport:
    """``az aks kms-migrate check``. ``ready``: whether ``start`` would begin (with ``--warnings-as-errors``: and
    nothing warns or is unknown). ``blocked``: what leaves no plan at all, else null."""

    cluster: ClusterDocument
    ready: bool
    checks: list[CheckDocument]
    passed: int
    warned: int
    failed: int
    unknown: int
    skipped: int
    blocked: ProblemDocument | None
    next_command: str
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(
        cls, cluster: ClusterFacts, plan: Plan, found: Preflight, *, warnings_as_errors: bool, options: str = ""
    ) -> CheckReport:
        """``options``: those of ``check`` that ``start`` has too, each with a space before it."""
        ready = plan.blocked is None and found.allows(warnings_as_errors=warnings_as_errors)
        command = ("start" if plan.pending else "verify") if ready else "check"
        return cls(
            cluster=ClusterDocument.of(cluster),
            ready=ready,
            checks=[CheckDocument.of(r) for r in found.in_order_of_weight()],
            passed=found.passed,
            warned=len(found.warnings),
            failed=len(found.blocking),
            unknown=len(found.unknown),
            skipped=len(found.skipped),
            blocked=ProblemDocument.of(plan.blocked) if plan.blocked else None,
            next_command=f"az aks kms-migrate {command} {cluster.name.option_text}"
            f"{'' if command == 'verify' else options}",
        )

    def shortened(self, most: int = MOST_NAMED) -> CheckReport:
        """With the first findings of each check only."""
        return replace(self, checks=[check.shortened(most) for check in self.checks])


@dataclass(frozen=True)
class PlannedStepDocument:
    id: str
    title: str
    status: str
    reason: str
    reversible: bool
    detail: str
    estimate: SpanDocument | None = None


@dataclass(frozen=True)
class HopDocument:
    """One upgrade. ``scope``: ``Cluster`` or ``ControlPlane``, and why. ``supportPlan``: what it changes to, or null.

    ``firm``: done next. ``offered``: false when only the location lists the version, and Azure decides when asked.
    """

    kubernetes_version: str
    scope: str
    reason: str
    firm: bool
    offered: bool
    support_plan: str | None


@dataclass(frozen=True)
class ManualDocument:
    """What no step does: what, and the command or page; null where there is none."""

    what: str
    command: str | None


@dataclass(frozen=True)
class GoalDocument:
    """Where the migration ends: a version, and the key KMS v2 is turned on with."""

    kubernetes_version: str
    key_id: str
    key_vault_network_access: str
    key_vault_resource_id: str


@dataclass(frozen=True)
class PlanDocument:
    """``az aks kms-migrate plan``. ``blocked`` is null when ``start`` would run these steps."""

    cluster: ClusterDocument
    goal: GoalDocument | None
    state: str
    summary: str
    pending: bool
    steps: list[PlannedStepDocument]
    blocked: ProblemDocument | None
    hops: list[HopDocument] = field(default_factory=list)
    estimate: EstimateDocument | None = None
    exposure: SpanDocument | None = None
    warnings: list[str] = field(default_factory=list)
    manual: list[ManualDocument] = field(default_factory=list)
    next_command: str | None = None
    checks: ChecksDocument | None = None
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(
        cls,
        cluster: ClusterFacts,
        plan: Plan,
        goal: Goal,
        found: Preflight | None = None,
        refusal: KmsMigrateError | None = None,
    ) -> PlanDocument:
        blocked = plan.blocked or refusal
        exposure = plan.estimate.exposure if plan.estimate else None
        return cls(
            cluster=ClusterDocument.of(cluster),
            goal=_goal(plan.target_kms, str(plan.target)) if plan.pending and plan.target_kms else None,
            state=plan.state.value,
            summary=plan.summary,
            pending=plan.pending,
            steps=[
                PlannedStepDocument(
                    s.id.value,
                    s.title,
                    StepStatus.PENDING.value,
                    s.reason,
                    s.reversible,
                    s.detail,
                    SpanDocument.of(s.estimate) if s.estimate else None,
                )
                for s in plan.steps
            ],
            blocked=ProblemDocument.of(blocked) if blocked else None,
            hops=_hops(plan),
            estimate=EstimateDocument.of(plan.estimate) if plan.estimate else None,
            exposure=SpanDocument.of(exposure) if exposure else None,
            warnings=list(advice.warnings(cluster, plan)),
            manual=[ManualDocument(m.what, m.command or None) for m in advice.manual(cluster, plan)],
            next_command=None if blocked else _next(cluster, plan, goal, found),
            checks=ChecksDocument.of(found) if found else None,
        )


@dataclass(frozen=True)
class StepDocument:
    """One step as it was done. ``secrets`` is null for steps that touch none.

    It counts all rounds of this run: ``rewritten`` is their sum (a Secret in two rounds counts twice), ``gone`` and
    ``failed`` are those of the newest, ``current`` is what is left of the Secrets that the newest met.
    """

    id: str
    status: str
    started_at: str
    duration_seconds: float
    detail: str
    secrets: CountsDocument | None


@dataclass(frozen=True)
class CountsDocument:
    """``total = rewritten + current + gone + failed``."""

    total: int
    rewritten: int
    current: int
    gone: int
    failed: int

    @classmethod
    def of(cls, counts: SecretCounts) -> CountsDocument:
        return cls(counts.total, counts.rewritten, counts.current, counts.gone, counts.failed)


@dataclass(frozen=True)
class FailedDocument:
    """A Secret that is not proven, why, what the server named (a webhook, a policy, a field), and what to do."""

    namespace: str
    name: str
    kind: str
    detail: str
    remedy: str


@dataclass(frozen=True)
class PassDocument:
    """One pass over the Secrets; see ``rewrite.evidence.PassRecord``."""

    secrets: CountsDocument
    seconds: float
    changed_meanwhile: int
    digest: str
    reads: dict[str, int]
    writes: dict[str, int]
    api_servers_restarted: int

    @classmethod
    def of(cls, record: PassRecord) -> PassDocument:
        return cls(
            CountsDocument.of(record.counts),
            record.seconds,
            record.changed_meanwhile,
            record.digest,
            dict(record.reads),
            dict(record.writes),
            record.restarted,
        )


@dataclass(frozen=True)
class EvidenceDocument:
    """The record of one proof; see ``rewrite.evidence``."""

    stored_as: str
    grade: str
    api_servers: int
    canary_moves: int
    signs: list[str]
    barrier: int
    passes: list[PassDocument]
    closing_looks: list[PassDocument]
    resource_version: int
    kubernetes_version: str
    namespaces: list[str]
    started_at: str
    finished_at: str
    missing: list[str]

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceDocument:
        return cls(
            stored_as=evidence.stored_as.value,
            grade=evidence.grade.value,
            api_servers=evidence.replicas,
            canary_moves=evidence.canary_moves,
            signs=list(evidence.signs),
            barrier=evidence.barrier,
            passes=[PassDocument.of(p) for p in evidence.passes],
            closing_looks=[PassDocument.of(p) for p in evidence.looks],
            resource_version=evidence.resource_version,
            kubernetes_version=evidence.kubernetes_version,
            namespaces=list(evidence.scope),
            started_at=evidence.started_at,
            finished_at=evidence.finished_at,
            missing=list(evidence.missing),
        )


def failed_documents(evidence: Evidence | None) -> list[FailedDocument]:
    """Every Secret that is known not to be proven."""
    failed = evidence.unverified if evidence else ()
    return [FailedDocument(f.namespace, f.name, f.kind.value, f.detail, f.remedy) for f in failed]


class RunState(str, enum.Enum):
    """How a run ended."""

    COMPLETED = "Completed"
    STOPPED = "Stopped"
    FAILED = "Failed"
    NOTHING_TO_DO = "NothingToDo"


@dataclass(frozen=True)
class ExposureDocument:
    """From turning KMS off to the last Secret proven under KMS v2; null where it did not happen."""

    start: str | None
    end: str | None


@dataclass(frozen=True)
class RunResult:
    """``start`` and the steps by themselves. ``checks``: those that kept it from going on, or warned."""

    cluster: ClusterDocument
    state: RunState
    summary: str
    steps: list[StepDocument] = field(default_factory=list)
    evidence: EvidenceDocument | None = None
    failed: list[FailedDocument] = field(default_factory=list)
    exposure: ExposureDocument | None = None
    problem: ProblemDocument | None = None
    keep_keys: list[str] = field(default_factory=list)
    next_command: str | None = None
    checks: list[CheckDocument] = field(default_factory=list)
    skipped_checks: list[SkippedCheckDocument] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Verification:
    """``verify``: whether every Secret is proven to be stored in the form that the cluster's KMS state calls for."""

    cluster: ClusterDocument
    verified: bool
    stored_as: str
    evidence: EvidenceDocument
    unverified: list[FailedDocument]
    unverified_count: int
    next_command: str | None
    schema_version: int = SCHEMA_VERSION

    def shortened(self, most: int) -> Verification:
        """With the first Secrets named only; ``unverified_count`` still tells how many there are."""
        return replace(self, unverified=self.unverified[:most])


@dataclass(frozen=True)
class JournalDocument:
    """What the journal kept with the cluster says."""

    started_at: str
    completed_at: str | None
    steps: list[StepDocument]
    exposure: ExposureDocument
    last_problem: str | None
    original_key_id: str | None
    skipped_checks: list[SkippedCheckDocument] = field(default_factory=list)

    @classmethod
    def of(cls, journal: Journal) -> JournalDocument:
        return cls(
            started_at=journal.started_at,
            completed_at=journal.completed_at or None,
            steps=[
                StepDocument(
                    r.id.value,
                    r.status.value,
                    r.started_at,
                    0.0,
                    r.detail,
                    CountsDocument.of(r.secrets) if r.secrets else None,
                )
                for r in journal.steps
            ],
            exposure=exposure_of(journal),
            last_problem=journal.last_problem or None,
            original_key_id=journal.original_kms.key_id if journal.original_kms else None,
            skipped_checks=SkippedCheckDocument.all_of(journal),
        )


@dataclass(frozen=True)
class ProgressDocument:
    """Secrets at ``step``: how many there are now, and how many of them its last pass left in the right form."""

    step: str
    total: int
    done: int
    left: int


@dataclass(frozen=True)
class Status:
    """``show``: where the migration stands, from observation; what is next; what of that cannot be undone.

    ``step``: the one under way, else the next. ``operation``: what Azure is doing to the cluster, or how its last
    operation failed. ``unseen``: what could not be looked at, and why; the rest is what Azure says.
    """

    cluster: ClusterDocument
    summary: str
    remaining: list[str]
    blocked: ProblemDocument | None
    journal: JournalDocument | None
    runner: str | None
    next_command: str | None
    irreversible: list[str] = field(default_factory=list)
    step: str | None = None
    operation: str | None = None
    secrets: ProgressDocument | None = None
    unseen: list[str] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


def exposure_of(journal: Journal) -> ExposureDocument:
    return ExposureDocument(journal.exposed_from or None, journal.exposed_to or None)


def _hops(plan: Plan) -> list[HopDocument]:
    return [
        HopDocument(
            str(hop.version),
            "Cluster" if hop.whole else "ControlPlane",
            hop.why,
            firm=number == 0,
            offered=not hop.conditional,
            support_plan=hop.plan.value if hop.plan else None,
        )
        for number, hop in enumerate(plan.hops)
    ]


def _next(cluster: ClusterFacts, plan: Plan, goal: Goal, found: Preflight | None) -> str:
    """What to type after this plan; while it is blocked, its remedy says that."""
    name = cluster.name.option_text
    if not plan.pending:
        return f"az aks kms-migrate verify {name}"
    skipped = " ".join(sorted(r.check.id for r in found.skipped)) if found else ""
    return f"az aks kms-migrate start {name}{goal.option_text}{' --skip-check ' if skipped else ''}{skipped}"


def _goal(kms: KmsProfile, version: str) -> GoalDocument:
    return GoalDocument(version, kms.key_id, kms.network_access.value, kms.vault_id)
