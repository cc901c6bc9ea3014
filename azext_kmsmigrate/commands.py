"""One table: command to handler and table view."""

from __future__ import annotations

from typing import Any

from azext_kmsmigrate import _format


def load_command_table(self: Any, _: Any) -> None:
    with self.command_group("aks kms-migrate") as g:
        g.custom_command("plan", "plan", table_transformer=_format.plan_rows)
        g.custom_command("check", "check", table_transformer=_format.check_rows)
        g.custom_command("start", "start", table_transformer=_format.run_rows)
        g.custom_show_command("show", "show", table_transformer=_format.status_rows)
        g.custom_command("verify", "verify", table_transformer=_format.verification_rows)
        g.custom_command("report", "report", table_transformer=_format.report_rows)
        g.custom_command("revert", "revert", table_transformer=_format.run_rows)
        g.custom_command("disable-kms", "disable_kms", table_transformer=_format.run_rows)
        g.custom_command("upgrade", "upgrade", table_transformer=_format.run_rows)
        g.custom_command("enable-kms", "enable_kms", table_transformer=_format.run_rows)
        g.custom_command("rewrite-secrets", "rewrite_secrets", table_transformer=_format.run_rows)
        g.custom_command("list", "list_", table_transformer=_format.list_rows)
