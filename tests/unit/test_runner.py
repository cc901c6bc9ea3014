"""Whole migrations: every row of the state table end to end, and what goes wrong on the way."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError, Refused
from azext_kmsmigrate.exit_codes import exit_code
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.secret import Failure, FailureClass, Page, StoredAs
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import Trouble, disabled
from tests.sim.cluster import FAST, KEY, OTHER_KEY, SimCluster, agree, encryption_of, with_kms
from tests.unit.runs import DECRYPT, DISABLE, ENABLE, ENCRYPT, POOLS, UPGRADE, assert_completes, assert_fails, steps_of

# the rows of the table


def test_below_1_27_with_kms_on_everything_is_done() -> None:
    sim = SimCluster()
    result = assert_completes(sim)
    assert steps_of(result) == [DISABLE, DECRYPT, UPGRADE, ENABLE, ENCRYPT]
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]
    assert result.keep_keys == [KEY]
    assert result.exposure is not None
    assert result.exposure.start is not None
    assert result.exposure.end is not None
    assert result.exposure.start < result.exposure.end


def test_below_1_27_with_kms_off_and_a_key_still_named_it_starts_with_the_proof() -> None:
    result = assert_completes(SimCluster(kms=False))
    assert steps_of(result) == [DECRYPT, UPGRADE, ENABLE, ENCRYPT]


def test_with_kms_never_on_and_a_key_typed_it_is_turned_on_with_that_key() -> None:
    sim = SimCluster(kms=False, key_id="")
    assert_completes(sim, Goal(key_id=OTHER_KEY))
    assert sim.azure.show().kms == KmsProfile(True, OTHER_KEY)


def test_with_kms_off_and_no_key_known_it_asks_which() -> None:
    sim = SimCluster(kms=False, key_id="")
    with pytest.raises(Refused, match="KMSM102"):
        sim.start()
    assert sim.puts == []


def test_from_1_27_on_with_kms_off_only_the_rest_is_done() -> None:
    result = assert_completes(SimCluster(version="1.27.1", kms=False))
    assert steps_of(result) == [DECRYPT, ENABLE, ENCRYPT]


def test_node_pools_that_somebody_left_behind_are_not_upgraded_unasked() -> None:
    sim = SimCluster(version="1.27.1", kms=False, pool_version="1.26.15")
    assert_completes(sim)
    assert sim.puts == ["enable-kms"]


def test_with_kms_v2_on_and_no_journal_there_is_nothing_to_do() -> None:
    sim = SimCluster(version="1.27.1")
    result = sim.start()
    assert result.state is RunState.NOTHING_TO_DO
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")


def test_on_the_newer_kms_experience_there_is_nothing_to_do() -> None:
    sim = SimCluster(version="1.34.4")
    sim.meddle(lambda facts: replace(facts, platform_kms=True))
    assert sim.start().state is RunState.NOTHING_TO_DO
    assert sim.puts == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda f: replace(f, power="Stopped"), "KMSM103"),
        (lambda f: replace(f, state="Deleting"), "KMSM114"),
        (lambda f: replace(f, state="Upgrading"), "KMSM104"),
        (lambda f: replace(f, state="Failed"), "KMSM105"),
        (
            lambda f: replace(f, kms=replace(f.kms, network_access=NetworkAccess.PRIVATE, vault_id="/v")),
            "KMSM111",
        ),
        (lambda f: replace(f, version=f.version._replace(minor=25)), "KMSM107"),
    ],
)
def test_a_cluster_that_cannot_get_to_the_end_is_refused_before_anything_is_changed(change: object, code: str) -> None:
    sim = SimCluster()
    sim.meddle(change)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=code):
        sim.start()
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")


def test_a_supported_cluster_upgrades_its_control_plane_first_and_its_pools_after_the_last_proof() -> None:
    sim = SimCluster(supported=True)
    result = assert_completes(sim)
    assert steps_of(result) == [DISABLE, DECRYPT, UPGRADE, ENABLE, ENCRYPT, POOLS]
    assert sim.puts[-2:] == ["upgrade-pool system 1.27.1", "upgrade-pool user 1.27.1"]


def test_a_target_several_hops_away_is_reached_hop_by_hop() -> None:
    sim = SimCluster()
    assert_completes(sim, Goal(kubernetes_version="1.28"))
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "upgrade 1.28.3", "enable-kms"]


def test_the_target_typed_first_is_kept_by_the_run_that_continues() -> None:
    sim = SimCluster()
    sim.start(Request(Goal(kubernetes_version="1.28", key_id=OTHER_KEY), stop_after=StepId.DISABLE_KMS))
    assert_completes(sim)
    assert (str(sim.azure.show().version), sim.azure.show().kms.key_id) == ("1.28.3", OTHER_KEY)
    result = sim.runner().show()
    assert result.journal is not None
    assert result.journal.original_key_id == KEY


PRIVATE_VAULT = "/subscriptions/sub/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/vault"


def test_a_private_vault_is_given_back_as_it_was() -> None:
    sim = SimCluster()
    private = KmsProfile(True, KEY, NetworkAccess.PRIVATE, PRIVATE_VAULT)
    sim.meddle(lambda facts: replace(facts, vnet_integration=True, kms=private))
    assert_completes(sim)
    assert sim.azure.show().kms == private


# the same command again


def test_start_a_second_time_finds_nothing_to_do_and_writes_nothing() -> None:
    sim = SimCluster()
    assert_completes(sim)
    before = (list(sim.puts), sim.api.writes, sim.journal_version)
    again = sim.start()
    assert again.state is RunState.NOTHING_TO_DO
    assert exit_code(again) == 0
    assert (sim.puts, sim.api.writes, sim.journal_version) == before


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("step", list(StepId))
def test_stopped_after_any_step_the_same_command_comes_to_the_same_end(step: StepId, metrics: bool) -> None:
    sim = SimCluster(supported=True)
    sim.api.metrics = metrics
    stopped = sim.start(Request(stop_after=step))
    last = step is StepId.UPGRADE_NODE_POOLS
    assert stopped.state is (RunState.COMPLETED if last else RunState.STOPPED)
    assert steps_of(stopped)[-1] == step.value
    assert stopped.cluster.kubernetes_version == str(sim.azure.show().version)
    assert stopped.cluster.kms == sim.azure.show().kms_state.value
    assert exit_code(stopped) == 0
    if not last:
        assert_completes(sim)
    assert [p.what for p in sim.changing_puts] == [
        "disable-kms",
        "upgrade 1.27.1",
        "enable-kms",
        "upgrade-pool system 1.27.1",
        "upgrade-pool user 1.27.1",
    ]


@pytest.mark.parametrize("step", [s for s in StepId if s is not StepId.UPGRADE_NODE_POOLS])
def test_stop_after_a_step_that_is_already_done_goes_no_further(step: StepId) -> None:
    sim = SimCluster(supported=True)
    sim.start(Request(stop_after=step))
    puts = list(sim.puts)
    again = sim.start(Request(stop_after=step))
    assert again.state in (RunState.STOPPED, RunState.NOTHING_TO_DO)
    assert sim.puts == puts


def test_the_steps_typed_one_by_one_come_to_the_same_end() -> None:
    sim = SimCluster()
    for step in (StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS):
        result = sim.start(Request(only=step))
        assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.runner().rewrite(agree).state is RunState.COMPLETED
    assert sim.forms == {"kms-v2": 6}
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]


@pytest.mark.parametrize("step", [StepId.UPGRADE, StepId.ENABLE_KMS])
def test_a_step_by_itself_is_refused_while_another_has_to_come_first(step: StepId) -> None:
    sim = SimCluster()
    with pytest.raises(Refused, match="KMSM112"):
        sim.start(Request(only=step))
    assert sim.puts == []


def test_another_run_that_finished_before_the_lease_was_ours_leaves_nothing_to_do() -> None:
    sim = SimCluster()

    saved: list[int] = []

    def agree_late(cluster: ClusterFacts, plan: object, found: object) -> None:
        assert sim.start().state is RunState.COMPLETED
        saved.append(sim.journal_version)

    result = sim.start(confirm=agree_late)
    assert result.state is RunState.NOTHING_TO_DO
    assert sim.journal_version == saved[0]
    assert len(sim.journal.steps) == 5


def test_kms_turned_on_by_somebody_while_the_user_read_the_plan_is_not_turned_off_unasked() -> None:
    sim = SimCluster(kms=False)
    with pytest.raises(Refused, match="KMSM109"):
        sim.start(confirm=lambda cluster, plan, found: sim.meddle(with_kms()))
    assert (sim.puts, sim.api.writes, sim.lease_holder) == ([], 0, "")


def test_a_second_run_is_refused_while_the_first_is_at_work() -> None:
    sim = SimCluster()
    sim.lease_holder, sim.lease_until = "somebody", 1000.0
    with pytest.raises(Refused, match="KMSM306"):
        sim.start()
    assert (sim.puts, sim.api.writes) == ([], 0)


def test_a_user_who_declines_changes_nothing() -> None:
    sim = SimCluster()

    def decline(cluster: ClusterFacts, plan: object, found: object) -> None:
        raise Refused(errors.DECLINED)

    with pytest.raises(Refused, match="KMSM502"):
        sim.start(confirm=decline)
    assert (sim.puts, sim.api.writes, sim.journal_document, sim.lease_holder) == ([], 0, "", "")


def test_ctrl_c_stops_at_a_safe_point_and_says_how_to_continue() -> None:
    sim = SimCluster()
    process = sim.process()
    process.interrupt_at_tick = 10
    result = Runner(process.world(), FAST).run(Request(), agree)
    assert result.state is RunState.STOPPED
    assert exit_code(result) == 20
    assert result.problem is not None
    assert result.problem.code == "KMSM901"
    assert result.next_command == "az aks kms-migrate start -g shop -n blue"
    assert_completes(sim)


# Secrets that resist


def test_a_webhook_that_denies_one_secret_stops_the_migration_before_the_upgrade() -> None:
    sim = SimCluster()
    sim.api.deny("ns-1", "secret-4", "deny.example.com")
    result = sim.start()
    assert_fails(result, "KMSM401", 11)
    assert [(f.namespace, f.name, f.kind, f.detail) for f in result.failed] == [
        ("ns-1", "secret-4", "admissionDenied", "webhook deny.example.com")
    ]
    assert sim.forms == {"plain": 5, "kms-v1": 1}
    assert sim.puts == ["disable-kms"]
    assert result.next_command == "az aks kms-migrate start -g shop -n blue"
    assert (result.cluster.kubernetes_version, result.cluster.kms) == ("1.26.15", "Off")
    sim.api.allow("ns-1", "secret-4")
    assert_completes(sim)


def test_a_webhook_that_is_down_in_one_namespace_keeps_no_other_secret_from_being_rewritten() -> None:
    sim = SimCluster(secrets=6)
    down = Failure(FailureClass.WEBHOOK_DOWN, "webhook down.example.com cannot be called")
    for number in range(40):
        sim.api.add("broken", f"s-{number:02}")
        sim.api.always["broken", f"s-{number:02}"] = down
    result = sim.start()
    assert_fails(result, "KMSM401", 11)
    assert len(result.failed) == 40
    assert sim.forms == {"plain": 6, "kms-v1": 40}


def test_an_api_server_that_refuses_everything_alike_is_not_asked_forever() -> None:
    sim = SimCluster(secrets=200)
    for key in list(sim.api.secrets):
        sim.api.always[key] = Failure(FailureClass.FORBIDDEN, "HTTP 403")
    result = sim.start()
    assert_fails(result, "KMSM403", 11)
    assert 25 <= len(result.failed) < 130
    assert sim.puts == ["disable-kms"]


def test_a_failure_that_passes_is_retried() -> None:
    sim = SimCluster()
    sim.api.answers["ns-0", "secret-0"] = deque(
        [Failure(FailureClass.THROTTLED, "HTTP 429", retry_after=7.0), Failure(FailureClass.TIMED_OUT, "ReadTimeout")]
    )
    assert_completes(sim)
    assert 7.0 in sim.clock.sleeps


def test_a_list_that_is_throttled_is_asked_again_at_every_place_it_is_read() -> None:
    sim = SimCluster()
    sim.api.page_answers.extend([Failure(FailureClass.THROTTLED, "HTTP 429", retry_after=3.0)] * 2)
    assert_completes(sim)


def test_a_list_that_expires_in_the_middle_misses_no_secret() -> None:
    sim = SimCluster(secrets=1100)
    sim.api.expiring = 3
    assert_completes(sim, secrets=1100)


def test_a_secret_that_nobody_can_read_is_named_and_no_upgrade_is_begun() -> None:
    sim = SimCluster()
    sim.api.always["ns-2", "secret-5"] = Failure(FailureClass.UNDECRYPTABLE, "the API server has no key for it")
    result = sim.start()
    assert_fails(result, "KMSM401", 11)
    assert [(f.name, f.kind) for f in result.failed] == [("secret-5", "undecryptable")]
    assert sim.puts == ["disable-kms"]


@pytest.mark.parametrize("bad", [("a-first", "secret"), ("ns-1", "secret-4"), ("z-last", "secret")])
def test_a_secret_that_breaks_the_list_is_named_and_no_upgrade_is_begun(bad: tuple[str, str]) -> None:
    sim = SimCluster()
    sim.api.add(*bad)
    sim.api.secrets[bad].form = StoredAs.KMS_V2  # a key that this cluster never had
    result = sim.start(Request(skipped=frozenset({"K-10"})))
    assert_fails(result, "KMSM401", 11)
    assert [(f.namespace, f.name, f.kind) for f in result.failed] == [(*bad, "undecryptable")]
    assert sim.forms["kms-v2"] == 1
    assert sim.forms.get("kms-v1", 0) == 0
    assert sim.puts == ["disable-kms"]
    sim.api.delete(*bad)
    assert_completes(sim, secrets=sum(sim.forms.values()))


# other writers


def test_secrets_made_changed_and_deleted_by_others_meanwhile_all_end_right() -> None:
    sim = SimCluster()

    def others(page: Page) -> None:
        if len(page.items) < 3:
            return
        first, second = page.items[0], page.items[1]
        sim.api.change(first.namespace, first.name)
        sim.api.delete(second.namespace, second.name)
        sim.api.add(second.namespace, second.name, f"new-{page.resource_version}")

    sim.api.after_page = others
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert set(sim.forms) == {"kms-v2"}
    assert result.evidence is not None
    assert sum(p.changed_meanwhile for p in result.evidence.passes) > 0


def test_a_secret_deleted_between_list_and_patch_is_gone_and_no_failure() -> None:
    sim = SimCluster()

    def delete_once(page: Page) -> None:
        if len(page.items) == 6 and sim.puts:  # not what the checks listed
            sim.api.delete(page.items[2].namespace, page.items[2].name)

    sim.api.after_page = delete_once
    result = sim.start()
    assert result.state is RunState.COMPLETED
    assert result.steps[1].secrets is not None
    assert (result.steps[1].secrets.gone, result.steps[1].secrets.rewritten) == (1, 5)


@pytest.mark.parametrize("what", ["disable-kms", "upgrade 1.27.1", "enable-kms"])
def test_somebody_elses_harmless_change_is_looked_at_and_the_run_goes_on(what: str) -> None:
    sim = SimCluster()
    meddled: list[str] = []

    def meddle(put: str) -> None:
        if put == what and not meddled:
            meddled.append(put)
            sim.meddle(lambda facts: facts)

    sim.azure.before_put = meddle
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.forms == {"kms-v2": 6}
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]


def test_what_was_proven_before_somebody_elses_change_is_proven_again_before_the_upgrade() -> None:
    sim = SimCluster()
    meddled: list[str] = []

    def on_and_off(put: str) -> None:
        if put == "upgrade 1.27.1" and not meddled:
            meddled.append(put)
            sim.roll = [0.0]
            sim.meddle(with_kms())
            sim.api.add("ns-0", "written-meanwhile")
            sim.meddle(disabled)

    sim.azure.before_put = on_and_off
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.forms == {"kms-v2": 7}


def test_somebody_who_never_stops_changing_the_cluster_ends_the_run() -> None:
    sim = SimCluster()
    sim.azure.before_put = lambda what: sim.meddle(lambda facts: facts)
    result = sim.start()
    assert_fails(result, "KMSM203", 1)
    assert (sim.puts, sim.forms) == ([], {"kms-v1": 6})
    assert result.exposure is None


@pytest.mark.parametrize("begin_with", ["on", "off"])
def test_kms_turned_on_by_somebody_after_the_first_proof_is_drift(begin_with: str) -> None:
    sim = SimCluster(kms=begin_with == "on")
    sim.roll = [0.0]
    meddled: list[str] = []

    def turn_on(put: str) -> None:
        if put == "upgrade 1.27.1" and not meddled:
            meddled.append(put)
            sim.meddle(with_kms(OTHER_KEY))
            sim.api.add("ns-0", "written-meanwhile")

    sim.azure.before_put = turn_on
    result = sim.start()
    assert_fails(result, "KMSM109", 1)
    assert "upgrade 1.27.1" not in sim.puts
    assert result.cluster.kms == "KmsV1"
    sim.azure.before_put = lambda what: None
    assert_completes(sim, secrets=7)


# Azure that goes wrong


def test_turning_kms_off_that_fails_after_it_took_effect_is_rewritten_and_reconciled_once() -> None:
    sim = SimCluster()
    sim.azure.trouble["disable-kms"] = [Trouble(effect=True)]
    result = assert_completes(sim)
    assert sim.puts == ["disable-kms", "reconcile", "upgrade 1.27.1", "enable-kms"]
    assert any("Rewriting all Secrets all the same" in line for line in sim.said)
    assert result.exposure is not None


def test_turning_kms_off_that_fails_for_good_tells_the_state_and_continues_later() -> None:
    sim = SimCluster(roll=(0.0,))
    sim.azure.trouble["disable-kms"] = [Trouble(effect=True)]
    sim.azure.trouble["reconcile"] = [Trouble(), Trouble()]
    result = sim.start()
    assert_fails(result, "KMSM202", 1)
    assert (result.cluster.kms, result.cluster.provisioning_state) == ("Off", "Failed")
    assert result.problem is not None
    assert "KMS is off" in result.problem.why
    assert result.exposure is not None
    assert sim.forms == {"plain": 6}
    assert_fails(sim.start(), "KMSM202", 1)
    assert_completes(sim)
    assert sim.puts.count("disable-kms") == 1


def test_turning_kms_off_that_fails_without_effect_leaves_no_exposure() -> None:
    sim = SimCluster()
    sim.azure.trouble["disable-kms"] = [Trouble()]
    result = sim.start()
    assert_fails(result, "KMSM202", 1)
    assert (sim.forms, result.cluster.kms, result.exposure) == ({"kms-v1": 6}, "KmsV1", None)
    assert_completes(sim)


def test_an_azure_that_refuses_to_turn_kms_off_leaves_no_exposure() -> None:
    sim = SimCluster()
    sim.azure.refusals["disable-kms"] = [AzureError(errors.AZURE_FORBIDDEN, what="turning KMS off", code="HTTP 403")]
    result = sim.start()
    assert_fails(result, "KMSM204", 1)
    assert result.exposure is None
    assert sim.journal.exposed_from == ""


def test_a_lost_connection_while_kms_is_turned_off_does_not_forget_the_exposure() -> None:
    sim = SimCluster()
    sim.azure.lost["disable-kms"] = 1
    assert_fails(sim.start(), "KMSM205", 1)
    result = assert_completes(sim.after(60.0))
    assert result.exposure is not None
    assert result.exposure.start == "2026-01-31T09:00:00Z"


def test_an_upgrade_that_fails_is_reconciled_and_tried_again_by_the_same_command() -> None:
    sim = SimCluster()
    sim.azure.trouble["upgrade 1.27.1"] = [Trouble(code="PodDrainFailure")]
    result = sim.start()
    assert_fails(result, "KMSM232", 1)
    assert result.problem is not None
    assert "PodDrainFailure" in result.problem.what
    assert_completes(sim)


def test_turning_kms_on_that_fails_is_reconciled_once() -> None:
    sim = SimCluster()
    sim.azure.trouble["enable-kms"] = [Trouble(effect=True)]
    assert_completes(sim)
    assert sim.puts[-2:] == ["enable-kms", "reconcile"]


def test_an_api_server_that_is_away_when_azure_fails_does_not_hide_what_azure_said() -> None:
    sim = SimCluster()
    sim.azure.trouble["upgrade 1.27.1"] = [Trouble(code="PodDrainFailure")]
    process = sim.process()
    sim.azure.before_put = lambda what: (
        process.journal_failures.append(ClusterError(errors.API_UNREACHABLE, what="write the journal", code="x"))
        if what.startswith("upgrade")
        else None
    )
    result = Runner(process.world(), FAST).run(Request(), agree)
    assert_fails(result, "KMSM232", 1)


def test_an_operation_of_ours_that_is_still_under_way_is_followed() -> None:
    sim = SimCluster()
    sim.azure.lost["upgrade 1.27.1"] = 1
    assert_fails(sim.start(), "KMSM205", 1)
    assert sim.azure.show().busy
    result = sim.start()
    assert (result.state, steps_of(result)) == (RunState.COMPLETED, [DECRYPT, ENABLE, ENCRYPT])
    assert sim.puts.count("upgrade 1.27.1") == 1


def test_nodes_left_behind_by_a_whole_upgrade_end_the_run() -> None:
    sim = SimCluster()
    sim.lagging_kubelets = 2
    assert_fails(sim.start(), "KMSM309", 1)
    assert "enable-kms" not in sim.puts


def test_nodes_left_behind_are_asked_for_once_more_and_the_run_goes_on_when_they_follow() -> None:
    sim = SimCluster()
    sim.lagging_kubelets = 1
    assert_completes(sim)
    assert [put for put in sim.puts if "upgrade" in put] == [
        "upgrade 1.27.1",
        "upgrade-pool system 1.27.1",
        "upgrade-pool user 1.27.1",
    ]


def test_nodes_left_cordoned_are_told_and_left_so() -> None:
    sim = SimCluster()
    sim.cordoned = {"user-1"}
    result = sim.start()
    assert result.state is RunState.COMPLETED
    assert any("user-1" in said and "kubectl uncordon" in said for said in sim.said)
    upgrade = next(step for step in result.steps if step.id == "upgrade")
    assert upgrade.detail.endswith("left cordoned: user-1")


# --force-upgrade-until


def forced(sim: SimCluster, hours: float = 1.0) -> Request:
    return Request(Goal(force_until=sim.clock.now() + timedelta(hours=hours)))


def test_a_budget_that_lets_no_pod_go_stops_the_upgrade_with_its_name_and_force_passes_over_it() -> None:
    sim = SimCluster()
    sim.azure.budgets = ["shop/cart"]
    stopped = sim.start()
    assert_fails(stopped, "KMSM231", 1)
    assert stopped.problem is not None
    assert "shop/cart" in stopped.problem.what
    assert "--force-upgrade-until" in stopped.problem.fix
    result = sim.start(forced(sim))
    assert result.state is RunState.COMPLETED
    assert sim.puts[-1] == "end-force"
    assert sim.azure.show().forced_until == ""
    assert sim.journal.forced_until == ""


def test_a_forced_upgrade_that_begins_too_late_is_not_begun() -> None:
    sim = SimCluster()
    assert_fails(sim.start(forced(sim, hours=0.001)), "KMSM243", 1)
    assert not [put for put in sim.puts if "upgrade" in put]


def test_an_override_is_taken_away_by_the_run_that_goes_on() -> None:
    sim = SimCluster()
    sim.azure.trouble["enable-kms"] = [Trouble()]
    sim.azure.trouble["reconcile"] = [Trouble()]
    assert sim.start(forced(sim)).state is RunState.FAILED
    assert sim.azure.show().forced_until
    assert sim.start().state is RunState.COMPLETED
    assert sim.azure.show().forced_until == ""


def test_an_override_of_somebody_elses_stays() -> None:
    sim = SimCluster()
    sim.meddle(lambda facts: replace(facts, forced_until="2030-01-01T00:00:00Z"))
    assert sim.start().state is RunState.COMPLETED
    assert "end-force" not in sim.puts


def test_an_override_that_cannot_be_taken_away_is_told_and_harms_nothing() -> None:
    sim = SimCluster()
    sim.azure.trouble["end-force"] = [Trouble()]
    assert sim.start(forced(sim)).state is RunState.COMPLETED
    assert any("--disable-force-upgrade" in said for said in sim.said)


def test_an_upgrade_that_ends_in_a_drain_names_the_node_and_the_same_command_goes_on() -> None:
    sim = SimCluster()
    detail = "Drain of node aks-user-1 did not complete pods [web-0]: PDB shop/cart blocks"
    sim.azure.trouble["upgrade 1.27.1"] = [Trouble(code="PodDrainFailure", detail=detail)]
    stopped = sim.start()
    assert_fails(stopped, "KMSM232", 1)
    assert stopped.problem is not None
    assert "aks-user-1, shop/cart" in stopped.problem.what


# API servers that change over late


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("roll", [(0.0, 60.0), (90.0, 120.0), (200.0, 0.0, 45.0)])
def test_a_replica_that_changes_over_late_leaves_no_secret_behind(roll: tuple[float, ...], metrics: bool) -> None:
    """Also when Azure said "Succeeded" long before: its operation takes 30 s here."""
    sim = SimCluster(roll=roll, replicas=len(roll))
    sim.api.metrics = metrics
    assert_completes(sim)


@pytest.mark.parametrize("metrics", [True, False])
def test_api_servers_that_never_change_over_are_never_taken_as_settled(metrics: bool) -> None:
    sim = SimCluster(roll=(5000.0,))
    sim.api.metrics = metrics
    result = sim.start()
    assert_fails(result, "KMSM305", 1)
    assert (sim.puts, sim.forms) == (["disable-kms"], {"kms-v1": 6})
    sim.roll = [0.0]
    assert_completes(sim.after(5000.0))


@pytest.mark.parametrize("metrics", [True, False])
def test_a_replica_that_falls_back_during_the_proof_is_found_and_the_secrets_rewritten(metrics: bool) -> None:
    sim = SimCluster(secrets=40)
    sim.api.metrics = metrics
    fell: list[int] = []

    def fall_back(page: Page) -> None:
        if len(page.items) == 40 and str(sim.azure.show().version) == "1.26.15" and len(fell) < 2:
            fell.append(1)
            if len(fell) == 2:  # the proof's list
                now = sim.clock.monotonic()
                old = encryption_of(with_kms()(sim.azure.show()))
                sim.api.replicas[1].to_come = [(now, old), (now + 30.0, sim.api.replicas[1].encryption)]

    sim.api.after_page = fall_back
    first = sim.start()
    assert set(sim.forms) <= {"kms-v2", "plain", "kms-v1"}
    if first.state is not RunState.COMPLETED:
        assert_fails(first, "KMSM402", 11)
        assert "upgrade 1.27.1" not in sim.puts
        first = sim.start()
    assert (first.state, sim.forms) == (RunState.COMPLETED, {"kms-v2": 40})


# the other commands


def test_verify_proves_the_end_and_changes_no_secret() -> None:
    sim = SimCluster()
    sim.start()
    writes, version = sim.api.writes, sim.journal_version
    found = sim.runner().verify()
    assert (found.verified, found.stored_as, found.evidence.missing) == (True, "kms-v2", [])
    assert exit_code(found) == 0
    assert (sim.api.writes, sim.journal_version, sim.api.find_canary()) == (writes, version, None)


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("step", [StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.UPGRADE, StepId.ENABLE_KMS])
def test_verify_in_the_middle_does_not_keep_the_migration_from_going_on(step: StepId, metrics: bool) -> None:
    sim = SimCluster()
    sim.api.metrics = metrics
    sim.start(Request(stop_after=step))
    sim.runner().verify()
    assert_completes(sim)


def test_verify_finds_a_secret_in_another_form_and_makes_few_of_them_otherwise() -> None:
    sim = SimCluster(version="1.27.1", kms=False, secrets=40)
    sim.roll = [0.0]
    sim.meddle(with_kms())
    found = sim.runner().verify()
    assert not found.verified
    assert exit_code(found) == 11
    assert sim.api.writes <= FAST.parallel


def test_verify_that_meets_an_api_server_with_the_old_form_writes_no_secret() -> None:
    sim = SimCluster(version="1.27.1", secrets=40)

    def fall_back(page: Page) -> None:
        if len(page.items) == 40:
            old = encryption_of(disabled(sim.azure.show()), had_v2=True)
            sim.api.replicas[1].to_come = [(sim.clock.monotonic(), old)]

    sim.api.after_page = fall_back
    found = sim.runner().verify()
    assert not found.verified
    assert sim.api.writes == 0


def test_verify_without_any_sign_says_that_nothing_is_proven() -> None:
    sim = SimCluster(version="1.27.1")
    sim.api.metrics = False
    found = sim.runner().verify()
    assert not found.verified
    assert "no sign of what the API servers write" in found.evidence.missing[0]


def test_show_names_the_next_command_and_what_is_left() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DECRYPT_SECRETS))
    status = sim.runner().show()
    assert status.remaining == [DECRYPT, UPGRADE, ENABLE, ENCRYPT]
    assert status.next_command == "az aks kms-migrate start -g shop -n blue"


def test_show_of_a_blocked_cluster_names_what_blocks_it_and_no_wrong_command() -> None:
    sim = SimCluster()
    sim.meddle(lambda facts: replace(facts, power="Stopped"))
    status = sim.runner().show()
    assert status.blocked is not None
    assert status.blocked.code == "KMSM103"
    assert status.next_command is None


def test_rewriting_by_itself_proves_the_present_form_and_leaves_azure_alone() -> None:
    sim = SimCluster(version="1.27.1", kms=False)
    sim.roll = [0.0]
    sim.meddle(with_kms())
    result = sim.runner().rewrite(agree)
    assert (result.state, sim.forms, sim.puts) == (RunState.COMPLETED, {"kms-v2": 6}, [])
    assert sim.api.find_canary() is None
