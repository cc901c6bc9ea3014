"""The task AzureCLI@2 with a service connection of workload identity federation, as its source does it.

https://github.com/microsoft/azure-pipelines-tasks/blob/master/Tasks/AzureCLIV2/azureclitask.ts: an AZURE_CONFIG_DIR of
its own for each invocation, a sign-in with the job's ID token, the inline script in a file that bash runs with nothing
on its standard input, and everything taken away again.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.az import AZ
from tests.lab.azure.identity import TENANT_ID
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.client import LabClient

TOKEN_SECONDS = 600  # as long as Azure DevOps lets its ID tokens hold
_INPUTS = {
    "azureSubscription",
    "scriptType",
    "scriptLocation",
    "inlineScript",
    "visibleAzLogin",
    "addSpnToEnvironment",
    "keepAzSessionActive",
    "failOnStandardError",
}


@dataclass(frozen=True)
class Ran:
    """What a script left behind; ``log`` is both of its streams, as the agent reads them."""

    code: int
    log: str


class AzureCli:
    """``client_id``: of the service connection."""

    def __init__(self, lab: LabClient, extensions: Path, client_id: str) -> None:
        self._lab, self._extensions, self._client_id = lab, extensions, client_id

    def run(self, inputs: Mapping[str, object], environment: Mapping[str, str], directory: Path, words: str) -> Ran:
        """One invocation.

        ``environment``: the job's variables and the step's own; ``directory``: Agent.TempDirectory; ``words``: added to
        ``start``.
        """
        assert set(inputs) <= _INPUTS, set(inputs) - _INPUTS
        assert (inputs["scriptType"], inputs["scriptLocation"]) == ("bash", "inlineScript")
        config = Path(tempfile.mkdtemp(prefix=".azclitask-", dir=directory)) / "config"
        token = self._lab.federated_token(TOKEN_SECONDS)
        machine = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            **self._lab.fresh_environment(config),
            "HOME": str(directory),
            "AZURE_EXTENSION_DIR": str(self._extensions),
            "TF_BUILD": "True",
            "AGENT_TEMPDIRECTORY": str(directory),
        }
        machine["PATH"] = f"{_typed_with(words, directory)}:{machine['PATH']}"
        self._az(
            machine, directory, *self._login(token), *(["-o", "none"] if inputs["visibleAzLogin"] is False else [])
        )
        self._az(machine, directory, "account", "set", "--subscription", SUBSCRIPTION_ID)
        script = directory / "azureclitaskscript.sh"
        script.write_text(str(inputs["inlineScript"]))
        known = {"servicePrincipalId": self._client_id, "idToken": token, "tenantId": TENANT_ID}
        done = subprocess.run(
            ["bash", str(script)],
            env={**machine, **environment, **(known if inputs.get("addSpnToEnvironment") else {})},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        script.unlink()
        self._az(machine, directory, "account", "clear")
        shutil.rmtree(config.parent)
        return Ran(done.returncode, done.stdout)

    def _login(self, token: str) -> list[str]:
        who = ["-u", self._client_id, "--tenant", TENANT_ID]
        return ["login", "--service-principal", *who, "--allow-no-subscriptions", "--federated-token", token]

    @staticmethod
    def _az(environment: Mapping[str, str], directory: Path, *words: str) -> None:
        done = subprocess.run(
            [str(AZ), *words],
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def _typed_with(words: str, directory: Path) -> Path:
    """A directory with an ``az`` that adds these words to ``start`` and ``verify``: a lab settles within seconds."""
    binaries = directory / "bin"
    binaries.mkdir(exist_ok=True)
    (binaries / "az").write_text(
        f"""#!/bin/sh
case "$1 $2 $3" in
  "aks kms-migrate start") exec {shlex.quote(str(AZ))} "$@" --settle-seconds 1 {words} ;;
  "aks kms-migrate verify") exec {shlex.quote(str(AZ))} "$@" --settle-seconds 1 ;;
esac
exec {shlex.quote(str(AZ))} "$@"
"""
    )
    (binaries / "az").chmod(0o755)
    return binaries
