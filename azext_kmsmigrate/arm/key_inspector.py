"""The port ``Inspector`` for the old and the new key: their vaults, themselves, and what the identity may do."""

from __future__ import annotations

from typing import Any

from azext_kmsmigrate.arm.grants import grants_on
from azext_kmsmigrate.arm.keys import Keys
from azext_kmsmigrate.arm.resource_manager import Resources
from azext_kmsmigrate.arm.vault_data import VaultData
from azext_kmsmigrate.arm.vaults import Vaults
from azext_kmsmigrate.checks.key_sight import KEYS, KeySight, Vault
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile
from azext_kmsmigrate.ports import Question


class KeyInspector:
    """Old and new key are looked at once where they are the same, and a vault once that both lie in."""

    topics: tuple[Topic[Any], ...] = (KEYS,)

    def __init__(self, resources: Resources, data: VaultData, suffix: str) -> None:
        self._resources = resources
        self._vaults, self._keys = Vaults(resources, data, suffix), Keys(resources, data)

    def look(self, topic: Topic[Any], question: Question) -> dict[str, KeySight]:
        # Of one key that is both, the new settings count: where access or vault id differ, they are to be judged.
        both = (question.original_kms, question.target_kms)
        wanted = {kms.key_id: kms for kms in both if kms is not None and kms.key_id}
        vaults: dict[tuple[str, str], Vault | Unseen] = {}
        sights: dict[str, KeySight] = {}
        for kms in wanted.values():
            place = (kms.key_id.rpartition("/keys/")[0].lower(), kms.vault_id.lower())
            if place not in vaults:
                vaults[place] = self._vaults.find(kms)
            sights[kms.key_id] = self._sight(kms, vaults[place], question.cluster)
        return sights

    def _sight(self, kms: KmsProfile, vault: Vault | Unseen, cluster: ClusterFacts) -> KeySight:
        if isinstance(vault, Unseen):
            return KeySight(kms.key_id, vault, vault, vault)
        sight = KeySight(
            kms.key_id, vault, self._keys.look(kms.key_id, vault), Unseen("the vault's own id is not known")
        )
        principals = [i.principal_id for i in cluster.surroundings.identities if i.principal_id]
        if not principals or not sight.resource_id:
            return sight
        grants = grants_on(self._resources, sight.resource_id, principals[0])
        return KeySight(kms.key_id, vault, sight.key, grants)
