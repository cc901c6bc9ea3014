"""Option texts to checked values, before anything is asked of Azure. No network."""

from __future__ import annotations

import difflib
import re
from typing import Any
from urllib.parse import urlsplit

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry, Refused
from azext_kmsmigrate.migration.facts import NetworkAccess
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


def validate_skipped_checks(namespace: Any) -> None:
    """``--skip-check``: every id is one of the catalogue; upper and lower case are the same."""
    typed = getattr(namespace, "skip_check", None)
    if not typed:
        return
    ids = _check_ids()
    namespace.skip_check = [text.upper() for text in typed]
    for check in namespace.skip_check:
        if check not in ids:
            near = difflib.get_close_matches(check, ids, n=5, cutoff=0.4) or ids[:5]
            _refuse(
                errors.UNKNOWN_CHECK,
                check=check,
                near=", ".join(near),
                group=namespace.resource_group_name,
                name=namespace.name,
            )


def complete_check_ids(prefix: str, **_: Any) -> list[str]:
    """The ids that begin so, for tab completion."""
    return [check for check in _check_ids() if check.startswith(prefix.upper())]


def _check_ids() -> list[str]:
    from azext_kmsmigrate.checks.catalogue import CHECKS

    return [check.id for check in CHECKS]


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
