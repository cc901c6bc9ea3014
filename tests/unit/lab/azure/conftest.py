"""One local Azure with a recording control plane, an SDK client, and the unmodified az."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.mgmt.containerservice import ContainerServiceClient

from tests.lab.azure.identity import ARM_AUDIENCES
from tests.lab.azure.local import LocalAzure
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.model import LabOptions
from tests.unit.lab.azure.planes import RecordingPlane

NAME = "demo"


@dataclass(frozen=True)
class Lab:
    """What a test holds: the Azure, its plane, and ways to talk to it."""

    azure: LocalAzure
    plane: RecordingPlane
    ca_bundle: str

    def token(self, resource: str = ARM_AUDIENCES[0]) -> str:
        """The operator's token, fetched over HTTPS."""
        operator = self.azure.operator
        return token(self, operator.client_id, operator.secret, resource).json()["access_token"]  # type: ignore[no-any-return]

    def sdk(self, **settings: Any) -> Any:
        """The management SDK, polling as fast as the server says. ``settings``: more of the client's own."""
        return ContainerServiceClient(
            _Credential(self),
            SUBSCRIPTION_ID,
            base_url=self.azure.url,
            credential_scopes=[f"{ARM_AUDIENCES[0]}/.default"],
            connection_verify=self.ca_bundle,
            **settings,
        )

    def arm(
        self, method: str, path: str, body: Any = None, *, version: str = "2024-01-01", token: str = "", **query: str
    ) -> requests.Response:
        """One request to Resource Manager, as the operator or with another token; a path without / is in the group."""
        group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/lab"
        url = path if path.startswith("https://") else self.azure.url + (path if path[:1] == "/" else f"{group}/{path}")
        parameters = {} if "api-version=" in url else {"api-version": version, **query}
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return requests.request(
            method, url, params=parameters, json=body, headers=headers, verify=self.ca_bundle, timeout=30
        )

    def identity_token(self, resource: str = ARM_AUDIENCES[0]) -> str:
        """The token of the cluster's identity."""
        access = self.azure.vault_access()
        return str(token(self, access.client_id, access.client_secret, resource).json()["access_token"])

    def settled(self) -> dict[str, Any]:
        """The last operation, once it has ended."""
        deadline = time.monotonic() + 30
        while (last := self.azure.operations()[-1])["status"] == "InProgress":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return last

    def cluster(self) -> dict[str, Any]:
        return self.azure.cluster()

    def state(self) -> str:
        return str(self.cluster()["properties"]["provisioningState"])


@dataclass(frozen=True)
class _Credential:
    lab: Lab

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.lab.token(), int(time.time()) + 3600)


def token(lab: Lab, client_id: str, secret: str, resource: str) -> requests.Response:
    access = lab.azure.vault_access()
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": f"{resource}/.default",
    }
    return requests.post(access.token_url, data=form, verify=lab.ca_bundle, timeout=30)


LabFactory = Callable[..., Lab]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def new_lab(tmp_path: Path) -> Iterator[LabFactory]:
    """Start a lab with the given options; every one is stopped at the end."""
    started: list[LocalAzure] = []

    def create(**options: Any) -> Lab:
        directory = tmp_path / f"lab{len(started)}"
        directory.mkdir()
        azure = LocalAzure(directory, LabOptions(name=NAME, **options))
        started.append(azure)
        azure.start()
        plane = RecordingPlane()
        azure.attach(plane)
        return Lab(azure, plane, azure.environment()["REQUESTS_CA_BUNDLE"])

    yield create
    for azure in started:
        azure.stop()


@pytest.fixture
def lab(new_lab: LabFactory) -> Lab:
    return new_lab()


@dataclass(frozen=True)
class AzResult:
    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)


@pytest.fixture
def az() -> Callable[..., AzResult]:
    """Run the unmodified az against a lab; anything but the lab is behind a proxy that does not exist."""
    binary = shutil.which("az", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if binary is None:
        if os.environ.get("CI") == "true":
            pytest.fail("az is not installed")
        pytest.skip("az is not installed")

    def run(lab: Lab, *arguments: str, **variables: str) -> AzResult:
        environment = {
            **os.environ,
            **lab.azure.environment(),
            "HTTPS_PROXY": "http://127.0.0.1:9",
            **variables,
        }
        done = subprocess.run(
            [binary, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        return AzResult(done.returncode, done.stdout, done.stderr)

    return run
