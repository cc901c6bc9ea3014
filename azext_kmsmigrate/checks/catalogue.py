"""All checks, in the order they are shown: Azure, KMS, vault, upgrade, cluster; each by its number."""

from __future__ import annotations

from azext_kmsmigrate.checks import (
    access,
    grant,
    identity,
    key,
    kms,
    lock,
    management,
    network,
    policy,
    rights,
    secrets,
    state,
    vault,
)
from azext_kmsmigrate.checks.check import Category, Check

_FILES: tuple[tuple[Check, ...], ...] = (
    access.CHECKS,
    grant.CHECKS,
    identity.CHECKS,
    key.CHECKS,
    kms.CHECKS,
    lock.CHECKS,
    management.CHECKS,
    network.CHECKS,
    policy.CHECKS,
    rights.CHECKS,
    secrets.CHECKS,
    state.CHECKS,
    vault.CHECKS,
)

_PLACE = {category: place for place, category in enumerate(Category)}

CHECKS: tuple[Check, ...] = tuple(
    sorted((check for file in _FILES for check in file), key=lambda check: (_PLACE[check.category], check.id))
)
