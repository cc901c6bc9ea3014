"""The managed cluster as Azure keeps it: one operation at a time, etags, and the refusals of AKS.

Sources: ``aks-kms-keyvault.md``, the literals of the resource provider. An operation goes on whether or not anybody
follows it; it ends when the clock has passed its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, Conflict
from azext_kmsmigrate.migration.facts import (
    PREMIUM,
    ClusterFacts,
    ClusterName,
    KmsProfile,
    NetworkAccess,
    Offers,
    SupportPlan,
)
from azext_kmsmigrate.migration.refusal import refusal_in
from azext_kmsmigrate.migration.version import KMS_V2_FROM, KubernetesVersion
from azext_kmsmigrate.ports import OperationResult

Change = Callable[[ClusterFacts], ClusterFacts]


@dataclass(frozen=True)
class Put:
    """One accepted request: what it was, and whether it changed anything."""

    what: str
    changed: bool


@dataclass(frozen=True)
class Trouble:
    """How the next operation of a kind ends badly. ``effect``: whether the change takes place all the same."""

    status: str = "Failed"
    effect: bool = False
    code: str = "InternalOperationError"
    detail: str = "it went wrong"


@dataclass
class _Operation:
    ends_at: float
    change: Change
    trouble: Trouble | None


@dataclass
class Azure:
    """``facts`` is the truth. ``on_effect`` is told the facts before and after a change, and when it took place."""

    facts: ClusterFacts
    now: Callable[[], float]
    on_effect: Callable[[ClusterFacts, ClusterFacts, float], None]
    offers: dict[str, list[str]] = field(default_factory=dict)
    plans: dict[tuple[int, int], frozenset[SupportPlan]] = field(default_factory=dict)
    operation_seconds: float = 30.0
    puts: list[Put] = field(default_factory=list)
    trouble: dict[str, list[Trouble]] = field(default_factory=dict)
    refusals: dict[str, list[errors.KmsMigrateError]] = field(default_factory=dict)
    away_from: float = 0.0  # from then until the next one nobody answers
    away_until: float = 0.0
    lost: dict[str, int] = field(default_factory=dict)  # requests that are accepted, and then the line is cut
    budgets: list[str] = field(default_factory=list)  # PodDisruptionBudgets, as NAMESPACE/NAME, that let no pod go
    before_put: Callable[[str], None] = lambda what: None
    _operation: _Operation | None = None
    _etag: int = 1
    result: OperationResult = field(default_factory=lambda: OperationResult("Succeeded"))

    @property
    def away(self) -> bool:
        return self.away_from <= self.now() < self.away_until

    def show(self) -> ClusterFacts:
        self._settle()
        return replace(self.facts, etag=f"etag-{self._etag}")

    def offered(self) -> Offers:
        onward = {
            KubernetesVersion.parse(version): tuple(map(KubernetesVersion.parse, offered))
            for version, offered in self.offers.items()
        }
        return Offers(onward.get(self.show().version, ()), onward, self.plans)

    def finished(self) -> bool:
        self._settle()
        return self._operation is None

    def put(self, what: str, etag: str, change: Change) -> None:
        """Accept a change, or refuse it as AKS does; ``finished`` and ``result`` tell how it went on."""
        self.before_put(what)
        self._settle()
        if scripted := self.refusals.get(what):
            raise scripted.pop(0)
        if self._operation is not None:
            raise Conflict(errors.CHANGED_MEANWHILE, what=what, code="OperationNotAllowed")
        if etag != f"etag-{self._etag}":
            raise Conflict(errors.CHANGED_MEANWHILE, what=what, code="EtagMismatch")
        after = change(self.facts)
        self._validate(what, after)
        troubles = self.trouble.get(what)
        trouble = troubles.pop(0) if troubles else None
        self.puts.append(Put(what, _without_state(after) != _without_state(self.facts)))
        self._operation = _Operation(self.now() + self.operation_seconds, change, trouble)
        self.facts = replace(self.facts, state="Upgrading" if "upgrade" in what else "Updating")
        self._etag += 1

    def meddle(self, change: Change) -> None:
        """Somebody else changes the cluster, at once."""
        self._settle()
        before, self.facts = self.facts, change(self.facts)
        self._etag += 1
        self.on_effect(before, self.facts, self.now())

    def _settle(self) -> None:
        operation = self._operation
        if operation is None or self.now() < operation.ends_at:
            return
        self._operation = None
        self._etag += 1
        trouble = operation.trouble
        before = self.facts
        if trouble is None or trouble.effect:
            self.facts = operation.change(self.facts)
        self.facts = replace(self.facts, state=trouble.status if trouble else "Succeeded")
        self.result = (
            OperationResult(trouble.status, trouble.code, trouble.detail) if trouble else OperationResult("Succeeded")
        )
        self.on_effect(before, self.facts, operation.ends_at)

    def _validate(self, what: str, after: ClusterFacts) -> None:
        before = self.facts
        if after.version != before.version:
            if str(after.version) not in self.offers.get(str(before.version), []):
                raise self._refused(what, "OperationNotAllowed", f"Upgrading to {after.version} is not allowed")
            if after.support_plan not in self.plans.get(after.version.line, SupportPlan):
                raise self._refused(what, "K8sVersionNotSupported", "only available for Long-Term Support (LTS)")
            if before.kms.enabled and before.version < KMS_V2_FROM <= after.version:
                raise self._refused(what, "BadRequest", "AzureKeyVaultKms has to be disabled first")
        if after.support_plan is SupportPlan.LONG_TERM and after.tier != PREMIUM:
            raise self._refused(
                what, "BadRequest", "AKS Long Term Support is only available for Premium tier clusters."
            )
        if self.budgets and _versions(after) != _versions(before) and not after.forced_until:
            detail = (
                f"1 error occurred: * PDB {self.budgets[0]} has maxunavailable == 0 can't proceed with put operation"
            )
            raise refused_by_azure(what, "UnsatisfiablePDB", detail)
        if any(pool.version > after.version for pool in after.pools):
            raise self._refused(what, "NodePoolMcVersionIncompatible", "a node pool is newer than the control plane")
        kms = after.kms
        if kms.enabled and kms != before.kms:
            if len(kms.key_id.split("/keys/")[-1].split("/")) != 2:
                raise self._refused(what, "InvalidParameter", "the key id has no version")
            if before.identity != "UserAssigned":
                raise self._refused(what, "InvalidParameter", "does not support cluster identity type")
            if kms.network_access is NetworkAccess.PRIVATE and not before.vnet_integration:
                raise self._refused(what, "InvalidParameter", "Vnet integration should be enabled")
            if kms.network_access is NetworkAccess.PRIVATE and not kms.vault_id:
                raise self._refused(what, "InvalidParameter", "KeyVault resource ID is empty")
            if kms.network_access is NetworkAccess.PUBLIC and kms.vault_id:
                raise self._refused(what, "InvalidParameter", "KeyVault resource ID is not empty")

    def _refused(self, what: str, code: str, detail: str) -> AzureError:
        return AzureError(errors.AZURE_REFUSED, what=what, code=code, detail=detail, next="start")


def refused_by_azure(what: str, code: str, detail: str) -> AzureError:
    """A refusal as the adapter reads it."""
    refusal = refusal_in(code, detail)
    assert refusal is not None
    return refusal.error(
        f"Azure refused {what}", "The cluster stays as it was.", ClusterName("blue", "shop", ""), "start"
    )


def _versions(facts: ClusterFacts) -> list[KubernetesVersion]:
    return [facts.version, *(pool.version for pool in facts.pools)]


def disabled(facts: ClusterFacts) -> ClusterFacts:
    return replace(facts, kms=replace(facts.kms, enabled=False))


def enabled(kms: KmsProfile) -> Change:
    return lambda facts: replace(facts, kms=kms)


def upgraded(
    version: KubernetesVersion, *, whole: bool, plan: SupportPlan | None = None, forced_until: str = ""
) -> Change:
    def change(facts: ClusterFacts) -> ClusterFacts:
        facts = replace(facts, forced_until=forced_until or facts.forced_until)
        pools = tuple(replace(p, version=version, wanted=version) for p in facts.pools) if whole else facts.pools
        if plan is not None:
            facts = replace(facts, support_plan=plan, tier=PREMIUM if plan is SupportPlan.LONG_TERM else facts.tier)
        return replace(facts, version=version, wanted=version, pools=pools)

    return change


def force_ended(facts: ClusterFacts) -> ClusterFacts:
    return replace(facts, forced_until="")


def pool_upgraded(name: str, version: KubernetesVersion) -> Change:
    def change(facts: ClusterFacts) -> ClusterFacts:
        return replace(
            facts,
            pools=tuple(replace(p, version=version, wanted=version) if p.name == name else p for p in facts.pools),
        )

    return change


def _without_state(facts: ClusterFacts) -> ClusterFacts:
    return replace(facts, state="", etag="")
