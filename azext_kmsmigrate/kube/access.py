"""Gets into the API server with the kubeconfig that ARM gives for the user, reduced to what a connection needs.

A cluster with local accounts has a client certificate in it. One with Entra ID names an exec plug-in (kubelogin);
that is not run: the CLI's own sign-in gives a token for the same server application, in this process.
"""

from __future__ import annotations

import base64
import itertools
import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError
from azext_kmsmigrate.migration.facts import ClusterName
from azext_kmsmigrate.patience import AZURE_AWAY

# The AKS Entra ID server application, the same in every tenant:
# https://learn.microsoft.com/azure/aks/kubelogin-authentication
AKS_SERVER_APP = "6dae42f8-4368-4678-94ff-3960e28e3630"
_RENEW_BEFORE = 300.0  # seconds before a token ends
_RENEWED_AT_MOST_EVERY = 10.0  # seconds; a refusal that no new token mends is not to become a flood of sign-ins

FetchToken = Callable[[str, bool], "tuple[str, float]"]
"""``server application id, whether a kept one will not do -> (token, seconds since the epoch when it ends)``"""


@dataclass(frozen=True)
class Kubeconfig:
    """What is used of a kubeconfig. Either a certificate with its key, or ``server_app``."""

    server: str
    ca_pem: str
    cert_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    server_app: str = ""


def parse(text: str, name: ClusterName) -> Kubeconfig:
    """Read the current context of a kubeconfig.

    :raises ClusterError: NO_CREDENTIAL, when it holds no way to sign in that works here
    """
    import yaml

    try:
        found = _read(yaml.safe_load(text))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ClusterError(errors.NO_CREDENTIAL, **name.words) from error
    if found is None:
        raise ClusterError(errors.NO_CREDENTIAL, **name.words)
    return found


def _read(document: Any) -> Kubeconfig | None:
    context = _named(document["contexts"], document["current-context"])["context"]
    cluster = _named(document["clusters"], context["cluster"])["cluster"]
    user = _named(document["users"], context["user"])["user"] or {}
    server, ca_pem = cluster["server"], _decoded(cluster.get("certificate-authority-data"))
    if user.get("client-certificate-data"):
        cert, key = _decoded(user["client-certificate-data"]), _decoded(user["client-key-data"])
        return Kubeconfig(server, ca_pem, cert, key)
    if user.get("exec"):
        return Kubeconfig(server, ca_pem, server_app=_server_id(user["exec"].get("args") or []))
    if user.get("auth-provider"):
        config = user["auth-provider"].get("config") or {}
        return Kubeconfig(server, ca_pem, server_app=config.get("apiserver-id") or AKS_SERVER_APP)
    return None


def tls_context(kubeconfig: Kubeconfig) -> ssl.SSLContext:
    """A TLS context that trusts the cluster's CA and shows the client certificate.

    ``ssl`` reads a certificate from files only: they live in a 0700 directory for as long as that takes.
    """
    context = ssl.create_default_context(cadata=kubeconfig.ca_pem or None)
    if kubeconfig.cert_pem:
        with tempfile.TemporaryDirectory(prefix="aks-kms-migrate-") as directory:
            path = os.path.join(directory, "client.pem")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(kubeconfig.cert_pem + "\n" + kubeconfig.key_pem)
            context.load_cert_chain(path)
    return context


class Certificate:
    """The client certificate signs in while the connection is made: requests need nothing more."""

    def header(self) -> dict[str, str]:
        return {}

    def renewed(self, refused: Mapping[str, str]) -> bool:
        return False


class BearerToken:
    """A token for the API server, renewed before it ends, or when it is refused. Safe to ask from several threads.

    While none can be had because Azure is away, the one at hand has to do, as long as it lasts; so it has where the
    command is about to end (``makes_do``).
    """

    def __init__(
        self,
        server_app: str,
        fetch_token: FetchToken,
        now: Callable[[], float],
        makes_do: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app, self._fetch, self._now, self._makes_do = server_app, fetch_token, now, makes_do
        self._lock = threading.Lock()
        self._token, self._ends = "", 0.0
        self._renewed_at = self._asked_at = float("-inf")

    def header(self) -> dict[str, str]:
        with self._lock:
            if self._now() > self._ends - _RENEW_BEFORE and not (self._lasts and self._makes_do()):
                self._renew_early()
            return self._header()

    def renewed(self, refused: Mapping[str, str]) -> bool:
        """Fetch a token anew, unless another thread has: a refusal, not the clock, says that this one has ended."""
        with self._lock:
            if self._header() != refused:
                return True
            if self._now() < self._renewed_at + _RENEWED_AT_MOST_EVERY:
                return False
            self._renewed_at = self._now()
            self._token, self._ends = self._fetch(self._app, True)
            return self._header() != refused

    @property
    def _lasts(self) -> bool:
        return self._now() < self._ends

    def _renew_early(self) -> None:
        if self._lasts and self._now() < self._asked_at + _RENEWED_AT_MOST_EVERY:
            return
        self._asked_at = self._now()
        try:
            self._token, self._ends = self._fetch(self._app, False)
        except AzureError as error:
            if error.entry not in AZURE_AWAY or not self._lasts:
                raise
        else:
            self._asked_at = float("-inf")

    def _header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return {e["name"]: e for e in entries}[name]


def _decoded(data: str | None) -> str:
    return base64.b64decode(data, validate=True).decode() if data else ""


def _server_id(args: list[str]) -> str:
    for flag, value in itertools.pairwise([*args, ""]):
        if flag.startswith("--server-id="):
            return flag.removeprefix("--server-id=")
        if flag == "--server-id":
            return value
    return AKS_SERVER_APP
