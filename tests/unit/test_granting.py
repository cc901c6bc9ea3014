"""``--assign-role``: what is said, made and waited for, with time and Azure's answers as the test has them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from azext_kmsmigrate.checks.grant import CRYPTO_USER, RoleOffer
from azext_kmsmigrate.checks.key_sight import KEYS
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.rights import Assignment, Grants
from azext_kmsmigrate.checks.suite import judged
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.granting import Granting, curable
from azext_kmsmigrate.inspection import Inspection
from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.ports import Question
from tests.sim.cluster import SimCluster
from tests.sim.process import Process
from tests.unit.test_checks_vault import CHECKS
from tests.unit.vault_scenes import CRYPTO, NEW_VAULT_ID, NOW, PRINCIPAL, Around
from tests.unit.vault_scenes import key as key_version


@dataclass
class Azure:
    """The roles on the new vault. ``appears``: seconds until a role that was assigned is listed; None: it never is."""

    sim: SimCluster
    appears: float | None = 30.0
    hidden: bool = False
    assigned: list[RoleOffer] = field(default_factory=list)
    at: float = 0.0
    topics: tuple[Topic[Any], ...] = (KEYS,)

    def assign(self, offer: RoleOffer) -> None:
        self.assigned.append(offer)
        self.at = self.sim.clock.monotonic()

    def look(self, topic: Topic[Any], question: Question) -> Any:
        if self.hidden:
            return Unseen("Azure does not let you look at it", "Microsoft.X/y/read")
        clock = self.sim.clock
        listed = self.assigned and self.appears is not None and clock.monotonic() - self.at >= self.appears
        age = timedelta(seconds=clock.monotonic() - self.at)
        made = Assignment(NEW_VAULT_ID, CRYPTO_USER.name, (CRYPTO,), clock.now() - age)
        around = Around(new_grants=Grants((made,) if listed else ()))
        return around.seen()[KEYS]


def granting(sim: SimCluster, azure: Azure) -> Granting:
    world = replace(Process(sim, 0).world(), inspectors=(azure,), roles=azure)
    return Granting(world, Inspection(world))


@pytest.fixture
def sim() -> SimCluster:
    return SimCluster()


SCENE = Around().scene()


def test_a_missing_role_is_told_made_once_and_waited_for(sim: SimCluster) -> None:
    azure = Azure(sim)
    work = granting(sim, azure)
    assert work.tell(SCENE.situation, SCENE.goal)
    assert not azure.assigned
    command = RoleOffer(CRYPTO_USER, NEW_VAULT_ID, PRINCIPAL).command
    assert any(command in line for line in sim.said)
    began = sim.clock.monotonic()
    work.assign(SCENE.situation, SCENE.goal)
    assert azure.assigned == [RoleOffer(CRYPTO_USER, NEW_VAULT_ID, PRINCIPAL)]
    assert 600 <= sim.clock.monotonic() - began <= 630
    assert not work.tell(SCENE.situation, SCENE.goal)


def test_the_waiting_has_an_end(sim: SimCluster) -> None:
    azure = Azure(sim, appears=None)
    began = sim.clock.monotonic()
    granting(sim, azure).assign(SCENE.situation, SCENE.goal)
    assert 900 <= sim.clock.monotonic() - began <= 930
    assert len(azure.assigned) == 1


def test_what_cannot_be_seen_is_not_assigned(sim: SimCluster) -> None:
    azure = Azure(sim, hidden=True)
    assert not granting(sim, azure).tell(SCENE.situation, SCENE.goal)
    assert any("cannot be seen" in line for line in sim.said)


def test_roles_cure_nothing_but_what_lacks_a_role() -> None:
    without = Around(new_grants=Grants())
    broken = without.with_(new_key=key_version(enabled=False))
    for around, cured in ((Around(), True), (without, True), (broken, False)):
        scene = around.scene()
        assert scene.cluster.kms_state is KmsState.V1
        assert curable(Preflight(judged(CHECKS.values(), scene))) is cured
    assert SCENE.now == NOW
