"""Each thing that may be wrong with a cluster, and around it, alone: said before any change, or harmless."""

from __future__ import annotations

import pytest

from tests.agreement.agreement import assert_agreed
from tests.agreement.faults import OF_CLUSTERS


@pytest.mark.parametrize("name", OF_CLUSTERS)
def test_what_azure_would_refuse_is_said_first_and_what_passes_is_migrated(name: str) -> None:
    assert_agreed(OF_CLUSTERS[name])
