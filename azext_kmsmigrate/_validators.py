"""Option texts to checked values, before anything is asked of Azure. No network."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry, Refused
from azext_kmsmigrate.migration.facts import NetworkAccess, SupportPlan
from azext_kmsmigrate.migration.version import KubernetesVersion

_VAULT_ID = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.KeyVault/(vaults|managedHSMs)/[^/]+$", re.I
)


def validate_target(namespace: Any) -> None:
    """Version, key and vault, each by itself and against each other."""
    version = getattr(namespace, "kubernetes_version", None)
    key = getattr(namespace, "key_id", None)
    access = getattr(namespace, "key_vault_access", None)
    vault = getattr(namespace, "key_vault", None)
    if version is not None:
        try:
            KubernetesVersion.parse(version)
        except ValueError:
            _refuse(errors.BAD_VERSION, version=version, group=namespace.resource_group_name, name=namespace.name)
    if key is not None and not _is_key_version(key):
        _refuse(errors.BAD_KEY_ID, key=key)
    if vault is not None and not _VAULT_ID.match(vault):
        _refuse(errors.BAD_VAULT_ID, vault=vault)
    if vault is not None and access == NetworkAccess.PUBLIC.value:
        _refuse(errors.VAULT_NOT_ALLOWED)
    if vault is None and access == NetworkAccess.PRIVATE.value and key is not None:
        _refuse(errors.VAULT_NEEDED)
    tier, plan = getattr(namespace, "tier", None), getattr(namespace, "k8s_support_plan", None)
    if tier is not None and plan != SupportPlan.LONG_TERM.value:
        _refuse(errors.TIER_WITHOUT_PLAN)
    if getattr(namespace, "plan_file", None) is not None:
        given = {"--kubernetes-version": version, "--key-id": key, "--key-vault-access": access, "--key-vault": vault}
        for option, value in {**given, "--tier": tier, "--k8s-support-plan": plan}.items():
            if value is not None:
                where = {"group": namespace.resource_group_name, "name": namespace.name}
                _refuse(errors.PLAN_AND_GOAL, option=option, **where)


def _is_key_version(key: str) -> bool:
    try:
        url = urlsplit(key)
    except ValueError:
        return False
    parts = url.path.strip("/").split("/")
    return url.scheme == "https" and bool(url.netloc) and len(parts) == 3 and parts[0] == "keys" and all(parts)


def _refuse(entry: Entry, **values: object) -> None:
    from azext_kmsmigrate.wiring import az_error

    raise az_error(Refused(entry, **values))
