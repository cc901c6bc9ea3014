"""U-01 to U-18: each where it fails and where it passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.deprecated_api import DEPRECATED_APIS, DeprecatedApi
from azext_kmsmigrate.checks.disruption import BUDGETS, Budget
from azext_kmsmigrate.checks.maintenance import WINDOWS, Window
from azext_kmsmigrate.checks.node import NODES
from azext_kmsmigrate.checks.pod_security import POLICIES
from azext_kmsmigrate.checks.pool import POOLS, Pool
from azext_kmsmigrate.checks.profile import PROFILE, Profile
from azext_kmsmigrate.checks.quota import COMPUTE, Compute, Usage, VmSize
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.subnet import SUBNETS, Subnet
from azext_kmsmigrate.checks.suite import CheckResult, Outcome
from azext_kmsmigrate.checks.volume import VOLUMES, Volume
from azext_kmsmigrate.checks.webhook import WEBHOOKS, Rule, Webhook
from azext_kmsmigrate.migration.facts import Offers, SupportPlan
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.plan import Goal
from tests.unit.situations import OFF, cluster, offers, pool, v
from tests.unit.upgrade_scenes import NOW, result, scene

V2 = cluster("1.27.1")  # nothing is left to upgrade


def assert_passes(id_: str, seen: Scene) -> None:
    assert result(id_, seen).outcome is Outcome.PASSED


def assert_fails(id_: str, seen: Scene, *words: str, severity: Severity = Severity.BLOCK) -> CheckResult:
    """One finding that names its object and says what to type."""
    found = result(id_, seen)
    assert found.outcome is Outcome.FAILED
    assert len(found.findings) == 1
    assert found.severity is severity
    finding = found.findings[0]
    text = f"{finding.subject}: {finding.what} {finding.fix}"
    for word in words:
        assert word in text
    return found


def does_not_apply(id_: str, seen: Scene) -> bool:
    return result(id_, seen).outcome is Outcome.NOT_APPLICABLE


# U-01, U-02, U-18: versions


def test_a_way_that_is_offered() -> None:
    assert_passes("U-01", scene())
    two_hops = offers("1.26.3", onward={"1.26.3": ["1.27.1"]})
    assert_passes("U-01", scene(facts=cluster("1.25.11"), offered=two_hops))


@pytest.mark.parametrize("offered", [offers(), offers("1.26.16"), offers("1.26.16", onward={"1.26.16": ["1.26.17"]})])
def test_no_way_to_kms_v2_blocks(offered: Any) -> None:
    assert_fails("U-01", scene(offered=offered), "cluster 'blue'", "az aks get-upgrades -g shop -n blue")


@pytest.mark.parametrize("id_", ["U-01", "U-18"])
def test_offers_that_nobody_could_read_are_not_taken_for_none(id_: str) -> None:
    found = result(id_, scene(offered=Offers(seen=False)))
    assert (found.outcome, found.findings) == (Outcome.UNKNOWN, ())
    assert found.permission == "Microsoft.ContainerService/managedClusters/upgradeProfiles/read"


def test_a_cluster_that_has_kms_v2s_version_needs_no_way() -> None:
    assert does_not_apply("U-01", scene(facts=cluster("1.27.1", kms=OFF)))


def test_a_version_that_is_asked_for_and_offered() -> None:
    assert_passes("U-02", scene(goal=Goal("1.27.1")))
    assert does_not_apply("U-02", scene())


def test_a_version_that_is_asked_for_and_not_offered_blocks_and_names_one_that_is() -> None:
    assert_fails("U-02", scene(goal=Goal("1.28.5")), "Kubernetes 1.28.5", "-g shop -n blue -k 1.27.1")


def under(tier: str, plan: SupportPlan, target: str, goal: Goal | None = None) -> Scene:
    """1.27 is under long term support only, 1.34 under both plans."""
    offered = offers(target, plans={"1.27": "lts", "1.34": "both"})
    return scene(facts=cluster(support_plan=plan, tier=tier), offered=offered, goal=goal)


COMMUNITY, LONG_TERM = SupportPlan.COMMUNITY, SupportPlan.LONG_TERM


@pytest.mark.parametrize(
    ("tier", "plan", "target"),
    [("Free", COMMUNITY, "1.34.4"), ("Premium", LONG_TERM, "1.27.1"), ("Premium", LONG_TERM, "1.34.4")],
)
def test_a_support_plan_that_has_the_version(tier: str, plan: SupportPlan, target: str) -> None:
    assert_passes("U-18", under(tier, plan, target))


def test_a_version_under_long_term_support_only_blocks_without_it() -> None:
    words = ("Kubernetes 1.27.1", "--tier premium --k8s-support-plan AKSLongTermSupport")
    assert_fails("U-18", under("Standard", COMMUNITY, "1.27.1"), *words)


def test_long_term_support_that_is_asked_for_goes_with_the_upgrade() -> None:
    asked = under("Standard", COMMUNITY, "1.27.1", Goal(support_plan=LONG_TERM, tier="premium"))
    for id_ in ("U-01", "U-18"):
        assert_passes(id_, asked)


def test_a_way_under_long_term_support_only_is_a_way() -> None:
    assert_passes("U-01", under("Standard", COMMUNITY, "1.27.1"))


def test_long_term_support_without_its_tier_blocks() -> None:
    assert_fails("U-18", under("Standard", LONG_TERM, "1.27.1"), "az aks update", "--tier premium")


# U-03, U-04, U-05, U-10, U-17: pools


def test_pools_that_fit() -> None:
    assert_passes("U-03", scene(facts=cluster("1.26.15", pools=(pool("1.26.15"), pool("1.24.9", name="user")))))


def test_a_pool_newer_than_the_control_plane_blocks() -> None:
    facts = cluster("1.26.3", pools=(pool("1.26.15"),))
    assert_fails("U-03", scene(facts=facts), "node pool 'system'", "az aks upgrade -g shop -n blue", "1.26.15")


def test_a_pool_too_far_behind_is_told() -> None:
    facts = cluster("1.26.15", pools=(pool("1.23.8", name="old"),))
    assert_fails("U-03", scene(facts=facts), "az aks nodepool upgrade", "-n old", severity=Severity.WARN)


def pools(*found: Pool, profile: Profile | None = None, **more: Any) -> Scene:
    return scene({POOLS: found, PROFILE: profile or Profile()}, **more)


USER = Pool("user", v("1.26.15"), 10, vm_size="Standard_D4s_v5", max_pods=30)


def test_an_availability_set_is_told() -> None:
    assert_passes("U-04", pools(USER))
    found = pools(replace(USER, kind="AvailabilitySet"))
    assert_fails("U-04", found, "node pool 'user'", "--migrate-vmas-to-vms", severity=Severity.WARN)


@pytest.mark.parametrize(("target", "fails"), [("1.33.1", True), ("1.32.9", False)])
def test_windows_2019_ends_with_1_33(target: str, fails: bool) -> None:
    found = pools(replace(USER, os_sku="Windows2019"), offered=offers(target))
    if fails:
        assert_fails("U-05", found, "node pool 'user'", "az aks nodepool add", "Windows2022")
    else:
        assert_passes("U-05", found)


def test_a_retired_linux_and_a_snapshot_are_told() -> None:
    assert_fails("U-05", pools(replace(USER, os_sku="CBLMariner")), "--os-sku AzureLinux", severity=Severity.WARN)
    assert_fails("U-05", pools(replace(USER, snapshot=True)), "snapshot", severity=Severity.INFO)
    assert does_not_apply("U-05", pools(USER, facts=V2))


def test_an_autoscaler_at_its_end_is_told() -> None:
    assert_passes("U-10", pools(USER, replace(USER, nodes_at_most=11)))
    at_end = pools(replace(USER, nodes_at_most=10))
    assert_fails("U-10", at_end, "node pool 'user'", "--max-count 11", severity=Severity.INFO)


def test_pools_that_are_not_upgraded_like_the_others_are_told() -> None:
    assert_passes("U-17", pools(USER))
    assert_fails("U-17", pools(replace(USER, mode="Machines")), "az aks machine list", severity=Severity.WARN)
    assert_fails("U-17", pools(replace(USER, spot=True)), "node pool 'user'", severity=Severity.INFO)
    automatic = pools(USER, profile=Profile(node_provisioning="Auto"))
    assert_fails("U-17", automatic, "node provisioning", severity=Severity.INFO)


@pytest.mark.parametrize(
    ("surge", "version", "count", "extra"),
    [
        ("", "1.27.1", 10, 1),
        ("", "1.32.1", 10, 1),
        ("", "1.32.1", 11, 2),
        ("33%", "1.27.1", 10, 4),
        ("3", "1.27.1", 10, 3),
        ("0", "1.27.1", 10, 0),
        ("5", "1.27.1", 2, 2),
        ("10%", "1.27.1", 0, 0),
    ],
)
def test_surge_is_a_number_or_a_share_rounded_up(surge: str, version: str, count: int, extra: int) -> None:
    assert replace(USER, surge=surge, count=count).extra_nodes(v(version)) == extra


# U-08: room

SIZES = {"standard_d4s_v5": VmSize("standardDSv5Family", 4)}
MINE = "/subscriptions/s/x/virtualNetworks/net/subnets/nodes"


def room(*found: Pool, free_family: int = 100, free: int = 100, used: int = 0, profile: Profile | None = None) -> Scene:
    usages = {
        "cores": Usage("cores", "Total Regional vCPUs", 100 - free, 100),
        "standarddsv5family": Usage("standardDSv5Family", "Standard DSv5 Family vCPUs", 100 - free_family, 100),
        "lowprioritycores": Usage("lowPriorityCores", "Total Regional Low-priority vCPUs", 100, 100),
    }
    return scene(
        {
            POOLS: found,
            PROFILE: profile or Profile(network_plugin="azure"),
            COMPUTE: Compute(usages, SIZES),
            SUBNETS: {MINE.lower(): Subnet(MINE, 256, used)},
        }
    )


def test_quota_that_holds_what_is_added() -> None:
    assert_passes("U-08", room(USER, free=4, free_family=4))
    assert_passes("U-08", room(replace(USER, surge="0"), free=0))


def test_quota_that_does_not_hold_one_pool_blocks_with_the_command_that_adds_fewer() -> None:
    found = room(replace(USER, surge="33%"), free_family=15)
    assert_fails("U-08", found, "Standard DSv5 Family vCPUs", "'user' alone needs 16 cores", "--max-surge 1")
    assert_fails("U-08", room(USER, free=3), "Total Regional vCPUs", "--max-surge 0 --max-unavailable 1")


def test_quota_that_does_not_hold_all_pools_at_once_is_told() -> None:
    found = room(USER, replace(USER, name="more"), free=7)
    assert_fails("U-08", found, "need 8 cores", severity=Severity.WARN)


def test_spot_nodes_count_against_a_quota_of_their_own() -> None:
    assert_fails("U-08", room(replace(USER, spot=True)), "Low-priority")


@pytest.mark.parametrize(
    ("profile", "pod_subnet", "needed"),
    [
        (Profile(network_plugin="azure"), "", 31),
        (Profile(network_plugin="azure", network_mode="overlay"), "", 1),
        (Profile(network_plugin="kubenet"), "", 1),
        (Profile(network_plugin="azure"), "/elsewhere", 1),
    ],
)
def test_a_subnet_holds_the_nodes_and_with_flat_networks_their_pods(
    profile: Profile, pod_subnet: str, needed: int
) -> None:
    mine = replace(USER, subnet_id=MINE, pod_subnet_id=pod_subnet)
    assert_passes("U-08", room(mine, used=256 - 5 - needed, profile=profile))
    full = room(mine, used=256 - 5 - needed + 1, profile=profile)
    assert_fails("U-08", full, "subnet 'nodes'", f"needs {needed} addresses", "--max-surge 0")


def test_a_network_that_aks_made_is_not_looked_at() -> None:
    seen = room(USER)
    assert_passes("U-08", replace(seen, seen={k: a for k, a in seen.seen.items() if k is not SUBNETS}))
    unseen = replace(seen, seen={k: a for k, a in seen.seen.items() if k is not COMPUTE})
    assert result("U-08", unseen).outcome is Outcome.UNKNOWN


# U-06: PodDisruptionBudgets


def budgets(*found: Budget, goal: Goal | None = None) -> Scene:
    return scene({BUDGETS: found}, goal=goal)


@pytest.mark.parametrize(
    "budget",
    [
        Budget("shop", "cart", max_unavailable="0", expected=2, desired=2),
        Budget("shop", "cart", max_unavailable="0%"),
        Budget("shop", "cart", min_available="2", expected=2, desired=2),
        Budget("shop", "cart", min_available="100%", expected=3, desired=3),
        Budget("shop", "cart", min_available="5", expected=2, desired=5),
    ],
)
def test_a_budget_that_never_lets_a_pod_go_blocks_unless_forced(budget: Budget) -> None:
    words = ("PodDisruptionBudget shop/cart", "kubectl -n shop patch pdb cart", "--force-upgrade-until")
    assert_fails("U-06", budgets(budget), *words)
    forced = Goal(force_until=NOW + timedelta(days=1))
    assert_fails("U-06", budgets(budget, goal=forced), *words, severity=Severity.WARN)


def test_a_budget_that_lets_none_go_just_now_is_told() -> None:
    now = Budget("shop", "cart", min_available="1", expected=2, desired=1, allowed=0)
    assert_fails("U-06", budgets(now), "kubectl -n shop describe pdb cart", severity=Severity.WARN)


def test_budgets_that_let_pods_go_and_those_of_aks_pass() -> None:
    assert_passes(
        "U-06",
        budgets(
            Budget("shop", "cart", min_available="1", expected=2, desired=1, allowed=1),
            Budget("shop", "none", min_available="1"),
            Budget("kube-system", "coredns-pdb", min_available="1", expected=2, desired=1, allowed=0),
        ),
    )
    assert does_not_apply("U-06", scene({BUDGETS: ()}, facts=V2))


def test_a_budget_of_none_is_in_the_way_in_kube_system_too() -> None:
    none = Budget("kube-system", "agents", max_unavailable="0", expected=2)
    assert_fails(
        "U-06", budgets(none), "PodDisruptionBudget kube-system/agents", "kubectl -n kube-system patch pdb agents"
    )


# U-07: deprecated APIs


def asked_for(*found: DeprecatedApi, **more: Any) -> Scene:
    return scene({DEPRECATED_APIS: found}, **more)


CAPACITY = DeprecatedApi("storage.k8s.io", "v1beta1", "csistoragecapacities", (1, 27))
FLOW = DeprecatedApi("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", (1, 32))


def test_an_api_that_the_upgrade_takes_away_blocks_unless_forced() -> None:
    words = ("API csistoragecapacities.v1beta1.storage.k8s.io", "1.27", "--force-upgrade-until")
    assert_fails("U-07", asked_for(CAPACITY), *words)
    forced = Goal(force_until=NOW + timedelta(days=1))
    assert_fails("U-07", asked_for(CAPACITY, goal=forced), *words, severity=Severity.WARN)


@pytest.mark.parametrize("removed", [(1, 26), (1, 28)])
def test_an_api_that_went_before_or_goes_later_passes(removed: tuple[int, int]) -> None:
    assert_passes("U-07", asked_for(replace(CAPACITY, removed_in=removed)))


def test_a_jump_crosses_every_minor_version_on_the_way() -> None:
    for line in ((1, 27), (1, 29), (1, 32)):
        jump = asked_for(replace(CAPACITY, removed_in=line), offered=offers("1.34.4"))
        assert_fails("U-07", jump, f"{line[0]}.{line[1]}")


def test_an_api_that_api_servers_ask_for_themselves_is_told_only() -> None:
    jump = asked_for(FLOW, offered=offers("1.34.4"))
    assert_fails("U-07", jump, "flowschemas.v1beta3", "kubectl get", severity=Severity.WARN)


# U-09: nodes


@pytest.mark.parametrize(
    ("node", "word"),
    [
        (Node("aks-user-0", cordoned=True), "kubectl uncordon aks-user-0"),
        (Node("aks-user-0", ready=False), "kubectl describe node aks-user-0"),
        (Node("aks-user-0", cordoned=True, quarantined=True), "spec.nodeName=aks-user-0"),
    ],
)
def test_a_node_that_is_unfit_is_told(node: Node, word: str) -> None:
    assert_passes("U-09", scene({NODES: (Node("aks-user-1"),)}))
    assert_fails("U-09", scene({NODES: (node,)}), "node aks-user-0", word, severity=Severity.WARN)


# U-11: webhooks

PODS = (Rule(("",), ("pods",), ("CREATE",)),)
EVERYTHING = (Rule(("*",), ("*",), ("*",)),)
SECRETS = (Rule(("",), ("secrets", "configmaps"), ("CREATE", "UPDATE")),)
NOT_KUBE_SYSTEM = (("kubernetes.io/metadata.name", ("kube-system",)),)


def hook(rules: tuple[Rule, ...], **more: Any) -> Scene:
    made = Webhook("ValidatingWebhookConfiguration", "guard", "guard.example.com", True, rules)
    return scene({WEBHOOKS: (replace(made, **more),)})


def test_a_required_webhook_on_secrets_or_on_pods_of_kube_system_is_told() -> None:
    words = ("ValidatingWebhookConfiguration guard", "kubectl edit validatingwebhookconfiguration guard")
    assert_fails("U-11", hook(SECRETS), "no Secret can be rewritten", *words, severity=Severity.WARN)
    assert_fails("U-11", hook(PODS), "kube-system", *words, severity=Severity.WARN)
    assert len(result("U-11", hook(EVERYTHING)).findings) == 2
    own = hook(PODS, shuns=NOT_KUBE_SYSTEM, service_namespace="guards")
    assert_fails("U-11", own, "new pods of guards", severity=Severity.WARN)


@pytest.mark.parametrize(
    "passing",
    [
        hook(EVERYTHING, required=False),
        hook(PODS, shuns=NOT_KUBE_SYSTEM),
        hook(PODS, needs=(("inject", ("enabled",)),)),
        hook((Rule(("cert-manager.io",), ("*",), ("*",)),)),
        hook(EVERYTHING, configuration="aks-webhook-admission-controller"),
    ],
)
def test_webhooks_that_stop_nothing_pass(passing: Scene) -> None:
    assert_passes("U-11", passing)


# U-12, U-13, U-16: the cluster's own settings


def test_automatic_upgrades_are_told_with_their_window() -> None:
    assert_passes("U-12", scene({PROFILE: Profile(), WINDOWS: ()}))
    stable = Profile(upgrade_channel="stable")
    found = scene({PROFILE: stable, WINDOWS: (Window("aksManagedAutoUpgradeSchedule", "02:00"),)})
    assert_fails("U-12", found, "02:00", "--auto-upgrade-channel none", severity=Severity.WARN)
    assert_fails("U-12", scene({PROFILE: stable, WINDOWS: ()}), "no maintenance window", severity=Severity.WARN)


def test_a_service_principal_is_told() -> None:
    assert_passes("U-13", scene({PROFILE: Profile()}))
    found = scene({PROFILE: Profile(service_principal="app-1")})
    assert_fails("U-13", found, "service principal app-1", "az aks update-credentials", severity=Severity.WARN)


def test_a_firewall_of_the_users_own_is_told() -> None:
    assert_passes("U-16", scene({PROFILE: Profile()}))
    found = scene({PROFILE: Profile(outbound_type="userDefinedRouting")})
    assert_fails("U-16", found, "userDefinedRouting", "https://", severity=Severity.INFO)


# U-14, U-15: what older versions left behind

OLD = Volume("pv-1", "shop/data", ("failure-domain.beta.kubernetes.io/zone",))


def test_a_volume_with_the_old_labels_blocks_on_the_way_over_1_26_and_is_told_later() -> None:
    assert_passes("U-14", scene({VOLUMES: (Volume("pv-1"),)}))
    words = ("PersistentVolume pv-1 (claim shop/data)", "kubectl get pv pv-1")
    crossing = scene({VOLUMES: (OLD,)}, facts=cluster("1.25.11"))
    assert_fails("U-14", crossing, *words)
    assert_fails("U-14", scene({VOLUMES: (OLD,)}), *words, severity=Severity.WARN)


def test_pod_security_policies_block_when_enforced_and_are_told_otherwise() -> None:
    old: dict[str, Any] = {"facts": cluster("1.24.9"), "offered": offers("1.27.1")}
    assert_passes("U-15", scene({PROFILE: Profile(), POLICIES: ()}, **old))
    enforced = scene({PROFILE: Profile(pod_security_policy=True), POLICIES: ("a",)}, **old)
    assert_fails("U-15", enforced, "--disable-pod-security-policy")
    left = scene({PROFILE: Profile(), POLICIES: tuple("abcdefg")}, **old)
    assert_fails("U-15", left, "and 2 more", "kubectl get psp", severity=Severity.WARN)
    assert does_not_apply("U-15", scene())
