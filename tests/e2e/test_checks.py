"""The checks that ask the API server, on real ones: what is wrong is named, and KMS is not turned off over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az, Typed
from tests.e2e.permissions import limited
from tests.e2e.rewriting import checked, counted, forms, put_raw, real_lab
from tests.lab.administrator import administrator

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 60


@pytest.fixture(scope="module")
def lab_az(extensions: Path) -> Iterator[Az]:
    with real_lab(extensions, "checks", secrets=SECRETS, access="entra") as az:
        yield az


@pytest.fixture
def az(lab_az: Az) -> Iterator[Az]:
    yield lab_az
    assert lab_az.lab.puts() == []
    assert counted(lab_az.lab) == {"kms-v1": SECRETS}


def check(az: Az, check_id: str, *words: str) -> tuple[Typed, dict[str, Any]]:
    done = checked(az.migrate("check", *words))
    return done, next(found for found in done.document["checks"] if found["id"] == check_id)


def test_what_is_well_on_real_api_servers(az: Az) -> None:
    done = az.migrate("check")
    assert done.code == 0, done.stdout
    found = {c["id"]: c["outcome"] for c in done.document["checks"]}
    asked = ("C-01", "C-02", "C-03", "C-05", "C-06", "C-07", "K-09", "K-10")
    assert {found[check] for check in asked} == {"passed"}
    _, size = check(az, "C-07")
    assert f"{SECRETS} Secrets" in size["findings"][0]["what"]


@pytest.mark.parametrize("raw", [b"k8s:enc:kms:v1:gone:\x00\x01", b"k8s:enc:kms:v2:azurekmsprovider2:\x0a\x01"])
def test_secrets_that_no_key_decrypts_are_named_and_kms_stays_on(az: Az, raw: bytes) -> None:
    names = sorted(forms(az.lab))
    lost = [names[3], names[SECRETS // 2], names[-1]]
    for name in lost:
        put_raw(az.lab, name, raw)
    try:
        done, found = check(az, "K-10")
        assert done.code == 11
        assert [f["object"] for f in found["findings"]] == [f"Secret {name}" for name in lost]
        namespace, _, name = lost[0].partition("/")
        assert f"kubectl -n {namespace} delete secret {name}" in found["findings"][0]["fix"]
        for command in ("start", "disable-kms"):
            refused = az.migrate(command, "--yes")
            assert refused.code == 11, refused.stderr
            assert refused.document["problem"]["code"] == "KMSM115"
            assert lost[0] in refused.stderr
        done, found = check(az, "K-10", "--skip-check", "K-10", "C-04")  # the dry run meets them too
        assert (done.code, found["outcome"]) == (0, "skipped")
    finally:
        for name in lost:
            az.lab.fault("put-raw", name)


@pytest.mark.parametrize(("metrics", "size"), [(True, "passed"), (False, "unknown")])
def test_somebody_who_may_not_patch_in_a_namespace_is_told_so(az: Az, metrics: bool, size: str) -> None:
    with limited(az.lab, metrics=metrics, no_patch_in=["orders"]):
        done, found = check(az, "C-03")
        assert done.code == 11
        assert [f["what"] for f in found["findings"]] == ["You may not patch secrets in all namespaces."]
        assert "kubectl auth can-i patch secrets --all-namespaces" in found["findings"][0]["fix"]
        others = {c["id"]: c for c in done.document["checks"]}
        assert others["C-05"]["outcome"] == "passed"  # kube-system is one of those where it is allowed
        assert (others["C-07"]["outcome"], others["C-07"]["permission"]) == (size, "" if metrics else "get /metrics")
        assert az.migrate("start", "--yes").code == 11


def test_somebody_who_may_do_what_is_needed_and_no_more_passes(az: Az) -> None:
    with limited(az.lab, metrics=True):
        done = az.migrate("check")
        assert done.code == 0, done.stdout


def test_immutable_secrets_are_good_to_know(az: Az) -> None:
    secret = {"metadata": {"name": "frozen"}, "immutable": True}
    _, before = check(az, "C-06")
    with administrator(az.lab.endpoint()) as api:
        api.create("/api/v1/namespaces/default/secrets", secret)
        try:
            done, found = check(az, "C-06")
        finally:
            api.delete_if_present("/api/v1/namespaces/default/secrets/frozen")
    assert (done.code, found["outcome"], found["severity"]) == (0, "passed", "info")
    assert immutable(found) == immutable(before) + 1


def immutable(found: dict[str, Any]) -> int:
    return int(found["findings"][0]["what"].split()[0]) if found["findings"] else 0
