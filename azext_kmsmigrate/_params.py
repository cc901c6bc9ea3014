"""The options of each command; no logic."""

from __future__ import annotations

from typing import Any

from azext_kmsmigrate._validators import validate_target
from azext_kmsmigrate.migration.facts import NetworkAccess
from azext_kmsmigrate.migration.step import StepId


def load_arguments(self: Any, _: str) -> None:
    from azure.cli.core.commands.parameters import get_enum_type, resource_group_name_type

    with self.argument_context("aks kms-migrate") as c:
        c.argument("resource_group_name", resource_group_name_type, id_part=None, validator=validate_target)
        c.argument("name", options_list=["--name", "-n"], help="Name of the managed cluster.", id_part=None)
        c.argument(
            "kubernetes_version",
            options_list=["--kubernetes-version", "-k"],
            help="Version of Kubernetes to end on, 1.27 or later: MAJOR.MINOR.PATCH, or MAJOR.MINOR for the newest "
            "patch that is offered. Default: the lowest minor version that is offered from 1.27 on.",
        )
        c.argument(
            "key_id",
            options_list=["--azure-keyvault-kms-key-id", "--key-id"],
            help="Identifier of the Key Vault key version for KMS v2. Default: the key of the cluster before KMS was "
            "turned off.",
        )
        c.argument(
            "key_vault_access",
            options_list=["--azure-keyvault-kms-key-vault-network-access", "--key-vault-access"],
            arg_type=get_enum_type([a.value for a in NetworkAccess]),
            help="Network access of the key vault. Default: as before KMS was turned off.",
        )
        c.argument(
            "key_vault",
            options_list=["--azure-keyvault-kms-key-vault-resource-id", "--key-vault"],
            help="Resource ID of the key vault; for a private vault only. Default: as before KMS was turned off.",
        )
        c.argument(
            "settle_seconds",
            type=int,
            help="Seconds without a sign of disagreement among the API servers before Secrets are rewritten. An API "
            "server that is being replaced may still write for about a minute.",
        )
        c.argument(
            "take_over",
            action="store_true",
            help="End another run on this cluster: it stops before its next step. Without it, a run that is alive is "
            "left alone, and one that gave no sign of life for a minute is taken over.",
        )
        c.argument("max_parallel", type=int, help="Requests to the API server at once, at most.")
        c.argument("yes", options_list=["--yes", "-y"], action="store_true", help="Do not ask for confirmation.")
    for command in ("verify", "rewrite-secrets"):
        with self.argument_context(f"aks kms-migrate {command}") as c:
            c.argument(
                "namespace",
                nargs="+",
                help="Only the Secrets of these namespaces, separated by spaces. What is proven holds for them only.",
            )
    with self.argument_context("aks kms-migrate verify") as c:
        c.argument(
            "report_file",
            help="Write the result to this file as JSON, with every Secret that is not proven; the output names 100.",
        )
    with self.argument_context("aks kms-migrate start") as c:
        c.argument(
            "stop_after",
            arg_type=get_enum_type([s.value for s in StepId]),
            help="Stop when this step is done and proven. The same command without it goes on.",
        )
