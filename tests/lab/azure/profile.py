"""A ready configuration directory for ``az``: the local cloud registered, an account signed in.

The files are those that ``az cloud register``, ``az cloud set`` and ``az login`` (service principal) write.
The token itself is fetched at the first use. A log-in by hand works too and overwrites them.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.lab.azure.certificates import Authority
from tests.lab.azure.identity import ARM_AUDIENCES, TENANT_ID, Principal
from tests.lab.azure.metadata import CLOUD_NAME, SUBSCRIPTION_ID, SUBSCRIPTION_NAME

# Only where az is not in this Python environment: an az of another version then asks once for updates.
_ASSUMED_CLI_VERSION = "2.91.0"


def write_machine(directory: Path, base_url: str) -> Path:
    """Write a new AZURE_CONFIG_DIR in which the local cloud is known and nobody is signed in."""
    directory.mkdir(mode=0o700)
    _write_ini(directory / "config", {"cloud": {"name": CLOUD_NAME}})
    _write_ini(directory / "clouds.config", {CLOUD_NAME: _cloud(base_url)})
    _write_json(directory / "versionCheck.json", _version_check())
    return directory


def write_profile(directory: Path, base_url: str, operator: Principal) -> Path:
    """Write a new AZURE_CONFIG_DIR with an account; several az processes may use it at once."""
    write_machine(directory, base_url)
    # az itself writes this one with a byte order mark.
    _write_json(directory / "azureProfile.json", _account(operator), encoding="utf-8-sig")
    entry = {"client_id": operator.client_id, "tenant": TENANT_ID, "client_secret": operator.secret}
    _write_json(directory / "service_principal_entries.json", [entry])
    return directory


def environment(config_directory: Path, authority: Authority) -> dict[str, str]:
    """What to export for an az that talks to the local Azure and to nobody else."""
    bundle = authority.bundle(config_directory.parent / "ca-bundle.pem")
    return {
        "AZURE_CONFIG_DIR": str(config_directory),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        # With discovery on, az asks login.microsoftonline.com whether it knows our authority.
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_SURVEY_MESSAGE": "false",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "false",
        "AZURE_CORE_NO_COLOR": "true",
        "AZURE_CORE_DISABLE_PROGRESS_BAR": "true",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
    }


def _cloud(base_url: str) -> dict[str, str]:
    endpoints = (
        "management",
        "resource_manager",
        "active_directory",
        "active_directory_graph_resource_id",
        "active_directory_data_lake_resource_id",
        "microsoft_graph_resource_id",
        "batch_resource_id",
        "gallery",
        "media_resource_id",
        "portal",
        "sql_management",
        "vm_image_alias_doc",
    )
    values = {f"endpoint_{name}": base_url for name in endpoints}
    values["endpoint_management"] = ARM_AUDIENCES[0]
    values["endpoint_active_directory_resource_id"] = ARM_AUDIENCES[0]
    values["suffix_keyvault_dns"] = ".vault.azure.net"
    values["suffix_storage_endpoint"] = "core.windows.net"
    values["suffix_acr_login_server_endpoint"] = ".azurecr.io"
    values["suffix_sql_server_hostname"] = ".database.windows.net"
    return {"profile": "latest", **values}


def _account(operator: Principal) -> dict[str, Any]:
    subscription = {
        "id": SUBSCRIPTION_ID,
        "name": SUBSCRIPTION_NAME,
        "state": "Enabled",
        "user": {"name": operator.client_id, "type": "servicePrincipal"},
        "isDefault": True,
        "tenantId": TENANT_ID,
        "homeTenantId": TENANT_ID,
        "environmentName": CLOUD_NAME,
        "managedByTenants": [],
    }
    return {"installationId": str(uuid.uuid4()), "subscriptions": [subscription]}


def _version_check() -> dict[str, Any]:
    """Without it, az's first command asks the internet which versions are the newest."""
    try:
        version = importlib.metadata.version("azure-cli-core")
    except importlib.metadata.PackageNotFoundError:
        version = _ASSUMED_CLI_VERSION
    known = {"local": version, "pypi": version}
    return {
        "versions": {"azure-cli": known, "core": known},
        "update_time": str(datetime.now()),
    }


def _write_ini(path: Path, sections: dict[str, dict[str, str]]) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    with path.open("w", encoding="utf-8") as file:
        parser.write(file)


def _write_json(path: Path, value: Any, encoding: str = "utf-8") -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=2), encoding=encoding)
