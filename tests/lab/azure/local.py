"""The local Azure as one thing: what the lab starts, seeds, breaks and asks."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.lab.azure import cluster as model
from tests.lab.azure import profile
from tests.lab.azure.arm import AksResources
from tests.lab.azure.authorization import Authorization
from tests.lab.azure.certificates import Authority
from tests.lab.azure.cloud_shell import CloudShell
from tests.lab.azure.compute import Compute
from tests.lab.azure.faults import Faults
from tests.lab.azure.fleet import Fleet
from tests.lab.azure.gate import Gate
from tests.lab.azure.grants import Grants
from tests.lab.azure.group_resources import GroupResources
from tests.lab.azure.identity import AKS_SERVER_APP, TENANT_ID, Identity, Principal
from tests.lab.azure.keyvault import ALL_OPERATIONS, KeyVault
from tests.lab.azure.locking import Locks
from tests.lab.azure.locks import LockResources
from tests.lab.azure.maintenance import Maintenance
from tests.lab.azure.managed_identities import IDENTITIES, ManagedIdentities
from tests.lab.azure.metadata import (
    RESOURCE_GROUP,
    SUBSCRIPTION_ID,
    SUBSCRIPTION_NAME,
    Metadata,
    group_document,
    group_id,
)
from tests.lab.azure.monitoring import Monitoring
from tests.lab.azure.network import Network, seed_network
from tests.lab.azure.obstacles import Obstacles
from tests.lab.azure.operations import ClusterOperations
from tests.lab.azure.policy import PolicyInsights
from tests.lab.azure.private_links import PrivateLinks
from tests.lab.azure.request_log import RequestLog
from tests.lab.azure.resource_graph import GraphFault, ResourceGraph
from tests.lab.azure.resources import Resources
from tests.lab.azure.roles import KEY_VAULT_CONTRIBUTOR, OWNER
from tests.lab.azure.server import HttpsServer, Router
from tests.lab.azure.subscriptions import Subscriptions, subscription_document
from tests.lab.azure.vault_management import VaultManagement
from tests.lab.azure.versions import Offers, Version
from tests.lab.connections import ConnectionProxy
from tests.lab.controlplane.ports import Plane
from tests.lab.model import EntraTrust, LabOptions, VaultAccess

VAULT_NAME = "lab-kv"
SECOND_VAULT = "lab-kv2"
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
        # What az uses; the control plane has a way of its own, which no outage of the user's network touches.
        self.door = ConnectionProxy(self._server.base_url) if "proxy" in options.extra else None
        base_url = self._base_url
        identity = Identity([self.operator, self.cluster_identity], base_url)
        resources = Resources(base_url)
        grants = Grants(resources)
        tls = self._authority.server_context()
        self.vault = KeyVault(VAULT_NAME, tls, identity, self.cluster_identity, resources, grants, self._log)
        self.vaults = {VAULT_NAME: self.vault}
        if options.vaults > 1:
            second = KeyVault(SECOND_VAULT, tls, identity, self.cluster_identity, resources, grants, self._log)
            self.vaults[SECOND_VAULT] = second
        for vault in self.vaults.values():
            for name in (KEY, NEW_KEY):
                vault.add_key(name)
        locks = Locks(resources)
        gate = Gate(identity, resources, grants, locks)
        network = Network(resources, gate, self._document)
        compute = Compute(resources, gate, self._document)
        links = PrivateLinks(resources, grants, locks, network, gate.policies)
        self.obstacles = Obstacles(resources, locks, network, compute, links)
        self._operations = ClusterOperations(self._seed(), self._faults, self.obstacles)
        self._identity = identity
        self.resources, self.grants, self.activity = resources, grants, gate.activity
        self.identities = ManagedIdentities(resources, identity, gate)
        self._furnish(links)
        subscriptions = Subscriptions(resources, grants, gate)
        self._fleet = Fleet(resources, grants, subscriptions, self._operations.document)
        self._graph = ResourceGraph(identity, resources, grants, subscriptions, self.cluster)
        services = (
            identity,
            Metadata(identity, resources, subscriptions.seen_by, base_url),
            subscriptions,
            self._graph,
            AksResources(
                self._operations,
                resources,
                _offers(options),
                self._faults,
                gate,
                self.obstacles,
                self._usable,
                base_url,
            ),
            Maintenance(resources, gate),
            VaultManagement(resources, self.vaults, gate),
            network,
            compute,
            self.identities,
            GroupResources(identity, resources, self._document),
            Monitoring(resources, gate, self._document),
            Authorization(resources, grants, identity, gate),
            LockResources(resources, locks, gate),
            PolicyInsights(resources, gate),
        )
        self._aks = next(service for service in services if isinstance(service, AksResources))
        for service in services:
            service.add_routes(router)
        self.cloud_shell: CloudShell | None = None

    def _usable(self, key_id: str) -> bool:
        return any(vault.usable_in_public(key_id) for vault in self.vaults.values())

    def _document(self) -> model.Json:
        return self._operations.document

    def _furnish(self, links: PrivateLinks) -> None:
        """What is there when a lab begins: groups, network, identity, and who may do what."""
        document = self._operations.document
        group = document["properties"]["nodeResourceGroup"]
        own = subscription_document(SUBSCRIPTION_ID, SUBSCRIPTION_NAME)
        self.resources.put(own["id"], own)
        self.resources.put(group_id(), group_document(RESOURCE_GROUP))
        self.resources.put(group_id(group), group_document(group, managed_by=document["id"]))
        seed_network(self.resources)
        self.identities.create(self.cluster_identity)
        subscription = f"/subscriptions/{SUBSCRIPTION_ID}"
        self.grants.assign_long_ago(self.operator.object_id, OWNER.id, subscription)
        for vault in self.vaults.values():
            vault.grant(self.operator, {"get"})
            vault.grant(self.cluster_identity, ALL_OPERATIONS)
        if self.options.key_vault == "private":
            cluster = self.cluster_identity.object_id
            self.grants.assign_long_ago(cluster, KEY_VAULT_CONTRIBUTOR.id, self.vault.resource_id)
            self.vault.change(publicNetworkAccess="Disabled")
            if self.options.kms:
                links.create(document)

    def _seed(self) -> model.Json:
        return model.seed(
            self.options,
            key_id=self.key_id(),
            vault_id=self.vault.resource_id,
            identity=self.cluster_identity,
            admin_group=self.operator.object_id,
        )

    def _base_url(self) -> str:
        return self.door.address if self.door else self._server.base_url

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
        if self.door:
            self.door.start()
        for vault in self.vaults.values():
            vault.start()
        self._environment = profile.environment(
            profile.write_profile(self._directory / "azure-config", self.url, self.operator), self._authority
        )

    def fresh_environment(self, directory: Path) -> dict[str, str]:
        """Of a machine on which nobody has signed in yet; ``directory`` becomes its AZURE_CONFIG_DIR."""
        return profile.environment(profile.write_machine(directory, self.url), self._authority)

    def open_cloud_shell(self, directory: Path) -> dict[str, str]:
        """The same in Azure Cloud Shell, whose user is the operator. One at a time on a machine: its port is fixed."""
        if self.cloud_shell is None:
            self.cloud_shell = CloudShell(self._identity, self.operator, self.url)
            self.cloud_shell.start()
        return self.fresh_environment(directory) | self.cloud_shell.environment

    def cloud_shell_asked(self) -> dict[str, list[str]]:
        """What Cloud Shell was asked for: the audiences of tokens, and hosts that its proxy refused."""
        shell = self.cloud_shell
        return {"audiences": shell.tokens_for, "refusedHosts": shell.refused_hosts} if shell else {}

    def stop(self) -> None:
        """Close the listeners and every connection; safe to call twice."""
        self._operations.release()
        if self.cloud_shell is not None:
            self.cloud_shell.stop()
            self.cloud_shell = None
        if self.door:
            self.door.stop()
        self._server.stop()
        for vault in self.vaults.values():
            vault.stop()

    def attach(self, plane: Plane) -> None:
        """From now on accepted PUTs drive this control plane, and its endpoint is in the kubeconfigs."""
        self._operations.attach(plane)

    def federated_token(self, seconds: int) -> str:
        """A token of the operator's pipeline, which Entra ID takes for it (a federated credential)."""
        return self._identity.federation.token(self.operator.name, seconds)

    def end_federated_tokens(self) -> None:
        self._identity.federation.end_all()

    def vault_access(self) -> VaultAccess:
        identity = self.cluster_identity
        token_url = self._identity.token_url.replace(self._base_url(), self._server.base_url)
        return VaultAccess(token_url, identity.client_id, identity.secret, self.ca_pem)

    def entra_trust(self) -> EntraTrust:
        return EntraTrust(self._identity.issuer, AKS_SERVER_APP, self.ca_pem, self.operator.object_id)

    def key_id(self, name: str = KEY) -> str:
        """The versioned id of ``kms`` or ``kms-new``, in the first vault unless it is ``<vault>/<key>``."""
        vault, key = self.key(name)
        return vault.key_id(key)

    def key(self, name: str) -> tuple[KeyVault, str]:
        """The vault and the key of ``[<vault>/]<key>``; raises ``KeyError`` for what is not there."""
        vault, _, key = name.rpartition("/")
        return self.vaults[vault or VAULT_NAME], key

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

    def patch_pool(self, name: str, patch: model.Json) -> None:
        """Change one pool of what Azure shows; raises ``KeyError`` for a pool that does not exist."""
        self._operations.patch_pool(name, patch)

    def resource(self, resource_id: str) -> model.Json | None:
        """Any other resource, as it is stored; ids as :meth:`patch_resource` takes them."""
        return self.resources.get(_whole(resource_id))

    def patch_resource(self, resource_id: str, patch: model.Json | None) -> None:
        """Change, create (a JSON merge patch) or remove (None) any other resource, unknown to the gate.

        An id without a leading slash is within the lab's resource group.
        """
        whole = _whole(resource_id)
        is_identity = f"/{IDENTITIES}/".lower() in whole.lower()
        if patch is None and is_identity:
            self.identities.delete(whole)
        else:
            self.resources.patch(whole, patch)

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

    def offer(self, offers: list[str]) -> None:
        """What Azure offers from now on: versions come and go. Raises ``ValueError`` for what is no offer."""
        self._aks.offer(_offers(replace(self.options, offers=tuple(offers))))

    def create_fleet(self, subscriptions: int, clusters: int) -> None:
        """So many clusters more, in subscriptions of their own; the operator may read them."""
        self._fleet.create(self.operator.object_id, subscriptions, clusters)

    def graph_fault(self, fault: str) -> None:
        """What Resource Graph answers from now on: ``resource_graph.GraphFault``, or a number of queries in 5 s.

        Raises ``ValueError`` for neither.
        """
        if fault.isdigit():
            self._graph.queries = int(fault)
        else:
            self._graph.fault = GraphFault(fault)

    def release_hang(self) -> None:
        self._operations.release()


def _whole(resource_id: str) -> str:
    return resource_id if resource_id.startswith("/") else f"{group_id()}/providers/{resource_id}"


def _offers(options: LabOptions) -> Offers:
    supported = [Version.parse(options.kubernetes)] if options.supported else []
    return Offers.parse(options.offers, also_supported=supported)
