"""What is seen of a key version and its vault: read by the checks of the old key (K) and of the new one (V)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

from azext_kmsmigrate.checks.rights import Grants
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import NotSeen, Topic, Unseen
from azext_kmsmigrate.migration.facts import KmsProfile, KmsState
from azext_kmsmigrate.migration.step import StepId


class Presence(enum.Enum):
    """Whether a thing is there. ``DELETED``: it can still be recovered. ``ABSENT``: it is not there at all."""

    PRESENT = "present"
    DELETED = "deleted"
    ABSENT = "absent"


@dataclass(frozen=True)
class EndpointConnection:
    """A private endpoint's connection to a vault, and whether it was let in: Approved, Pending, Rejected..."""

    endpoint_id: str
    status: str


@dataclass(frozen=True)
class VaultSettings:
    """A vault's properties. ``policies``: from a principal's object id to its key permissions, all in lower case.

    ``public_access``: Enabled, Disabled or SecuredByPerimeter. ``open``: its firewall lets everybody in
    (``networkAcls.defaultAction`` is Allow).
    """

    rbac: bool
    public_access: str
    open: bool
    soft_delete: bool
    purge_protection: bool
    policies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    connections: tuple[EndpointConnection, ...] = ()


@dataclass(frozen=True)
class Vault:
    """A key vault. ``address`` is its host (and port); ``known``: it is one of this cloud's vaults for certain.

    ``tenant`` may be known where ``settings`` and ``resource_id`` are not: a vault tells it to whoever asks.
    """

    address: str
    presence: Presence = Presence.PRESENT
    known: bool = True
    resource_id: str = ""
    tenant: str = ""
    settings: VaultSettings | Unseen = field(default_factory=lambda: Unseen("was not looked at"))

    @property
    def name(self) -> str:
        return self.resource_id.rpartition("/")[2] or self.address.partition(".")[0]


@dataclass(frozen=True)
class Key:
    """One version of a key. ``kind``: RSA, RSA-HSM, EC. Empty or 0: could not be seen."""

    presence: Presence = Presence.PRESENT
    kind: str = "RSA"
    bits: int = 0
    operations: frozenset[str] = frozenset()
    enabled: bool = True
    expires: datetime | None = None
    not_before: datetime | None = None
    rotates: bool | Unseen = False


@dataclass(frozen=True)
class KeySight:
    """A key id, and what was seen on the way to it. ``grants``: what the cluster's identity may do with it."""

    key_id: str
    vault: Vault | Unseen
    key: Key | Unseen
    grants: Grants | Unseen

    @property
    def key_name(self) -> str:
        return urlsplit(self.key_id).path.strip("/").removeprefix("keys/").partition("/")[0]

    @property
    def resource_id(self) -> str:
        """The key's own id in Azure; empty while the vault's is not known."""
        vault_id = self.vault.resource_id if isinstance(self.vault, Vault) else ""
        return f"{vault_id}/keys/{self.key_name}" if vault_id else ""


KEYS = Topic[Mapping[str, KeySight]]("the key", "Microsoft.KeyVault")
"""What is seen of the old and the new key, by key id; once when they are the same."""

_S = TypeVar("_S")


def seen(part: _S | Unseen) -> _S:
    """A part of a sight. Raises ``NotSeen``."""
    if isinstance(part, Unseen):
        raise NotSeen(KEYS, part)
    return part


def sight_of(scene: Scene, kms: KmsProfile) -> KeySight:
    found = scene.of(KEYS).get(kms.key_id)
    if found is None:
        raise NotSeen(KEYS, Unseen(f"{kms.key_id} was not looked at"))
    return found


def vault_of(scene: Scene, kms: KmsProfile) -> Vault:
    """The key's vault, which is there. Raises ``NotSeen`` where it is not: another check says that."""
    vault = seen(sight_of(scene, kms).vault)
    if vault.presence is not Presence.PRESENT:
        raise NotSeen(KEYS, Unseen(f"key vault '{vault.name}' is {vault.presence.value}"))
    return vault


def key_of(scene: Scene, kms: KmsProfile) -> Key:
    """The key version, which is there. Raises ``NotSeen`` where it is not: another check says that."""
    key = seen(sight_of(scene, kms).key)
    if key.presence is not Presence.PRESENT:
        raise NotSeen(KEYS, Unseen(f"the key is {key.presence.value}"))
    return key


def old_kms(scene: Scene) -> KmsProfile | None:
    """The key that Secrets are or were stored under before this migration, while it is of any use to it."""
    if scene.cluster.kms_state not in (KmsState.V1, KmsState.OFF):
        return None
    journal = scene.situation.journal
    kept = journal.original_kms if journal is not None and journal.unfinished else None
    named = scene.cluster.kms if scene.cluster.kms.key_id else None
    return kept or named


def new_kms(scene: Scene) -> KmsProfile | None:
    """The key to turn KMS v2 on with, while that is still to be done."""
    to_do = any(step.id is StepId.ENABLE_KMS for step in scene.plan.steps)
    return scene.plan.target_kms if to_do else None
