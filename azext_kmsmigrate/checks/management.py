"""AZ-10 and AZ-11: how fast Azure takes changes of a cluster, and who else makes them."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.migration.code import tools_named
from azext_kmsmigrate.migration.step import StepId

_BURST = 20  # PUTs of one cluster that Azure takes at once; then one a minute. aks/quotas-skus-regions
_CHANGES = frozenset({StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS, StepId.UPGRADE_NODE_POOLS})


def _budget(scene: Scene) -> Iterator[Finding]:
    cluster = scene.cluster
    steps = [step.id for step in scene.plan.steps]
    puts = len(_CHANGES.intersection(steps))
    if StepId.UPGRADE_NODE_POOLS in steps:
        puts += len(cluster.pools) - 1
    if puts > _BURST:
        yield Finding(
            f"cluster '{cluster.name.name}'",
            f"The migration sends {puts} changes; Azure takes {_BURST} at once and then one a minute.",
            "Nothing to do: a change that Azure puts off is sent again when Azure says.",
        )


def _infrastructure_as_code(scene: Scene) -> Iterator[Finding]:
    name = scene.cluster.name
    for tag, tools in tools_named(scene.cluster.surroundings.tags).items():
        for tool in tools:
            pause = f" ({tool.pause})" if tool.pause else ""
            yield Finding(
                f"cluster '{name.name}'",
                f"Its tag '{tag}' says that {tool.name} manages it: a run midway puts KMS back as its code has it.",
                f"Pause it{pause} until 'az aks kms-migrate verify {name.option_text}' holds, and write the new key "
                f"and version into its code before it runs again: {tool.fields}.",
            )


CHECKS = (
    Check(
        "AZ-10",
        "Azure takes the changes at once",
        Category.AZURE,
        Severity.INFO,
        "Azure limits how often a cluster may be changed; a migration of many node pools takes longer.",
        "https://learn.microsoft.com/azure/aks/quotas-skus-regions",
        frozenset({StepId.UPGRADE_NODE_POOLS}),
        _budget,
    ),
    Check(
        "AZ-11",
        "Nobody else manages the cluster meanwhile",
        Category.AZURE,
        Severity.WARN,
        "Infrastructure as code that runs midway turns KMS on with the old key, or changes the version.",
        "https://learn.microsoft.com/azure/aks/use-kms-v2",
        _CHANGES,
        _infrastructure_as_code,
    ),
)
