"""The look into the cluster where it is not allowed; what it brings otherwise is the contract suite's."""

from __future__ import annotations

from typing import Any

import pytest

from azext_kmsmigrate.checks.deprecated_api import DeprecatedApi
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.kube.access import Certificate
from azext_kmsmigrate.kube.api import Api, Channel
from azext_kmsmigrate.kube.upgrade_inspector import UpgradeInspector, deprecated_apis_in
from azext_kmsmigrate.ports import Question
from tests.sim.clock import FakeClock
from tests.unit.situations import cluster


class Refusing:
    """An API server that lets nobody look."""

    made = 1

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        return 403, {}, b'{"kind": "Status", "code": 403}'

    def close(self) -> None:
        """Nothing to end."""


@pytest.mark.parametrize("topic", UpgradeInspector.topics, ids=lambda topic: topic.name)
def test_what_may_not_be_seen_says_which_right_is_missing(topic: Topic[Any]) -> None:
    def channel() -> Channel:
        return Channel(Refusing(), Certificate())

    found = UpgradeInspector(Api(channel, channel, FakeClock())).look(topic, Question(cluster()))
    assert isinstance(found, Unseen)
    assert found.permission.startswith("Kubernetes: ")


def test_of_the_counters_only_apis_with_an_end_that_were_asked_for_are_read() -> None:
    def sample(group: str, removed: str, resource: str, version: str, value: int) -> str:
        labels = f'group="{group}",removed_release="{removed}",resource="{resource}",subresource="",version="{version}"'
        return f"apiserver_requested_deprecated_apis{{{labels}}} {value}"

    lines = (
        "# TYPE apiserver_requested_deprecated_apis gauge",
        sample("policy", "1.25", "poddisruptionbudgets", "v1beta1", 1),
        sample("", "", "componentstatuses", "v1", 1),
        sample("batch", "1.25", "cronjobs", "v1beta1", 0),
        'apiserver_request_total{code="200"} 3',
    )
    text = "\n".join(lines) + "\n"
    assert deprecated_apis_in(text) == {DeprecatedApi("policy", "v1beta1", "poddisruptionbudgets", (1, 25))}
