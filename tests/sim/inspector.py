"""What the checks look at, where it is not the sim's own Azure and API servers: as the test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azext_kmsmigrate.checks.access import DOOR, LACKING, STORAGE, Door, Storage
from azext_kmsmigrate.checks.deprecated_api import DEPRECATED_APIS
from azext_kmsmigrate.checks.disruption import BUDGETS
from azext_kmsmigrate.checks.maintenance import WINDOWS
from azext_kmsmigrate.checks.node import NODES
from azext_kmsmigrate.checks.pod_security import POLICIES
from azext_kmsmigrate.checks.pool import POOLS
from azext_kmsmigrate.checks.profile import PROFILE, Profile
from azext_kmsmigrate.checks.quota import COMPUTE, Compute
from azext_kmsmigrate.checks.subnet import SUBNETS
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.checks.volume import VOLUMES
from azext_kmsmigrate.checks.webhook import WEBHOOKS
from azext_kmsmigrate.ports import Question

if TYPE_CHECKING:
    from tests.sim.process import Process

WELL: dict[Topic[Any], Any] = {
    DOOR: Door(),
    LACKING: frozenset(),
    STORAGE: Storage(1 << 20),
    PROFILE: Profile(),
    COMPUTE: Compute({}, {}),
    SUBNETS: {},
    **dict.fromkeys((POOLS, WINDOWS, BUDGETS, WEBHOOKS, DEPRECATED_APIS, NODES, VOLUMES, POLICIES), ()),
}
"""A cluster at which nothing is wrong."""


class SimInspector:
    """The port ``Inspector`` on ``SimCluster.answers``: what each look brings, or the exception that it raises."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def topics(self) -> tuple[Topic[Any], ...]:
        return tuple(self._process.sim.answers)

    def look(self, topic: Topic[Any], question: Question) -> Any:
        with self._process.call() as sim:
            sim.looks.append(topic)
            answer = sim.answers[topic]
            if isinstance(answer, BaseException):
                raise answer
            return answer
