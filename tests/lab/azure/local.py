"""The local Azure as one thing: what the lab starts, seeds, breaks and asks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from tests.lab.azure import cluster as model
from tests.lab.azure import profile
from tests.lab.azure.arm import AksResources
from tests.lab.azure.certificates import Authority
from tests.lab.azure.faults import Faults
from tests.lab.azure.identity import AKS_SERVER_APP, TENANT_ID, Identity, Principal
from tests.lab.azure.keyvault import KeyVault
from tests.lab.azure.metadata import RESOURCE_GROUP, Metadata
from tests.lab.azure.operations import ClusterOperations
from tests.lab.azure.request_log import RequestLog
from tests.lab.azure.server import HttpsServer, Router
from tests.lab.azure.versions import Offers, Version
from tests.lab.controlplane.ports import Plane
from tests.lab.model import EntraTrust, LabOptions, VaultAccess

VAULT_NAME = "lab-kv"
KEY = "kms"
NEW_KEY = "kms-new"


class LocalAzure:
    """Sign-in, Resource Manager, AKS and one Key Vault, for one subscription with one cluster.

    ``start`` it; then :meth:`vault_access`, :meth:`entra_trust` and :meth:`key_id` say what a control plane
    needs; :meth:`attach` it, and the cluster turns from Creating to Succeeded. ``directory`` must exist; it
    receives certificates and the az profile.
    """

    resource_group = RESOURCE_GROUP

    def __init__(self, directory: Path, options: LabOptions) -> None:
        self.options = options
        self.operator = Principal.create("lab-operator")
        self.cluster_identity = Principal.create(f"{options.name}-identity")
        self._directory = directory
        self._authority = Authority.create(directory)
        self._log = RequestLog()
        self._faults = Faults()
        router = Router()
        self._server = HttpsServer("arm", self._authority.server_context(), router, self._log)
        base_url = self._base_url
        identity = Identity([self.operator, self.cluster_identity], base_url)
        tls = self._authority.server_context()
        self.vault = KeyVault(VAULT_NAME, tls, identity, self.cluster_identity, self._log)
        self.vault.private = options.key_vault == "private"
        self.vault.grant(self.operator, {"get"})
        for name in (KEY, NEW_KEY):
            self.vault.add_key(name)
        self._operations = ClusterOperations(self._seed(), self._faults)
        self._identity = identity
        identity.add_routes(router)
        Metadata(identity, base_url).add_routes(router)
        offers = _offers(options)
        resources = AksResources(self._operations, offers, self._faults, identity, self.vault, base_url)
        resources.add_routes(router)

    def _seed(self) -> model.Json:
        return model.seed(
            self.options,
            key_id=self.key_id(),
            vault_id=self.vault.resource_id,
            identity=self.cluster_identity,
            admin_group=self.operator.object_id,
        )

    def _base_url(self) -> str:
        return self._server.base_url

    @property
    def url(self) -> str:
        """Resource Manager's and Entra ID's address; the vault has one of its own."""
        return self._base_url()

    @property
    def ca_pem(self) -> str:
        return self._authority.ca_pem

    def start(self) -> None:
        """Listen, and write the az profile into the directory."""
        self._server.start()
        self.vault.start()
        self._environment = profile.environment(
            profile.write_profile(self._directory / "azure-config", self.url, self.operator), self._authority
        )

    def stop(self) -> None:
        """Close both listeners and every connection; safe to call twice."""
        self._operations.release()
        self._server.stop()
        self.vault.stop()

    def attach(self, plane: Plane) -> None:
        """From now on accepted PUTs drive this control plane, and its endpoint is in the kubeconfigs."""
        self._operations.attach(plane)

    def vault_access(self) -> VaultAccess:
        identity = self.cluster_identity
        return VaultAccess(self._identity.token_url, identity.client_id, identity.secret, self.ca_pem)

    def entra_trust(self) -> EntraTrust:
        return EntraTrust(self._identity.issuer, AKS_SERVER_APP, self.ca_pem, self.operator.object_id)

    def key_id(self, name: str = KEY) -> str:
        """The versioned id of ``kms`` or ``kms-new``."""
        return self.vault.key_id(name)

    def environment(self) -> dict[str, str]:
        """The variables with which an unmodified az is signed in here; only after ``start``."""
        return dict(self._environment)

    def login_command(self) -> list[str]:
        """A log-in by hand, for whoever wants one: the arguments after ``az``."""
        secret = ["-u", self.operator.client_id, "-p", self.operator.secret]
        return ["login", "--service-principal", *secret, "--tenant", TENANT_ID]

    def cluster(self) -> model.Json:
        """The managed cluster as Azure shows it now."""
        with self._operations.lock:
            return copy.deepcopy(self._operations.document)

    def patch_cluster(self, patch: model.Json) -> model.Json:
        """Change what Azure shows, with a JSON merge patch; the control plane is not touched."""
        return copy.deepcopy(self._operations.patch(patch))

    def requests(self, service: str | None = None) -> list[dict[str, Any]]:
        """Every answered request, oldest first; ``service`` is ``arm`` (with sign-in) or ``vault``."""
        return [entry.as_dict() for entry in self._log.entries(service)]

    def puts(self) -> list[dict[str, Any]]:
        """The PUTs among them that Azure accepted or refused: "no PUT was sent" is ``== []``."""
        return [entry for entry in self.requests("arm") if entry["method"] == "PUT"]

    def mentions(self, *needles: bytes) -> bool:
        """Whether any request carried one of these byte strings: no Secret's value may be found here."""
        return self._log.mentions(needles)

    def operations(self) -> list[dict[str, Any]]:
        """Every operation so far, with the error that the control plane raised, if any, as ``detail``."""
        return [
            {"change": o.change.value, "pool": o.pool, "detail": o.detail, **o.as_status()}
            for o in self._operations.all()
        ]

    def fail_next(self, operation: str, how: str, times: int = 1) -> None:
        """Let the next such operations go wrong; names as in ``rules.Change`` and ``faults.Fault``.

        Raises ``ValueError`` for a name that does not exist.
        """
        self._faults.arm(operation, how, times)

    def set_token_seconds(self, seconds: int) -> None:
        """How long every token holds that is issued from now on, whoever asks for it."""
        self._identity.token_seconds = seconds

    def set_cluster_token_seconds(self, seconds: int | None) -> None:
        """How long those for the API servers really hold, whatever they say; None: as they say."""
        self._identity.cluster_seconds = seconds

    def release_hang(self) -> None:
        self._operations.release()


def _offers(options: LabOptions) -> Offers:
    supported = [Version.parse(options.kubernetes)] if options.supported else []
    return Offers.parse(options.offers, also_supported=supported)
