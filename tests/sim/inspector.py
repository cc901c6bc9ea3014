"""What the checks look at, where it is not the sim's own Azure and API servers: as the test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azext_kmsmigrate.checks.access import DOOR, LACKING, STORAGE, Door, Storage
from azext_kmsmigrate.checks.identity import IDENTITIES, Identity
from azext_kmsmigrate.checks.key_sight import KEYS, EndpointConnection, Key, KeySight, Vault, VaultSettings
from azext_kmsmigrate.checks.lock import LOCKS
from azext_kmsmigrate.checks.network import NETWORKS, Networks
from azext_kmsmigrate.checks.policy import CLUSTER_POLICY, ENDPOINT_POLICY
from azext_kmsmigrate.checks.rights import CALLER, Assignment, Grants, Permission
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.facts import KmsProfile
from azext_kmsmigrate.ports import Question

if TYPE_CHECKING:
    from tests.sim.process import Process

IDENTITY = "/subscriptions/sub/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/blue"
PRINCIPAL = "99990000-1111-4222-8333-444444444444"
_TENANT = "11111111-2222-4333-8444-555555555555"
_VAULTS = "/subscriptions/sub/resourceGroups/shop/providers/Microsoft.KeyVault/vaults"


def _keys_in_order(question: Question) -> dict[str, KeySight]:
    """Each key that is asked about, as its vault would show it were all well."""
    asked = (question.original_kms, question.target_kms)
    return {kms.key_id: _key_in_order(kms) for kms in asked if kms is not None and kms.key_id}


def _key_in_order(kms: KmsProfile) -> KeySight:
    address = urlsplit(kms.key_id).netloc
    vault_id = kms.vault_id or f"{_VAULTS}/{address.partition('.')[0]}"
    words = ("read", "privateEndpointConnectionsApproval/action")
    needed = Permission(
        actions=tuple(f"Microsoft.KeyVault/vaults/{word}" for word in words),
        data_actions=tuple(f"Microsoft.KeyVault/vaults/keys/{word}/action" for word in ("encrypt", "decrypt")),
    )
    settings = VaultSettings(
        rbac=True,
        public_access="Enabled",
        open=True,
        soft_delete=True,
        purge_protection=True,
        connections=(EndpointConnection("/endpoint", "Approved"),),
    )
    return KeySight(
        kms.key_id,
        Vault(address, resource_id=vault_id, tenant=_TENANT, settings=settings),
        Key(bits=2048, operations=frozenset({"encrypt", "decrypt"})),
        Grants((Assignment(vault_id, "Everything needed", (needed,)),)),
    )


WELL: dict[Topic[Any], Any] = {
    DOOR: Door(),
    LACKING: frozenset(),
    STORAGE: Storage(1 << 20),
    KEYS: _keys_in_order,
    CALLER: (Permission(actions=("*",)),),
    LOCKS: (),
    IDENTITIES: (Identity(IDENTITY, True, PRINCIPAL, _TENANT),),
    CLUSTER_POLICY: (),
    ENDPOINT_POLICY: (),
    NETWORKS: Networks(),
}
"""A cluster at which nothing is wrong. A function is asked with the question."""


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
            return answer(question) if callable(answer) else answer
