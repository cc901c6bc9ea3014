"""Which version comes next, from what is offered."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.migration.facts import SupportPlan
from azext_kmsmigrate.migration.upgrade_path import ANY_KMS_V2, Hop, Target, hops, next_hop
from azext_kmsmigrate.migration.version import KubernetesVersion
from tests.unit.situations import cluster, offers, pool, v

ONWARD = {
    "1.26.15": ["1.27.1"],
    "1.27.1": ["1.27.9", "1.28.3"],
    "1.27.9": ["1.28.3"],
    "1.28.3": ["1.28.4", "1.29.2"],
    "1.29.2": ["1.30.1"],
}
HOPS = [
    ("one jump", "1.26.15", ["1.34.4"], "", "1.34.4"),
    ("the newest patch of the lowest minor that has KMS v2", "1.26.15", ["1.27.1", "1.27.9", "1.28.3"], "", "1.27.9"),
    ("the patch asked for, though a newer is offered", "1.26.15", ["1.27.1", "1.27.9"], "1.27.1", "1.27.1"),
    ("the newest patch of the minor asked for", "1.26.15", ["1.27.1", "1.28.1", "1.28.4"], "1.28", "1.28.4"),
    ("a hop below the target", "1.26.15", ["1.27.1", "1.27.9"], "1.28.3", "1.27.9"),
    ("a hop below KMS v2", "1.25.11", ["1.26.3", "1.26.15"], "", "1.26.15"),
    ("a hop several hops below the target", "1.26.15", ["1.27.1"], "1.30.1", "1.27.1"),
    ("no hop that leads nowhere", "1.26.15", ["1.27.7"], "1.28.3", None),
    ("the hop that leads on, though a later does not", "1.26.15", ["1.27.1", "1.27.10"], "1.28.3", "1.27.1"),
    ("no hop towards a version that nobody offers", "1.26.15", ["1.27.1"], "1.28.9", None),
    ("never past the patch asked for", "1.26.15", ["1.27.9"], "1.27.1", None),
    ("never past the minor asked for", "1.26.15", ["1.28.3"], "1.27", None),
    ("nothing offered", "1.26.15", [], "", None),
    ("only a newer patch of the same minor below the target", "1.26.3", ["1.26.15"], "", "1.26.15"),
    ("never down", "1.28.3", ["1.27.9", "1.28.1"], "1.29", None),
    ("1.10 is later than 1.9", "1.26.15", ["1.27.9", "1.27.10"], "1.27", "1.27.10"),
]


@pytest.mark.parametrize(("version", "offered", "target", "hop"), [h[1:] for h in HOPS], ids=[h[0] for h in HOPS])
def test_the_next_hop(version: str, offered: list[str], target: str, hop: str | None) -> None:
    found = next_hop(cluster(version), offers(*offered, onward=ONWARD), Target.parse(target))
    assert (str(found.version) if found else None) == hop


def _whole(version: str, hop: str, pools: tuple[str, ...], *, supported: bool | None, kind: str = "") -> bool:
    seen = cluster(version, pools=tuple(pool(p, kind=kind) for p in pools), supported=supported)
    found = next_hop(seen, offers(hop), ANY_KMS_V2)
    assert found is not None
    return found.whole


def test_a_supported_cluster_goes_control_plane_first() -> None:
    assert not _whole("1.26.15", "1.27.1", ("1.26.15", "1.26.15"), supported=True)


@pytest.mark.parametrize("supported", [False, None])
def test_a_cluster_that_is_not_known_to_be_supported_goes_as_a_whole(supported: bool | None) -> None:
    assert _whole("1.26.15", "1.27.1", ("1.26.15",), supported=supported)


def test_a_jump_over_minor_versions_is_of_the_whole_cluster() -> None:
    assert _whole("1.26.15", "1.28.3", ("1.26.15",), supported=True)


def test_an_availability_set_goes_with_the_control_plane() -> None:
    assert _whole("1.26.15", "1.27.1", ("1.26.15",), supported=True, kind="AvailabilitySet")


@pytest.mark.parametrize(
    ("version", "hop", "of_pool", "whole"),
    [
        ("1.26.15", "1.27.1", "1.25.11", False),
        ("1.26.15", "1.27.1", "1.24.9", True),
        ("1.27.1", "1.28.3", "1.25.11", False),
        ("1.27.1", "1.28.3", "1.24.9", True),
    ],
)
def test_kubelets_may_be_two_minors_behind_and_three_from_1_28_on(
    version: str, hop: str, of_pool: str, whole: bool
) -> None:
    assert _whole(version, hop, (version, of_pool), supported=True) is whole


@pytest.mark.parametrize(
    ("typed", "shown"), [("", "1.27 or later"), ("1.27", "1.27"), ("1.27.1", "1.27.1"), ("1.30", "1.30")]
)
def test_a_target_is_shown_and_kept_as_it_was_typed(typed: str, shown: str) -> None:
    target = Target.parse(typed)
    assert (str(target), target.as_typed, Target.parse(target.as_typed)) == (shown, typed, target)


def test_a_named_minor_is_not_the_open_target() -> None:
    assert Target.parse("1.27") != ANY_KMS_V2


@pytest.mark.parametrize(
    ("target", "version", "reached"),
    [("", "1.26.15", False), ("", "1.27.0", True), ("1.27.3", "1.27.1", False), ("1.27.3", "1.28.0", True)],
)
def test_a_target_is_reached_by_it_or_anything_later(target: str, version: str, reached: bool) -> None:
    assert Target.parse(target).reached_by(KubernetesVersion.parse(version)) is reached


def test_hops_are_values() -> None:
    assert Hop(v("1.27.1"), whole=True) == Hop(v("v1.27.1"), whole=True)


# all hops


def test_all_hops_are_listed_to_the_target_and_no_further() -> None:
    found = hops(cluster("1.26.15", supported=True), offers("1.27.1", onward=ONWARD), Target.parse("1.29"))
    assert [str(hop.version) for hop in found] == ["1.27.1", "1.28.3", "1.29.2"]
    assert not any(hop.whole for hop in found)


def test_the_jump_of_a_cluster_whose_way_by_single_versions_is_gone() -> None:
    found = hops(cluster("1.25.11", supported=False), offers("1.34.4"), ANY_KMS_V2)
    assert [(str(hop.version), hop.whole) for hop in found] == [("1.34.4", True)]
    assert found[0].why == "AKS no longer supports 1.25, and takes an unsupported cluster over as a whole only"


def test_pools_that_would_fall_too_far_behind_go_with_a_later_hop() -> None:
    seen = cluster("1.26.15", pools=(pool("1.25.11"),), supported=True)
    found = hops(seen, offers("1.27.1", onward=ONWARD), Target.parse("1.29"))
    assert [(str(hop.version), hop.whole) for hop in found] == [("1.27.1", False), ("1.28.3", False), ("1.29.2", True)]
    assert "'system' would be more than 3 minor versions behind" in found[-1].why


def test_a_hop_from_an_unsupported_version_to_a_supported_one_is_whole_and_the_next_is_not() -> None:
    listed = offers("1.27.1", onward=ONWARD, plans={"1.27": "", "1.28": ""})
    found = hops(cluster("1.26.15", supported=False), listed, Target.parse("1.28"))
    assert [(str(hop.version), hop.whole) for hop in found] == [("1.27.1", True), ("1.28.3", False)]


# long term support

LTS, COMMUNITY = SupportPlan.LONG_TERM, SupportPlan.COMMUNITY
PLANS = {"1.27": "lts", "1.28": "both", "1.29": ""}
LONG_TERM = [
    ("closed without it", "1.26.15", ["1.27.1"], "", COMMUNITY, None),
    ("open with it, in the same request", "1.26.15", ["1.27.1"], "", LTS, [("1.27.1", LTS, False)]),
    ("passed over without it", "1.26.15", ["1.27.1", "1.28.3"], "", COMMUNITY, [("1.28.3", None, False)]),
    ("a minor that both plans have", "1.26.15", ["1.28.3"], "", LTS, [("1.28.3", LTS, False)]),
    ("no end on a minor without it", "1.26.15", ["1.29.2"], "", LTS, [("1.27.1", LTS, True)]),
    ("listed by the location only", "1.26.15", [], "", LTS, [("1.27.1", LTS, True)]),
    ("an offer rather than what is listed only", "1.26.15", ["1.28.3"], "", LTS, [("1.28.3", LTS, False)]),
    ("asked for by version, listed only", "1.26.15", ["1.28.3"], "1.27", LTS, [("1.27.9", LTS, True)]),
    (
        "a stepping stone keeps its plan",
        "1.25.11",
        ["1.26.15"],
        "",
        LTS,
        [("1.26.15", None, False), ("1.27.1", LTS, False)],
    ),
]


@pytest.mark.parametrize(
    ("version", "offered", "target", "plan", "way"), [r[1:] for r in LONG_TERM], ids=[r[0] for r in LONG_TERM]
)
def test_long_term_support(
    version: str,
    offered: list[str],
    target: str,
    plan: SupportPlan,
    way: list[tuple[str, SupportPlan | None, bool]] | None,
) -> None:
    onward = {"1.26.15": ["1.27.1"], "1.27.1": [], "1.28.3": []}
    if target:
        onward["1.27.9"] = []
    found = hops(
        cluster(version, supported=False), offers(*offered, onward=onward, plans=PLANS), Target.parse(target), plan
    )
    assert [(str(hop.version), hop.plan, hop.conditional) for hop in found] == (way or [])


def test_a_cluster_under_long_term_support_stays_there_without_being_asked_again() -> None:
    seen = cluster("1.27.1", supported=True, support_plan=LTS, tier="Premium")
    found = hops(seen, offers("1.28.3", "1.29.2", plans=PLANS), Target.parse("1.28"), LTS)
    assert [(str(hop.version), hop.plan) for hop in found] == [("1.28.3", None)]
    assert hops(seen, offers("1.29.2", plans=PLANS), Target.parse("1.29"), LTS) == ()


def test_a_supported_cluster_is_not_taken_over_several_minors_by_a_version_that_is_listed_only() -> None:
    listed = offers(onward={"1.28.3": []}, plans={"1.26": "", "1.28": "lts"})
    assert hops(cluster("1.26.15", supported=True), listed, ANY_KMS_V2, LTS) == ()
    assert hops(cluster("1.26.15", supported=False), listed, ANY_KMS_V2, LTS) != ()
