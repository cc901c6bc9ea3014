"""A whole lab behind its daemon, on the embedded and on the real API servers."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.lab.__main__ import main
from tests.lab.administrator import ApiError, administrator
from tests.lab.client import ROOT, LabClient
from tests.lab.model import SECRETS_PREFIX, LabOptions, StoredForm
from tests.lab.premises import LabError
from tests.lab.seeding import MARKER_SIGHTINGS

SECRETS = 30
AZ = str(Path(sys.executable).with_name("az"))


@pytest.fixture(scope="module", autouse=True)
def labs_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KMS_LAB_HOME", str(tmp_path_factory.mktemp("labs")))
        yield


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.real)])
def lab(request: pytest.FixtureRequest, labs_home: None) -> Iterator[LabClient]:
    options = LabOptions(f"{request.param}-lab", apiserver=request.param, secrets=SECRETS, extra={"proxy": "on"})
    with LabClient.up(options, tethered=True) as client:
        yield client


def a_secret(lab: LabClient) -> str:
    """``<namespace>/<name>`` of one seeded Secret that is not immutable."""
    with administrator(lab.endpoint()) as api:
        item = next(one for one in api.items("/api/v1/secrets") if not one.get("immutable"))
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def touch(lab: LabClient, name: str, replica: int | None = None) -> None:
    """An empty patch: the API server stores it anew if it is stale."""
    namespace, _, bare = name.partition("/")
    with administrator(lab.endpoint(replica)) as api:
        api.merge(f"/api/v1/namespaces/{namespace}/secrets/{bare}", {})


def form_of(lab: LabClient, name: str) -> StoredForm:
    return StoredForm.of(lab.etcd_raw()[SECRETS_PREFIX + name])


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _answers(lab: LabClient, replica: int) -> bool:
    try:
        with administrator(lab.endpoint(replica)) as api:
            api.get("/api/v1/namespaces/kube-system")
    except OSError:
        return False
    return True


def test_begins_with_every_secret_under_kms_v1(lab: LabClient) -> None:
    assert lab.etcd() == {"kms-v1": SECRETS, "kms-v2": 0, "plain": 0}
    assert len(lab.fingerprints()) == SECRETS
    raw = b"".join(lab.etcd_raw().values())
    assert not any(sighting.encode() in raw for sighting in MARKER_SIGHTINGS)


def test_nodes_and_system_namespace_are_there(lab: LabClient) -> None:
    with administrator(lab.endpoint()) as api:
        api.get("/api/v1/namespaces/kube-system")
        nodes = {
            node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"]
            for node in api.items("/api/v1/nodes")
        }
    assert nodes == dict.fromkeys(("aks-system-0", "aks-system-1", "aks-user-0"), "v1.26.15")


@pytest.mark.az
def test_az_and_kubectl_work_with_what_up_exports(lab: LabClient) -> None:
    environment = {**os.environ, **lab.environment()}
    command = [AZ, "aks", "show", "-g", "lab", "-n", lab.name, "-o", "json"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["provisioningState"] == "Succeeded"
    assert any(one["service"] == "arm" for one in lab.requests())
    assert lab.puts() == []


def test_the_command_line_says_the_same(lab: LabClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["etcd", lab.name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == lab.etcd()
    assert main(["requests", lab.name, "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)
    assert main(["fault", lab.name, "replica", "restart", "9"]) == 1
    assert "there is no replica 9: they are 0 to 1" in capsys.readouterr().err


def test_one_replica_may_write_another_form(lab: LabClient) -> None:
    name = a_secret(lab)
    lab.fault("replica-config", "1 identity-first")
    touch(lab, name, replica=1)
    assert form_of(lab, name) is StoredForm.PLAIN
    touch(lab, name, replica=0)
    assert form_of(lab, name) is StoredForm.KMS_V1
    lab.fault("replica", "restart 1")
    touch(lab, name, replica=1)
    assert form_of(lab, name) is StoredForm.KMS_V1


def test_a_stopped_replica_is_no_outage(lab: LabClient) -> None:
    lab.fault("replica", "stop 0")
    name = a_secret(lab)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        touch(lab, name, replica=0)
    lab.fault("replica", "start 0")
    touch(lab, name, replica=0)


def test_put_raw_puts_the_first_form_back(lab: LabClient) -> None:
    name = a_secret(lab)
    before = lab.fingerprints()[name]
    lab.fault("replica-config", "0 identity-first")
    touch(lab, name, replica=0)
    assert form_of(lab, name) is StoredForm.PLAIN
    lab.fault("put-raw", name)
    assert form_of(lab, name) is StoredForm.KMS_V1
    lab.fault("replica", "restart 0")
    assert lab.fingerprints()[name] == before


def test_fault_put_raw_takes_any_bytes_and_takes_all_back(lab: LabClient) -> None:
    name = a_secret(lab)
    before = lab.etcd_raw()[SECRETS_PREFIX + name]
    lab.fault("put-raw", f"{name} {base64.b64encode(b'k8s:enc:kms:v1:gone:x').decode()}")
    assert lab.etcd_raw()[SECRETS_PREFIX + name] == b"k8s:enc:kms:v1:gone:x"
    lab.fault("put-raw", "all")
    assert StoredForm.of(lab.etcd_raw()[SECRETS_PREFIX + name]) is StoredForm.of(before)
    for wrong in ("", "nothing", f"{name} ***", "default/nobody"):
        with pytest.raises(LabError, match="put-raw"):
            lab.fault("put-raw", wrong)


def test_fault_replica_kill_leaves_the_others_at_work(lab: LabClient) -> None:
    lab.fault("replica", "kill 0")
    eventually(lambda: _answers(lab, 1))
    assert not _answers(lab, 0)
    lab.fault("replica", "start 0")
    assert _answers(lab, 0)


def test_a_webhook_denies_one_secrets_update(lab: LabClient) -> None:
    name = a_secret(lab)
    lab.fault("webhook", f"deny {name}")

    def denied() -> bool:
        try:
            touch(lab, name)
        except ApiError as error:
            return 'admission webhook "' in str(error) and "denied the request" in str(error)
        return False

    eventually(denied)
    lab.fault("webhook", "allow")
    eventually(lambda: not denied())


def test_compact_ends_a_list_under_way(lab: LabClient) -> None:
    with administrator(lab.endpoint()) as api:
        page = api.get("/api/v1/secrets?limit=5")
        api.create_if_absent("/api/v1/namespaces", {"metadata": {"name": "later"}})
        lab.fault("compact")
        with pytest.raises(ApiError) as caught:
            api.get(f"/api/v1/secrets?limit=5&continue={page['metadata']['continue']}")
    assert caught.value.status == 410


def test_connections_can_be_reset_and_come_back(lab: LabClient) -> None:
    port = urlsplit(lab.endpoint().server).port or 0
    lab.fault("connections", "reset")
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv(1)
    lab.fault("connections", "ok")
    lab.fingerprints()


@pytest.mark.parametrize(
    ("kind", "arg", "said"),
    [
        ("nothing", "", "no such fault: nothing. There are: "),
        ("replica", "explode 0", "cannot explode a replica. Usage: replica stop|start|restart|kill INDEX"),
        ("roll-seconds", "soon", "not a number: soon"),
        ("operation", "disable-kms sometimes", "'sometimes' is not a valid Fault"),
        ("key", "purple", "a key cannot be purple"),
        ("key", "enabled other", "the vault has no key other"),
        ("put-raw", "default/no-such", "default/no-such is not one of the Secrets"),
        ("cluster", "[]", "not a JSON object"),
        ("connections", "fast", "connections cannot be fast"),
        ("webhook", "deny", "deny or delay which Secret, mutate or leave open which namespace, or allow?"),
    ],
)
def test_what_makes_no_sense_is_said_so(lab: LabClient, kind: str, arg: str, said: str) -> None:
    with pytest.raises(LabError, match=said.replace("|", r"\|").replace("?", r"\?")):
        lab.fault(kind, arg)


@pytest.mark.az
def test_the_documented_way_keeps_every_reader(lab: LabClient) -> None:
    """Last: it takes the lab to 1.34."""
    environment = {**os.environ, **lab.environment()}
    before = lab.fingerprints()

    def az(*words: str) -> None:
        command = [AZ, "aks", *words, "-g", "lab", "-n", lab.name, "-o", "none"]
        subprocess.run(command, env=environment, check=True)

    def rewrite() -> None:
        for name in lab.fingerprints():
            touch(lab, name)

    key = lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]["keyId"]
    az("update", "--disable-azure-keyvault-kms")
    rewrite()
    assert lab.etcd() == {"kms-v1": 0, "kms-v2": 0, "plain": SECRETS}
    az("upgrade", "--kubernetes-version", "1.34.4", "--yes")
    access = ["--azure-keyvault-kms-key-vault-network-access", "Public"]
    az("update", "--enable-azure-keyvault-kms", "--azure-keyvault-kms-key-id", key, *access)
    rewrite()
    assert lab.etcd() == {"kms-v1": 0, "kms-v2": SECRETS, "plain": 0}
    assert lab.fingerprints() == before
    assert [change["unreadable"] for change in lab.history()] == [[]] * 4
    assert not lab.mentions(*MARKER_SIGHTINGS)
    with administrator(lab.endpoint()) as api:
        kubelets = {node["status"]["nodeInfo"]["kubeletVersion"] for node in api.items("/api/v1/nodes")}
    assert kubelets == {"v1.34.4"}


def test_down_leaves_nothing(labs_home: None) -> None:
    lab = LabClient.up(LabOptions("short"), tethered=True)
    with pytest.raises(LabError, match="lab short is up already"):
        LabClient.up(LabOptions("short"), tethered=True)
    port = urlsplit(lab.endpoint().server).port or 0
    lab.down()
    lab.down()
    assert not lab.directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_tethered_lab_ends_with_its_owner(labs_home: None) -> None:
    script = (
        "from tests.lab.client import LabClient; from tests.lab.model import LabOptions; import time\n"
        "lab = LabClient.up(LabOptions('orphan'), tethered=True)\n"
        "print(lab.endpoint().server, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner, owner.stdout:
        port = urlsplit(owner.stdout.readline().strip()).port or 0
        directory = LabClient("orphan").directory
        socket.create_connection(("127.0.0.1", port)).close()
        owner.send_signal(signal.SIGKILL)
    eventually(lambda: not directory.exists())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.real
def test_a_lab_that_cannot_start_says_why_and_leaves_nothing_running(labs_home: None) -> None:
    with pytest.raises(LabError, match=r"1\.5\.0.*log: "):
        LabClient.up(LabOptions("wrong", apiserver="real", kubernetes="1.5.0"), tethered=True)
    with pytest.raises(LabError, match="there is no lab wrong"):
        LabClient("wrong")
