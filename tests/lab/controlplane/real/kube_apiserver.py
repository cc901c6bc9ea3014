"""One kube-apiserver process: its EncryptionConfiguration, its flags, and what ``/readyz`` says."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.controlplane.real.cluster_pki import ClusterPki
from tests.lab.model import EntraTrust, Provider

_PROBE_SECONDS = 10.0


def encryption_configuration(providers: Sequence[Provider], sockets: Mapping[Provider, Path]) -> dict[str, Any]:
    """For Secrets alone, in the order given: the first provider writes, all read."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [_entry(provider, sockets) for provider in providers]}],
    }


def _entry(provider: Provider, sockets: Mapping[Provider, Path]) -> dict[str, Any]:
    if provider.kind != "kms":
        return {provider.kind: {}}
    kms = {
        "apiVersion": provider.api_version,
        "name": provider.name,
        "endpoint": f"unix://{sockets[provider]}",
        "timeout": "10s",  # the machine may be busy; the default of 3 s is for a vault that is near
    }
    return {"kms": kms}


def flags(
    pki: ClusterPki,
    port: int,
    etcd_url: str,
    configuration: Path,
    entra_flags: Sequence[str],
    extra: Sequence[str],
) -> list[str]:
    """What a kube-apiserver without a controller manager or nodes needs; ``extra`` comes last and so wins."""
    return [
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",  # else it looks for a default route, which a sealed machine lacks
        f"--secure-port={port}",
        f"--etcd-servers={etcd_url}",
        f"--encryption-provider-config={configuration}",
        f"--tls-cert-file={pki.server}",
        f"--tls-private-key-file={pki.server_key}",
        f"--client-ca-file={pki.ca}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki.service_account_key}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--service-cluster-ip-range=10.0.0.0/16",
        # No controller manager makes service accounts, and no node reaches 127.0.0.1.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--event-ttl=10m",
        "--profiling=false",
        *entra_flags,
        *extra,
    ]


def entra_flags(trust: EntraTrust, ca_file: Path) -> list[str]:
    """Entra ID tokens, checked by the API server itself; the user's name is the token's object id."""
    return [
        f"--oidc-issuer-url={trust.issuer}",
        f"--oidc-client-id={trust.client_id}",
        f"--oidc-ca-file={ca_file}",
        "--oidc-username-claim=oid",
        "--oidc-username-prefix=-",
        "--oidc-groups-claim=groups",
    ]


class AdminClient:
    """What the host itself asks one API server, as a member of ``system:masters``."""

    def __init__(self, pki: ClusterPki, port: int) -> None:
        self._tls = ssl.create_default_context(cafile=str(pki.ca))
        self._tls.load_cert_chain(pki.admin, pki.admin_key)
        self._port = port

    def readiness(self) -> str:
        """The body of ``/readyz``, ``ok`` when ready; else why it could not be asked."""
        try:
            _, body = self.request("GET", "/readyz")
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        return body.strip()

    def ensure(self, path: str, document: Mapping[str, Any]) -> None:
        """Create an object; that it exists already is as good."""
        status, body = self.request("POST", path, document)
        if status not in (http.client.CREATED, http.client.CONFLICT):
            raise OSError(f"the API server answered {status} to POST {path}: {body}")

    def request(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> tuple[int, str]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._tls, timeout=_PROBE_SECONDS)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()


def cluster_admin_binding(object_id: str) -> dict[str, Any]:
    """What AKS makes for the Entra ID administrators of a cluster."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "aks-cluster-admin-binding-aad"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": object_id}],
    }
