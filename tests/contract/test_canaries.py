"""The canaries of migrations and commands, as the product makes them on an API server: each goes with its owner."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from azext_kmsmigrate.clock import SystemClock
from azext_kmsmigrate.kube.access import Certificate, Kubeconfig, tls_context
from azext_kmsmigrate.kube.api import Api as KubeApi
from azext_kmsmigrate.kube.api import Channel
from azext_kmsmigrate.kube.secrets import KubeSecrets
from azext_kmsmigrate.kube.wire import Route, Wire
from azext_kmsmigrate.migration.secret import Page, Patched
from tests.contract.api_client import Api, secret, secrets
from tests.contract.conftest import Cluster
from tests.lab.model import Endpoint

SYSTEM = "kube-system"
OURS = {"app.kubernetes.io/managed-by": "aks-kms-migrate", "aks-kms-migrate/canary-of": "command"}


@pytest.fixture
def api(cluster: Cluster) -> Api:
    cluster.kms_off()
    return cluster.api()


def _command(endpoint: Endpoint, left_behind: timedelta = timedelta(hours=1)) -> KubeSecrets:
    """The Secrets as one process of the tool has them."""
    kubeconfig = Kubeconfig(endpoint.server, endpoint.ca_pem, endpoint.client_cert_pem, endpoint.client_key_pem)

    def opened() -> Channel:
        return Channel(Wire(Route(endpoint.server), tls_context(kubeconfig)), Certificate())

    return KubeSecrets(KubeApi(opened, opened, SystemClock()), left_behind)


def _listed(command: KubeSecrets) -> dict[str, bool]:
    """What a pass of this command is about in kube-system, and whether it takes it for another's canary."""
    page = command.page(namespace=SYSTEM)
    assert isinstance(page, Page)
    return {one.name: one.canary for one in page.items}


def _there(api: Api) -> set[str]:
    return {item["metadata"]["name"] for item in api.get(secrets(SYSTEM)).body["items"]}


def test_each_command_has_one_of_its_own_and_takes_those_of_others_for_what_they_are(
    cluster: Cluster, api: Api
) -> None:
    first, second = _command(cluster.host.endpoint()), _command(cluster.host.endpoint())
    migration = first.create_canary()
    one, other = first.create_own_canary(), second.create_own_canary()
    assert len({migration.name, one.name, other.name}) == 3
    assert _listed(first) == {other.name: True}
    assert _listed(second) == {one.name: True}
    first.delete_own_canary(one)
    first.delete_own_canary(one)  # nothing is there any more
    assert _there(api) == {migration.name, other.name}
    second.delete_own_canary(other)
    second.delete_canary()
    assert _there(api) == set()


def test_what_commands_left_behind_goes_and_nothing_that_only_looks_like_it(cluster: Cluster, api: Api) -> None:
    old = _command(cluster.host.endpoint())
    migration, left = old.create_canary(), old.create_own_canary()
    alike = {
        "aks-kms-migrate-canary-mine": {},
        "aks-kms-migrate-canary-ours": {"app.kubernetes.io/managed-by": "aks-kms-migrate"},
        "labelled-as-ours": OURS,
    }
    for name, labels in alike.items():
        api.post(secrets(SYSTEM), secret(name, metadata={"labels": labels}))
    api.post(secrets("default"), secret(left.name, metadata={"labels": OURS}))
    young = _command(cluster.host.endpoint()).create_own_canary()
    assert left.name in _there(api), "one that may be in use went"
    time.sleep(3.1)  # times of an API server are in whole seconds
    newest = _command(cluster.host.endpoint(), timedelta(seconds=2)).create_own_canary()
    assert _there(api) == {migration.name, newest.name, *alike}
    assert young.name not in _there(api)
    assert api.get(secrets("default", left.name)).status == 200
    assert _listed(old) == {newest.name: True, **dict.fromkeys(alike, False)}


def test_a_connection_tells_when_it_was_made_anew(cluster: Cluster, api: Api) -> None:
    """A request on one that the API server has ended reaches another without a word: the canary has to go first."""
    command = _command(cluster.host.endpoint())
    canary = command.create_own_canary()
    connection = command.connect()
    assert connection.made == 0
    for _ in range(2):
        assert isinstance(connection.patch(canary.namespace, canary.name), Patched)
        assert connection.made == 1
    cluster.host.stop_replica(0)
    cluster.host.stop_replica(1)
    for index in (0, 1):
        cluster.forget(index)
    cluster.kms_off()
    for _ in range(20):  # while they begin an answer may fail, which is no answer either
        if isinstance(connection.patch(canary.namespace, canary.name), Patched):
            break
        time.sleep(0.5)
    assert connection.made > 1
    connection.close()
    command.delete_own_canary(canary)
