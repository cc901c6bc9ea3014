"""U-11: admission webhooks that can stop writes for everybody when they are down, and nodes are replaced meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.migration.step import StepId

_NAME = "kubernetes.io/metadata.name"  # a label that every namespace carries
_KUBE_SYSTEM = {_NAME: "kube-system"}
_OF_AKS = ("aks-", "azure-")


@dataclass(frozen=True)
class Rule:
    """What a webhook is asked about; ``*`` stands for all."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    operations: tuple[str, ...]

    def takes(self, group: str, resource: str, operation: str) -> bool:
        return (
            _among(self.groups, group) and _among(self.resources, resource) and _among(self.operations, operation)
        ) or ("*/*" in self.resources and _among(self.groups, group) and _among(self.operations, operation))


@dataclass(frozen=True)
class Webhook:
    """One webhook of a configuration. ``kind``: Validating… or MutatingWebhookConfiguration.

    ``required``: its failurePolicy is Fail. ``service_namespace``: where what answers runs, if in the cluster.
    ``needs``: labels that a namespace must carry, with the values allowed (empty: any); ``shuns``: those it must not
    carry with these values (empty: at all).
    """

    kind: str
    configuration: str
    name: str
    required: bool
    rules: tuple[Rule, ...]
    service_namespace: str = ""
    needs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    shuns: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def asked_in(self, labels: dict[str, str]) -> bool:
        """Whether it is asked about objects of a namespace with these labels."""
        return all(k in labels and (not values or labels[k] in values) for k, values in self.needs) and not any(
            k in labels and (not values or labels[k] in values) for k, values in self.shuns
        )

    def takes(self, group: str, resource: str, operation: str) -> bool:
        return any(rule.takes(group, resource, operation) for rule in self.rules)


WEBHOOKS: Topic[tuple[Webhook, ...]] = Topic("admission webhooks", KUBERNETES)


def _webhooks(scene: Scene) -> Iterator[Finding]:
    for hook in scene.of(WEBHOOKS):
        if not hook.required or hook.configuration.startswith(_OF_AKS):
            continue
        subject = f"{hook.kind} {hook.configuration} ({hook.name})"
        relax = (
            f"For the time of the migration: kubectl edit {hook.kind.lower()} {hook.configuration}, and set "
            "failurePolicy: Ignore, or leave kube-system out by its namespaceSelector"
        )
        if hook.takes("", "secrets", "UPDATE"):
            yield Finding(
                subject,
                "It must answer for every write of a Secret: while it is down no Secret can be rewritten.",
                relax,
            )
        if not hook.takes("", "pods", "CREATE"):
            continue
        own = hook.service_namespace
        if hook.asked_in(_KUBE_SYSTEM):
            yield Finding(
                subject,
                "It must answer for every new pod, those of kube-system too: when its own pods are on a node that is "
                "replaced, nothing can start, and the upgrade fails.",
                relax,
            )
        elif own and hook.asked_in({_NAME: own}):
            yield Finding(
                subject,
                f"It must answer for the new pods of {own}, where its own pods are: once all of those are gone from "
                "replaced nodes, none can start again.",
                f"Leave its namespace out by its namespaceSelector: kubectl edit {hook.kind.lower()} "
                f"{hook.configuration}",
            )


def _among(words: tuple[str, ...], word: str) -> bool:
    return "*" in words or word in words


CHECKS = (
    Check(
        "U-11",
        "No webhook stops Secrets or kube-system when it is down",
        Category.UPGRADE,
        Severity.WARN,
        "Webhooks run on the nodes that the upgrade replaces.",
        "https://learn.microsoft.com/azure/aks/faq#can-admission-controller-webhooks-impact-kube-system-and-internal-aks-namespaces-",
        frozenset(StepId),
        _webhooks,
        (WEBHOOKS,),
    ),
)
