"""What ``check`` asks of a large cluster: each kind listed once, whatever the number of checks that read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from azext_kmsmigrate.results import CheckReport
from tests.agreement.disturbances import new_key
from tests.agreement.trial import Trial, trial

SECRETS, POOLS = 1200, 20
# A dry run lists the Secrets for itself, page by page with its writing.
WITHOUT = frozenset({"C-04"})


@pytest.fixture(scope="module", params=["public", "private"])
def looked(request: pytest.FixtureRequest) -> Iterator[tuple[Trial, CheckReport, list[str]]]:
    """A check of a cluster on the way from KMS v1 to another key: what it said, and what the API servers were sent."""
    options = {"secrets": SECRETS, "pools": POOLS, "kms": request.param == "private", "vaults": 2}
    with trial(key_vault=request.param, **options) as attempt:
        new_key(attempt)
        asked: list[str] = []
        yield attempt, attempt.check(WITHOUT, asked), asked


def test_each_kind_of_the_cluster_is_listed_once(looked: tuple[Trial, CheckReport, list[str]]) -> None:
    _, report, asked = looked
    assert report.ready
    lists = Counter(target.partition("?")[0] for target in asked if _begins_a_list(target))
    assert {kind: count for kind, count in lists.items() if count > 1} == {}
    assert "GET /api/v1/secrets" in lists
    assert sum("/api/v1/secrets?" in target for target in asked) == -(-SECRETS // 500)


def test_no_secret_is_asked_for_by_name(looked: tuple[Trial, CheckReport, list[str]]) -> None:
    _, _, asked = looked
    assert [target for target in asked if re.search(r"/secrets/[^?]", target)] == []
    assert {target.split()[0] for target in asked} <= {"GET", "POST"}
    assert {target for target in asked if target.startswith("POST")} == {
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    }


def test_nothing_of_azure_is_read_anew_for_every_node_pool(looked: tuple[Trial, CheckReport, list[str]]) -> None:
    attempt, _, _ = looked
    reads = Counter(f"{one['path']}?{one['query']}" for one in attempt.azure.requests("arm") if one["method"] == "GET")
    # The plan reads the cluster, and so do the checks of its pools and of its policies, each for what it needs; a role
    # is read for the old key and for the new.
    allowed = Counter({attempt.azure.cluster()["id"]: 3})
    allowed.update({path.partition("?")[0]: 2 for path in reads if "/roleDefinitions/" in path})
    assert {path: n for path, n in reads.items() if n > allowed.get(path.partition("?")[0], 1)} == {}
    assert [path for path in reads if "/agentPools/" in path] == []


def test_an_api_server_that_is_silent_is_not_asked_for_anything_else() -> None:
    with trial() as attempt:
        attempt.lab.host.stop_replica(0)
        asked: list[str] = []
        report = attempt.check(asked=asked)
        assert not report.ready
        assert set(asked) == {"GET /version"}
        unseen = {check.id: check.note for check in report.checks if check.outcome == "unknown"}
        assert {"K-09", "K-10", "U-06", "U-09", "C-03", "C-04"} <= set(unseen)
        assert "does not answer" in unseen["K-10"]


def _begins_a_list(target: str) -> bool:
    """``GET`` of a collection, from its beginning."""
    method, _, path = target.partition(" ")
    return method == "GET" and "limit=" in path and "continue=" not in path
