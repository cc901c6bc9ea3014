"""V-08 to V-10: what the cluster's identity may do in the new vault. K-08: in the old one.

A vault knows either roles (``enableRbacAuthorization``) or access policies; what is given in the other way has no
effect. https://learn.microsoft.com/azure/key-vault/general/rbac-guide
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.key import NO_NEW_KEY, NO_OLD_KEY
from azext_kmsmigrate.checks.key_sight import (
    KEYS,
    KeySight,
    Vault,
    VaultSettings,
    new_kms,
    old_kms,
    seen,
    sight_of,
    vault_of,
)
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import NotSeen, Unseen
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.step import StepId

PROPAGATION = timedelta(minutes=10)  # role-based-access-control/troubleshooting: "can take up to 10 minutes"

_NEEDED = {  # the permission of an access policy, and the data action of a role
    "encrypt": "Microsoft.KeyVault/vaults/keys/encrypt/action",
    "decrypt": "Microsoft.KeyVault/vaults/keys/decrypt/action",
}
_PRIVATE_LINK = (
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.KeyVault/vaults/privateEndpointConnectionsApproval/action",
)


@dataclass(frozen=True)
class Role:
    """A built-in role of Azure; ``guid`` is the same in every tenant."""

    name: str
    guid: str


CRYPTO_USER = Role("Key Vault Crypto User", "12338af0-0e69-4776-bea7-57ae8d297424")
CONTRIBUTOR = Role("Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395")


@dataclass(frozen=True)
class RoleOffer:
    """A role assignment that would put things right, exactly as the documentation has it."""

    role: Role
    scope: str
    principal_id: str

    @property
    def command(self) -> str:
        return (
            f"az role assignment create --assignee-object-id {self.principal_id} --assignee-principal-type "
            f'ServicePrincipal --role "{self.role.name}" --scope {self.scope}'
        )


def offers(scene: Scene) -> tuple[RoleOffer, ...]:
    """The role assignments that the new key needs and that are not there. Raises ``NotSeen``."""
    kms = new_kms(scene)
    if kms is None:
        return ()
    vault = vault_of(scene, kms)
    found = []
    if seen(vault.settings).rbac and _missing(scene, kms):
        found.append(RoleOffer(CRYPTO_USER, vault.resource_id, _principal(scene)))
    if kms.network_access is NetworkAccess.PRIVATE and _missing_on_the_vault(scene, kms):
        found.append(RoleOffer(CONTRIBUTOR, vault.resource_id, _principal(scene)))
    return tuple(found)


def waiting_for(scene: Scene) -> tuple[str, ...]:
    """The roles for the new key that are there, but so new that they may have no effect yet. Raises ``NotSeen``."""
    kms = new_kms(scene)
    return tuple(_fresh(scene, kms)) if kms else ()


def _new_grant(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _no_use_of_the_key(scene, kms) if kms else NO_NEW_KEY


def _old_grant(scene: Scene) -> Judgement:
    kms = old_kms(scene)
    return _no_use_of_the_key(scene, kms) if kms else NO_OLD_KEY


def _no_use_of_the_key(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    sight, vault = sight_of(scene, kms), vault_of(scene, kms)
    settings = seen(vault.settings)
    if missing := _missing(scene, kms):
        command = _role_command(scene, CRYPTO_USER, vault) if settings.rbac else _policy_command(scene, vault)
        # A role that the new key needs is given by the command itself, too.
        offered = settings.rbac and kms == new_kms(scene)
        yield Finding(
            _identity(scene),
            f"It may not {' and '.join(missing)} with {_called(sight)}.",
            f"Type: {command}" + (" ; or add --assign-role to the command." if offered else ""),
        )
        return
    if not settings.rbac:
        return
    grants = seen(sight.grants)
    denying = dict.fromkeys(d.name for a in _NEEDED.values() for d in grants.denying(a, sight.resource_id, data=True))
    for name in denying:
        yield Finding(
            _identity(scene),
            f"The deny assignment '{name}' keeps it from {_called(sight)}.",
            "It comes with a managed application or a deployment stack: have it changed there. See it with: az rest "
            f"--method get --url {vault.resource_id}/providers/Microsoft.Authorization/denyAssignments?api-version="
            "2022-04-01",
        )
    for what in _fresh(scene, kms):
        yield Finding(
            _identity(scene),
            f"{what} was assigned less than {PROPAGATION.seconds // 60} minutes ago, and may have no effect yet.",
            "Wait until then, and type the same command again.",
        )


def _missing(scene: Scene, kms: KmsProfile) -> list[str]:
    """``encrypt`` and ``decrypt``, as far as the identity has not got them."""
    sight, settings = sight_of(scene, kms), seen(vault_of(scene, kms).settings)
    if not settings.rbac:
        return _without_policy(settings, _principal(scene))
    grants = seen(sight.grants)
    return [word for word, a in _NEEDED.items() if not grants.giving(a, sight.resource_id, data=True)]


def _without_policy(settings: VaultSettings, principal: str) -> list[str]:
    given = settings.policies.get(principal.lower(), frozenset())
    return [] if "all" in given else [word for word in _NEEDED if word not in given]


def _fresh(scene: Scene, kms: KmsProfile) -> Iterator[str]:
    """The roles that alone give a needed right, and were assigned so late that they may not have it yet."""
    sight, vault = sight_of(scene, kms), vault_of(scene, kms)
    wanted = [(a, sight.resource_id, True) for a in _NEEDED.values()] if seen(vault.settings).rbac else []
    if kms.network_access is NetworkAccess.PRIVATE:
        wanted += [(a, vault.resource_id, False) for a in _PRIVATE_LINK]
    if not wanted:
        return
    grants, told = seen(sight.grants), set()
    for action, resource, data in wanted:
        giving = grants.giving(action, resource, data=data)
        if giving and all(a.created is not None and a.created > scene.now - PROPAGATION for a in giving):
            for a in giving:
                assert a.created is not None
                if a.role not in told:
                    told.add(a.role)
                    yield f"Role '{a.role}' ({(a.created + PROPAGATION).strftime('%H:%M:%SZ')})"


def _private_link(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    if kms is None:
        return NO_NEW_KEY
    if kms.network_access is not NetworkAccess.PRIVATE:
        return NotApplicable("the vault is used over its public endpoint")
    return _no_private_link(scene, kms)


def _no_private_link(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    vault = vault_of(scene, kms)
    if missing := _missing_on_the_vault(scene, kms):
        yield Finding(
            _identity(scene),
            f"It may not do this in key vault '{vault.name}': {', '.join(missing)}.",
            f"Type: {_role_command(scene, CONTRIBUTOR, vault)}",
        )


def _missing_on_the_vault(scene: Scene, kms: KmsProfile) -> list[str]:
    sight = sight_of(scene, kms)
    grants, vault_id = seen(sight.grants), vault_of(scene, kms).resource_id
    return [a for a in _PRIVATE_LINK if not grants.giving(a, vault_id, data=False)]


def _without_effect(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _wrong_roles(scene, kms) if kms else NO_NEW_KEY


def _wrong_roles(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    if not _missing(scene, kms):
        return
    sight, vault = sight_of(scene, kms), vault_of(scene, kms)
    grants, settings = seen(sight.grants), seen(vault.settings)
    needed = " and ".join(_NEEDED.values())
    if settings.rbac:
        if not _without_policy(settings, _principal(scene)):
            yield Finding(
                _identity(scene),
                f"It has an access policy in key vault '{vault.name}', without effect: the vault uses roles.",
                f"Type: {_role_command(scene, CRYPTO_USER, vault)}",
            )
        for role in dict.fromkeys(a.role for a in grants.assignments if any(p.data_actions for p in a.permissions)):
            yield Finding(
                _identity(scene),
                f"Its role '{role}' does not give what the control plane does with a key: {needed}.",
                f"Type: {_role_command(scene, CRYPTO_USER, vault)}",
            )
    elif all(grants.giving(a, sight.resource_id, data=True) for a in _NEEDED.values()):
        yield Finding(
            _identity(scene),
            f"Its roles have no effect in key vault '{vault.name}': the vault uses access policies.",
            f"Type: {_policy_command(scene, vault)}",
        )


def _role_command(scene: Scene, role: Role, vault: Vault) -> str:
    return RoleOffer(role, vault.resource_id, _principal(scene)).command


def _policy_command(scene: Scene, vault: Vault) -> str:
    return (
        f"az keyvault set-policy --name {vault.name} --key-permissions decrypt encrypt --object-id {_principal(scene)}"
    )


def _principal(scene: Scene) -> str:
    """The object id of the control plane's identity. Raises ``NotSeen`` where there is none: K-04 and K-05 say that."""
    identities = scene.cluster.surroundings.identities
    if not identities or not identities[0].principal_id:
        raise NotSeen(KEYS, Unseen("the cluster names no identity to look for"))
    return identities[0].principal_id


def _identity(scene: Scene) -> str:
    identities = scene.cluster.surroundings.identities
    return f"managed identity '{identities[0].resource_id.rpartition('/')[2]}'" if identities else "the identity"


def _called(sight: KeySight) -> str:
    vault = seen(sight.vault)
    return f"key '{sight.key_name}' of key vault '{vault.name}'"


_NEW = frozenset({StepId.DISABLE_KMS, StepId.ENABLE_KMS})
_RBAC_PAGE = "https://learn.microsoft.com/azure/key-vault/general/rbac-guide"
_KMS_PAGE = "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption"

CHECKS = (
    Check(
        "K-08",
        "The identity may use the key of KMS v1",
        Category.KMS,
        Severity.BLOCK,
        "Every Secret is still encrypted with it: without the right none can be read, and none rewritten.",
        _KMS_PAGE,
        frozenset({StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS}),
        _old_grant,
        (KEYS,),
    ),
    Check(
        "V-08",
        "The identity may use the new key",
        Category.VAULT,
        Severity.BLOCK,
        "With a public vault Azure refuses to turn KMS on; with a private one it does not look, and the control plane "
        "fails.",
        _KMS_PAGE,
        _NEW,
        _new_grant,
        (KEYS,),
    ),
    Check(
        "V-09",
        "The identity may connect to a private vault",
        Category.VAULT,
        Severity.BLOCK,
        "AKS makes the private endpoint and approves it with the cluster's identity.",
        _KMS_PAGE,
        _NEW,
        _private_link,
        (KEYS,),
    ),
    Check(
        "V-10",
        "What the identity was given has an effect",
        Category.VAULT,
        Severity.BLOCK,
        "A role of a similar name, or a right given in the way that the vault does not use, gives nothing.",
        _RBAC_PAGE,
        _NEW,
        _without_effect,
        (KEYS,),
    ),
)
