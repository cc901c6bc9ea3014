"""Talks to ARM about the managed cluster: reads it, and changes it by reading, changing one thing and PUTting it back.

The bodies are those that ``az aks`` itself sends (azure-cli ``command_modules/acs``, SDK azure-mgmt-containerservice
41), with the etag that was observed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.facts import facts_of, listed_of, offers_of
from azext_kmsmigrate.arm.faults import translated, unheard, words_of
from azext_kmsmigrate.arm.pool_watch import LOOK_EVERY, PoolWatch
from azext_kmsmigrate.arm.throttle import Throttle
from azext_kmsmigrate.errors import AzureError, Conflict, Refused
from azext_kmsmigrate.migration.events import Operating, Waiting
from azext_kmsmigrate.migration.facts import (
    PREMIUM,
    ClusterFacts,
    ClusterName,
    KmsProfile,
    NetworkAccess,
    NodePool,
    Offers,
    SupportPlan,
)
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.patience import AZURE_AWAY, Patience
from azext_kmsmigrate.ports import Clock, OperationResult, Tick

_NOT_YET = "AzureKeyVaultKmsValidateIdentityPermissionCustomerError"  # also while a new role has not reached everywhere
_ROLE_SECONDS = 600.0
_NO_IDLE_KEY_FROM = "2026-07-01"
_TAKEN_UP = 5  # times that one operation is asked for again after Azure was away
_ASK_EVERY = 60.0  # a cluster takes one PUT a minute in the long run
# For a look that only shows progress: one try, and no more time than the next sign of life can wait.
_BRIEFLY = {"retry_total": 0, "connection_timeout": 3, "read_timeout": 3}


class ArmCluster:
    """The port ``Cluster``, on the SDK's ContainerServiceClient. ``patience``: of the run, where Azure is away."""

    def __init__(self, client: Any, name: ClusterName, clock: Clock, patience: Patience | None = None) -> None:
        self._client, self._name, self._clock = client, name, clock
        self._patience = patience or Patience(clock)
        self._location = ""
        self._listed: Offers | None = None

    def observe(self) -> ClusterFacts:
        facts = facts_of(self._get(), self._name)
        self._location = facts.location
        if self._listed is None:
            self._listed = self._location_versions()
        return replace(facts, supported=self._listed.supports(facts.version, facts.support_plan))

    def offers(self) -> Offers:
        with translated("reading the upgrade profile", self._name):
            profile = self._client.managed_clusters.get_upgrade_profile(self._name.group, self._name.name)
        listed = self._listed or self._location_versions()
        self._listed = None  # versions come and go: the next hop is planned from what is listed then
        return offers_of(profile, listed)

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

    def upgrade(
        self,
        seen: ClusterFacts,
        version: KubernetesVersion,
        *,
        whole: bool,
        tick: Tick,
        plan: SupportPlan | None = None,
        force_until: datetime | None = None,
    ) -> OperationResult:
        def change(cluster: Any) -> None:
            cluster.kubernetes_version = str(version)
            if plan is not None:
                cluster.support_plan = plan.value
            if plan is SupportPlan.LONG_TERM:
                cluster.sku.tier = PREMIUM
            # As az does: a PUT may not name the service principal again, and a pool that leaves its snapshot's
            # version may not name the snapshot.
            cluster.service_principal_profile = None
            if force_until is not None:
                cluster.upgrade_settings = _override(force=True, until=force_until)
            for pool in (cluster.agent_pool_profiles or ()) if whole else ():
                if str(getattr(pool.mode, "value", pool.mode)).lower() == "machines":
                    continue  # single machines are not upgraded with the cluster
                pool.orchestrator_version = str(version)
                pool.creation_data = None

        return self._put(f"the upgrade to {version}", seen, change, tick, self._pools())

    def upgrade_pool(self, seen: ClusterFacts, pool: str, version: KubernetesVersion, tick: Tick) -> OperationResult:
        what = f"the upgrade of node pool {pool}"
        with translated(what, self._name):
            profile = self._client.agent_pools.get(self._name.group, self._name.name, pool)
            profile.orchestrator_version = str(version)
            profile.creation_data = None

            def begin(**options: Any) -> Any:
                return self._client.agent_pools.begin_create_or_update(
                    self._name.group, self._name.name, pool, profile, **options
                )

            return self._sent(begin, getattr(profile, "e_tag", ""), what, tick, self._pools())

    def end_force(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        def change(cluster: Any) -> None:
            cluster.upgrade_settings = _override(force=False, until=None)

        return self._put("taking the upgrade's override away", seen, change, tick)

    def reconcile(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._put("reconciling the cluster", seen, lambda cluster: None, tick)

    def wait(self, tick: Tick) -> ClusterFacts:
        seen: list[ClusterFacts] = []
        pools = PoolWatch(lambda: seen[-1].pools, self._clock)
        while (facts := self.observe()).busy:
            seen = [facts]
            until = self._clock.monotonic() + LOOK_EVERY
            while self._clock.monotonic() < until:
                tick(Operating("an operation under way", facts.state, pools.now()))
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
                    **self._name.words,
                    subscription=self._name.subscription,
                ) from error

    def _pools(self) -> PoolWatch:
        return PoolWatch(self._look_at_pools, self._clock)

    def _look_at_pools(self) -> tuple[NodePool, ...]:
        with translated("reading the node pools", self._name):
            found = self._client.managed_clusters.get(self._name.group, self._name.name, **_BRIEFLY)
            return facts_of(found, self._name).pools

    def _put(
        self,
        what: str,
        seen: ClusterFacts,
        change: Callable[[Any], None],
        tick: Tick,
        pools: PoolWatch | None = None,
    ) -> OperationResult:
        with translated(what, self._name):
            cluster = self._get()
            if seen.etag and cluster.e_tag != seen.etag:
                raise Conflict(errors.CHANGED_MEANWHILE, what=what, code="EtagMismatch")
            change(cluster)
            _leave_out_idle_key(cluster, self._client)

            def begin(**options: Any) -> Any:
                return self._client.managed_clusters.begin_create_or_update(
                    self._name.group, self._name.name, cluster, **options
                )

            return self._sent(begin, cluster.e_tag, what, tick, pools)

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
                tick(Waiting(f"{what}: Azure does not see the identity's role for the key yet"))
                self._clock.sleep(1.0)

    def _sent(
        self, begin: Callable[..., Any], etag: str | None, what: str, tick: Tick, pools: PoolWatch | None
    ) -> OperationResult:
        """Send a PUT, sent again where Azure asks to wait, and follow it to its end."""
        unchanged = _if_unchanged(etag)
        poller = Throttle(self._clock, what, tick).sent(lambda **options: begin(**unchanged, **options))
        return self._follow(poller, begin, what, tick, pools)

    def _follow(
        self, poller: Any, begin: Callable[..., Any], what: str, tick: Tick, pools: PoolWatch | None
    ) -> OperationResult:
        """Follow an accepted operation to its end, whatever that is, also through an outage of Azure.

        ``begin`` with a continuation token takes the same operation up again, and sends nothing but questions. Raises
        where Azure answers and does not tell of the operation: what becomes of it shows in the cluster.
        """
        for taken_up in itertools.count():
            try:
                with translated(what, self._name):
                    return self._followed(poller, what, tick, pools)
            except AzureError as error:
                again = error.entry in AZURE_AWAY and taken_up < _TAKEN_UP
                if not again or not self._back_again(error.what.rstrip("."), tick):
                    raise
            poller = begin(continuation_token=poller.continuation_token())
        raise AssertionError("not reached")

    def _followed(self, poller: Any, what: str, tick: Tick, pools: PoolWatch | None) -> OperationResult:
        """Raises where the question failed and not the operation, which goes on then; the SDK calls both "Failed"."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.polling.base_polling import OperationFailed

        try:
            while not poller.done():
                tick(Operating(what, str(poller.status()), pools.now() if pools else ()))
                poller.wait(timeout=1.0)
            poller.result()
        except HttpResponseError as error:
            if isinstance(error.inner_exception, OperationFailed):
                return OperationResult(str(poller.status()).capitalize(), *words_of(error))
            raise unheard(error, what, self._name) from error
        return OperationResult("Succeeded")

    def _back_again(self, what: str, tick: Tick) -> bool:
        """Wait until Azure answers again; False when the patience is over before that."""
        absence = self._patience.azure
        while absence.missed(what):
            absence.pause(tick)
            try:
                self._look_at_pools()
            except AzureError as error:
                if error.entry not in AZURE_AWAY:
                    raise
                continue
            absence.heard()
            return True
        return False

    def _location_versions(self) -> Offers:
        # Not knowing them only narrows the plan: no control plane first, no hop that is not the target itself.
        try:
            with translated("listing Kubernetes versions", self._name):
                found = self._client.managed_clusters.list_kubernetes_versions(self._location)
        except errors.AzureError:
            return Offers()
        return listed_of(found.values_property)


def _leave_out_idle_key(cluster: Any, client: Any) -> None:
    """While KMS is off a key "must be omitted" (SDK 41.8, ``AzureKeyVaultKms.key_id``).

    Older api-versions keep it for whoever turns KMS on again, as ``az aks update`` does.
    """
    kms = cluster.security_profile.azure_key_vault_kms if cluster.security_profile else None
    spoken = str(getattr(client._config, "api_version", ""))  # pylint: disable=protected-access
    if kms is not None and not kms.enabled and spoken >= _NO_IDLE_KEY_FROM:
        kms.key_id = None


def _override(*, force: bool, until: datetime | None) -> Any:
    """As ``az aks upgrade`` sends it with ``--enable-force-upgrade`` and ``--upgrade-override-until``."""
    from azure.mgmt.containerservice import models

    override = models.UpgradeOverrideSettings(force_upgrade=force, until=until)
    return models.ClusterUpgradeSettings(override_settings=override)


def _if_unchanged(etag: str | None) -> dict[str, Any]:
    from azure.core import MatchConditions

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
