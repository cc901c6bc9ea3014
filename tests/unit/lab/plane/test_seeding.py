"""The Secrets that a lab begins with."""

from __future__ import annotations

import base64
import json
from collections import Counter

import pytest

from tests.lab.seeding import LAST_APPLIED, MARKER, MARKER_SIGHTINGS, fingerprint, secrets


def test_the_same_seed_gives_the_same_secrets() -> None:
    assert list(secrets(30, seed=7)) == list(secrets(30, seed=7))
    assert list(secrets(30, seed=7)) != list(secrets(30, seed=8))


def test_names_are_unique_and_namespaces_many() -> None:
    made = list(secrets(300))
    assert len({(one["metadata"]["namespace"], one["metadata"]["name"]) for one in made}) == 300
    assert len({one["metadata"]["namespace"] for one in made}) == 10


def test_sizes_types_and_traits_are_those_of_a_real_cluster() -> None:
    made = list(secrets(1000))
    sizes = Counter(round(sum(map(len, one["data"].values())) * 3 / 4, -3) > 10_000 for one in made)
    assert 60 <= sizes[True] <= 140
    assert {one["type"] for one in made} == {
        "Opaque",
        "kubernetes.io/tls",
        "kubernetes.io/dockerconfigjson",
        "helm.sh/release.v1",
    }
    assert sum(LAST_APPLIED in one["metadata"].get("annotations", {}) for one in made) == 334
    assert sum(one.get("immutable", False) for one in made) > 50
    assert sum("labels" in one["metadata"] for one in made) > 300


def test_last_applied_holds_the_data_again() -> None:
    made = next(secrets(1))
    applied = json.loads(made["metadata"]["annotations"][LAST_APPLIED])
    assert applied["data"] == made["data"]
    assert "annotations" not in applied["metadata"]


def test_image_pull_secrets_hold_valid_json() -> None:
    pulls = [one for one in secrets(50) if one["type"] == "kubernetes.io/dockerconfigjson"]
    assert pulls
    for pull in pulls:
        json.loads(base64.b64decode(pull["data"][".dockerconfigjson"]))


def test_every_value_holds_the_marker_and_is_sighted_in_base64() -> None:
    for one in secrets(50):
        for value in one["data"].values():
            assert MARKER in base64.b64decode(value).decode()
            assert any(sighting in value for sighting in MARKER_SIGHTINGS)


@pytest.mark.parametrize("lead", range(6))
def test_the_marker_is_sighted_at_any_alignment(lead: int) -> None:
    encoded = base64.b64encode(b"z" * lead + MARKER.encode() + b"00001-rest").decode()
    assert any(sighting in encoded for sighting in MARKER_SIGHTINGS)


def test_a_fingerprint_sees_each_field_and_not_the_resource_version() -> None:
    item = {
        "metadata": {"uid": "u", "labels": {"a": "b"}, "resourceVersion": "1"},
        "data": {"k": "dg=="},
        "type": "Opaque",
    }
    again = {**item, "metadata": {"uid": "u", "labels": {"a": "b"}, "resourceVersion": "2"}}
    assert fingerprint(item) == fingerprint(again)
    other = {**item, "data": {"k": "dw=="}}
    differing = {name for name, digest in fingerprint(other).items() if digest != fingerprint(item)[name]}
    assert differing == {"data"}
