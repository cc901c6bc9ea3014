"""All checks, in the order they are shown: Azure, KMS, vault, upgrade, cluster; each by its number."""

from __future__ import annotations

from azext_kmsmigrate.checks import access, kms, secrets, state, writable
from azext_kmsmigrate.checks.check import Category, Check

_FILES: tuple[tuple[Check, ...], ...] = (
    access.CHECKS,
    kms.CHECKS,
    secrets.CHECKS,
    state.CHECKS,
    writable.CHECKS,
)

_PLACE = {category: place for place, category in enumerate(Category)}

CHECKS: tuple[Check, ...] = tuple(
    sorted((check for file in _FILES for check in file), key=lambda check: (_PLACE[check.category], check.id))
)
