"""The loader of ``az aks kms-migrate``. It is imported by every ``az aks`` command: nothing heavy in here."""

from __future__ import annotations

from typing import Any

from azure.cli.core import AzCommandsLoader

# az has the help when the module is loaded.
from azext_kmsmigrate import _help  # noqa: F401  # pylint: disable=unused-import


class KmsMigrateCommandsLoader(AzCommandsLoader):
    """Registers the group ``aks kms-migrate`` and nothing else."""

    def __init__(self, cli_ctx: Any = None) -> None:
        from azure.cli.core.commands import CliCommandType

        custom = CliCommandType(operations_tmpl="azext_kmsmigrate.custom#{}")
        super().__init__(cli_ctx=cli_ctx, custom_command_type=custom)

    def load_command_table(self, args: Any) -> Any:
        from azext_kmsmigrate.commands import load_command_table

        load_command_table(self, args)
        return self.command_table

    def load_arguments(self, command: str) -> None:
        from azext_kmsmigrate._params import load_arguments

        load_arguments(self, command)


COMMAND_LOADER_CLS = KmsMigrateCommandsLoader
