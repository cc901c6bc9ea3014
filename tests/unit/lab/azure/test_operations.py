"""Long-running operations as the management SDK sees them, and the faults that can be armed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.unit.lab.azure.conftest import NAME, Lab, LabFactory

GROUP = "lab"


def _disable(client: Any, **options: Any) -> Any:
    cluster = client.managed_clusters.get(GROUP, NAME)
    cluster.security_profile.azure_key_vault_kms.enabled = False
    return client.managed_clusters.begin_create_or_update(GROUP, NAME, cluster, **options)


def _upgrade(client: Any, version: str) -> Any:
    cluster = client.managed_clusters.get(GROUP, NAME)
    cluster.kubernetes_version = version
    for pool in cluster.agent_pool_profiles:
        pool.orchestrator_version = version
    return client.managed_clusters.begin_create_or_update(GROUP, NAME, cluster)


def _reconcile(client: Any) -> Any:
    cluster = client.managed_clusters.get(GROUP, NAME)
    return client.managed_clusters.begin_create_or_update(GROUP, NAME, cluster)


def _eventually(holds: Callable[[], bool]) -> None:
    for _ in range(1500):
        if holds():
            return
        time.sleep(0.02)
    pytest.fail("never happened")


def test_an_operation_is_updating_until_the_plane_is_done(lab: Lab) -> None:
    client = lab.sdk()
    lab.plane.gate.clear()
    poller = _disable(client)
    assert client.managed_clusters.get(GROUP, NAME).provisioning_state == "Updating"
    lab.plane.gate.set()
    assert poller.result().provisioning_state == "Succeeded"
    assert lab.plane.calls == [("set_kms", "off")]


def test_an_upgrade_does_the_control_plane_first_and_the_pools_after(new_lab: LabFactory) -> None:
    lab = new_lab(kms=False)
    lab.plane.gate.clear()
    poller = _upgrade(lab.sdk(), "1.27.1")
    properties = lab.cluster()["properties"]
    assert properties["provisioningState"] == "Upgrading"
    assert (properties["kubernetesVersion"], properties["currentKubernetesVersion"]) == ("1.27.1", "1.26.15")
    assert {pool["provisioningState"] for pool in properties["agentPoolProfiles"]} == {"Upgrading"}
    lab.plane.gate.set()
    result = poller.result()
    assert result.current_kubernetes_version == "1.27.1"
    assert {pool.current_orchestrator_version for pool in result.agent_pool_profiles} == {"1.27.1"}
    assert {pool.provisioning_state for pool in result.agent_pool_profiles} == {"Succeeded"}
    assert lab.plane.calls == [
        ("upgrade", "1.27.1"),
        ("upgrade_pool", "system", "1.27.1"),
        ("upgrade_pool", "user", "1.27.1"),
    ]


def test_control_plane_first_then_each_pool_by_itself(new_lab: LabFactory) -> None:
    lab = new_lab(kms=False, supported=True)
    client = lab.sdk()
    cluster = client.managed_clusters.get(GROUP, NAME)
    cluster.kubernetes_version = "1.27.1"
    client.managed_clusters.begin_create_or_update(GROUP, NAME, cluster).result()
    assert lab.plane.calls == [("upgrade", "1.27.1")]
    profile = client.agent_pools.get_upgrade_profile(GROUP, NAME, "user")
    assert [item.kubernetes_version for item in profile.upgrades] == ["1.27.1"]
    pool = client.agent_pools.get(GROUP, NAME, "user")
    pool.orchestrator_version = "1.27.1"
    lab.plane.gate.clear()
    poller = client.agent_pools.begin_create_or_update(GROUP, NAME, "user", pool)
    assert client.agent_pools.get(GROUP, NAME, "user").provisioning_state == "Upgrading"
    with pytest.raises(ResourceExistsError):
        _reconcile(client)
    lab.plane.gate.set()
    assert poller.result().current_orchestrator_version == "1.27.1"
    assert client.agent_pools.get(GROUP, NAME, "system").current_orchestrator_version == "1.26.15"
    assert lab.plane.calls[1:] == [("upgrade_pool", "user", "1.27.1")]


def test_a_second_put_meanwhile_is_refused(lab: Lab) -> None:
    client = lab.sdk()
    lab.plane.gate.clear()
    poller = _disable(client)
    with pytest.raises(ResourceExistsError) as refused:
        _reconcile(client)
    assert (refused.value.status_code, refused.value.error.code) == (409, "OperationNotAllowed")
    lab.plane.gate.set()
    poller.result()


def test_the_etag_guards_against_a_model_that_changed(lab: Lab) -> None:
    client = lab.sdk()
    stale = client.managed_clusters.get(GROUP, NAME).e_tag
    lab.azure.patch_cluster({"tags": {"by": "someone else"}})
    with pytest.raises(ResourceModifiedError) as refused:
        _disable(client, etag=stale, match_condition=MatchConditions.IfNotModified)
    assert refused.value.status_code == 412
    fresh = client.managed_clusters.get(GROUP, NAME).e_tag
    _disable(client, etag=fresh, match_condition=MatchConditions.IfNotModified).result()
    pool = client.agent_pools.get(GROUP, NAME, "user")
    with pytest.raises(ResourceModifiedError):
        client.agent_pools.begin_create_or_update(
            GROUP, NAME, "user", pool, etag=stale, match_condition=MatchConditions.IfNotModified
        )


def test_failed_after_the_effect(lab: Lab) -> None:
    lab.azure.fail_next("disable-kms", "failed-after-effect")
    client = lab.sdk()
    with pytest.raises(HttpResponseError) as failed:
        _disable(client).result()
    # The poll itself was answered with 200: never classify by the status code.
    assert (failed.value.status_code, failed.value.error.code) == (200, "InternalOperationError")
    cluster = client.managed_clusters.get(GROUP, NAME)
    assert cluster.provisioning_state == "Failed"
    assert cluster.status.provisioning_error.code == "InternalOperationError"
    assert lab.plane.calls == [("set_kms", "off")]
    assert _reconcile(client).result().provisioning_state == "Succeeded"
    assert "status" not in lab.cluster()["properties"]


def test_failed_before_the_effect_is_finished_by_a_reconcile(lab: Lab) -> None:
    lab.azure.fail_next("disable-kms", "failed-before-effect")
    client = lab.sdk()
    with pytest.raises(HttpResponseError):
        _disable(client).result()
    assert lab.plane.calls == []
    assert lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]["enabled"] is False
    _reconcile(client).result()
    assert lab.plane.calls == [("set_kms", "off")]


def test_a_failed_upgrade_shows_the_target_and_the_old_version(new_lab: LabFactory) -> None:
    lab = new_lab(kms=False)
    lab.azure.fail_next("upgrade", "failed-before-effect")
    client = lab.sdk()
    with pytest.raises(HttpResponseError):
        _upgrade(client, "1.27.1").result()
    cluster = client.managed_clusters.get(GROUP, NAME)
    assert (cluster.kubernetes_version, cluster.current_kubernetes_version) == ("1.27.1", "1.26.15")
    assert {pool.provisioning_state for pool in cluster.agent_pool_profiles} == {"Failed"}
    assert _upgrade(client, "1.27.1").result().current_kubernetes_version == "1.27.1"


def test_canceled_has_no_error(lab: Lab) -> None:
    lab.azure.fail_next("disable-kms", "canceled")
    poller = _disable(lab.sdk())
    with pytest.raises(HttpResponseError) as failed:
        poller.result()
    assert failed.value.error is None
    assert (poller.status(), lab.state()) == ("Canceled", "Canceled")


def test_a_hang_ends_when_it_is_released(lab: Lab) -> None:
    lab.azure.fail_next("disable-kms", "hang")
    poller = _disable(lab.sdk())
    assert (lab.state(), lab.plane.calls) == ("Updating", [])
    lab.azure.release_hang()
    assert poller.result().provisioning_state == "Succeeded"


def test_early_success_reports_before_anything_happened(lab: Lab) -> None:
    lab.azure.fail_next("disable-kms", "early-success")
    lab.plane.gate.clear()
    client = lab.sdk()
    assert _disable(client).result().provisioning_state == "Succeeded"
    assert lab.plane.calls == []
    # Azure believes it is done, so the next change is accepted; it waits for the first one.
    cluster = client.managed_clusters.get(GROUP, NAME)
    cluster.security_profile.azure_key_vault_kms.enabled = True
    poller = client.managed_clusters.begin_create_or_update(GROUP, NAME, cluster)
    lab.plane.gate.set()
    poller.result()
    assert lab.plane.calls == [("set_kms", "off"), ("set_kms", lab.azure.key_id())]


@pytest.mark.parametrize(("how", "times"), [("http-429", 1), ("http-500", 1)])
def test_the_sdk_repeats_a_put_that_was_throttled_or_failed(lab: Lab, how: str, times: int) -> None:
    lab.azure.fail_next("disable-kms", how, times)
    _disable(lab.sdk()).result()
    assert [put["status"] for put in lab.azure.puts()] == [int(how[-3:]), 200]
    assert lab.plane.calls == [("set_kms", "off")]


def test_a_conflict_reaches_the_caller(lab: Lab) -> None:
    lab.azure.fail_next("disable-kms", "http-409")
    with pytest.raises(ResourceExistsError):
        _disable(lab.sdk())
    assert lab.state() == "Succeeded"


def test_a_control_plane_that_breaks_is_a_failed_operation(lab: Lab) -> None:
    lab.plane.error = TimeoutError("replica 1: [-]kms-providers failed")
    client = lab.sdk()
    with pytest.raises(HttpResponseError) as failed:
        _disable(client).result()
    assert failed.value.error.code == "InternalOperationError"
    (operation,) = lab.azure.operations()
    assert operation["detail"] == "TimeoutError: replica 1: [-]kms-providers failed"
    lab.plane.error = None
    _reconcile(client).result()
    assert lab.plane.calls == [("set_kms", "off")] * 2


def test_an_unknown_fault_is_an_error(lab: Lab) -> None:
    with pytest.raises(ValueError, match="failed-somehow"):
        lab.azure.fail_next("upgrade", "failed-somehow")
    with pytest.raises(ValueError, match="downgrade"):
        lab.azure.fail_next("downgrade", "canceled")


def test_a_stopped_cluster_only_starts(lab: Lab) -> None:
    client = lab.sdk()
    with pytest.raises(HttpResponseError, match="starting cannot be performed"):
        client.managed_clusters.begin_start(GROUP, NAME)
    lab.azure.patch_cluster({"properties": {"powerState": {"code": "Stopped"}}})
    with pytest.raises(HttpResponseError, match="update cannot be performed"):
        _disable(client)
    with pytest.raises(HttpResponseError, match="not running"):
        client.managed_clusters.list_cluster_user_credentials(GROUP, NAME)
    client.managed_clusters.begin_start(GROUP, NAME).result()
    _eventually(lambda: lab.state() == "Succeeded")
    assert lab.cluster()["properties"]["powerState"] == {"code": "Running"}
    _disable(client).result()


def test_tags_are_patched_and_nothing_else(lab: Lab) -> None:
    client = lab.sdk()
    client.managed_clusters.begin_update_tags(GROUP, NAME, {"tags": {"a": "1"}}).result()
    client.managed_clusters.begin_update_tags(GROUP, NAME, {"tags": {"b": "2"}}).result()
    assert lab.cluster()["tags"] == {"b": "2"}


def test_what_does_not_exist_is_not_found(lab: Lab) -> None:
    client = lab.sdk()
    with pytest.raises(ResourceNotFoundError):
        client.managed_clusters.get(GROUP, "other")
    with pytest.raises(ResourceNotFoundError):
        client.managed_clusters.get("other", NAME)
    with pytest.raises(ResourceNotFoundError):
        client.agent_pools.get(GROUP, NAME, "other")


def test_unknown_properties_survive_and_secrets_are_not_logged(lab: Lab) -> None:
    client = lab.sdk()
    cluster = client.managed_clusters.get(GROUP, NAME)
    cluster.properties["futureProfile"] = {"x": 1}
    cluster.properties["windowsProfile"] = {"adminUsername": "u", "adminPassword": "hidden-password"}
    client.managed_clusters.begin_create_or_update(GROUP, NAME, cluster).result()
    assert lab.cluster()["properties"]["futureProfile"] == {"x": 1}
    (put,) = lab.azure.puts()
    assert put["body"]["properties"]["windowsProfile"] == {"adminUsername": "u"}
    assert "hidden-password" not in str(lab.azure.requests())
    assert lab.azure.mentions(b"hidden-password")
    assert not lab.azure.mentions(b"never sent")


def test_several_labs_at_once(new_lab: LabFactory) -> None:
    first, second = new_lab(), new_lab()
    assert first.azure.url != second.azure.url
    _disable(first.sdk()).result()
    assert second.azure.puts() == []
