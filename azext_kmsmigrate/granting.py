"""Gives the cluster's identity the roles that the new key needs, when the user says so, and waits for their effect."""

from __future__ import annotations

from azext_kmsmigrate.checks.grant import CHECKS, PROPAGATION, offers, waiting_for
from azext_kmsmigrate.checks.key_sight import KEYS
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import NotSeen
from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.inspection import Inspection
from azext_kmsmigrate.migration.events import Waiting
from azext_kmsmigrate.migration.plan import Goal, Situation

CURED = frozenset(check.id for check in CHECKS if check.id.startswith("V-"))
"""The checks that a role assignment may cure."""

_LOOK_EVERY = 15.0  # seconds
_PATIENCE = PROPAGATION.total_seconds() + 300.0


class Granting:
    """The roles of one run. Only role assignments are made, and only those that are missing."""

    def __init__(self, world: World, inspection: Inspection) -> None:
        self._world, self._inspection = world, inspection

    def tell(self, situation: Situation, goal: Goal) -> bool:
        """Say which role assignments are going to be made or waited for; False when there is nothing to do."""
        try:
            scene = self._scene(situation, goal)
            missing, fresh = offers(scene), waiting_for(scene)
        except NotSeen as error:
            self._world.warn(f"No role is assigned: what is there cannot be seen ({error}).")
            return False
        for offer in missing:
            self._world.say(f"As --assign-role says, this is done first: {offer.command}")
        for what in fresh:
            self._world.say(f"{what} is new: its effect is waited for.")
        return bool(missing or fresh)

    def assign(self, situation: Situation, goal: Goal) -> None:
        """Make what is missing, and wait until it has effect; a check tells when it has none after a long time.

        Raises ``AzureError`` when the user may not assign roles.
        """
        assert self._world.roles is not None
        scene = self._scene(situation, goal)
        for offer in offers(scene):
            self._world.roles.assign(offer)
            self._world.say(f"Assigned the role '{offer.role.name}' on {offer.scope}.")
        until = self._world.clock.monotonic() + _PATIENCE
        waiting = self._not_yet(situation, goal)
        if waiting:
            self._world.say("Its effect is waited for: a new role takes up to ten minutes.")
        while waiting and self._world.clock.monotonic() < until:
            self._pause(waiting)
            waiting = self._not_yet(situation, goal)

    def _not_yet(self, situation: Situation, goal: Goal) -> str:
        try:
            scene = self._scene(situation, goal)
            missing = [f"role '{offer.role.name}' to be seen" for offer in offers(scene)]
            return ", ".join([*missing, *waiting_for(scene)])
        except NotSeen:
            return "the roles to be seen again"

    def _pause(self, waiting: str) -> None:
        until = self._world.clock.monotonic() + _LOOK_EVERY
        while self._world.clock.monotonic() < until:
            self._world.observer.tell(Waiting("waiting for the effect of a new role", waiting))
            self._world.clock.sleep(1.0)

    def _scene(self, situation: Situation, goal: Goal) -> Scene:
        return self._inspection.scene(situation, goal, [KEYS], self._world.observer.tell)


def curable(found: Preflight) -> bool:
    """Whether nothing blocks but what roles may cure."""
    return all(result.check.id in CURED for result in found.blocking)
