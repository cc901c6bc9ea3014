"""What a cluster needs, and what blocks it, told from Azure's list alone: nothing is claimed that it does not show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.need import Need, blockers, need_of
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import judged
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, KmsState, NetworkAccess, Offers
from azext_kmsmigrate.migration.plan import Goal, Situation, decide
from tests.property.test_plan import clusters, offers
from tests.unit.situations import KEY, NEVER, OFF, cluster, pool

ASKED = [check for check in CHECKS if not check.reads]
NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)


def ids(seen: ClusterFacts) -> list[str]:
    return [check.id for check, _ in blockers(seen, NOW)]


@pytest.mark.parametrize(
    ("seen", "need"),
    [
        (cluster("1.26.15"), Need.MIGRATION),
        (cluster("1.26.15", power="Stopped"), Need.MIGRATION),
        (cluster("1.26.15", state="Deleting"), Need.MIGRATION),
        (cluster("1.26.15", kms=OFF), Need.COMPLETION),
        (cluster("1.29.2", kms=OFF), Need.COMPLETION),
        (cluster("1.26.15", kms=NEVER), Need.NOTHING),
        (cluster("1.29.2"), Need.NOTHING),
        (cluster("1.34.4", kms=OFF, platform_kms=True), Need.NOTHING),
    ],
)
def test_a_need_is_that_of_the_plan(seen: ClusterFacts, need: Need) -> None:
    assert need_of(seen) is need


PRIVATE = KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/v")


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (cluster(), []),
        (cluster(state="Deleting"), ["AZ-01"]),
        (cluster(power="Stopped"), ["AZ-02"]),
        (cluster(state="Failed"), ["AZ-03"]),
        (cluster(pools=(pool(state="Failed"),)), ["AZ-04"]),
        (cluster(state="Upgrading"), ["AZ-05"]),
        (cluster(identity="SystemAssigned"), ["K-04"]),
        (cluster(kms=PRIVATE), ["V-06"]),
        (cluster(kms=PRIVATE, vnet_integration=True), []),
        (cluster("1.26.15", pools=(pool("1.27.1"),)), ["U-03"]),
        # Retired, and told by `check`; in no migration's way.
        (cluster(pools=(pool(kind="AvailabilitySet"),)), []),
    ],
)
def test_what_blocks_is_named_by_its_check(seen: ClusterFacts, found: list[str]) -> None:
    assert ids(seen) == found


@given(clusters, offers)
def test_a_blocker_is_one_whatever_azure_offers(seen: ClusterFacts, offered: Offers) -> None:
    """`check`, which knows the offers, blocks on all that a list names, for a plan has the same state to go from."""
    situation = Situation(seen, offered)
    scene = Scene(situation, Goal(), decide(situation, Goal()), NOW)
    blocking = {result.check.id for result in judged(ASKED, scene) if result.blocks}
    named = set(ids(seen))
    assert named - {"AZ-04"} <= blocking  # of stopped pools it depends on whether an upgrade comes
    assert not any(one.startswith("U-") and one != "U-03" for one in named)


@given(clusters, st.sampled_from(["Running", "Stopped"]), st.sampled_from(["Succeeded", "Failed", "Updating"]))
def test_a_need_does_not_hang_on_what_passes(seen: ClusterFacts, power: str, state: str) -> None:
    assert need_of(seen) is need_of(replace(seen, power=power, state=state))
    assert need_of(seen) is not Need.UNKNOWN
    assert (need_of(seen) is Need.MIGRATION) <= (seen.kms_state is KmsState.V1)
    assert (need_of(seen) is Need.NOTHING) >= (seen.kms_state in (KmsState.V2, KmsState.PLATFORM))
