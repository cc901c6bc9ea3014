"""V-01 to V-03, V-14 and V-16: the key to turn KMS v2 on with. K-06 and K-11: the key before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.key_sight import (
    KEYS,
    Key,
    KeySight,
    Presence,
    Vault,
    key_of,
    new_kms,
    old_kms,
    seen,
    sight_of,
    vault_of,
)
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.migration.facts import KmsProfile
from azext_kmsmigrate.migration.step import StepId

LONGEST = timedelta(days=1)  # a migration, seldom half a day, with one interruption overnight
_SOON = timedelta(days=30)
_MONTHS = timedelta(days=365)  # Microsoft's own advice for the key: no expiry, or a year ahead

NO_NEW_KEY = NotApplicable("KMS v2 is not turned on in this migration any more")
NO_OLD_KEY = NotApplicable("no key of KMS v1 plays a part any more")

_FORM = re.compile(r"https://[^/?#]+/keys/[0-9a-zA-Z-]+/[0-9a-f]{32}")


def _address(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _leads_to_a_key(scene, kms) if kms else NO_NEW_KEY


def _leads_to_a_key(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    subject = f"key '{kms.key_id}'"
    show = "Give --key-id what this prints: az keyvault key show --vault-name VAULT --name KEY --query key.kid -o tsv"
    if not _FORM.fullmatch(kms.key_id):
        yield Finding(subject, "This is not the id of a key version: https://VAULT.../keys/KEY/VERSION.", show)
        return
    vault = seen(sight_of(scene, kms).vault)
    if vault.presence is Presence.DELETED:
        yield Finding(
            f"key vault '{vault.name}'",
            "It is deleted.",
            f"Type: az keyvault recover --name {vault.name} ; then grant the cluster's identity its roles again.",
        )
    elif vault.presence is Presence.ABSENT:
        yield Finding(f"key vault '{vault.address}'", "No key vault has this address.", show)
    elif not vault.known:
        yield Finding(f"key vault '{vault.address}'", "This is no address of a key vault in this cloud.", show)


def _usable(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _unfit(scene, kms) if kms else NO_NEW_KEY


def _unfit(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    sight = sight_of(scene, kms)
    key, subject = seen(sight.key), _called(sight)
    shown = key.presence is Presence.PRESENT and bool(key.kind)
    if shown and not key.kind.upper().startswith("RSA"):
        yield Finding(
            subject, f"It is of the kind {key.kind}; only RSA keys encrypt and decrypt.", _new_key_command(sight)
        )
        return
    missing = sorted({"encrypt", "decrypt"} - key.operations)
    if shown and missing:
        yield Finding(
            subject,
            f"It does not permit: {', '.join(missing)}.",
            f"Type: az keyvault key set-attributes --id {kms.key_id} --ops "
            + " ".join(sorted(key.operations | {"encrypt", "decrypt"})),
        )
    yield from _out_of_use(sight, key, scene.now)


def _out_of_use(sight: KeySight, key: Key, now: datetime) -> Iterator[Finding]:
    """Why a key version is of no use, now or before a migration begun now is over."""
    subject, vault = _called(sight), _vault_name(sight)
    if key.presence is Presence.DELETED:
        yield Finding(
            subject, "It is deleted.", f"Type: az keyvault key recover --vault-name {vault} --name {sight.key_name}"
        )
    elif key.presence is Presence.ABSENT:
        yield Finding(
            subject,
            "It does not exist.",
            f"If it was deleted: az keyvault key recover --vault-name {vault} --name {sight.key_name} ; if it was "
            "purged, restore it from a backup (az keyvault key restore), or give another to --key-id.",
        )
    else:
        change = f"Type: az keyvault key set-attributes --id {sight.key_id}"
        if not key.enabled:
            yield Finding(subject, "It is disabled.", f"{change} --enabled true")
        if key.not_before is not None and key.not_before > now:
            yield Finding(
                subject, f"It is not valid before {stamp(key.not_before)}.", f"{change} --not-before {stamp(now)}"
            )
        if key.expires is not None and key.expires <= now + LONGEST:
            when = "It expired at" if key.expires <= now else "It expires before the migration is over for certain, at"
            later = stamp(now + _MONTHS)
            yield Finding(
                subject, f"{when} {stamp(key.expires)}: it encrypts no more then.", f"{change} --expires {later}"
            )


def _expiry(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _expires(scene, kms) if kms else NO_NEW_KEY


def _expires(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    key, sight = key_of(scene, kms), sight_of(scene, kms)
    if key.expires is not None:
        what = f"It expires at {stamp(key.expires)}; from then on no Secret can be written."
        if key.expires < scene.now + _MONTHS:
            later = f"az keyvault key set-attributes --id {kms.key_id} --expires {stamp(scene.now + _MONTHS)}"
            fix = f"Set an alert for it, or a later time: {later}"
        else:
            fix = f"Set an alert for it: az keyvault key show --id {kms.key_id} --query attributes.expires"
        yield Finding(_called(sight), what, fix)


def _throughput(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _slow(scene, kms) if kms else NO_NEW_KEY


# Operations in ten seconds for one vault, software and HSM keys: key-vault/general/service-limits
_OPERATIONS = {2048: (4000, 2000), 3072: (1000, 500), 4096: (500, 250)}


def _slow(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    key, sight = key_of(scene, kms), sight_of(scene, kms)
    allowed = _OPERATIONS.get(key.bits, (0, 0))[key.kind.upper().endswith("HSM")]
    if allowed and allowed <= 500:
        yield Finding(
            _called(sight),
            f"With {key.bits} bits ({key.kind}) the vault does {allowed} operations in ten seconds, for all its users.",
            f"Where others use the vault too, take a smaller key: {_new_key_command(sight)}",
        )


def _rotation(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    return _rotates(scene, kms) if kms else NO_NEW_KEY


def _rotates(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    key, sight = key_of(scene, kms), sight_of(scene, kms)
    if seen(key.rotates):
        yield Finding(
            _called(sight),
            "Key Vault makes new versions of it by itself; the cluster stays with this one.",
            "Leave this version enabled, and rotate by hand: az aks update "
            f"{scene.cluster.name.option_text} --enable-azure-keyvault-kms --azure-keyvault-kms-key-id NEW-VERSION",
        )


def _old_usable(scene: Scene) -> Judgement:
    kms = old_kms(scene)
    if kms is None:
        return NO_OLD_KEY
    sight = sight_of(scene, kms)
    return tuple(_out_of_use(sight, seen(sight.key), scene.now))


def _old_lasts(scene: Scene) -> Judgement:
    kms = old_kms(scene)
    return _short_lived(scene, kms) if kms else NO_OLD_KEY


def _short_lived(scene: Scene, kms: KmsProfile) -> Iterator[Finding]:
    key, sight = key_of(scene, kms), sight_of(scene, kms)
    if key.expires is not None and scene.now + LONGEST < key.expires <= scene.now + _SOON:
        yield Finding(
            _called(sight),
            f"It expires at {stamp(key.expires)}; it must outlive the migration, and backups of etcd need it longer.",
            f"Type: az keyvault key set-attributes --id {kms.key_id} --expires {stamp(scene.now + _MONTHS)}",
        )
    vault = vault_of(scene, kms)
    if not seen(vault.settings).purge_protection:
        yield Finding(
            f"key vault '{vault.name}'",
            "It has no purge protection: who deletes the key by mistake may lose the Secrets for good.",
            f"Type: az keyvault update --name {vault.name} --enable-purge-protection true",
        )


def stamp(moment: datetime) -> str:
    """UTC, as az reads it back."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _called(sight: KeySight) -> str:
    return f"key '{sight.key_name}' of key vault '{_vault_name(sight)}'"


def _vault_name(sight: KeySight) -> str:
    return sight.vault.name if isinstance(sight.vault, Vault) else sight.key_id.split("/")[2].partition(".")[0]


def _new_key_command(sight: KeySight) -> str:
    return (
        f"az keyvault key create --vault-name {_vault_name(sight)} --name NEW-KEY --kty RSA --size 2048 --ops encrypt "
        "decrypt --query key.kid -o tsv ; give what it prints to --key-id"
    )


_OLD = frozenset({StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS})
_NEW = frozenset({StepId.DISABLE_KMS, StepId.ENABLE_KMS})
_KMS_PAGE = "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption"

CHECKS = (
    Check(
        "K-06",
        "The key of KMS v1 can be used",
        Category.KMS,
        Severity.BLOCK,
        "Every Secret is still encrypted with it: without it none can be read, and none rewritten.",
        _KMS_PAGE,
        _OLD,
        _old_usable,
        (KEYS,),
    ),
    Check(
        "K-11",
        "The key of KMS v1 lasts",
        Category.KMS,
        Severity.WARN,
        "The key has to outlive the migration: AKS asks for it after KMS is off, too.",
        "https://learn.microsoft.com/azure/aks/update-kms-key-vault",
        _OLD,
        _old_lasts,
        (KEYS,),
    ),
    Check(
        "V-01",
        "The new key's id leads to a key vault",
        Category.VAULT,
        Severity.BLOCK,
        "Azure turns KMS on with a key version of a vault in the same cloud, and with nothing else.",
        _KMS_PAGE,
        _NEW,
        _address,
        (KEYS,),
    ),
    Check(
        "V-02",
        "The new key encrypts and decrypts",
        Category.VAULT,
        Severity.BLOCK,
        "A key that cannot encrypt leaves the cluster unable to write a Secret, or Azure refuses to turn KMS on.",
        "https://learn.microsoft.com/azure/key-vault/keys/about-keys-details",
        _NEW,
        _usable,
        (KEYS,),
    ),
    Check(
        "V-03",
        "The new key does not expire",
        Category.VAULT,
        Severity.WARN,
        "An expired key decrypts, but encrypts no more: the API server refuses to write Secrets from then on.",
        "https://learn.microsoft.com/azure/aks/kms-observability",
        _NEW,
        _expiry,
        (KEYS,),
    ),
    Check(
        "V-14",
        "The new key is fast enough",
        Category.VAULT,
        Severity.WARN,
        "A vault that is asked for more than its limit refuses, and the control plane waits.",
        "https://learn.microsoft.com/azure/key-vault/general/service-limits",
        _NEW,
        _throughput,
        (KEYS,),
    ),
    Check(
        "V-16",
        "The new key does not rotate by itself",
        Category.VAULT,
        Severity.WARN,
        "The cluster goes on with the version that it was given; who disables that one stops the control plane.",
        "https://github.com/Azure/AKS/issues/4648",
        _NEW,
        _rotation,
        (KEYS,),
    ),
)
