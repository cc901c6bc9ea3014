"""What one API server says about itself: version, health and metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.embedded.deprecated import DeprecatedApis
from tests.lab.embedded.envelope import Chain, KeyIdUses, Transformer
from tests.lab.embedded.faults import Json

_HOOKS = (
    "start-kube-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "bootstrap-controller",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller",
    "start-kube-aggregator-informers",
    "apiservice-registration-controller",
    "apiservice-status-available-controller",
    "kube-apiserver-autoregistration",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
)


def minor(version: str) -> int:
    return int(version.split(".")[1])


def version_document(version: str) -> Json:
    major, small, _ = version.split(".")
    return {
        "major": major,
        "minor": small,
        "gitVersion": f"v{version}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "go1.26",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


@dataclass(frozen=True)
class Check:
    name: str
    fault: str = ""


def kms_checks(plugins: Sequence[tuple[str, Transformer]]) -> list[Check]:
    """One check a plugin when any is v1, else a single one: encryptionconfig/config.go, without hot reload.

    ``plugins`` are (KMS API version, transformer) in the order of the configuration.
    """
    faults = [transformer.probe() for _, transformer in plugins]
    if plugins and all(version == "v2" for version, _ in plugins):
        return [Check("kms-providers", "; ".join(filter(None, faults)))]
    return [Check(f"kms-provider-{index}", fault) for index, fault in enumerate(faults)]


def readiness(synced: bool, kms: Sequence[Check]) -> list[Check]:
    informers = Check("informer-sync", "" if synced else "informers not started yet: [*v1.Secret]")
    hooks = [Check(f"poststarthook/{name}") for name in _HOOKS]
    registered = hooks.index(Check("poststarthook/kube-apiserver-autoregistration")) + 1
    hooks.insert(registered, Check("autoregister-completion"))
    first = [Check(name) for name in ("ping", "log", "etcd", "etcd-readiness")]
    return [*first, *kms, informers, *hooks, Check("shutdown")]


def report(checks: Sequence[Check], *, endpoint: str, verbose: bool) -> tuple[int, str]:
    """Status code and body of a health endpoint; reasons are withheld, as in life."""
    lines = "".join(
        f"[-]{check.name} failed: reason withheld\n" if check.fault else f"[+]{check.name} ok\n" for check in checks
    )
    if any(check.fault for check in checks):
        return 500, f"{lines}{endpoint} check failed\n"
    return 200, f"{lines}{endpoint} check passed\n" if verbose else "ok"


def metrics(
    version: str, started: float, chain: Chain, uses: KeyIdUses, instance: str, deprecated: DeprecatedApis
) -> str:
    """The Prometheus text of one server; counters appear once they count, as in client_golang."""
    name = "apiserver_storage_transformation_operations_total"
    lines = [*deprecated.metrics(), f"# HELP {name} [ALPHA] Total number of transformations.", f"# TYPE {name} counter"]
    resource = 'resource="secrets",' if minor(version) >= 32 else ""
    for (transformation, prefix, status), count in sorted(chain.operations().items()):
        lines.append(
            f'{name}{{{resource}status="{status}",transformation_type="{transformation}",'
            f'transformer_prefix="{prefix}"}} {count}'
        )
    counted = uses.snapshot()
    if counted:
        name = "apiserver_envelope_encryption_key_id_hash_total"
        server = f'apiserver_id_hash="sha256:{hashlib.sha256(instance.encode()).hexdigest()}",'
        lines += [f"# HELP {name} [ALPHA] Number of times a keyID is used.", f"# TYPE {name} counter"]
        for (transformation, provider, key_hash), count in sorted(counted.items()):
            lines.append(
                f'{name}{{{server if minor(version) >= 30 else ""}key_id_hash="{key_hash}",'
                f'provider_name="{provider}",transformation_type="{transformation}"}} {count}'
            )
    lines += [
        "# HELP process_start_time_seconds [STABLE] Start time of the process since unix epoch in seconds.",
        "# TYPE process_start_time_seconds gauge",
        f"process_start_time_seconds {started:.11e}",
    ]
    return "\n".join(lines) + "\n"
