"""The kubeconfigs that AKS hands out: a client certificate, or sign-in through Entra ID."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from tests.lab.azure.identity import AKS_SERVER_APP, TENANT_ID
from tests.lab.model import Endpoint

_KUBELOGIN_CLIENT = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"


def with_certificate(endpoint: Endpoint, cluster: str, user: str) -> str:
    """For clusters with local accounts: the administrator's client certificate, inline."""
    credentials = {
        "client-certificate-data": _b64(endpoint.client_cert_pem),
        "client-key-data": _b64(endpoint.client_key_pem),
    }
    return _document(endpoint, cluster, user, credentials)


def with_kubelogin(endpoint: Endpoint, cluster: str, user: str) -> str:
    """``format=exec``: a bearer token from kubelogin for the AKS server application."""
    arguments = ["--environment", "AzurePublicCloud", "--server-id", AKS_SERVER_APP]
    arguments += ["--client-id", _KUBELOGIN_CLIENT, "--tenant-id", TENANT_ID, "--login", "devicecode"]
    command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", *arguments],
        "env": None,
        "installHint": "kubelogin is not installed which is required to connect to AAD enabled cluster.",
        "provideClusterInfo": False,
    }
    return _document(endpoint, cluster, user, {"exec": command})


def with_azure_provider(endpoint: Endpoint, cluster: str, user: str) -> str:
    """``format=azure``: the older auth provider block, which clients since 1.26 no longer understand."""
    config = {
        "apiserver-id": AKS_SERVER_APP,
        "client-id": _KUBELOGIN_CLIENT,
        "config-mode": "1",
        "environment": "AzurePublicCloud",
        "tenant-id": TENANT_ID,
    }
    return _document(endpoint, cluster, user, {"auth-provider": {"name": "azure", "config": config}})


def _document(endpoint: Endpoint, cluster: str, user: str, credentials: dict[str, Any]) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": cluster,
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "server": endpoint.server,
                    "certificate-authority-data": _b64(endpoint.ca_pem),
                },
            }
        ],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "users": [{"name": user, "user": credentials}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
