"""What the nodes run after an upgrade: which of them count, and what is asked for once more."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.kubelets import Kubelets
from azext_kmsmigrate.migration.events import Event, Note, Warned
from azext_kmsmigrate.migration.facts import ClusterFacts, NodePool
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.ports import Cluster
from tests.unit.situations import cluster, v

NEW, OLD = v("1.27.1"), v("1.26.15")
POOLS = (
    NodePool("system", NEW, NEW, "Succeeded"),
    NodePool("user", NEW, NEW, "Succeeded"),
    NodePool("machines", OLD, OLD, "Succeeded", mode="Machines"),
)
SEEN = cluster("1.27.1", pools=POOLS)


@dataclass
class World:
    """``looks``: what each look at the nodes shows; the last one for all further."""

    looks: list[tuple[Node, ...]]
    upgraded: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def all(self) -> tuple[Node, ...]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def observe(self) -> ClusterFacts:
        return SEEN

    def upgrade_pool(self, seen: ClusterFacts, pool: str, version: Any, tick: Any) -> None:
        assert version == NEW
        self.upgraded.append(pool)

    def tell(self, event: Event) -> None:
        assert isinstance(event, (Note, Warned))
        self.said.append(event.text)

    def watching(self) -> AbstractContextManager[None]:
        return nullcontext()

    def confirm(self) -> str:
        return Kubelets(self, cast(Cluster, self), self).confirm(NEW, SEEN, self.tell)


@pytest.mark.parametrize(
    "node",
    [
        Node("aks-user-0", "user", NEW),
        Node("virtual-node", "", None),
        Node("aks-provisioned", "", OLD),
        Node("aks-machines-0", "machines", OLD),
    ],
)
def test_nodes_at_the_version_and_those_that_aks_does_not_upgrade_are_well(node: Node) -> None:
    world = World([(node,)])
    assert world.confirm() == ""
    assert (world.upgraded, world.said) == ([], [])


def test_only_the_pools_that_are_behind_are_asked_for_once_more() -> None:
    world = World([(Node("a", "user", OLD), Node("b", "system", NEW)), (Node("a", "user", NEW),)])
    assert world.confirm() == ""
    assert world.upgraded == ["user"]


def test_nodes_that_stay_behind_end_it_with_their_names_and_the_command() -> None:
    world = World([tuple(Node(f"aks-user-{n:02}", "user", OLD) for n in range(12))])
    with pytest.raises(ClusterError, match=r"KMSM309.*aks-user-09 and 2 more") as behind:
        world.confirm()
    assert world.upgraded == ["user"]
    assert "az aks nodepool upgrade -g shop --cluster-name blue -n user -k 1.27.1" in behind.value.fix


def test_nodes_that_are_left_cordoned_or_set_aside_are_told() -> None:
    world = World(
        [(Node("a", "user", NEW, cordoned=True), Node("b", "user", NEW, quarantined=True), Node("c", "", NEW))]
    )
    assert world.confirm() == "left cordoned: a, b"
    assert "kubectl uncordon" in world.said[0]
