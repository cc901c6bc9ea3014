"""``azdev``, as a process, on the extension as it is installed (linter) and as it is written (style)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.installed.environments import AZDEV, needed
from tests.lab.client import ROOT

# azdev takes the packages of az from where it is itself; these come behind, so that its own go before.
_ENTRY = "import site, sys; site.addsitedir(sys.argv.pop(1)); from azdev.__main__ import main; main()"
# Patterns with which some rules compare the commands of two git branches; those are not asked here. azdev reads them
# from a checkout of az when it is started, and else from the network.
_COVERAGE = ("CMD_PATTERN", "QUO_PATTERN", "END_PATTERN", "DOCS_END_PATTERN", "NOT_END_PATTERN", "NUMBER_SIGN_PATTERN")


@dataclass(frozen=True)
class Said:
    """How it ended, and all that it wrote."""

    code: int
    text: str


class DeveloperTools:
    """azdev, set up in ``home`` as ``azdev setup`` would for one extension."""

    def __init__(self, home: Path, extensions: Path) -> None:
        self._environment = needed(AZDEV)
        cli, written = home / "cli", home / "extensions"
        (cli / "scripts" / "ci").mkdir(parents=True)
        (cli / "scripts" / "ci" / "cmdcov.yml").write_text("".join(f"{name}: []\n" for name in _COVERAGE))
        source = written / "src" / "aks-kms-migrate"
        shutil.copytree(ROOT / "azext_kmsmigrate", source / "azext_kmsmigrate", ignore=shutil.ignore_patterns("*.pyc"))
        (source / "aks_kms_migrate.egg-info").mkdir()  # by which azdev knows an extension
        for name in ("linter_exclusions.yml", "pylintrc", ".flake8"):
            shutil.copy(ROOT / name, written)
        settings = home / "azdev" / "env_config" / self._environment.relative_to("/")
        (settings / "config_files").mkdir(parents=True)
        (shipped,) = self._environment.glob("lib/python*/site-packages/azdev/config")
        for path in [*shipped.glob("*pylintrc"), *shipped.glob("*.flake8")]:
            shutil.copy(path, settings / "config_files")
        self._variables = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "AZURE_CONFIG_DIR")
        } | {
            "VIRTUAL_ENV": str(self._environment),
            "PATH": f"{self._environment / 'bin'}:{os.environ['PATH']}",
            "AZDEV_CONFIG_DIR": str(home / "azdev"),
            "AZDEV_CLI_REPO_PATH": str(cli),
            "AZDEV_EXT_REPO_PATHS": str(written),
            "AZURE_CONFIG_DIR": str(home / "azure"),
            "AZURE_EXTENSION_DIR": str(extensions),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
        }
        self._home = home

    def run(self, *words: str) -> Said:
        python = self._environment / "bin" / "python"
        done = subprocess.run(
            [str(python), "-c", _ENTRY, sysconfig.get_path("purelib"), *words],
            env=self._variables,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Said(done.returncode, done.stdout)
