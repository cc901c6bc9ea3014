"""The port ``Clusters``: Resource Graph and ARM's lists show the same clusters; and how each meets what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_kmsmigrate.arm.clusters import ArmClusters, GraphClusters, query
from azext_kmsmigrate.arm.resource_manager import ResourceManager
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.fleet import Scope, Unread
from azext_kmsmigrate.ports import Clusters
from tests.contract.lab_cluster import Cluster
from tests.lab.azure.fleet import MANAGEMENT_GROUP, subscription_id
from tests.lab.azure.local import LocalAzure
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.model import LabOptions
from tests.sim.clock import FakeClock
from tests.unit.arm_answers import ARM, Answer, Answers, azure
from tests.unit.lab.azure.conftest import Lab
from tests.unit.lab.azure.planes import RecordingPlane

FIRST, SECOND = subscription_id(1), subscription_id(2)
GRAPH = "POST /providers/Microsoft.ResourceGraph/resources"
KINDS = [GraphClusters, ArmClusters]
CLUSTERS = 12


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    azure = LocalAzure(tmp_path, LabOptions(name="demo"))
    azure.start()
    plane = RecordingPlane()
    azure.attach(plane)
    azure.create_fleet(2, CLUSTERS)
    yield Lab(azure, plane, azure.environment()["REQUESTS_CA_BUNDLE"])
    azure.stop()


def of(kind: Any, client: ResourceManager, clock: FakeClock | None = None) -> Clusters:
    made: Clusters = (
        ArmClusters(lambda _: client) if kind is ArmClusters else GraphClusters(lambda _: client, clock or FakeClock())
    )
    return made


def port(kind: Any, lab: Lab, clock: FakeClock | None = None) -> Clusters:
    return of(kind, Cluster(lab).client(), clock)


def read(clusters: Clusters, scope: Scope) -> list[ClusterFacts | Unread]:
    return [one for page in clusters.pages(scope) for one in page]


def comparable(found: list[ClusterFacts | Unread]) -> set[str]:
    """All that was read of each: the rows are values."""
    return {repr(one) for one in found}


SCOPES = [
    Scope((SUBSCRIPTION_ID,)),
    Scope((FIRST, SUBSCRIPTION_ID, SECOND)),
    Scope(management_groups=(MANAGEMENT_GROUP,)),
    Scope((FIRST,), group="group-000"),
    Scope(management_groups=(MANAGEMENT_GROUP,), group="GROUP-000"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_every_cluster_of_the_scope_comes_once(lab: Lab, kind: Any, scope: Scope) -> None:
    lab.azure.resources.page_size = 5
    found = read(port(kind, lab), scope)
    own = SUBSCRIPTION_ID in scope.subscriptions
    subscriptions = 2 if scope.management_groups else len(scope.subscriptions) - own
    assert len(found) == own + subscriptions * CLUSTERS // 2
    assert len(comparable(found)) == len(found)
    assert all(isinstance(one, ClusterFacts) for one in found)


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_both_ways_show_the_same(lab: Lab, scope: Scope) -> None:
    one, other = (comparable(read(port(kind, lab), scope)) for kind in KINDS)
    assert one == other


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_that_makes_no_sense_keeps_none_of_the_others_back(lab: Lab, kind: Any) -> None:
    path = f"/subscriptions/{FIRST}/resourceGroups/Group-000/providers/Microsoft.ContainerService/managedClusters/"
    lab.azure.patch_resource(path + "cluster-00000", {"properties": {"currentKubernetesVersion": "newest"}})
    found = read(port(kind, lab), Scope((FIRST,)))
    assert len(found) == CLUSTERS // 2
    (odd,) = [one for one in found if isinstance(one, Unread)]
    assert (odd.resource_id, odd.error.entry.code) == (path + "cluster-00000", "KMSM262")


def test_resource_graph_pages_of_a_thousand_are_asked_for_one_after_the_other(lab: Lab) -> None:
    lab.azure.create_fleet(2, 2_100)
    pages = port(GraphClusters, lab).pages(Scope(management_groups=(MANAGEMENT_GROUP,)))
    asked = len(lab.azure.requests("arm"))
    for number, size in enumerate((1000, 1000, 100), 1):
        assert len(next(pages)) == size
        assert len(lab.azure.requests("arm")) - asked == number
    assert next(pages, None) is None


def test_a_quota_that_is_used_up_is_waited_for_and_not_run_into(lab: Lab) -> None:
    """Both the header that foretells it and the refusal: Azure's clock here is not ours, so ours says how long."""

    class Clock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            slept.append(seconds)
            lab.azure.graph_fault("100")  # the window is over

    slept: list[float] = []
    scope = Scope(management_groups=(MANAGEMENT_GROUP,))
    lab.azure.graph_fault("1")
    assert len(read(port(GraphClusters, lab, Clock()), scope)) == CLUSTERS
    lab.azure.graph_fault("0")
    assert len(read(port(GraphClusters, lab, Clock()), scope)) == CLUSTERS
    assert len(slept) == 2
    assert all(4.0 <= one <= 6.0 for one in slept)
    codes = [one["status"] for one in lab.azure.requests("arm") if "ResourceGraph" in one["path"]]
    assert codes == [200, 429, 200]


@pytest.mark.parametrize(
    ("fault", "code"),
    [("denied", "AccessDenied"), ("absent", "InvalidResourceNamespace"), ("truncated", "its answer is cut off")],
)
def test_where_resource_graph_does_not_answer_it_says_why(lab: Lab, fault: str, code: str) -> None:
    lab.azure.create_fleet(2, 1_200)
    lab.azure.graph_fault(fault)
    with pytest.raises(AzureError, match="KMSM263") as caught:
        read(port(GraphClusters, lab), Scope(management_groups=(MANAGEMENT_GROUP,)))
    assert f"({code})" in str(caught.value)


def test_what_may_not_be_read_is_told_with_azures_code_and_the_rest_is_listed(lab: Lab) -> None:
    lab.azure.grants.revoke_within(lab.azure.operator.object_id, f"/subscriptions/{FIRST}")
    found = read(port(ArmClusters, lab), Scope((FIRST, SECOND, subscription_id(99))))
    refused = [one for one in found if isinstance(one, Unread)]
    assert [(one.resource_id.rpartition("/")[2], one.error.values["code"]) for one in refused] == [
        (FIRST, "AuthorizationFailed"),
        (subscription_id(99), "SubscriptionNotFound"),
    ]
    assert len(found) == 2 + CLUSTERS // 2
    (group,) = read(port(ArmClusters, lab), Scope(management_groups=("none",)))
    assert isinstance(group, Unread)
    assert group.error.entry.code == "KMSM261"
    assert len(read(port(GraphClusters, lab), Scope((FIRST, SECOND)))) == CLUSTERS // 2


# What the local Azure never does: the answers are made up.


def client(answers: Answers) -> ResourceManager:
    return ResourceManager(None, "sub", ARM, transport=answers.transport())


def graph(*pages: dict[str, Any]) -> list[ClusterFacts | Unread]:
    left = list(pages)

    class Turn(Answers):
        def send(self, request: Any, *args: Any, **more: Any) -> Any:
            self.by_path[f"{GRAPH.replace(' ', ' management.azure.com')}".lower()] = Answer(left.pop(0))
            return super().send(request, *args, **more)

    answers = Turn({})
    return read(GraphClusters(lambda _: client(answers), FakeClock()), Scope(("sub",)))


ROW = {
    "id": "/subscriptions/sub/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/a",
    "name": "a",
    "kubernetesVersion": "1.26.15",
}
PAGE = {"totalRecords": 2, "count": 1, "data": [ROW], "resultTruncated": "false"}


def test_pages_that_do_not_fit_together_are_not_taken_for_the_whole() -> None:
    first = {**PAGE, "$skipToken": "x"}
    assert len(graph(first, PAGE)) == 2
    cut_off = {**PAGE, "resultTruncated": "true"}
    wrong: list[list[dict[str, Any]]] = [[PAGE], [first, {**PAGE, "totalRecords": 3}], [cut_off], [{"data": {}}]]
    for pages in wrong:
        with pytest.raises(AzureError, match="KMSM263"):
            graph(*pages)


def test_a_list_that_goes_on_elsewhere_is_not_followed() -> None:
    path = "GET /subscriptions/sub/providers/Microsoft.ContainerService/managedClusters"
    answers = azure({path: {"value": [], "nextLink": "https://elsewhere.example/next"}})
    (found,) = read(ArmClusters(lambda _: client(answers)), Scope(("sub",)))
    assert isinstance(found, Unread)
    assert len(answers.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_sign_in_that_is_refused_is_no_reason_to_look_elsewhere(kind: Any) -> None:
    no = Answer({"error": {"code": "ExpiredAuthenticationToken", "message": "no"}}, 401)
    answers = azure({GRAPH: no, "GET /subscriptions/sub/providers/Microsoft.ContainerService/managedClusters": no})
    with pytest.raises(AzureError, match="KMSM206"):
        read(of(kind, client(answers)), Scope(("sub",)))


def test_a_group_cannot_break_out_of_the_query() -> None:
    assert 'resourceGroup =~ "a\\"b"' in query('a"b')
    assert "resourceGroup" not in query("")


def test_tenants_are_asked_apart_and_a_thousand_subscriptions_at_once() -> None:
    empty = {"totalRecords": 0, "count": 0, "data": [], "resultTruncated": "false"}
    here, there = azure({GRAPH: empty}), azure({GRAPH: empty})
    clients = {"here": client(here), "there": client(there)}
    names = tuple(f"here{n}" for n in range(1_500)) + tuple(f"there{n}" for n in range(3))
    made = GraphClusters(lambda one: clients["here" if one.startswith("here") else "there"], FakeClock())
    assert read(made, Scope(names)) == []
    assert (len(here.asked), len(there.asked)) == (2, 1)
