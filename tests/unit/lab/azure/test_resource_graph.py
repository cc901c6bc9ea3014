"""Resource Graph over HTTP, several subscriptions and management groups: as Azure answers."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.lab.azure.fleet import subscription_id
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.azure.roles import KEY_VAULT_READER, READER
from tests.unit.lab.azure.conftest import Lab

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
CLUSTERS = "resources | where type =~ 'Microsoft.ContainerService/managedClusters' | project id, name | order by id asc"
FIRST, SECOND = subscription_id(1), subscription_id(2)
MANAGED = "providers/Microsoft.ContainerService/managedClusters"


def ask(lab: Lab, query: str = CLUSTERS, *, token: str = "", version: str = "2022-10-01", **body: Any) -> Any:
    return lab.arm("POST", GRAPH, {"query": query, **body}, version=version, token=token)


def names(answer: requests.Response) -> list[str]:
    return [row["name"] for row in answer.json()["data"]]


def code(answer: requests.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("details", [{}])[-1].get("code", "")


@pytest.fixture
def fleet(lab: Lab) -> Lab:
    lab.azure.create_fleet(2, 6)
    return lab


def test_a_query_is_about_the_subscriptions_it_names_or_all_that_the_caller_sees(fleet: Lab) -> None:
    assert names(ask(fleet, subscriptions=[SUBSCRIPTION_ID])) == ["demo"]
    assert names(ask(fleet, subscriptions=[FIRST.upper()])) == [f"cluster-0000{n}" for n in (0, 2, 4)]
    assert len(names(ask(fleet))) == 7
    assert len(names(ask(fleet, managementGroups=["Fleet"]))) == 6
    (row,) = ask(fleet, "where name == 'cluster-00003'", subscriptions=[FIRST, SECOND]).json()["data"]
    assert (row["type"], row["resourceGroup"]) == ("microsoft.containerservice/managedclusters", "group-000")
    assert row["properties"]["securityProfile"] == {}


def test_pages_are_asked_for_by_token_and_the_last_has_none(fleet: Lab) -> None:
    seen: list[str] = []
    options: dict[str, Any] = {"$top": 4}
    while True:
        page = ask(fleet, managementGroups=["fleet"], options=options).json()
        assert (page["totalRecords"], page["count"]) == (6, len(page["data"]))
        assert page["resultTruncated"] == "false"
        seen += [row["id"] for row in page["data"]]
        if "$skipToken" not in page:
            break
        options = {"$top": 4, "$skipToken": page["$skipToken"]}
    assert seen == sorted(seen)
    assert len(set(seen)) == 6
    cut_off = ask(fleet, f"{CLUSTERS} | limit 5", options={"$top": 2}).json()
    assert (cut_off["resultTruncated"], "$skipToken" in cut_off) == ("true", False)
    for options in ({"$top": 0}, {"$top": 1001}, {"$skipToken": "?"}):
        assert ask(fleet, options=options).status_code == 400


def test_nothing_is_shown_that_the_caller_may_not_read(fleet: Lab) -> None:
    grants, stranger = fleet.azure.grants, fleet.azure.cluster_identity.object_id
    grants.revoke_within(stranger, "/")
    token = fleet.identity_token()
    assert code(ask(fleet, token=token, subscriptions=[FIRST])) == (403, "AccessDenied", "AccessDenied")
    grants.assign_long_ago(stranger, READER.id, f"/subscriptions/{SECOND}/resourceGroups/group-000")
    grants.assign_long_ago(stranger, KEY_VAULT_READER.id, f"/subscriptions/{FIRST}")
    answer = ask(fleet, token=token, subscriptions=[FIRST, SECOND])
    assert names(answer) == [f"cluster-0000{n}" for n in (1, 3, 5)]  # silent about the rest
    one = f"/subscriptions/{FIRST}/resourceGroups/group-000/{MANAGED}/cluster-00004"
    grants.assign_long_ago(stranger, READER.id, one)
    assert "cluster-00004" in names(ask(fleet, token=token))


def test_what_is_wrong_with_a_query_is_said_as_azure_says_it(fleet: Lab) -> None:
    invalid = ask(fleet, "where where")
    details = invalid.json()["error"]["details"]
    assert invalid.json()["error"]["code"] == "BadRequest"
    assert invalid.json()["error"]["message"].startswith("Please provide below info when asking for support: timestamp")
    assert [one["code"] for one in details] == ["InvalidQuery", "ParserFailure"]
    assert (details[1]["line"], details[1]["characterPositionInLine"], details[1]["token"]) == (1, 11, "<EOF>")
    nowhere = ask(fleet, subscriptions=[subscription_id(99)])
    assert code(nowhere) == (400, "BadRequest", "NoValidSubscriptionsInQueryRequest")
    assert code(ask(fleet, managementGroups=["no such"])) == (400, "BadRequest", "ManagementGroupsContainInvalidIds")
    assert code(ask(fleet, version="2020-01-01"))[:2] == (400, "InvalidResourceType")
    assert code(ask(fleet, token="none"))[:2] == (401, "InvalidAuthenticationToken")
    assert ask(fleet, subscriptions=[FIRST] * 1001).status_code == 400


def test_a_caller_has_so_many_queries_in_a_window(fleet: Lab) -> None:
    fleet.azure.graph_fault("2")
    left = [ask(fleet).headers["x-ms-user-quota-remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = ask(fleet)
    assert code(refused) == (429, "RateLimiting", "RateLimiting")
    assert refused.headers["x-ms-user-quota-resets-after"] in ("00:00:04", "00:00:05")


def test_the_oldest_version_answers_with_a_table(fleet: Lab) -> None:
    data = ask(fleet, version="2019-04-01", subscriptions=[SUBSCRIPTION_ID]).json()["data"]
    assert data["columns"] == [{"name": "id", "type": "string"}, {"name": "name", "type": "string"}]
    assert data["rows"][0][1] == "demo"


def test_other_subscriptions_have_clusters_and_no_other_service(fleet: Lab) -> None:
    listed = fleet.arm("GET", f"/subscriptions/{FIRST}/{MANAGED}").json()["value"]
    assert [one["name"] for one in listed] == [f"cluster-0000{n}" for n in (0, 2, 4)]
    group = f"/subscriptions/{FIRST}/resourceGroups/group-000/{MANAGED}"
    assert len(fleet.arm("GET", group).json()["value"]) == 3
    assert fleet.arm("GET", f"{group}/Cluster-00002").json()["name"] == "cluster-00002"
    assert code(fleet.arm("GET", f"{group}/cluster-00001"))[:2] == (404, "ResourceNotFound")
    vaults = fleet.arm("GET", f"/subscriptions/{FIRST}/providers/Microsoft.KeyVault/vaults")
    assert (vaults.status_code, vaults.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration") or (
        vaults.status_code == 403
    )
    nowhere = fleet.arm("GET", f"/subscriptions/{subscription_id(99)}/{MANAGED}")
    assert code(nowhere)[:2] == (404, "SubscriptionNotFound")
    assert code(fleet.arm("GET", f"/subscriptions/{FIRST}/resourceGroups/none/{MANAGED}"))[1] == "ResourceGroupNotFound"
    assert len(fleet.arm("GET", f"/subscriptions/{SUBSCRIPTION_ID}/{MANAGED}").json()["value"]) == 1
    seen = {one["subscriptionId"] for one in fleet.arm("GET", "/subscriptions").json()["value"]}
    assert seen == {SUBSCRIPTION_ID, FIRST, SECOND}


def test_lists_of_clusters_come_in_pages(fleet: Lab) -> None:
    fleet.azure.resources.page_size = 2
    page = fleet.arm("GET", f"/subscriptions/{FIRST}/{MANAGED}").json()
    assert len(page["value"]) == 2
    rest = fleet.arm("GET", page["nextLink"]).json()
    assert [one["name"] for one in rest["value"]] == ["cluster-00004"]
    assert "nextLink" not in rest


def test_the_descendants_of_a_management_group(fleet: Lab) -> None:
    group = "/providers/Microsoft.Management/managementGroups/fleet"
    found = fleet.arm("GET", f"{group}/descendants").json()["value"]
    assert [(one["type"], one["name"]) for one in found] == [("/subscriptions", FIRST), ("/subscriptions", SECOND)]
    assert fleet.arm("GET", f"{group}-2/descendants").status_code == 403
