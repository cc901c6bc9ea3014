"""The look into Azure for the checks of the upgrade: what may not be seen, and how often the cluster is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.containerservice import models

from azext_kmsmigrate.arm.resource_manager import Resources
from azext_kmsmigrate.arm.upgrade_inspector import UpgradeInspector
from azext_kmsmigrate.checks.maintenance import WINDOWS
from azext_kmsmigrate.checks.pool import POOLS
from azext_kmsmigrate.checks.profile import PROFILE
from azext_kmsmigrate.checks.quota import COMPUTE
from azext_kmsmigrate.checks.subnet import SUBNETS
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.ports import Question
from tests.unit.situations import NAME, cluster
from tests.unit.test_arm_faults import answer

SUBNET = "/subscriptions/s/x/subnets/nodes"


@dataclass
class Azure:
    """The SDK's client and the reader of documents in one; ``forbids``: nothing may be read."""

    forbids: bool = False
    gets: int = 0
    name: Any = NAME
    asked: list[str] = field(default_factory=list)

    @property
    def managed_clusters(self) -> Any:
        return SimpleNamespace(get=self._cluster)

    @property
    def maintenance_configurations(self) -> Any:
        return SimpleNamespace(list_by_managed_cluster=self._refuse)

    def _refuse(self, *_: Any) -> list[Any]:
        if self.forbids:
            raise HttpResponseError(response=answer(403, "AuthorizationFailed", "no"))
        return []

    def _cluster(self, *_: Any) -> Any:
        self._refuse()
        self.gets += 1
        pools = [
            {"name": "user", "orchestratorVersion": "1.26.15", "vnetSubnetID": SUBNET, "vmSize": "Standard_D4s_v5"}
        ]
        document = {
            "location": "x",
            "eTag": "1",
            "properties": {"kubernetesVersion": "1.26.15", "agentPoolProfiles": pools},
        }
        return models.ManagedCluster(document)

    def listed(self, path: str, version: str, permission: str, **query: str) -> Any:
        self.asked.append(path)
        return Unseen("no", permission) if self.forbids else ()

    def get(self, path: str, version: str, permission: str, **query: str) -> Any:
        self.asked.append(path)
        return {"id": path, "properties": {"addressPrefix": "10.0.0.0/24"}}


def inspector(azure: Azure) -> UpgradeInspector:
    return UpgradeInspector(azure, cast(Resources, azure))


@pytest.mark.parametrize("topic", UpgradeInspector.topics, ids=lambda topic: topic.name)
def test_what_may_not_be_seen_says_which_right_is_missing(topic: Topic[Any]) -> None:
    found = inspector(Azure(forbids=True)).look(topic, Question(cluster()))
    assert isinstance(found, Unseen)
    assert found.permission.startswith("Microsoft.")


def test_one_get_of_the_cluster_serves_until_it_changes() -> None:
    azure = Azure()
    looking, seen = inspector(azure), cluster(etag="1")
    for topic in (PROFILE, POOLS, SUBNETS, COMPUTE, WINDOWS):
        looking.look(topic, Question(seen))
    assert azure.gets == 1
    assert azure.asked[0] == SUBNET
    looking.look(POOLS, Question(replace(seen, etag="2")))
    assert azure.gets == 2
