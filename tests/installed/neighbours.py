"""Other extensions beside ours, which do to az what those of the field do."""

from __future__ import annotations

from pathlib import Path

ALTERED = "altered by the neighbour"

# As aks-preview: group and commands of ``aks`` replaced, a resource type of its own on an SDK that it brings.
_PREVIEW = """
from azure.cli.core import AzCommandsLoader
from azure.cli.core.commands import CliCommandType
from azure.cli.core.profiles import CustomResourceType, SDKProfile, register_resource_type

MANAGED = CustomResourceType("azext_aks_preview.vendored_sdks.azure_mgmt_preview_aks", "ContainerServiceClient")


class Loader(AzCommandsLoader):
    def __init__(self, cli_ctx=None):
        register_resource_type("latest", MANAGED, SDKProfile("2024-09-02-preview"))
        custom = CliCommandType(operations_tmpl="azext_aks_preview.custom#{}")
        super().__init__(cli_ctx=cli_ctx, custom_command_type=custom, resource_type=MANAGED)

    def load_command_table(self, args):
        with self.command_group("aks", custom_command_type=self.module_kwargs["custom_command_type"]) as g:
            for name in ("show", "update", "upgrade", "list"):
                g.custom_command(name, "altered")
        return self.command_table

    def load_arguments(self, command):
        with self.argument_context("aks") as c:
            c.argument("name", options_list=["--name", "-n"])


COMMAND_LOADER_CLS = Loader
"""
_PREVIEW_CUSTOM = f'''
def altered(cmd, resource_group_name=None, name=None):
    return {{"said": "{ALTERED}"}}
'''
# As one that brings a package that we bring too, in another version, and comes before us by its name.
_AGENT = """
from azure.cli.core import AzCommandsLoader


class Loader(AzCommandsLoader):
    def __init__(self, cli_ctx=None):
        from azure.cli.core.commands import CliCommandType

        super().__init__(cli_ctx=cli_ctx, custom_command_type=CliCommandType(operations_tmpl="azext_aks_agent#{}"))

    def load_command_table(self, args):
        with self.command_group("aks agent-of-a-neighbour") as g:
            g.custom_command("ask", "ask")
        return self.command_table


def ask(cmd):
    return None


COMMAND_LOADER_CLS = Loader
"""
_UNUSABLE = 'raise ImportError("the package of a neighbour was taken")\n'


def settle(extensions: Path) -> None:
    """Put both into a directory of installed extensions, as az finds them there."""
    preview = _extension(extensions, "aks-preview", "azext_aks_preview", _PREVIEW)
    (preview / "azext_aks_preview" / "custom.py").write_text(_PREVIEW_CUSTOM)
    sdk = preview / "azext_aks_preview" / "vendored_sdks" / "azure_mgmt_preview_aks"
    sdk.mkdir(parents=True)
    (sdk / "__init__.py").write_text(_UNUSABLE)
    agent = _extension(extensions, "aks-agent", "azext_aks_agent", _AGENT)
    # The second az has itself, the first and the third have we.
    for package in ("kubernetes", "urllib3", "websocket"):
        (agent / package).mkdir()
        (agent / package / "__init__.py").write_text(_UNUSABLE)


def _extension(extensions: Path, name: str, module: str, code: str) -> Path:
    home = extensions / name
    (home / module).mkdir(parents=True)
    (home / module / "__init__.py").write_text(code)
    (home / module / "azext_metadata.json").write_text('{"azext.minCliCoreVersion": "2.61.0"}')
    facts = home / f"{name.replace('-', '_')}-1.0.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
    return home
