"""K-09, K-10, C-01 to C-03 and C-05 to C-07: each where it fails, where it passes and where it cannot look."""

from __future__ import annotations

from typing import Any

import pytest

from azext_kmsmigrate.checks.access import ASKED, DOOR, LACKING, STORAGE, SYSTEM, Door, Right, Storage
from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.secrets import SECRETS, SecretsSeen
from azext_kmsmigrate.checks.suite import Outcome
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.secret import FailedSecret, FailureClass
from tests.unit.scenes import findings_of, passes, result_of, scene, unseen
from tests.unit.situations import OFF, cluster

WELL: dict[Topic[Any], Any] = {
    DOOR: Door(),
    LACKING: frozenset(),
    STORAGE: Storage(3 << 20),
    SECRETS: SecretsSeen((("default", 3), ("shop", 4))),
}


@pytest.mark.parametrize("check", ["K-09", "K-10", "C-01", "C-02", "C-03", "C-05", "C-06"])
def test_what_is_well_passes(check: str) -> None:
    assert passes(check, scene(seen=WELL))


@pytest.mark.parametrize(
    ("check", "topic"),
    [
        ("K-09", SECRETS),
        ("K-10", SECRETS),
        ("C-06", SECRETS),
        ("C-01", DOOR),
        ("C-02", DOOR),
        ("C-03", LACKING),
        ("C-05", LACKING),
        ("C-07", STORAGE),
    ],
)
def test_what_is_not_seen_is_unknown_with_the_right_that_lacks(check: str, topic: Topic[Any]) -> None:
    result = result_of(check, scene(seen=WELL | unseen(topic, "no entry", "list things")))
    assert result.outcome is Outcome.UNKNOWN
    assert (result.note, result.permission, result.blocks) == (f"{topic.name}: no entry", "list things", False)


def test_more_secrets_than_kms_v1_is_supported_for_names_where_most_of_them_are() -> None:
    many = {SECRETS: SecretsSeen((("a", 500), ("b", 1501)))}
    (finding,) = findings_of("K-09", scene(seen=many))
    assert "2,001 Secrets" in finding.what
    assert "kubectl -n b get secrets" in finding.fix
    assert result_of("K-09", scene(seen=many)).severity is Severity.WARN
    assert passes("K-09", scene(seen={SECRETS: SecretsSeen((("a", 2000),))}))
    assert result_of("K-09", scene(cluster(kms=OFF), many)).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("failed", "subject", "fix"),
    [
        (
            FailedSecret("shop", "cart", FailureClass.UNDECRYPTABLE, "no key"),
            "Secret shop/cart",
            "--vault-name vault -n KEY), or, when it may go: kubectl -n shop delete secret cart",
        ),
        (
            FailedSecret("shop", "*", FailureClass.UNDECRYPTABLE, "no key"),
            "Secrets in namespace 'shop'",
            "az keyvault key recover --vault-name vault",
        ),
        (
            FailedSecret("*", "*", FailureClass.KEY_UNAVAILABLE, ""),
            "Secrets in any namespace",
            "az keyvault key list --vault-name vault",
        ),
        (FailedSecret("shop", "cart", FailureClass.FORBIDDEN, ""), "Secret shop/cart", "Cluster Admin"),
        (FailedSecret("*", "*", FailureClass.UNEXPECTED, "HTTP 500"), "Secrets in any namespace", "/readyz"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(failed: FailedSecret, subject: str, fix: str) -> None:
    seen = {SECRETS: SecretsSeen((("shop", 1),), (failed,))}
    (finding,) = findings_of("K-10", scene(seen=seen))
    assert finding.subject == subject
    assert failed.kind.value in finding.what
    assert fix in finding.fix
    assert result_of("K-10", scene(seen=seen)).blocks


def test_a_secret_that_cannot_be_read_stops_nothing_once_kms_is_off() -> None:
    seen = {SECRETS: SecretsSeen((), (FailedSecret("shop", "cart", FailureClass.UNDECRYPTABLE, ""),))}
    assert result_of("K-10", scene(cluster(kms=OFF), seen)).severity is Severity.WARN


def test_immutable_secrets_are_counted_and_stop_nothing() -> None:
    where = scene(seen={SECRETS: SecretsSeen((("shop", 9),), immutable=2)})
    assert "2 of them" in findings_of("C-06", where)[0].what
    assert result_of("C-06", where).severity is Severity.INFO


@pytest.mark.parametrize(
    ("more", "fix"),
    [
        ({}, "az aks command invoke -g shop -n blue"),
        ({"private": True}, "in its network"),
        (
            {"authorized_ranges": ("10.0.0.0/8", "1.2.3.4/32")},
            "--api-server-authorized-ip-ranges 10.0.0.0/8,1.2.3.4/32,YOUR_ADDRESS/32",
        ),
    ],
)
def test_an_api_server_that_does_not_answer(more: dict[str, object], fix: str) -> None:
    where = scene(cluster(**more), {DOOR: Door(silent="transient (ConnectTimeout)")})  # type: ignore[arg-type]
    (finding,) = findings_of("C-01", where)
    assert fix in finding.fix
    assert "ConnectTimeout" in finding.what
    assert result_of("C-01", where).blocks
    assert result_of("C-02", where).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("entra", "fix"), [(True, "az login"), (False, "az aks get-credentials -g shop -n blue")])
def test_an_api_server_that_lets_nobody_in(entra: bool, fix: str) -> None:
    where = scene(cluster(entra=entra), {DOOR: Door(refused="unauthorized (HTTP 401)")})
    assert fix in findings_of("C-02", where)[0].fix
    assert result_of("C-02", where).blocks
    assert passes("C-01", where)


def test_without_a_sign_in_nobody_knows_whether_the_api_server_answers() -> None:
    where = scene(seen={DOOR: Door(refused="no token", asked=False)})
    assert result_of("C-01", where).outcome is Outcome.UNKNOWN
    assert result_of("C-02", where).blocks


@pytest.mark.parametrize("right", ASKED, ids=str)
def test_a_right_that_lacks_is_told_once_with_the_role_and_how_to_see(right: Right) -> None:
    where = scene(seen={LACKING: frozenset({right})})
    theirs = "C-05" if right.resource == "secrets" and right.namespace == SYSTEM else "C-03"
    (finding,) = findings_of(theirs, where)
    assert str(right) in finding.what
    assert "RBAC Cluster Admin" in finding.fix
    assert f"kubectl auth can-i {right.verb} {right.resource}" in finding.fix
    assert result_of(theirs, where).blocks
    assert passes("C-03" if theirs == "C-05" else "C-05", where)


def test_a_right_that_lacks_everywhere_is_not_told_again_for_kube_system() -> None:
    where = scene(seen={LACKING: frozenset(r for r in ASKED if r.verb == "patch")})
    assert len(findings_of("C-03", where)) == 1
    assert passes("C-05", where)


def test_the_size_of_etcd_is_told_where_the_api_server_tells_it() -> None:
    (finding,) = findings_of("C-07", scene(seen=WELL))
    assert "3 MiB, and 7 Secrets" in finding.what
    assert result_of("C-07", scene(seen=WELL)).severity is Severity.INFO
    assert result_of("C-07", scene(seen=WELL | {STORAGE: Storage(0)})).outcome is Outcome.NOT_APPLICABLE
