"""What would stop a later step, and the entry that says so."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, NetworkAccess, Offers
from azext_kmsmigrate.migration.obstacles import to_enabling, to_upgrading
from azext_kmsmigrate.migration.upgrade_path import ANY_KMS_V2
from tests.unit.situations import KEY, cluster, offers

PUBLIC = KmsProfile(True, KEY)
PRIVATE = KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/subscriptions/s/vaults/v")


@pytest.mark.parametrize(
    ("seen", "kms", "code"),
    [
        (cluster(), PUBLIC, None),
        (cluster(vnet_integration=True), PRIVATE, None),
        (cluster(vnet_integration=True), PUBLIC, None),
        (cluster(), PRIVATE, "KMSM111"),
        (cluster(vnet_integration=True), KmsProfile(True, KEY, NetworkAccess.PRIVATE), "KMSM505"),
    ],
)
def test_what_stands_in_the_way_of_enabling(seen: ClusterFacts, kms: KmsProfile, code: str | None) -> None:
    found = to_enabling(seen, kms)
    assert (found.entry.code if found else None) == code


@pytest.mark.parametrize(
    ("seen", "offered", "code"),
    [
        (cluster(), offers("1.27.1"), None),
        (cluster(), offers(), "KMSM107"),
    ],
)
def test_what_stands_in_the_way_of_upgrading(seen: ClusterFacts, offered: Offers, code: str | None) -> None:
    found = to_upgrading(seen, offered, ANY_KMS_V2)
    assert (found.entry.code if found else None) == code


def test_an_obstacle_names_what_is_offered() -> None:
    nothing = to_upgrading(cluster(), offers(), ANY_KMS_V2)
    assert nothing is not None
    assert "it offers: nothing" in nothing.what
