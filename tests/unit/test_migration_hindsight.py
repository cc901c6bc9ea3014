"""A step whose run did not see its end is judged by what the cluster shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName, KmsProfile, NodePool
from azext_kmsmigrate.migration.hindsight import in_hindsight
from azext_kmsmigrate.migration.journal import Direction, Journal, StepRecord
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.migration.version import KubernetesVersion

OLD, NEW = KubernetesVersion.parse("1.26.15"), KubernetesVersion.parse("1.27.1")
ON, OFF = KmsProfile(enabled=True, key_id="key"), KmsProfile(key_id="key")


def _cluster(version: KubernetesVersion, kms: KmsProfile, state: str = "Succeeded") -> ClusterFacts:
    pools = (NodePool("system", version, version, "Succeeded"),)
    return ClusterFacts(ClusterName("c", "g", "s"), version, version, state, "Running", kms, pools=pools)


@pytest.mark.parametrize("status", [StepStatus.RUNNING, StepStatus.FAILED])
@pytest.mark.parametrize(
    ("step", "seen", "there"),
    [
        (StepId.DISABLE_KMS, _cluster(OLD, OFF), True),
        (StepId.DISABLE_KMS, _cluster(OLD, ON), False),
        (StepId.UPGRADE, _cluster(NEW, OFF), True),
        (StepId.UPGRADE, _cluster(OLD, OFF), False),
        (StepId.ENABLE_KMS, _cluster(NEW, ON), True),
        (StepId.ENABLE_KMS, _cluster(NEW, OFF), False),
        (StepId.ENABLE_KMS, _cluster(NEW, ON, "Updating"), False),
        (StepId.ENABLE_KMS, _cluster(NEW, ON, "Failed"), False),
        (StepId.UPGRADE_NODE_POOLS, _cluster(NEW, ON), True),
        (StepId.DECRYPT_SECRETS, _cluster(NEW, ON), False),
        (StepId.ENCRYPT_SECRETS, _cluster(NEW, ON), False),
    ],
)
def test_a_change_that_came_about_is_done_and_a_proof_never(
    step: StepId, seen: ClusterFacts, there: bool, status: StepStatus
) -> None:
    record = StepRecord(step, status, "2026-01-31T09:00:00Z", detail="as it was")
    journal = Journal("id", "2026-01-31T09:00:00Z", target_version="1.27.1", steps=(record,))
    expected = replace(record, status=StepStatus.DONE, finished_at="") if there else record
    assert in_hindsight(journal, seen).steps == (expected,)


def test_on_the_way_back_kms_v1_is_what_was_wanted() -> None:
    records = (
        StepRecord(StepId.DISABLE_KMS, StepStatus.FAILED, "2026-01-31T09:00:00Z"),
        StepRecord(StepId.ENABLE_KMS, StepStatus.RUNNING, "2026-01-31T09:05:00Z"),
    )
    journal = Journal("id", "2026-01-31T09:00:00Z", steps=records, direction=Direction.BACK)
    found = in_hindsight(journal, _cluster(OLD, ON))
    assert [r.status for r in found.steps] == [StepStatus.FAILED, StepStatus.DONE]
