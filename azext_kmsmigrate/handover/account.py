"""Makes the report from what was seen now and the journal. Pure.

The journal is as of its dates and never taken for the present: what it says and what is seen are told apart, and where
they disagree that comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.handover.document import (
    AskedDocument,
    ChecksDocument,
    CourseDocument,
    KeyDocument,
    MigrationDocument,
    NamedCheckDocument,
    NowDocument,
    ProofDocument,
    Report,
    ReportedStepDocument,
    RunDocument,
    SampleDocument,
    SkippedDocument,
)
from azext_kmsmigrate.handover.duties import by_hand, keys_to_keep
from azext_kmsmigrate.handover.instant import seconds_between, written
from azext_kmsmigrate.handover.judgement import Judgement
from azext_kmsmigrate.handover.timeline import events, segments
from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.migration.journal import Direction, Journal
from azext_kmsmigrate.migration.plan import Plan, Situation
from azext_kmsmigrate.migration.proof import ProofPass, ProofRecord
from azext_kmsmigrate.migration.step import TITLES, StepId
from azext_kmsmigrate.results import (
    ClusterDocument,
    CountsDocument,
    EvidenceDocument,
    ExposureDocument,
    PassDocument,
    exposure_of,
)

_TITLES = {check.id: check.title for check in CHECKS}
_TITLE_BACK = "Rewrite all Secrets under KMS v1, and prove it"
_PROOFS = (StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS)


@dataclass(frozen=True)
class Seen:
    """What a report is made from: the situation with its journal, the steps that are left, and who is at work."""

    situation: Situation
    plan: Plan
    holder: str | None
    unseen: tuple[str, ...]
    at: datetime
    by: str


def report_of(seen: Seen) -> Report:
    """The report."""
    cluster, journal = seen.situation.cluster, seen.situation.journal
    judged = Judgement.of(cluster, journal, seen.plan)
    exposure = exposure_of(journal) if journal else ExposureDocument(None, None)
    now = written(seen.at)
    return Report(
        cluster=ClusterDocument.of(cluster),
        verdict=judged.verdict,
        headline=judged.headline,
        told=list(judged.told),
        differences=list(judged.differences),
        now=_now(seen, now),
        migration=_migration(journal) if journal else None,
        exposure=exposure,
        exposure_seconds=seconds_between(exposure.start, exposure.end or now),
        timeline=segments(journal) if journal else [],
        events=events(journal) if journal else [],
        steps=_steps(journal) if journal else [],
        proofs=_proofs(journal) if journal else [],
        checks=_checks(journal),
        keys=[KeyDocument(k.key_id, list(k.uses), k.until) for k in keys_to_keep(cluster, journal)],
        manual=list(by_hand(cluster, journal, seen.plan)),
        runs=_runs(journal) if journal else [],
        runs_left_out=journal.chronicle.left_out_runs if journal else 0,
        unseen=list(seen.unseen),
        generated_by=seen.by,
        next_command=judged.next_command,
    )


def _now(seen: Seen, now: str) -> NowDocument:
    cluster = seen.situation.cluster
    kms = cluster.kms if cluster.kms.enabled else None
    return NowDocument(
        observed_at=now,
        kms=cluster.kms_state.value,
        key_id=(kms and kms.key_id) or None,
        key_vault_network_access=kms.network_access.value if kms else None,
        key_vault_resource_id=(kms and kms.vault_id) or None,
        kubernetes_version=str(cluster.version),
        provisioning_state=cluster.state,
        node_pools={pool.name: str(pool.version) for pool in cluster.pools},
        runner=seen.holder,
    )


def _migration(journal: Journal) -> MigrationDocument:
    back = journal.direction is Direction.BACK
    return MigrationDocument(
        started_at=journal.started_at,
        completed_at=journal.completed_at or None,
        goal=(KmsState.V1 if back else KmsState.V2).value,
        target_version=journal.target_version or None,
        support_plan=journal.support_plan or None,
        plan_digest=journal.plan_digest or None,
        last_problem=journal.last_problem or None,
    )


def _title(journal: Journal, step: StepId) -> str:
    back = journal.direction is Direction.BACK and step is StepId.ENCRYPT_SECRETS
    return _TITLE_BACK if back else TITLES[step]


def _steps(journal: Journal) -> list[ReportedStepDocument]:
    return [
        ReportedStepDocument(
            id=record.id.value,
            title=_title(journal, record.id),
            status=record.status.value,
            started_at=record.started_at,
            finished_at=record.finished_at or None,
            duration_seconds=seconds_between(record.started_at, record.finished_at),
            detail=record.detail,
            secrets=CountsDocument.of(record.secrets) if record.secrets else None,
        )
        for record in journal.steps
    ]


def _proofs(journal: Journal) -> list[ProofDocument]:
    found = ((step, journal.chronicle.proof_of(step)) for step in _PROOFS)
    return [
        ProofDocument(step.value, _title(journal, step), proof.holds, _evidence(proof), _courses(proof))
        for step, proof in found
        if proof is not None
    ]


def _evidence(proof: ProofRecord) -> EvidenceDocument:
    return EvidenceDocument(
        stored_as=proof.stored_as,
        grade=proof.grade,
        api_servers=proof.replicas,
        canary_moves=proof.canary_moves,
        signs=list(proof.signs),
        barrier=proof.barrier,
        passes=[_pass(one) for one in proof.passes],
        closing_looks=[_pass(one) for one in proof.looks],
        resource_version=proof.resource_version,
        kubernetes_version=proof.kubernetes_version,
        namespaces=[],
        started_at=proof.started_at,
        finished_at=proof.finished_at,
        missing=list(proof.missing),
    )


def _pass(one: ProofPass) -> PassDocument:
    return PassDocument(
        CountsDocument.of(one.counts),
        one.seconds,
        one.changed_meanwhile,
        one.digest,
        dict(one.reads),
        dict(one.writes),
        one.restarted,
    )


def _courses(proof: ProofRecord) -> list[CourseDocument]:
    """The passes over time; the last of them is the proof, what comes before rewrites."""
    last = len(proof.passes) - 1
    return [
        CourseDocument(
            purpose="proof" if number == last else "rewriting",
            seconds=one.seconds,
            secrets=one.counts.total,
            per_second=round(one.counts.total / one.seconds, 1) if one.seconds > 0 else 0.0,
            samples=[SampleDocument(seconds, secrets) for seconds, secrets in one.course],
        )
        for number, one in enumerate(proof.passes)
        if one.course
    ]


def _checks(journal: Journal | None) -> ChecksDocument:
    asked = journal.chronicle.checks if journal else ()
    known = {skipped.id: skipped for skipped in journal.skipped_checks} if journal else {}
    ids = dict.fromkeys([*known, *(check for one in asked for check in one.skipped)])
    return ChecksDocument(
        [AskedDocument(a.at, a.passed, _named(a.warned), _named(a.unknown), _named(a.skipped)) for a in asked],
        [
            SkippedDocument(check, _TITLES.get(check, ""), known[check].by, known[check].at)
            if check in known
            else SkippedDocument(check, _TITLES.get(check, ""), None, None)
            for check in ids
        ],
    )


def _named(ids: tuple[str, ...]) -> list[NamedCheckDocument]:
    return [NamedCheckDocument(check, _TITLES.get(check, "")) for check in ids]


def _runs(journal: Journal) -> list[RunDocument]:
    return [
        RunDocument(
            run.command,
            run.by,
            run.account or None,
            run.tool or None,
            run.started_at,
            run.ended_at or None,
            run.outcome or None,
            run.problem or None,
        )
        for run in journal.chronicle.runs
    ]
