"""All checks, in the order they are shown."""

from __future__ import annotations

from azext_kmsmigrate.checks import (
    deprecated_api,
    disruption,
    maintenance,
    node,
    pod_security,
    pool,
    profile,
    state,
    subnet,
    versions,
    volume,
    webhook,
)
from azext_kmsmigrate.checks.check import Check

_UPGRADE = sorted(
    (
        *versions.CHECKS,
        *pool.CHECKS,
        *disruption.CHECKS,
        *deprecated_api.CHECKS,
        *subnet.CHECKS,
        *node.CHECKS,
        *webhook.CHECKS,
        *maintenance.CHECKS,
        *profile.CHECKS,
        *volume.CHECKS,
        *pod_security.CHECKS,
    ),
    key=lambda check: check.id,
)

CHECKS: tuple[Check, ...] = (*state.CHECKS, *_UPGRADE)
