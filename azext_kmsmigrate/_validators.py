"""Option texts to checked values, before anything is asked of Azure. No network."""

from __future__ import annotations

import difflib
import re
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn
from urllib.parse import urlsplit

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry, Refused
from azext_kmsmigrate.migration.facts import NetworkAccess, SupportPlan
from azext_kmsmigrate.migration.version import KubernetesVersion

_VAULT_ID = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.KeyVault/(vaults|managedHSMs)/[^/]+$", re.I
)

_RFC_3339_UTC = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+]00:00)$", re.I)
_LONGEST_FORCE = timedelta(days=7)


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
            _refuse(errors.BAD_VERSION, version=version, **_words(namespace))
    minutes = getattr(namespace, "timeout", None)
    if minutes is not None and not 0 < minutes < float("inf"):
        _refuse(errors.BAD_TIMEOUT, minutes=minutes)
    until = getattr(namespace, "force_upgrade_until", None)
    if until is not None:
        namespace.force_upgrade_until = _force_until(until, datetime.now(timezone.utc))
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
                _refuse(errors.PLAN_AND_GOAL, option=option, **_words(namespace))


def validate_report_form(namespace: Any) -> None:
    """``--format`` and ``--out``: what is asked for is known, and has somewhere to go."""
    from azext_kmsmigrate.handover.form import ReportForm, form_of

    asked, path = namespace.report_format, namespace.out
    form = form_of(asked, path)
    if form is None:
        _refuse(errors.REPORT_FORM_UNKNOWN, path=path)
    if not path and form is not ReportForm.JSON:
        _refuse(errors.REPORT_NEEDS_FILE, form=form.value)


def _force_until(text: str, now: datetime) -> datetime:
    """RFC 3339 in UTC, as a time. AKS takes 30 days at most; a migration needs fewer."""
    until = _utc(text)
    reason = ""
    if until is None:
        reason = "it is not RFC 3339 in UTC"
    elif until <= now:
        reason = "it has passed"
    elif until > now + _LONGEST_FORCE:
        reason = "it is more than 7 days away"
    if until is None or reason:
        example = (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        _refuse(errors.BAD_FORCE_UNTIL, until=text, reason=reason, example=example)
    return until


def _utc(text: str) -> datetime | None:
    if not _RFC_3339_UTC.match(text):
        return None
    try:
        return datetime.strptime(text[:19].upper(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


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
                **_words(namespace),
            )


def validate_scope(namespace: Any) -> None:
    """``list``: subscriptions or management groups."""
    if namespace.subscriptions and namespace.management_groups:
        _refuse(errors.TWO_SCOPES)


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


def _words(namespace: Any) -> dict[str, str]:
    subscription = getattr(namespace, "_subscription", None) or ""
    return errors.cluster_words(namespace.resource_group_name, namespace.name, subscription)


def _refuse(entry: Entry, **values: object) -> NoReturn:
    from azext_kmsmigrate.wiring import az_error

    raise az_error(Refused(entry, **values))
