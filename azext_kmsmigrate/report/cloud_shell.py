"""Whether the command runs in Azure Cloud Shell, and what its user has to know there. Pure.

https://learn.microsoft.com/azure/cloud-shell/limitations (20 minutes without input; the machine is temporary) and
https://learn.microsoft.com/azure/cloud-shell/persisting-shell-storage (what of the files is kept)
"""

from __future__ import annotations

from collections.abc import Mapping

NOTICE = (
    "This is Azure Cloud Shell: a session ends after 20 minutes without input, with no warning, and this command with "
    "it. Nothing depends on the session: Azure goes on with what it has begun, and the journal is kept in the cluster. "
    "Type the same command in a new session, and it goes on. Files outside $HOME are gone then; without storage of "
    "your own, those in it too."
)


def in_cloud_shell(environment: Mapping[str, str]) -> bool:
    """What Cloud Shell exports, for bash as for PowerShell; any one of them will do."""
    return bool(
        environment.get("ACC_CLOUD")
        or environment.get("AZUREPS_HOST_ENVIRONMENT", "").startswith("cloud-shell")
        or environment.get("POWERSHELL_DISTRIBUTION_CHANNEL") == "CloudShell"
    )
