"""One lab in this process, and the command's own parts on it: the adapters and the runner that az would start.

Waiting is hurried: what the run sleeps goes by faster than outside, so that settling and polling cost little.
"""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import CustomHookPolicy
from azure.mgmt.containerservice import ContainerServiceClient

from azext_kmsmigrate.arm.cluster import ArmCluster
from azext_kmsmigrate.arm.credentials import user_kubeconfig
from azext_kmsmigrate.arm.key_inspector import KeyInspector
from azext_kmsmigrate.arm.resource_manager import ResourceManager, Resources
from azext_kmsmigrate.arm.surroundings_inspector import SurroundingsInspector
from azext_kmsmigrate.arm.upgrade_inspector import UpgradeInspector
from azext_kmsmigrate.arm.vault_data import VaultData
from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.clock import SystemClock
from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.kube.access import BearerToken, Certificate, FetchToken, parse, tls_context
from azext_kmsmigrate.kube.api import Api, Channel, Signer, Transport
from azext_kmsmigrate.kube.journal_store import KubeJournalStore
from azext_kmsmigrate.kube.lease import KubeLease
from azext_kmsmigrate.kube.nodes import KubeNodes
from azext_kmsmigrate.kube.rest import RestClient
from azext_kmsmigrate.kube.secrets import KubeSecrets
from azext_kmsmigrate.kube.wire import Route, Wire
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.events import Event, Note, Warned
from azext_kmsmigrate.migration.facts import ClusterName
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.results import CheckReport, RunResult, RunState
from azext_kmsmigrate.rewrite.rewriting import Limits
from azext_kmsmigrate.runner import Runner
from azext_kmsmigrate.wiring import inspectors
from tests.lab.azure.identity import ARM_AUDIENCES, VAULT_AUDIENCE, Principal
from tests.lab.azure.local import LocalAzure
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.laboratory import Laboratory
from tests.lab.model import LabOptions, StoredForm

SECRETS = 6
EVERY_CHECK = frozenset(check.id for check in CHECKS)
_FASTER = 3000.0
_LIMITS = Limits(grace=3.0, patience=120.0, parallel=4)


class HastyClock(SystemClock):
    """Work takes the time it takes; what is slept goes by three thousand times as fast."""

    def __init__(self) -> None:
        self._gained, self._lock = 0.0, threading.Lock()

    def monotonic(self) -> float:
        return time.monotonic() + self._gained

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / _FASTER)
        with self._lock:
            self._gained += seconds * (1 - 1 / _FASTER)


@dataclass
class Told:
    """The port ``Observer``: what was said, for the test's own failure message."""

    lines: list[str] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        if isinstance(event, (Note, Warned)):
            self.lines.append(event.text)

    def watching(self) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass(frozen=True)
class _Credential:
    trial: Trial

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.trial.token(), int(time.time()) + 3600)


@dataclass
class Trial:
    """A lab and the goal of the migration that is tried on it.

    ``stranger``: whom the API servers see, on a cluster that asks Entra ID, is nobody they let do anything.
    """

    lab: Laboratory
    stranger: bool = False
    goal: Goal = field(default_factory=Goal)
    told: Told = field(default_factory=Told)

    @property
    def azure(self) -> LocalAzure:
        return self.lab.azure

    @property
    def ca_bundle(self) -> str:
        return self.azure.environment()["REQUESTS_CA_BUNDLE"]

    def check(self, skipped: frozenset[str] = frozenset(), asked: list[str] | None = None) -> CheckReport:
        return self._runner(asked).check(self.goal, skipped)

    def start(self, skipped: frozenset[str] = frozenset()) -> RunResult | KmsMigrateError:
        """The run to its end, or what it was refused with before it began."""
        try:
            return self._runner().run(Request(self.goal, skipped=skipped), lambda *_: None)
        except KmsMigrateError as error:
            return error

    def is_migrated(self, result: RunResult | KmsMigrateError) -> bool:
        """Whether the run says so and etcd agrees: every Secret under KMS v2, and none was ever without a reader."""
        ended = (RunState.COMPLETED, RunState.NOTHING_TO_DO)
        says = isinstance(result, RunResult) and result.state in ended
        stored = {StoredForm.of(raw) for raw in self.lab.host.raw("/registry/secrets/").values()}
        lost = [entry for entry in self.lab.history() if entry["unreadable"]]
        return says and stored <= {StoredForm.KMS_V2} and not lost

    def cluster_puts(self) -> list[str]:
        return [str(put["path"]) for put in self.azure.puts() if "/managedClusters/" in str(put["path"])]

    def token(self, audience: str = ARM_AUDIENCES[0]) -> str:
        """The operator's, fetched as az does with a service principal."""
        return self._token_of(self.azure.operator, audience)

    def cluster_token(self, server_app: str, anew: bool) -> tuple[str, float]:
        """The token for the API servers."""
        who = self.azure.cluster_identity if self.stranger else self.azure.operator
        return self._token_of(who, server_app), time.time() + 3600

    def _token_of(self, who: Principal, audience: str) -> str:
        url = self.azure.vault_access().token_url
        form = {
            "grant_type": "client_credentials",
            "client_id": who.client_id,
            "client_secret": who.secret,
            "scope": f"{audience}/.default",
        }
        answer = requests.post(url, data=form, verify=self.ca_bundle, timeout=30)
        return str(answer.json()["access_token"])

    def world(self, told: Told, asked: list[str] | None = None) -> World:
        """The world of one command, all its parts new. ``asked`` receives what the API servers are sent."""
        name = ClusterName(self.lab.options.name, "lab", SUBSCRIPTION_ID, self.azure.cluster()["id"])
        client, clock, resources = self._client, HastyClock(), self._resources(name)
        door = _Door(client, name, self.cluster_token, asked)
        api = Api(door.open, door.open_shared, clock)
        data = VaultData(lambda: self.token(VAULT_AUDIENCE), connection_verify=self.ca_bundle)
        return World(
            cluster=ArmCluster(client, name, clock),
            secrets=KubeSecrets(api),
            journal=KubeJournalStore(api, name.resource_id),
            lease=KubeLease(api, clock, "a test", name.name, tell=told.tell),
            nodes=KubeNodes(api),
            clock=clock,
            observer=told,
            inspectors=(
                *inspectors(client, name, Api(door.open, door.open_shared, clock), clock),
                KeyInspector(resources, data, "vault.azure.net"),
                SurroundingsInspector(resources),
                UpgradeInspector(client, resources),
            ),
            user="a test",
        )

    def _runner(self, asked: list[str] | None = None) -> Runner:
        self.told = Told()
        return Runner(self.world(self.told, asked), _LIMITS)

    @cached_property
    def _client(self) -> Any:
        return ContainerServiceClient(
            _Credential(self),
            SUBSCRIPTION_ID,
            base_url=self.azure.url,
            credential_scopes=[f"{ARM_AUDIENCES[0]}/.default"],
            connection_verify=self.ca_bundle,
        )

    def _resources(self, name: ClusterName) -> Resources:
        token = self.token()

        def sign_in(request: Any) -> None:
            request.http_request.headers["Authorization"] = f"Bearer {token}"

        client = ResourceManager(
            None,
            SUBSCRIPTION_ID,
            self.azure.url,
            authentication_policy=CustomHookPolicy(raw_request_hook=sign_in),
            connection_verify=self.ca_bundle,
        )
        return client.of(name)


@dataclass
class _Door:
    """Channels to the API servers with the credential that Azure gives out."""

    client: Any
    name: ClusterName
    fetch_token: FetchToken
    asked: list[str] | None

    @cached_property
    def _parts(self) -> tuple[Route, ssl.SSLContext, Signer]:
        kubeconfig = parse(user_kubeconfig(self.client, self.name), self.name)
        app = kubeconfig.server_app
        signer: Signer = BearerToken(app, self.fetch_token, time.time) if app else Certificate()
        return Route.to(kubeconfig.server), tls_context(kubeconfig), signer

    def open(self) -> Channel:
        route, tls, signer = self._parts
        return Channel(self._overheard(Wire(route, tls)), signer)

    def open_shared(self) -> Channel:
        route, tls, signer = self._parts
        return Channel(self._overheard(RestClient(route, tls)), signer)

    def _overheard(self, transport: Transport) -> Transport:
        return transport if self.asked is None else _Overheard(transport, self.asked)


@dataclass
class _Overheard:
    """The port ``Transport``: notes each request's method and target before it is sent on."""

    transport: Transport
    asked: list[str]

    @property
    def made(self) -> int:
        return self.transport.made

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        self.asked.append(f"{method} {target}")
        return self.transport.exchange(method, target, headers, body)

    def close(self) -> None:
        self.transport.close()


@contextlib.contextmanager
def trial(**options: Any) -> Iterator[Trial]:
    """A lab for one trial; nothing of it is left at the end."""
    given = {"secrets": SECRETS, "replicas": 1, **options}
    with tempfile.TemporaryDirectory(prefix="kms-agree-") as directory:
        lab = Laboratory(Path(directory), LabOptions(name="agree", **given))
        lab.start()
        try:
            yield Trial(lab)
        finally:
            lab.stop()
