"""What the user is told besides the steps."""

from __future__ import annotations

from dataclasses import replace

from azext_kmsmigrate.migration.advice import manual, warnings
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, NetworkAccess, Offers, SupportPlan
from azext_kmsmigrate.migration.plan import Goal, Plan, decide
from tests.unit.situations import KEY, OFF, cluster, offers, pool, situation

LONG_TERM = Goal(support_plan=SupportPlan.LONG_TERM, tier="premium")


def told(seen: ClusterFacts, offered: Offers | None = None, goal: Goal = Goal()) -> str:  # noqa: B008 a frozen value
    return "\n".join(warnings(seen, decide(situation(seen, offered), goal)))


def by_hand(seen: ClusterFacts, offered: Offers | None = None, goal: Goal = Goal()) -> str:  # noqa: B008
    return "\n".join(f"{m.what}|{m.command}" for m in manual(seen, decide(situation(seen, offered), goal)))


def test_what_cannot_be_undone_is_named() -> None:
    assert "Cannot be undone: upgrade, upgrade-node-pools." in told(cluster(supported=True))
    assert "Cannot be undone" not in told(cluster("1.27.1", kms=OFF))


def test_the_upgrade_of_an_unsupported_cluster_is_called_what_microsoft_calls_it() -> None:
    assert "recovery path that it cannot guarantee" in told(cluster("1.25.11", supported=False), offers("1.34.4"))
    assert "recovery path" not in told(cluster(supported=True))


def test_further_hops_are_said_not_to_be_firm() -> None:
    far = told(cluster(), offers("1.27.1", onward={"1.27.1": ["1.28.3"]}), Goal(kubernetes_version="1.28"))
    assert "1.28.3 is what Azure lists today" in far
    assert "firm" not in told(cluster())


def test_long_term_support_is_said_to_cost_money_and_a_version_that_is_listed_only_to_be_uncertain() -> None:
    offered = offers("1.27.1", plans={"1.27": "lts"})
    assert "cost money" in told(cluster(), offered, LONG_TERM)
    assert "does not offer it" not in told(cluster(), offered, LONG_TERM)
    listed = offers(onward={"1.27.1": []}, plans={"1.27": "lts"})
    assert "does not offer it to this cluster yet" in told(cluster(supported=False), listed, LONG_TERM)
    assert "cost money" not in told(cluster())


def test_the_old_key_is_to_be_kept_and_pipelines_to_be_paused() -> None:
    text = by_hand(cluster())
    assert f"Keep the key {KEY}" in text
    assert "Terraform" in text


def test_pools_that_were_behind_before_are_left_to_the_user_unless_a_hop_takes_them_along() -> None:
    seen = cluster("1.27.1", kms=OFF, pools=(pool("1.26.15", name="old"),))
    assert "|az aks nodepool upgrade -g shop --cluster-name blue -n old -k 1.27.1" in by_hand(seen)
    assert "nodepool upgrade" not in by_hand(seen, offers("1.28.3"), Goal(kubernetes_version="1.28"))


def test_a_private_vault_needs_its_endpoint_approved() -> None:
    seen = cluster(kms=KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/v"), vnet_integration=True)
    assert "|az network private-endpoint-connection list --id /v" in by_hand(seen)


def test_long_term_support_without_an_upgrade_is_left_to_the_user() -> None:
    text = by_hand(cluster("1.27.1", kms=OFF), goal=LONG_TERM)
    assert "|az aks update -g shop -n blue --tier premium --k8s-support-plan AKSLongTermSupport" in text


def test_the_newer_kms_is_pointed_to_where_it_exists() -> None:
    assert "kms-data-encryption" in by_hand(cluster(), offers("1.34.4"))
    assert "kms-data-encryption" not in by_hand(cluster())


def test_with_nothing_to_do_there_is_nothing_to_say() -> None:
    seen = cluster("1.27.1")
    plan = decide(situation(seen), Goal())
    assert (list(warnings(seen, plan)), list(manual(seen, plan))) == ([], [])
    assert list(manual(seen, replace(plan, target_kms=seen.kms))) == []
    assert isinstance(plan, Plan)
