"""Option texts, checked before anything is asked of Azure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from azure.cli.core.azclierror import AzCLIError, InvalidArgumentValueError

from azext_kmsmigrate._validators import complete_check_ids, validate_scope, validate_skipped_checks, validate_target

KEY = "https://vault.vault.azure.net/keys/etcd/0123456789abcdef0123456789abcdef"
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"


def options(**given: str | None) -> Any:
    names = {
        "version": "kubernetes_version",
        "key": "key_id",
        "access": "key_vault_access",
        "vault": "key_vault",
        "tier": "tier",
        "support": "k8s_support_plan",
        "plan": "plan_file",
    }
    return SimpleNamespace(
        resource_group_name="shop", name="blue", **{full: given[name] for name, full in names.items() if name in given}
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"version": None, "key": None, "access": None, "vault": None},
        {"version": "1.27.1"},
        {"version": "1.27"},
        {"key": KEY},
        {"key": "https://hsm.managedhsm.azure.net/keys/etcd/abc"},
        {"key": KEY, "access": "Public"},
        {"key": KEY, "access": "Private", "vault": VAULT},
        {"access": "Private"},
        {"vault": VAULT},
        {"vault": VAULT.lower()},
        {"tier": "premium", "support": "AKSLongTermSupport"},
        {"support": "AKSLongTermSupport"},
        {"plan": "plan.json"},
    ],
)
def test_what_can_be_meant_is_accepted(given: dict[str, str | None]) -> None:
    validate_target(options(**given))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"tier": "premium"}, "KMSM524"),
        ({"plan": "p", "version": "1.27"}, "KMSM523"),
        ({"plan": "p", "key": KEY}, "KMSM523"),
        ({"plan": "p", "access": "Public"}, "KMSM523"),
        ({"plan": "p", "vault": VAULT}, "KMSM523"),
        ({"plan": "p", "support": "AKSLongTermSupport"}, "KMSM523"),
        ({"version": "latest"}, "KMSM507"),
        ({"version": ""}, "KMSM507"),
        ({"key": "https://vault.vault.azure.net/keys/etcd"}, "KMSM503"),
        ({"key": "https://vault.vault.azure.net/keys/etcd/"}, "KMSM503"),
        ({"key": "http://vault.vault.azure.net/keys/etcd/1"}, "KMSM503"),
        ({"key": "https://vault.vault.azure.net/secrets/etcd/1"}, "KMSM503"),
        ({"key": "https://vault.vault.azure.net/keys/etcd/1/2"}, "KMSM503"),
        ({"key": "https://[/keys/etcd/1"}, "KMSM503"),
        ({"key": "etcd"}, "KMSM503"),
        ({"key": ""}, "KMSM503"),
        ({"vault": "v"}, "KMSM504"),
        ({"vault": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/x/v"}, "KMSM504"),
        ({"vault": VAULT, "access": "Public"}, "KMSM506"),
        ({"key": KEY, "access": "Private"}, "KMSM505"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_type(given: dict[str, str | None], code: str) -> None:
    with pytest.raises(AzCLIError) as caught:
        validate_target(options(**given))
    assert str(caught.value).startswith(code)
    assert caught.value.recommendations


def test_a_command_without_these_options_has_nothing_to_check() -> None:
    validate_target(SimpleNamespace(resource_group_name="shop", name="blue"))


# --force-upgrade-until

SOON = (datetime.now(timezone.utc) + timedelta(days=2)).replace(microsecond=0)


@pytest.mark.parametrize("text", [SOON.isoformat(), SOON.isoformat().replace("+00:00", "Z")], ids=["offset", "Z"])
def test_a_time_to_force_the_upgrade_until_is_read_as_utc(text: str) -> None:
    typed = SimpleNamespace(resource_group_name="shop", name="blue", force_upgrade_until=text)
    validate_target(typed)
    assert typed.force_upgrade_until == SOON


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tomorrow", "not RFC 3339"),
        ("2026-01-31", "not RFC 3339"),
        ("2026-13-31T00:00:00Z", "not RFC 3339"),
        ((SOON + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"), "not RFC 3339"),
        ("2020-01-31T00:00:00Z", "passed"),
        ((SOON + timedelta(days=6)).strftime("%Y-%m-%dT%H:%M:%SZ"), "7 days"),
    ],
    ids=["no time", "no hour", "no month", "another offset", "past", "too far"],
)
def test_a_time_that_cannot_be_taken_is_refused_with_the_reason(text: str, reason: str) -> None:
    typed = SimpleNamespace(resource_group_name="shop", name="blue", force_upgrade_until=text)
    with pytest.raises(InvalidArgumentValueError, match=f"KMSM530.*{reason}"):
        validate_target(typed)


def skipping(*checks: str) -> Any:
    return SimpleNamespace(resource_group_name="shop", name="blue", skip_check=list(checks))


def test_ids_of_checks_are_taken_in_any_case() -> None:
    namespace = skipping("k-10", "AZ-04")
    validate_skipped_checks(namespace)
    assert namespace.skip_check == ["K-10", "AZ-04"]
    validate_skipped_checks(SimpleNamespace(skip_check=None))


@pytest.mark.parametrize(("typed", "near"), [("K-13", "K-12"), ("AZ04", "AZ-04"), ("C1", "C-01"), ("lunch", "AZ-01")])
def test_an_id_that_is_none_is_refused_with_those_that_are_near(typed: str, near: str) -> None:
    with pytest.raises(AzCLIError, match="KMSM509") as refused:
        validate_skipped_checks(skipping("K-10", typed))
    assert near in refused.value.recommendations[0]


def test_ids_are_completed() -> None:
    assert complete_check_ids("c-0") == [f"C-0{n}" for n in range(1, 8)]
    assert complete_check_ids("x") == []


def test_clusters_are_listed_of_subscriptions_or_of_management_groups() -> None:
    for subscriptions, groups in (([], ["corp"]), (["sub"], None), (None, None)):
        validate_scope(SimpleNamespace(subscriptions=subscriptions, management_groups=groups))
    with pytest.raises(InvalidArgumentValueError, match="KMSM541"):
        validate_scope(SimpleNamespace(subscriptions=["sub"], management_groups=["corp"]))
