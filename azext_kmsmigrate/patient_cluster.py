"""The managed cluster in ARM, for a run that waits where Azure is away for some minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, Offers, SupportPlan
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.patience import AZURE_AWAY, Patience
from azext_kmsmigrate.ports import Cluster, OperationResult, Tick

_T = TypeVar("_T")


class PatientCluster:
    """The port ``Cluster`` around another. Only what asks is repeated: of what changes something nobody knows whether
    it arrived, so that the cluster has to be looked at first. ``tick``: called while it waits."""

    def __init__(self, cluster: Cluster, patience: Patience, tick: Tick) -> None:
        self._cluster, self._patience, self._tick = cluster, patience, tick

    def observe(self) -> ClusterFacts:
        return self._answered(self._cluster.observe)

    def offers(self) -> Offers:
        return self._answered(self._cluster.offers)

    def wait(self, tick: Tick) -> ClusterFacts:
        return self._answered(lambda: self._cluster.wait(tick))

    def disable_kms(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._cluster.disable_kms(seen, tick)

    def enable_kms(self, seen: ClusterFacts, kms: KmsProfile, tick: Tick) -> OperationResult:
        return self._cluster.enable_kms(seen, kms, tick)

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
        return self._cluster.upgrade(seen, version, whole=whole, tick=tick, plan=plan, force_until=force_until)

    def end_force(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._cluster.end_force(seen, tick)

    def upgrade_pool(self, seen: ClusterFacts, pool: str, version: KubernetesVersion, tick: Tick) -> OperationResult:
        return self._cluster.upgrade_pool(seen, pool, version, tick)

    def reconcile(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._cluster.reconcile(seen, tick)

    def _answered(self, ask: Callable[[], _T]) -> _T:
        absence = self._patience.azure
        while True:
            try:
                answer = ask()
            except AzureError as error:
                if error.entry not in AZURE_AWAY or not absence.missed(error.what.rstrip(".")):
                    raise
                absence.pause(self._tick)
            else:
                absence.heard()
                return answer
