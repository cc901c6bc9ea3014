"""The options of each command; no logic."""

from __future__ import annotations

from typing import Any

from azext_kmsmigrate._validators import (
    complete_check_ids,
    validate_report_form,
    validate_scope,
    validate_skipped_checks,
    validate_target,
)
from azext_kmsmigrate.migration.facts import NetworkAccess, SupportPlan
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.report.form import Form


def load_arguments(self: Any, _: str) -> None:
    from azure.cli.core.commands.parameters import (
        get_enum_type,
        get_resource_name_completion_list,
        resource_group_name_type,
    )

    with self.argument_context("aks kms-migrate") as c:
        c.argument("resource_group_name", resource_group_name_type, id_part=None, validator=validate_target)
        c.argument(
            "name",
            options_list=["--name", "-n"],
            help="Name of the managed cluster.",
            id_part=None,
            completer=get_resource_name_completion_list("Microsoft.ContainerService/ManagedClusters"),
        )
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
        c.argument(
            "timeout",
            type=float,
            help="Minutes after which the command stops by itself at a safe point, with exit code 20: less than the "
            "pipeline's own limit, which would end it anywhere. The same command continues.",
        )
        c.argument("max_parallel", type=int, help="Requests to the API server at once, at most.")
        c.argument(
            "skip_check",
            nargs="+",
            validator=validate_skipped_checks,
            completer=complete_check_ids,
            help="Ids of checks to leave out, separated by spaces, for example K-10 U-06. One that would stop the run "
            "when it fails is kept in the journal, with who left it out and when.",
        )
        c.argument(
            "warnings_as_errors",
            action="store_true",
            help="Exit with 11 for a check that warns, or that could not look, too.",
        )
        c.argument("yes", options_list=["--yes", "-y"], action="store_true", help="Do not ask for confirmation.")
        c.argument(
            "progress",
            arg_type=get_enum_type([form.value for form in Form]),
            help="How progress is shown, on stderr: a live line at a terminal (tty), a line for each change and a sign "
            "of life (plain), the same with the logging commands of Azure Pipelines (azure-devops), or nothing (none). "
            "By default what suits the place. With --only-show-errors nothing is shown.",
        )
        c.argument(
            "tier",
            arg_type=get_enum_type(["premium"]),
            help="Tier to change to with the upgrade, for long term support. It costs money.",
        )
        c.argument(
            "k8s_support_plan",
            options_list=["--k8s-support-plan"],
            arg_type=get_enum_type([SupportPlan.LONG_TERM.value]),
            help="Support plan to end with. Long term support is changed to in the same request as the version, needs "
            "the Premium tier, and is never chosen unasked. Default: the plan the cluster has.",
        )
    for command in ("start", "upgrade"):
        with self.argument_context(f"aks kms-migrate {command}") as c:
            c.argument(
                "force_upgrade_until",
                help="Have AKS pass over deprecated APIs in use and over PodDisruptionBudgets, for upgrades that begin "
                "before this time (UTC, for example 2026-01-31T18:00:00Z; 7 days from now at most). Clients may break, "
                "and applications may lose all their pods at once. It is taken away when the migration ends.",
            )
    for command in ("start", "enable-kms", "revert"):
        with self.argument_context(f"aks kms-migrate {command}") as c:
            c.argument(
                "assign_role",
                action="store_true",
                help="Give the cluster's identity the roles that it lacks for the new key, with your own rights, and "
                "wait until they have effect: Key Vault Crypto User on the vault, for a private vault also Key Vault "
                "Contributor. Nothing else in a vault is created or changed.",
            )
    with self.argument_context("aks kms-migrate revert") as c:
        c.argument(
            "key_id",
            options_list=["--azure-keyvault-kms-key-id", "--key-id"],
            help="Identifier of the key version that KMS v1 had, where neither the cluster nor the journal names it.",
        )
    for command in ("verify", "rewrite-secrets"):
        with self.argument_context(f"aks kms-migrate {command}") as c:
            c.argument(
                "namespace",
                nargs="+",
                help="Only the Secrets of these namespaces, separated by spaces. What is proven holds for them only.",
            )
    with self.argument_context("aks kms-migrate check") as c:
        c.argument(
            "report_file",
            help="Write the result to this file as JSON, with every finding; the output names 100 of each check.",
        )
    with self.argument_context("aks kms-migrate verify") as c:
        c.argument(
            "report_file",
            help="Write the result to this file as JSON, with every Secret that is not proven; the output names 100.",
        )
    with self.argument_context("aks kms-migrate plan") as c:
        c.argument("out", options_list=["--out"], help="Write the plan to this file too, for 'start --plan'.")
        c.argument(
            "detailed_exit_code",
            action="store_true",
            help="Exit with 10 when steps are left, with 0 when there is nothing to do.",
        )
    with self.argument_context("aks kms-migrate report") as c:
        c.argument(
            "report_format",
            options_list=["--format"],
            arg_type=get_enum_type(["markdown", "json", "html"]),
            validator=validate_report_form,
            help="Form of the report. Default: what the ending of --out says (.md, .html, .json), else JSON.",
        )
        c.argument(
            "out",
            options_list=["--out"],
            help="Write the report to this file too; an older file is replaced. With '-' it is written to stdout, "
            "instead of the result.",
        )
    with self.argument_context("aks kms-migrate start") as c:
        c.argument(
            "plan_file",
            options_list=["--plan"],
            help="Run the plan in this file, written by 'plan --out'; refused when the facts it was made from have "
            "changed. The same command continues the run that it began.",
        )
        c.argument(
            "stop_after",
            arg_type=get_enum_type([s.value for s in StepId]),
            help="Stop when this step is done and proven. The same command without it goes on.",
        )
    with self.argument_context("aks kms-migrate list") as c:
        c.argument(
            "subscriptions",
            nargs="+",
            validator=validate_scope,
            help="Subscriptions to list, by ID or name, separated by spaces. Default: the one az works in, or that "
            "--subscription names.",
        )
        c.argument(
            "management_groups",
            nargs="+",
            help="Management groups to list, by ID, separated by spaces: all their subscriptions that you may read.",
        )
