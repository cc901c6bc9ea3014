"""The journal document: what a run keeps with the cluster, so that any later run can explain and continue.

Stored by ``kube.journal_store`` as one JSON text in the ConfigMap ``kube-system/aks-kms-migrate``::

    {"schemaVersion": 1, "clusterId": "/subscriptions/...", "clusterUid": ..., "startedAt": "2026-01-31T09:00:00Z",
     "originalKms": {...}, "targetKms": {...}, "targetVersion": "1.27.1",
     "steps": [{"id": "disable-kms", "status": "Done", "startedAt": ..., "finishedAt": ..., "secrets": {...}}],
     "canary": {"uid": ..., "resourceVersion": ..., "before": "disable-kms"},
     "barrier": 1234, "exposure": {"from": ..., "to": ...}, "lastProblem": "", "completedAt": "",
     "skippedChecks": [{"id": "K-10", "by": ..., "at": ...}], "forcedUntil": "", "direction": "forward",
     "chronicle": {...}}

``clusterUid`` is the uid of the namespace kube-system, for a cluster that is made anew has the resource id of the one
before it. It explains and speeds up; it never overrules what is observed. Times are UTC, ISO 8601. No Secret data, no
Secret names. ``supportPlan`` is long term support, when the user has asked for it; ``planDigest`` that of the plan
file that a run was started with; ``direction`` is ``back`` for a revert; ``chronicle`` is what reports are made from
(``migration.chronicle``). Fields that this version does not know are kept as they are, at every level.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from azext_kmsmigrate.migration.chronicle import Chronicle
from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.excerpt import excerpt
from azext_kmsmigrate.migration.facts import KmsProfile, KmsState, NetworkAccess
from azext_kmsmigrate.migration.step import StepId, StepStatus

SCHEMA_VERSION = 1
_LONGEST = 2_000  # bytes of a text: a ConfigMap is small, and a list of node names is not
_MOST_SKIPPED = 64
_LONGEST_NAME = 120  # bytes of who left a check out


class Direction(str, enum.Enum):
    """Where the run was going that wrote last: to KMS v2, or back to KMS v1."""

    FORWARD = "forward"
    BACK = "back"


class JournalUnreadableError(ValueError):
    """The document is not a journal of this form; the message says why, in words for the user."""


@dataclass(frozen=True)
class StepRecord:
    """What became of one step. A step that was done again has one record, the newest.

    ``secrets`` counts all rounds of the run that made this record, as ``SecretCounts.over_rounds`` does.
    """

    id: StepId
    status: StepStatus
    started_at: str
    finished_at: str = ""
    detail: str = ""
    secrets: SecretCounts | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CanaryRecord:
    """The canary as it was written before a change: untouched as long as its resourceVersion is this one."""

    uid: str
    resource_version: str
    before: StepId
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SkippedCheck:
    """A check that stops a run when it fails, and that somebody chose to leave out."""

    id: str
    by: str
    at: str
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Journal:
    """See the module's docstring. ``unknown``: the fields of a later version, those inside of known ones too."""

    cluster_id: str
    started_at: str
    original_kms: KmsProfile | None = None
    target_kms: KmsProfile | None = None
    target_version: str = ""
    steps: tuple[StepRecord, ...] = ()
    canary: CanaryRecord | None = None
    barrier: int = 0
    exposed_from: str = ""
    exposed_to: str = ""
    last_problem: str = ""
    completed_at: str = ""
    forced_until: str = ""
    skipped_checks: tuple[SkippedCheck, ...] = ()
    support_plan: str = ""
    plan_digest: str = ""
    direction: Direction = Direction.FORWARD
    cluster_uid: str = ""
    chronicle: Chronicle = Chronicle()  # noqa: RUF009 a frozen value
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_scratch(cls, *, cluster_id: str, now: str) -> Journal:
        return cls(cluster_id=cluster_id, started_at=now)

    @property
    def unfinished(self) -> bool:
        return not self.completed_at

    def record_of(self, step: StepId) -> StepRecord | None:
        return next((r for r in self.steps if r.id is step), None)

    @property
    def running(self) -> StepRecord | None:
        """The step that a run had begun and not ended: it may still be under way in Azure."""
        return next((r for r in self.steps if r.status is StepStatus.RUNNING), None)

    def canary_for(self, now: KmsState) -> CanaryRecord | None:
        """The canary, if it tells something about the present KMS state: see ``rewrite.rewriting``."""
        telling = {
            KmsState.OFF: (StepId.DISABLE_KMS, StepId.ENABLE_KMS),
            KmsState.V2: (StepId.ENABLE_KMS,),
            KmsState.V1: (StepId.ENABLE_KMS,),  # planted by a revert; a canary from before KMS v1 went off lay under it
        }.get(now, ())
        return self.canary if self.canary is not None and self.canary.before in telling else None

    def with_step(self, record: StepRecord) -> Journal:
        """The record replaces an older one of the same step, and moves to the end: steps stay in time order."""
        kept = tuple(r for r in self.steps if r.id is not record.id)
        return replace(self, steps=(*kept, record))

    def with_skipped(self, skipped: tuple[SkippedCheck, ...]) -> Journal:
        """The newest word on each check that was left out."""
        ids = {s.id for s in skipped}
        return replace(self, skipped_checks=(*(s for s in self.skipped_checks if s.id not in ids), *skipped))


def to_document(journal: Journal) -> dict[str, Any]:
    """The journal as a JSON document."""
    known = {
        "schemaVersion": SCHEMA_VERSION,
        "clusterId": journal.cluster_id,
        "clusterUid": journal.cluster_uid,
        "startedAt": journal.started_at,
        "originalKms": _kms_out(journal.original_kms),
        "targetKms": _kms_out(journal.target_kms),
        "targetVersion": journal.target_version,
        "supportPlan": journal.support_plan,
        "planDigest": journal.plan_digest,
        "direction": journal.direction.value,
        "steps": [_with(_step_out(record), record.unknown) for record in journal.steps],
        "canary": _with(_canary_out(journal.canary), journal.canary.unknown) if journal.canary else None,
        "barrier": journal.barrier,
        "exposure": {"from": journal.exposed_from, "to": journal.exposed_to},
        "lastProblem": excerpt(journal.last_problem, _LONGEST),
        "completedAt": journal.completed_at,
        "forcedUntil": journal.forced_until,
        "skippedChecks": [
            _with(_skipped_out(skipped), skipped.unknown) for skipped in journal.skipped_checks[-_MOST_SKIPPED:]
        ],
        "chronicle": journal.chronicle.document,
    }
    return _with(known, journal.unknown)


def from_document(document: object) -> Journal:
    """Read what ``to_document`` wrote.

    :raises JournalUnreadableError: it is not such a document, or of a newer schema
    """
    if not isinstance(document, dict):
        raise JournalUnreadableError("it is not a JSON object")
    if document.get("schemaVersion") != SCHEMA_VERSION:
        raise JournalUnreadableError(f"its schemaVersion is {document.get('schemaVersion')!r}, not {SCHEMA_VERSION}")
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise JournalUnreadableError(f"a field is missing or malformed ({type(error).__name__}: {error})") from error


def _read(document: Mapping[str, Any]) -> Journal:
    exposure = document.get("exposure") or {}
    journal = Journal(
        cluster_id=_text(document["clusterId"]),
        started_at=_text(document["startedAt"]),
        original_kms=_kms_in(document.get("originalKms")),
        target_kms=_kms_in(document.get("targetKms")),
        target_version=_text(document.get("targetVersion", "")),
        steps=tuple(map(_step_in, document.get("steps") or ())),
        canary=_canary_in(document["canary"]) if document.get("canary") else None,
        barrier=int(document.get("barrier") or 0),
        exposed_from=_text(exposure.get("from", "")),
        exposed_to=_text(exposure.get("to", "")),
        last_problem=_text(document.get("lastProblem", "")),
        completed_at=_text(document.get("completedAt", "")),
        forced_until=_text(document.get("forcedUntil", "")),
        skipped_checks=tuple(map(_skipped_in, document.get("skippedChecks") or ())),
        support_plan=_text(document.get("supportPlan", "")),
        plan_digest=_text(document.get("planDigest", "")),
        cluster_uid=_text(document.get("clusterUid", "")),
        direction=Direction(document.get("direction", Direction.FORWARD)),
        chronicle=Chronicle(told if isinstance(told := document.get("chronicle"), dict) else {}),
    )
    # Those inside of a step, of the canary, of a check are theirs: another one has none of them.
    rest = {k: v for k, v in document.items() if k not in ("steps", "canary", "skippedChecks", "chronicle")}
    return replace(journal, unknown=_without(rest, to_document(journal)))


def _step_out(record: StepRecord) -> dict[str, Any]:
    return {
        "id": record.id.value,
        "status": record.status.value,
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "detail": excerpt(record.detail, _LONGEST),
        "secrets": record.secrets.to_document() if record.secrets else None,
    }


def _step_in(document: Mapping[str, Any]) -> StepRecord:
    record = StepRecord(
        id=StepId(document["id"]),
        status=StepStatus(document["status"]),
        started_at=_text(document["startedAt"]),
        finished_at=_text(document.get("finishedAt", "")),
        detail=_text(document.get("detail", "")),
        secrets=SecretCounts.from_document(document["secrets"]) if document.get("secrets") else None,
    )
    return replace(record, unknown=_without(document, _step_out(record)))


def _canary_out(canary: CanaryRecord) -> dict[str, Any]:
    return {"uid": canary.uid, "resourceVersion": canary.resource_version, "before": canary.before.value}


def _canary_in(document: Mapping[str, Any]) -> CanaryRecord:
    canary = CanaryRecord(_text(document["uid"]), _text(document["resourceVersion"]), StepId(document["before"]))
    if not (canary.resource_version.isascii() and canary.resource_version.isdigit()):
        raise ValueError("a resourceVersion is a number")
    return replace(canary, unknown=_without(document, _canary_out(canary)))


def _skipped_out(skipped: SkippedCheck) -> dict[str, Any]:
    return {"id": skipped.id, "by": excerpt(skipped.by, _LONGEST_NAME), "at": skipped.at}


def _skipped_in(document: Mapping[str, Any]) -> SkippedCheck:
    skipped = SkippedCheck(_text(document["id"]), _text(document["by"]), _text(document["at"]))
    return replace(skipped, unknown=_without(document, _skipped_out(skipped)))


def _without(document: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What the document has and the known fields have not, level by level."""
    left: dict[str, Any] = {}
    for key, value in document.items():
        if key not in known:
            left[key] = value
        elif isinstance(value, dict) and isinstance(known[key], dict) and (inside := _without(value, known[key])):
            left[key] = inside
    return left


def _with(known: Mapping[str, Any], unknown: Mapping[str, Any]) -> dict[str, Any]:
    """Both together; a known field keeps its value."""
    whole = {**unknown, **known}
    for key, value in unknown.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            whole[key] = _with(known[key], value)
    return whole


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value


def _kms_out(profile: KmsProfile | None) -> dict[str, Any] | None:
    if profile is None:
        return None
    return {
        "enabled": profile.enabled,
        "keyId": profile.key_id,
        "keyVaultNetworkAccess": profile.network_access.value,
        "keyVaultResourceId": profile.vault_id,
    }


def _kms_in(document: Any) -> KmsProfile | None:
    if document is None:
        return None
    return KmsProfile(
        enabled=bool(document["enabled"]),
        key_id=_text(document["keyId"]),
        network_access=NetworkAccess(document["keyVaultNetworkAccess"]),
        vault_id=_text(document["keyVaultResourceId"]),
    )
