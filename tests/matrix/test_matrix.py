"""The matrix itself: rows from calls, judgement of trials, the table and back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.az import Typed
from tests.matrix.calls import Call, Kind, Row, Service, rows
from tests.matrix.cells import cells, sample
from tests.matrix.failures import FAILURES, UNTOLD
from tests.matrix.scenes import SCENES
from tests.matrix.table import NOT_RUN, name, read, render
from tests.matrix.verdict import Trial, judge

_SUB = "/subscriptions/1b2c3d4e-0000-0000-0000-000000000000"
_AKS = f"{_SUB}/resourceGroups/lab/providers/Microsoft.ContainerService/managedClusters/one"


@pytest.mark.parametrize(
    ("target", "shown", "service"),
    [
        (f"{_AKS}?api-version=1", "GET ContainerService/managedClusters/{}", Service.ARM),
        (
            f"{_AKS}/upgradeProfiles/default?api-version=1",
            "GET ContainerService/managedClusters/{}/upgradeProfiles/default",
            Service.ARM,
        ),
        (
            f"{_SUB}/providers/Microsoft.ContainerService/locations/westeurope/operations/0",
            "GET ContainerService/locations/{}/operations/{}",
            Service.ARM,
        ),
        ("/keys/etcd/rotationpolicy?api-version=7.4", "GET /keys/{}/rotationpolicy", Service.VAULT),
        ("/1b2c3d4e-0000-0000-0000-000000000000/oauth2/v2.0/token", "GET /{}/oauth2/v2.0/token", Service.ENTRA),
        ("/api/v1/secrets?limit=500", "GET /api/v1/secrets", Service.KUBERNETES),
        ("/api/v1/namespaces/blue/secrets/red", "GET /api/v1/namespaces/{}/secrets/{}", Service.KUBERNETES),
        (
            "/api/v1/namespaces/kube-system/secrets/aks-kms-migrate-canary",
            "GET /api/v1/namespaces/kube-system/secrets/aks-kms-migrate-canary",
            Service.KUBERNETES,
        ),
        (
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/aks-kms-migrate",
            "GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/aks-kms-migrate",
            Service.KUBERNETES,
        ),
    ],
)
def test_names_and_ids_are_left_out_of_a_kind(target: str, shown: str, service: Service) -> None:
    kind = Kind.of("GET", target)
    assert (str(kind), kind.service) == (shown, service)


def _call(method: str, target: str, *, spoilt: bool = False, thread: str = "1") -> Call:
    return Call(thread, spoilt, method, target)


def test_a_new_kind_of_call_has_a_row_and_a_known_one_has_none_in_a_later_scene() -> None:
    first = rows("public", [_call("GET", _AKS), _call("PUT", _AKS), _call("GET", _AKS), _call("PUT", _AKS)])
    cluster, put = Kind.of("GET", _AKS), Kind.of("PUT", _AKS)
    assert first == [Row("public", 0, cluster), Row("public", 1, cluster), Row("public", 0, put), Row("public", 1, put)]
    assert rows("private", [_call("GET", _AKS), _call("GET", "/version")], first) == [
        Row("private", 0, Kind.of("GET", "/version"))
    ]


_SEGMENT = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)


@given(_SEGMENT, _SEGMENT, st.sampled_from(["", "?limit=500", "?continue=x%2Fy&limit=1"]))
def test_the_pattern_of_a_kind_takes_every_target_of_that_kind(namespace: str, secret: str, query: str) -> None:
    target = f"/api/v1/namespaces/{namespace}/secrets/{secret}{query}"
    kind = Kind.of("PATCH", target)
    assert re.fullmatch(kind.pattern, target)


@given(st.integers(min_value=1, max_value=60), st.text(max_size=10))
def test_a_sample_is_spread_over_the_rows_and_the_same_for_a_seed(size: int, seed: str) -> None:
    kinds = [Kind.of("GET", _AKS), Kind.of("PUT", _AKS), Kind.of("PATCH", "/api/v1/namespaces/a/secrets/b")]
    everything = cells([Row("public", 0, kind) for kind in kinds])
    taken = sample(everything, min(size, len(everything)), seed)
    assert taken == sample(everything, min(size, len(everything)), seed)
    assert [everything.index(cell) for cell in taken] == sorted(everything.index(cell) for cell in taken)
    if size >= 30:
        assert {cell.row for cell in taken} == {cell.row for cell in everything}


def test_the_words_of_a_failure_are_json_in_the_form_of_who_says_them() -> None:
    kinds = [Kind.of("PUT", _AKS), Kind.of("GET", "/keys/a/b"), Kind.of("PATCH", "/api/v1/namespaces/a/secrets/b")]
    for cell in cells([Row("public", 1, kind) for kind in kinds]):
        document = cell.failure.document(cell.row)
        assert json.loads(json.dumps(document)) == document
        if cell.failure.status:
            said = json.loads(document["body"])
            assert said.get("code") == cell.failure.status if cell.row.kind.service is Service.KUBERNETES else said


_VERIFIED = Typed(0, '{"verified": true}', "")
_V1 = {"version": "1.26", "providers": [{"kind": "kms", "apiVersion": "v1", "keyId": "k"}]}
_OFF = {"version": "1.26", "providers": [{"kind": "identity", "apiVersion": "", "keyId": ""}]}
_V2 = {"version": "1.27", "providers": [{"kind": "kms", "apiVersion": "v2", "keyId": "k"}]}
_GOOD = Trial(
    first=Typed(0, "{}", ""),
    calls=[_call("GET", "/version"), _call("GET", "/api/v1/nodes", spoilt=True), _call("GET", "/api/v1/secrets")],
    again=None,
    verified=_VERIFIED,
    forms={"kms-v1": 0, "kms-v2": 4, "plain": 0},
    before={"a/b": {"data": "1"}},
    after={"a/b": {"data": "1"}},
    operations=[{"change": "disable-kms", "status": "Succeeded"}],
    history=[_V1, _OFF, _OFF, _V2],
    changes={"disable-kms": 1},
)
_STOPPED = replace(_GOOD, first=Typed(1, "", "ERROR: KMSM204: You are not allowed."), again=Typed(0, "{}", ""))


def test_a_trial_that_ends_well_is_continued_or_retried() -> None:
    assert judge(_GOOD).word == "continued"
    asked_again = [_call("GET", "/a", spoilt=True), _call("GET", "/b", thread="2"), _call("GET", "/a")]
    assert judge(replace(_GOOD, calls=asked_again)).word == "retried"
    told = Typed(0, "{}", "WARNING: Azure could not be reached. Looking at what came of it.")
    assert judge(replace(_GOOD, first=told)).word == "retried"
    assert judge(replace(_GOOD, calls=[])).word == "not met"


def test_a_trial_that_stops_with_one_code_and_goes_on_is_stopped() -> None:
    assert judge(_STOPPED).word == "stopped KMSM204"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"first": Typed(1, "", "Traceback (most recent call last):")}, "traceback"),
        ({"first": Typed(1, "", "ERROR: KMSM902: The tool met a state that it does not know")}, "traceback"),
        ({"first": Typed(1, "", "ERROR: something went wrong")}, "wrong"),
        ({"first": Typed(1, "", "ERROR: KMSM204: no\nERROR: KMSM205: no")}, "wrong"),
        ({"first": Typed(-9, "", "")}, "wrong"),
        ({"first": Typed(0, UNTOLD, "")}, "wrong"),
        ({"again": Typed(1, "", "ERROR: KMSM204: no")}, "wrong"),
        ({"forms": {"kms-v1": 0, "kms-v2": 3, "plain": 1}}, "wrong"),
        ({"after": {}}, "wrong"),
        ({"after": {"a/b": {"data": "2"}}}, "wrong"),
        ({"verified": Typed(11, '{"verified": false}', "")}, "wrong"),
        ({"operations": [{"change": "disable-kms", "status": "Succeeded"}] * 2}, "wrong"),
        ({"operations": [{"change": "reconcile", "status": "Succeeded"}]}, "wrong"),
        ({"history": [_V1, _OFF, _V1, _OFF, _V2]}, "wrong"),
    ],
)
def test_whatever_is_not_right_is_told(change: dict[str, Any], word: str) -> None:
    verdict = judge(replace(_STOPPED, **change))
    assert (verdict.word, verdict.good) == (word, False)


def test_the_table_reads_back_as_it_was_written() -> None:
    made = [Row(scene.name, 0, Kind.of(method, _AKS)) for scene in SCENES for method in ("GET", "PUT")][:2]
    everything = cells(made)
    words = {str(cell): f"stopped KMSM{100 + number}" for number, cell in enumerate(everything[:-1])}
    found = read(render(made, words))
    assert found == {name(cell): words.get(str(cell), NOT_RUN) for cell in everything}
    assert {failure.name for failure in FAILURES} >= {column for _, _, column in found}
