"""Decides what became of a step whose run did not see its end: it is read from the cluster, not remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.journal import Direction, Journal, StepRecord
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.migration.upgrade_path import Target

_There = Callable[[Journal, ClusterFacts], bool]


def in_hindsight(journal: Journal, seen: ClusterFacts) -> Journal:
    """The journal, in which a change of Azure's that has come about is no longer one that runs, or failed.

    When it came about nobody saw: such a record has no ``finished_at``. Proofs are never taken for done.
    """
    if seen.busy or seen.failed:
        return journal
    there = _THERE[journal.direction]
    return replace(journal, steps=tuple(_done(r) if _open(r, there, journal, seen) else r for r in journal.steps))


def _open(record: StepRecord, there: Mapping[StepId, _There], journal: Journal, seen: ClusterFacts) -> bool:
    ended = record.status not in (StepStatus.RUNNING, StepStatus.FAILED)
    return not ended and record.id in there and there[record.id](journal, seen)


def _done(record: StepRecord) -> StepRecord:
    return replace(record, status=StepStatus.DONE, finished_at="")


def _upgraded(journal: Journal, seen: ClusterFacts) -> bool:
    try:
        return Target.parse(journal.target_version).reached_by(seen.version)
    except ValueError:
        return False


_THERE: Mapping[Direction, Mapping[StepId, _There]] = {
    Direction.FORWARD: {
        StepId.DISABLE_KMS: lambda _, seen: seen.kms_state in (KmsState.OFF, KmsState.V2),
        StepId.UPGRADE: _upgraded,
        StepId.ENABLE_KMS: lambda _, seen: seen.kms_state is KmsState.V2,
        StepId.UPGRADE_NODE_POOLS: lambda _, seen: all(
            pool.version >= seen.version for pool in seen.pools if pool.upgradable
        ),
    },
    Direction.BACK: {StepId.ENABLE_KMS: lambda _, seen: seen.kms_state is KmsState.V1},
}
