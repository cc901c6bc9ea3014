"""Whom `list` asks, what it makes of the answers, and that it keeps nothing but rows."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import pytest
from azure.cli.core.util import todict
from knack.output import format_table
from knack.util import CommandResultItem

from azext_kmsmigrate import _format, errors
from azext_kmsmigrate.errors import AzureError, KmsMigrateError
from azext_kmsmigrate.exit_codes import ExitCode, exit_code
from azext_kmsmigrate.listing import ListedCluster, listed
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName
from azext_kmsmigrate.migration.fleet import Scope, Unread
from tests.unit.situations import OFF, cluster

NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)
Page = tuple[ClusterFacts | Unread, ...]
TWO = Scope(("one", "two"))


def named(name: str, subscription: str = "one", group: str = "shop", **more: Any) -> ClusterFacts:
    id_ = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/x/{name}"
    return replace(cluster(**more), name=ClusterName(name, group, subscription, id_))


def unread(subscription: str, code: str = "AuthorizationFailed") -> Unread:
    error = AzureError(errors.SUBSCRIPTION_UNREAD, subscription=subscription, code=code)
    return Unread(f"/subscriptions/{subscription}", error)


@dataclass
class Given:
    """The port ``Clusters`` with pages made beforehand: a call makes one, an exception among them is raised."""

    answers: list[Page | AzureError] = field(default_factory=list)
    asked: list[Scope] = field(default_factory=list)

    def pages(self, scope: Scope) -> Iterator[Page]:
        self.asked.append(scope)
        for answer in self.answers:
            if isinstance(answer, AzureError):
                raise answer
            yield answer


UNUSED = AzureError(errors.GRAPH_UNUSED, code="AccessDenied")


def ask(scope: Scope, graph: Given, lists: Given) -> tuple[list[ListedCluster], list[str]]:
    told: list[KmsMigrateError] = []
    rows = listed(scope, graph, lists, NOW, told.append)
    return rows, [error.entry.code for error in told]


def names(rows: list[ListedCluster]) -> list[str | None]:
    return [row.name for row in rows]


def test_clusters_come_by_subscription_group_and_name_and_each_once() -> None:
    pages: list[Page | AzureError] = [
        (named("b", "two"), named("z", "one", "Alpha")),
        (named("a", "two"), named("b", "one"), named("b", "two")),
    ]
    rows, told = ask(TWO, Given(pages), Given())
    assert [(row.subscription_id, row.resource_group, row.name) for row in rows] == [
        ("one", "Alpha", "z"),
        ("one", "shop", "b"),
        ("two", "shop", "a"),
        ("two", "shop", "b"),
    ]
    assert told == []


def test_where_resource_graph_breaks_off_nothing_of_it_is_used() -> None:
    """KMSM263"""
    graph, lists = Given([(named("stale"),), UNUSED]), Given([(named("a"),), (named("b", "two"),)])
    rows, told = ask(TWO, graph, lists)
    assert names(rows) == ["a", "b"]
    assert told == ["KMSM263"]
    assert lists.asked == [TWO]


def test_subscriptions_of_which_resource_graph_says_nothing_are_asked_for_one_by_one() -> None:
    lists = Given([(unread("two"),)])
    rows, told = ask(Scope(("ONE", "two"), group="shop"), Given([(named("a", "one"),)]), lists)
    assert lists.asked == [Scope(("two",), (), "shop")]
    assert told == ["KMSM260"]
    assert [(row.name, row.needs, row.subscription_id) for row in rows] == [
        ("a", "migration", "one"),
        (None, "unknown", "two"),
    ]
    assert exit_code(rows) is ExitCode.UNPROVEN
    (why,) = rows[1].blocked_by
    assert (why.id, why.object) == ("KMSM260", "/subscriptions/two")
    assert "nothing is known of them" in why.what


def test_management_groups_are_asked_for_again_only_where_resource_graph_was_not_used() -> None:
    scope = Scope(management_groups=("corp",))
    lists = Given()
    assert ask(scope, Given([(named("a"),)]), lists)[1] == []
    assert lists.asked == [Scope()]
    ask(scope, Given([UNUSED]), lists)
    assert lists.asked[1] == scope


def test_no_cluster_is_no_error_where_everything_could_be_read() -> None:
    rows, told = ask(TWO, Given([()]), Given([(), ()]))
    assert (rows, told) == ([], [])
    assert exit_code(rows) is ExitCode.DONE


def test_where_nothing_at_all_could_be_read_it_is_an_error() -> None:
    for lists in (Given([(unread("one"),), (unread("two"),)]),):
        with pytest.raises(AzureError, match="KMSM260"):
            ask(TWO, Given([UNUSED]), lists)
    group = AzureError(errors.MANAGEMENT_GROUP_UNREAD, name="corp", code="AuthorizationFailed")
    with pytest.raises(AzureError, match="KMSM261"):
        ask(Scope(management_groups=("corp",)), Given([UNUSED]), Given([(Unread("/providers/x/corp", group),)]))


def test_a_sign_in_that_fails_is_not_asked_for_twice() -> None:
    failed = AzureError(errors.SIGN_IN_FAILED, what="x", code="y")
    lists = Given()
    with pytest.raises(AzureError, match="KMSM206"):
        ask(TWO, Given([failed]), lists)
    assert lists.asked == []


def test_of_several_subscriptions_not_each_has_the_group() -> None:
    missing = unread("two", "ResourceGroupNotFound")
    rows, told = ask(Scope(("one", "two"), group="shop"), Given([(named("a"),)]), Given([(missing,)]))
    assert (names(rows), told) == (["a"], [])
    with pytest.raises(AzureError, match="ResourceGroupNotFound"):
        ask(Scope(("two",), group="shop"), Given([()]), Given([(missing,)]))


def test_a_cluster_that_makes_no_sense_has_a_row_and_the_others_are_listed() -> None:
    """KMSM262"""
    id_ = named("odd").name.resource_id
    odd = Unread(id_, AzureError(errors.CLUSTER_UNREAD, name="odd", id=id_, failure="ValueError"))
    rows, told = ask(Scope(("one",)), Given([(named("a"), odd)]), Given())
    assert [(row.id, row.needs) for row in rows[1:]] == [(id_, "unknown")]
    assert told == ["KMSM262"]


def test_what_is_typed_next_suits_the_need() -> None:
    seen = [named("v1"), named("off", kms=OFF), named("v2", version="1.29.2")]
    rows, _ = ask(Scope(("one",)), Given([tuple(seen)]), Given())
    assert {row.name: row.next_command for row in rows} == {
        "off": "az aks kms-migrate show -g shop -n off --subscription one",
        "v1": "az aks kms-migrate check -g shop -n v1 --subscription one",
        "v2": "az aks kms-migrate verify -g shop -n v2 --subscription one",
    }


def test_a_page_is_gone_when_the_next_is_asked_for() -> None:
    alive: list[int] = []

    class Pages:
        def pages(self, scope: Scope) -> Iterator[Page]:
            before: list[weakref.ref[ClusterFacts]] = []
            for number in range(4):
                gc.collect()
                alive.append(sum(ref() is not None for ref in before))
                page = tuple(named(f"{number}-{n}") for n in range(50))
                before = [weakref.ref(one) for one in page]
                yield page
                del page

    rows, _ = ask(Scope(("one",)), Pages(), Given())  # type: ignore[arg-type]
    assert len(rows) == 200
    assert alive == [0, 0, 0, 0]


def table(rows: list[ListedCluster]) -> list[str]:
    shown = CommandResultItem(todict(rows), table_transformer=_format.list_rows)
    return str(format_table(shown)).splitlines()


@pytest.mark.parametrize("spread", [lambda n: "one", lambda n: f"{n:08d}-1111-4222-8333-444444444444"])
def test_a_table_fits_a_hundred_columns(spread: Callable[[int], str]) -> None:
    states = ["Failed", "Upgrading"]
    seen = [
        named(str(n) + "n" * 62, spread(n), "g" * 90, state=states[n], identity="", power="Stopped" if n else "Running")
        for n in range(2)
    ]
    newer = named("x" * 63, spread(0), "h" * 90, version="1.34.10", platform_kms=True)
    rows, _ = ask(Scope(("a", "b")), Given([(*seen, newer, unread(spread(1)))]), Given())
    lines = table(rows)
    assert max(map(len, lines)) <= 100
    assert len(lines) == 6


def test_rows_are_printed_in_camel_case() -> None:
    rows, _ = ask(Scope(("one",)), Given([(named("a", state="Failed"),)]), Given())
    (shown,) = todict(rows)
    assert list(shown) == [
        "id",
        "name",
        "resourceGroup",
        "subscriptionId",
        "location",
        "kubernetesVersion",
        "kms",
        "provisioningState",
        "powerState",
        "needs",
        "blockedBy",
        "nextCommand",
    ]
    assert [one["id"] for one in shown["blockedBy"]] == ["AZ-03"]
    assert set(shown["blockedBy"][0]) == {"id", "object", "what", "fix"}
