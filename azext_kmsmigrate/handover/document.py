"""What ``report`` tells: frozen dataclasses, of one family with ``results``; az serialises them (camelCase)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from azext_kmsmigrate.results import (
    ClusterDocument,
    CountsDocument,
    EvidenceDocument,
    ExposureDocument,
    ManualDocument,
)

SCHEMA_VERSION = 1


class Verdict(str, enum.Enum):
    """How it stands with the migration, as far as a report can say."""

    PROVEN = "Proven"  # ended with a proof, and the cluster is as it was then
    CHANGED = "Changed"  # ended with a proof, and KMS or its key is another since
    UNPROVEN = "Unproven"  # ended, and the journal holds no proof of it
    UNFINISHED = "Unfinished"
    NOT_RECORDED = "NotRecorded"  # the cluster holds no journal


@dataclass(frozen=True)
class NowDocument:
    """The cluster at ``observedAt``. ``nodePools``: name to version. ``runner``: who holds the Lease, or null."""

    observed_at: str
    kms: str
    key_id: str | None
    key_vault_network_access: str | None
    key_vault_resource_id: str | None
    kubernetes_version: str
    provisioning_state: str
    node_pools: dict[str, str]
    runner: str | None


@dataclass(frozen=True)
class DifferenceDocument:
    """Something that the journal says and that is otherwise now. ``grave``: it takes away what was proven."""

    what: str
    recorded: str
    recorded_at: str
    observed: str
    grave: bool


@dataclass(frozen=True)
class MigrationDocument:
    """What the journal says of the whole. ``goal``: ``KmsV2``, or ``KmsV1`` for a revert."""

    started_at: str
    completed_at: str | None
    goal: str
    target_version: str | None
    support_plan: str | None
    plan_digest: str | None
    last_problem: str | None


@dataclass(frozen=True)
class SegmentDocument:
    """From ``start`` to ``end`` Azure said that the cluster was so. ``end`` is null for what lasts."""

    kms: str
    kubernetes_version: str
    key_id: str | None
    start: str
    end: str | None


@dataclass(frozen=True)
class EventDocument:
    """One moment of the timeline."""

    at: str
    what: str


@dataclass(frozen=True)
class ReportedStepDocument:
    """One step, as its newest run left it."""

    id: str
    title: str
    status: str
    started_at: str
    finished_at: str | None
    duration_seconds: float | None
    detail: str
    secrets: CountsDocument | None


@dataclass(frozen=True)
class SampleDocument:
    """``secrets`` were dealt with ``seconds`` after the pass began."""

    seconds: float
    secrets: int


@dataclass(frozen=True)
class CourseDocument:
    """One pass over time. ``perSecond`` is the mean."""

    purpose: str
    seconds: float
    secrets: int
    per_second: float
    samples: list[SampleDocument]


@dataclass(frozen=True)
class ProofDocument:
    """The newest proof of a step; ``holds`` when it lacks nothing. The evidence is of its own date, not of now."""

    step: str
    title: str
    holds: bool
    evidence: EvidenceDocument
    courses: list[CourseDocument]


@dataclass(frozen=True)
class SkippedDocument:
    """A check that was left out. ``by`` and ``at`` are null for one that would have stopped nothing."""

    id: str
    title: str
    by: str | None
    at: str | None


@dataclass(frozen=True)
class NamedCheckDocument:
    """A check by its id."""

    id: str
    title: str


@dataclass(frozen=True)
class AskedDocument:
    """The checks before one run."""

    at: str
    passed: int
    warned: list[NamedCheckDocument]
    unknown: list[NamedCheckDocument]
    skipped: list[NamedCheckDocument]


@dataclass(frozen=True)
class ChecksDocument:
    """``asked``: before the first run, and before the newest. ``skipped``: what was left out in any run."""

    asked: list[AskedDocument]
    skipped: list[SkippedDocument]


@dataclass(frozen=True)
class KeyDocument:
    """A Key Vault key version that must stay enabled, and until when. ``uses``: what for."""

    key_id: str
    uses: list[str]
    keep_until: str


@dataclass(frozen=True)
class RunDocument:
    """One run. ``outcome`` is null for one that is under way, or that ended without a word."""

    command: str
    by: str
    account: str | None
    tool: str | None
    started_at: str
    ended_at: str | None
    outcome: str | None
    problem: str | None


@dataclass(frozen=True)
class Report:
    """``az aks kms-migrate report``. What was seen now is in ``cluster`` and ``now``; all else was recorded then.

    ``headline`` and ``told``: the verdict in words. ``unseen``: what could not be looked at, and why.
    """

    cluster: ClusterDocument
    verdict: Verdict
    headline: str
    told: list[str]
    differences: list[DifferenceDocument]
    now: NowDocument
    migration: MigrationDocument | None
    exposure: ExposureDocument
    exposure_seconds: float | None
    timeline: list[SegmentDocument]
    events: list[EventDocument]
    steps: list[ReportedStepDocument]
    proofs: list[ProofDocument]
    checks: ChecksDocument
    keys: list[KeyDocument]
    manual: list[ManualDocument]
    runs: list[RunDocument]
    runs_left_out: int
    unseen: list[str]
    generated_by: str
    next_command: str | None
    schema_version: int = SCHEMA_VERSION
