"""All checks, in the order they are shown: Azure, KMS, vault, upgrade, cluster; each by its number."""

from __future__ import annotations

from azext_kmsmigrate.checks import (
    access,
    deprecated_api,
    disruption,
    grant,
    identity,
    key,
    kms,
    lock,
    maintenance,
    management,
    network,
    node,
    pod_security,
    policy,
    pool,
    profile,
    rights,
    secrets,
    state,
    subnet,
    vault,
    versions,
    volume,
    webhook,
    writable,
)
from azext_kmsmigrate.checks.check import Category, Check

_FILES: tuple[tuple[Check, ...], ...] = (
    access.CHECKS,
    deprecated_api.CHECKS,
    disruption.CHECKS,
    grant.CHECKS,
    identity.CHECKS,
    key.CHECKS,
    kms.CHECKS,
    lock.CHECKS,
    maintenance.CHECKS,
    management.CHECKS,
    network.CHECKS,
    node.CHECKS,
    pod_security.CHECKS,
    policy.CHECKS,
    pool.CHECKS,
    profile.CHECKS,
    rights.CHECKS,
    secrets.CHECKS,
    state.CHECKS,
    subnet.CHECKS,
    vault.CHECKS,
    versions.CHECKS,
    volume.CHECKS,
    webhook.CHECKS,
    writable.CHECKS,
)

_PLACE = {category: place for place, category in enumerate(Category)}

CHECKS: tuple[Check, ...] = tuple(
    sorted((check for file in _FILES for check in file), key=lambda check: (_PLACE[check.category], check.id))
)
