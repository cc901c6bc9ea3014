"""The plan as a file: what may not be run, and how that is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azext_kmsmigrate import plan_store
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.migration.facts import KmsProfile, NodePool, SupportPlan
from azext_kmsmigrate.migration.plan import Goal, Situation, decide
from azext_kmsmigrate.migration.plan_file import PlanFile, PlanFileUnreadableError, facts_of, from_document, to_document
from tests.unit.situations import NAME, OFF, OTHER_KEY, cluster, journal, offers, pool, situation, v

SEEN = situation(cluster(supported=False), offers("1.27.1", "1.27.9"))


def facts(seen: Situation, goal: Goal = Goal()) -> dict[str, Any]:  # noqa: B008 a frozen value
    return facts_of(seen, decide(seen, goal))


FILE = PlanFile(Goal("1.27", support_plan=SupportPlan.LONG_TERM, tier="premium"), facts(SEEN), {"pending": True})


def test_what_was_written_is_read_back_from_disk(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    plan_store.save(path, FILE)
    assert plan_store.load(path, NAME) == FILE


def test_the_same_facts_are_no_change() -> None:
    assert FILE.changes(facts(SEEN)) == ()


CHANGES: list[tuple[str, Situation, str]] = [
    (
        "version",
        situation(cluster("1.26.16", supported=False), SEEN.offers),
        "kubernetesVersion (was 1.26.15, is 1.26.16)",
    ),
    ("KMS turned off", situation(cluster(kms=OFF, supported=False), SEEN.offers), "kms.enabled (was True, is False)"),
    (
        "another key",
        situation(cluster(kms=KmsProfile(True, OTHER_KEY), supported=False), SEEN.offers),
        f"is {OTHER_KEY})",
    ),
    ("an offer gone", situation(SEEN.cluster, offers("1.27.1")), "offered (was 1.27.1, 1.27.9, is 1.27.1)"),
    (
        "a pool more",
        situation(replace(SEEN.cluster, pools=(*SEEN.cluster.pools, pool(name="new"))), SEEN.offers),
        "nodePools.new.version (was nothing, is 1.26.15)",
    ),
    ("support", situation(replace(SEEN.cluster, supported=True), SEEN.offers), "supported (was False, is True)"),
    (
        "identity",
        situation(replace(SEEN.cluster, identity="None"), SEEN.offers),
        "identity (was UserAssigned, is None)",
    ),
    (
        "another cluster",
        situation(replace(SEEN.cluster, name=replace(SEEN.cluster.name, resource_id="/x"))),
        "cluster (was",
    ),
    ("a run begun since", replace(SEEN, journal=journal()), "journal.startedAt (was nothing, is 2026-01-31T09:00:00Z)"),
]


@pytest.mark.parametrize(("seen", "said"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_fact_that_has_changed_is_named_with_what_it_was_and_is(seen: Situation, said: str) -> None:
    assert said in "; ".join(FILE.changes(facts(seen)))


def _more_nodes(p: NodePool) -> NodePool:
    return replace(p, count=p.count + 1, state="Upgrading")


@pytest.mark.parametrize(
    "same",
    [
        replace(SEEN.cluster, etag="another"),
        replace(SEEN.cluster, state="Updating"),
        replace(SEEN.cluster, pools=tuple(map(_more_nodes, SEEN.cluster.pools))),
        replace(SEEN.cluster, name=replace(SEEN.cluster.name, resource_id=SEEN.cluster.name.resource_id.upper())),
    ],
)
def test_what_comes_and_goes_by_itself_is_no_change(same: Any) -> None:
    assert FILE.changes(facts(replace(SEEN, cluster=same))) == ()


def test_the_goal_and_what_was_shown_belong_to_the_digest() -> None:
    others = [replace(FILE, goal=Goal("1.28")), replace(FILE, shown={}), replace(FILE, facts={})]
    assert len({FILE.digest, *(other.digest for other in others)}) == 4


DAMAGE: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("a list", lambda d: [], "not written by"),
    ("another document", lambda d: {"cluster": {}, "schemaVersion": 1}, "not written by"),
    ("a later version", lambda d: {**d, "schemaVersion": 2}, "its schemaVersion is 2, and this version knows 1 only"),
    ("no version", lambda d: {k: x for k, x in d.items() if k != "schemaVersion"}, "schemaVersion is None"),
    ("no goal", lambda d: {k: x for k, x in d.items() if k != "goal"}, "missing or malformed"),
    ("a goal that is none", lambda d: {**d, "goal": {**d["goal"], "supportPlan": "?"}}, "missing or malformed"),
    (
        "another goal",
        lambda d: {**d, "goal": {**d["goal"], "kubernetesVersion": "1.28"}},
        "changed after it was written",
    ),
    ("other facts", lambda d: {**d, "facts": {**d["facts"], "supported": True}}, "changed after it was written"),
    ("another plan shown", lambda d: {**d, "plan": {}}, "changed after it was written"),
    ("another digest", lambda d: {**d, "digest": "sha256:0"}, "changed after it was written"),
    ("a field more", lambda d: {**d, "approvedBy": "x"}, "changed after it was written"),
]


@pytest.mark.parametrize(("damage", "reason"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE])
def test_what_is_no_plan_as_it_was_written_is_told_in_words(
    damage: Callable[[dict[str, Any]], object], reason: str, tmp_path: Path
) -> None:
    document = damage(json.loads(json.dumps(to_document(FILE))))
    with pytest.raises(PlanFileUnreadableError, match=reason):
        from_document(document)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    with pytest.raises(Refused, match=f"KMSM522.*{reason}"):
        plan_store.load(str(path), NAME)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000])
def test_what_is_not_json_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(Refused, match=r"KMSM522.*not JSON") as told:
        plan_store.load(str(path), NAME)
    assert told.value.fix == f"Make a new one: az aks kms-migrate plan -g shop -n blue --out {path}"


def test_a_binary_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Refused, match="KMSM522"):
        plan_store.load(str(path), NAME)


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"KMSM521.*read.*No such file"):
        plan_store.load(str(tmp_path / "none.json"), NAME)
    with pytest.raises(Refused, match=r"KMSM521.*written.*No such file"):
        plan_store.save(str(tmp_path / "no" / "plan.json"), FILE)
    with pytest.raises(Refused, match=r"KMSM521.*written"):
        plan_store.save(str(tmp_path), FILE)


def test_the_facts_name_the_hops_and_the_steps() -> None:
    found = facts(situation(cluster(supported=True), offers("1.27.1", onward={"1.27.1": ["1.28.3"]})), Goal("1.28"))
    assert found["hops"] == ["1.27.1, ControlPlane", "1.28.3, ControlPlane"]
    assert found["steps"][-1] == "upgrade-node-pools"
    assert found["kubernetesVersion"] == str(v("1.26.15"))
