"""``list`` as a process: whom it asks, one JSON array, what is said on stderr, and its memory with many clusters."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import AZ, Az, Typed
from tests.bench.processes import run
from tests.lab.azure.fleet import KINDS, MANAGEMENT_GROUP, subscription_id
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az
FIRST, SECOND, NOWHERE = (subscription_id(number) for number in (1, 2, 99))
CLUSTERS = 10
NEEDS = ("migration", "completion", "nothing", "nothing", "migration")  # of the fleet's kinds, in their order
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def az(extensions: Path) -> Iterator[Az]:
    """The lab's own cluster, and ten in two other subscriptions: nothing here changes them."""
    with LabClient.up(LabOptions(f"listing-{os.getpid()}"), tethered=True) as lab:
        lab.fault("fleet", f"2 {CLUSTERS}")
        yield Az(lab, extensions)


@pytest.fixture(autouse=True)
def _resource_graph_answers(az: Az) -> Iterator[None]:
    yield
    az.lab.fault("resource-graph", "ok")
    assert az.lab.puts() == []


def listed(az: Az, *words: str) -> Typed:
    done = az.type("aks", "kms-migrate", "list", *words)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def rows(done: Typed) -> list[dict[str, Any]]:
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def test_the_clusters_of_the_current_subscription(az: Az) -> None:
    done = listed(az)
    assert done.code == 0, done.stderr
    (row,) = rows(done)
    assert (row["name"], row["resourceGroup"], row["subscriptionId"]) == (az.lab.name, "lab", SUBSCRIPTION_ID)
    assert (row["kubernetesVersion"], row["kms"], row["needs"], row["blockedBy"]) == (
        "1.26.15",
        "KmsV1",
        "migration",
        [],
    )
    assert row["nextCommand"] == f"az aks kms-migrate check -g lab -n {az.lab.name} --subscription {SUBSCRIPTION_ID}"
    assert done.stderr.strip() == "1 cluster in 1 subscription, from Azure Resource Graph, which may be minutes behind."


def test_the_next_command_can_be_typed(az: Az) -> None:
    (row,) = rows(listed(az))
    done = az.type(*row["nextCommand"].split()[1:], "--query", "ready")
    assert (done.code, done.stdout.strip()) == (0, "true"), done.stderr


def test_the_clusters_of_a_management_group_and_what_each_needs(az: Az) -> None:
    found = rows(listed(az, "--management-groups", MANAGEMENT_GROUP))
    assert len(found) == CLUSTERS
    for row in found:
        number = int(row["name"].rpartition("-")[2])
        kind = KINDS[number % len(KINDS)]
        assert (row["kubernetesVersion"], row["needs"]) == (kind["version"], NEEDS[number % len(KINDS)])
        assert [one["id"] for one in row["blockedBy"]] == (["AZ-02"] if "power" in kind else [])
    by_id = f"/providers/Microsoft.Management/managementGroups/{MANAGEMENT_GROUP}"
    assert rows(listed(az, "--management-groups", by_id)) == found


def test_several_subscriptions_by_id_and_by_name(az: Az) -> None:
    assert az.type("account", "list", "--refresh").code == 0  # what az knows of subscriptions is from its last sign-in
    found = rows(listed(az, "--subscriptions", "Fleet 2", FIRST.upper(), SUBSCRIPTION_ID, SECOND))
    assert len(found) == CLUSTERS + 1
    assert [row["subscriptionId"] for row in found] == [FIRST] * 5 + [SECOND] * 5 + [SUBSCRIPTION_ID]
    assert len(rows(listed(az, "--subscription", "Fleet 1"))) == CLUSTERS / 2
    asked = [one for one in az.lab.requests() if "ResourceGraph" in one["path"]]
    listing = [one for one in az.lab.requests() if one["path"].endswith("/managedClusters")]
    assert (len(asked) >= 2, listing) == (True, [])


@pytest.mark.parametrize(
    ("fault", "scope"),
    [
        ("denied", ["--management-groups", MANAGEMENT_GROUP]),
        ("absent", ["--subscriptions", FIRST, SECOND, "-g", "group-000"]),
        ("away", ["--subscriptions", FIRST, SECOND]),
    ],
)
def test_without_resource_graph_the_result_is_the_same(az: Az, fault: str, scope: list[str]) -> None:
    before = listed(az, *scope)
    az.lab.fault("resource-graph", fault)
    after = listed(az, *scope)
    assert (after.code, after.stdout) == (0, before.stdout)
    assert "KMSM263" in after.stderr
    assert "10 clusters in 2 subscriptions, from Azure Resource Manager." in after.stderr


def test_a_subscription_that_cannot_be_read_is_told_and_the_others_are_listed(az: Az) -> None:
    for fault in ("ok", "denied"):
        az.lab.fault("resource-graph", fault)
        done = listed(az, "--subscriptions", FIRST, NOWHERE)
        assert done.code == 11
        *others, last = rows(done)
        assert len(others) == CLUSTERS / 2
        assert (last["id"], last["needs"], last["name"]) == (f"/subscriptions/{NOWHERE}", "unknown", None)
        assert last["blockedBy"][0]["id"] == "KMSM260"
        assert (
            f"KMSM260: The clusters of subscription '{NOWHERE}' could not be listed (SubscriptionNotFound)"
            in done.stderr
        )
    alone = listed(az, "--subscriptions", NOWHERE)
    assert (alone.code, alone.stdout) == (1, "")
    assert "KMSM260" in alone.stderr


def test_a_subscription_of_which_nothing_may_be_read_is_no_empty_one(az: Az) -> None:
    """Resource Graph says the same of both."""
    az.lab.fault("role", f"remove operator /subscriptions/{SECOND}")
    try:
        done = listed(az, "--subscriptions", FIRST, SECOND)
        assert done.code == 11
        assert [row["id"] for row in rows(done) if row["needs"] == "unknown"] == [f"/subscriptions/{SECOND}"]
        assert "(AuthorizationFailed)" in done.stderr
        group = listed(az, "--management-groups", MANAGEMENT_GROUP)
        assert (group.code, len(rows(group))) == (0, CLUSTERS / 2)  # whom it does not show, nobody can tell
    finally:
        az.lab.fault("role", f"assign operator /subscriptions/{SECOND} Reader")


def test_what_is_typed_wrongly(az: Az) -> None:
    for words, code in (
        (("--subscriptions", "No Such"), "KMSM540"),
        (("--subscriptions", FIRST, "--management-groups", "fleet"), "KMSM541"),
        (("--management-groups", "No Such"), "KMSM261"),
        (("-g", "no-such-group"), "KMSM260"),
    ):
        done = listed(az, *words)
        assert (done.code, done.stdout) == (1, ""), words
        assert code in done.stderr


def test_a_table_fits_a_hundred_columns_and_a_matrix_is_a_query_away(az: Az) -> None:
    table = listed(az, "--management-groups", MANAGEMENT_GROUP, "-o", "table").stdout.splitlines()
    assert len(table) == CLUSTERS + 2
    assert max(map(len, table)) <= 100
    assert table[0].split() == ["Name", "ResourceGroup", "Subscription", "Version", "Kms", "Needs", "BlockedBy"]
    query = "[?needs=='migration' && !blockedBy].{name:name, group:resourceGroup, subscription:subscriptionId}"
    matrix = rows(listed(az, "--management-groups", MANAGEMENT_GROUP, "--query", query))
    assert [one["name"] for one in matrix] == ["cluster-00000", "cluster-00005"]


def test_only_show_errors_leaves_stderr_empty(az: Az) -> None:
    for fault in ("ok", "denied"):
        az.lab.fault("resource-graph", fault)
        done = listed(az, "--only-show-errors")
        assert (done.code, done.stderr) == (0, "")


@pytest.mark.parametrize("fault", ["ok", "denied"])
def test_memory_holds_rows_and_no_pages(extensions: Path, fault: str) -> None:
    """A page of a thousand clusters is some ten megabytes of Python; ten times the clusters are but rows more."""
    peaks = []
    command = [str(AZ), "aks", "kms-migrate", "list", "--management-groups", MANAGEMENT_GROUP]
    with LabClient.up(LabOptions(f"many-{os.getpid()}"), tethered=True) as lab:
        lab.fault("resource-graph", fault)
        environment = os.environ | lab.environment() | {"AZURE_EXTENSION_DIR": str(extensions)}
        for clusters in (500, 5_000):
            lab.fault("fleet", f"10 {clusters}")
            cost = run(command, environment, lab.directory)
            assert cost.code == 0, cost.said
            assert len(json.loads(cost.stdout)) == clusters
            peaks.append(cost.peak / MEGABYTE)
    few, many = peaks
    assert many < 120, peaks
    assert many - few < 35, peaks
