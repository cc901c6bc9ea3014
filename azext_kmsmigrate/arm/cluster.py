"""Talks to ARM about the managed cluster: reads it, and changes it by reading, changing one thing and PUTting it back.

The bodies are those that ``az aks`` itself sends (azure-cli ``command_modules/acs``, SDK azure-mgmt-containerservice
41), with the etag that was observed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.facts import facts_of, minor_versions_of, offers_of, onward_of
from azext_kmsmigrate.arm.faults import translated, words_of
from azext_kmsmigrate.errors import AzureError, Conflict, Refused
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName, KmsProfile, NetworkAccess, Offers
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Clock, OperationResult, Tick

_NOT_YET = "AzureKeyVaultKmsValidateIdentityPermissionCustomerError"  # also while a new role has not reached everywhere
_ROLE_SECONDS = 600.0
_ASK_EVERY = 60.0  # a cluster takes one PUT a minute in the long run
_LOOK_EVERY = 5.0  # seconds between two GETs of a cluster under way; the budget is 60 a minute


class ArmCluster:
    """The port ``Cluster``, on the SDK's ContainerServiceClient."""

    def __init__(self, client: Any, name: ClusterName, clock: Clock) -> None:
        self._client, self._name, self._clock = client, name, clock
        self._versions: Any = None

    def observe(self) -> ClusterFacts:
        facts = facts_of(self._get(), self._name)
        if self._versions is None:
            self._versions = self._location_versions(facts.location)
        minors = minor_versions_of(self._versions)
        return replace(facts, supported=facts.version.line in minors if minors else None)

    def offers(self) -> Offers:
        with translated("reading the upgrade profile", self._name):
            profile = self._client.managed_clusters.get_upgrade_profile(self._name.group, self._name.name)
        return offers_of(profile, onward_of(self._versions))

    def disable_kms(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        def change(cluster: Any) -> None:
            cluster.security_profile.azure_key_vault_kms.enabled = False

        return self._put("turning KMS off", seen, change, tick)

    def enable_kms(self, seen: ClusterFacts, kms: KmsProfile, tick: Tick) -> OperationResult:
        from azure.mgmt.containerservice import models

        def change(cluster: Any) -> None:
            if cluster.security_profile is None:
                cluster.security_profile = models.ManagedClusterSecurityProfile()
            cluster.security_profile.azure_key_vault_kms = models.AzureKeyVaultKms(
                enabled=True,
                key_id=kms.key_id,
                key_vault_network_access=kms.network_access.value,
                key_vault_resource_id=kms.vault_id if kms.network_access is NetworkAccess.PRIVATE else "",
            )

        return self._when_the_role_is_there("turning KMS on", seen, change, tick)

    def upgrade(self, seen: ClusterFacts, version: KubernetesVersion, *, whole: bool, tick: Tick) -> OperationResult:
        def change(cluster: Any) -> None:
            cluster.kubernetes_version = str(version)
            # As az does: a PUT may not name the service principal again, and a pool that leaves its snapshot's
            # version may not name the snapshot.
            cluster.service_principal_profile = None
            for pool in (cluster.agent_pool_profiles or ()) if whole else ():
                pool.orchestrator_version = str(version)
                pool.creation_data = None

        return self._put(f"the upgrade to {version}", seen, change, tick)

    def upgrade_pool(self, seen: ClusterFacts, pool: str, version: KubernetesVersion, tick: Tick) -> OperationResult:
        what = f"the upgrade of node pool {pool}"
        with translated(what, self._name):
            profile = self._client.agent_pools.get(self._name.group, self._name.name, pool)
            profile.orchestrator_version = str(version)
            profile.creation_data = None
            poller = self._client.agent_pools.begin_create_or_update(
                self._name.group, self._name.name, pool, profile, **_if_unchanged(getattr(profile, "e_tag", ""))
            )
            return self._follow(poller, what, tick)

    def reconcile(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._put("reconciling the cluster", seen, lambda cluster: None, tick)

    def wait(self, tick: Tick) -> ClusterFacts:
        while (facts := self.observe()).busy:
            until = self._clock.monotonic() + _LOOK_EVERY
            while self._clock.monotonic() < until:
                tick(f"Azure says {facts.state}")
                self._clock.sleep(1.0)
        return facts

    def _get(self) -> Any:
        from azure.core.exceptions import ResourceNotFoundError

        with translated("reading the cluster", self._name):
            try:
                return self._client.managed_clusters.get(self._name.group, self._name.name)
            except ResourceNotFoundError as error:
                raise Refused(
                    errors.CLUSTER_NOT_FOUND,
                    name=self._name.name,
                    group=self._name.group,
                    subscription=self._name.subscription,
                ) from error

    def _put(self, what: str, seen: ClusterFacts, change: Callable[[Any], None], tick: Tick) -> OperationResult:
        with translated(what, self._name):
            cluster = self._get()
            if seen.etag and cluster.e_tag != seen.etag:
                raise Conflict(errors.CHANGED_MEANWHILE, what=what, code="EtagMismatch")
            change(cluster)
            poller = self._client.managed_clusters.begin_create_or_update(
                self._name.group, self._name.name, cluster, **_if_unchanged(cluster.e_tag)
            )
            return self._follow(poller, what, tick)

    def _when_the_role_is_there(
        self, what: str, seen: ClusterFacts, change: Callable[[Any], None], tick: Tick
    ) -> OperationResult:
        """A PUT for which Azure asks the vault as the cluster's identity; a role that is new is waited for."""
        until = self._clock.monotonic() + _ROLE_SECONDS
        while True:
            try:
                return self._put(what, seen, change, tick)
            except AzureError as error:
                if error.values.get("code") != _NOT_YET or self._clock.monotonic() >= until:
                    raise
            again = self._clock.monotonic() + _ASK_EVERY
            while self._clock.monotonic() < again:
                tick(f"{what}: Azure does not see the identity's role for the key yet")
                self._clock.sleep(1.0)

    def _follow(self, poller: Any, what: str, tick: Tick) -> OperationResult:
        """Follow an accepted operation to its end, whatever that is."""
        from azure.core.exceptions import HttpResponseError

        try:
            while not poller.done():
                tick(f"{what}: Azure says {poller.status()}")
                poller.wait(timeout=1.0)
            poller.result()
        except HttpResponseError as error:
            status = str(poller.status())
            if status.lower() in ("failed", "canceled"):
                return OperationResult(status.capitalize(), *words_of(error))
            raise
        return OperationResult("Succeeded")

    def _location_versions(self, location: str) -> Any:
        # Not knowing them only narrows the plan: no control plane first, no hop that is not the target itself.
        try:
            with translated("listing Kubernetes versions", self._name):
                return self._client.managed_clusters.list_kubernetes_versions(location).values_property or ()
        except AzureError:
            return ()


def _if_unchanged(etag: str | None) -> dict[str, Any]:
    from azure.core import MatchConditions

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
