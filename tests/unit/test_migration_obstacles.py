"""What would stop a later step, and the entry that says so."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.migration.facts import ClusterFacts, Offers
from azext_kmsmigrate.migration.obstacles import to_upgrading
from azext_kmsmigrate.migration.upgrade_path import ANY_KMS_V2
from tests.unit.situations import cluster, offers


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
