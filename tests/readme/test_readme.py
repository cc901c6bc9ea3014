"""What README says can be typed is typed: each section's commands, in order, on a lab of their own."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.az import AZ, Az
from tests.demo.installation import wheel
from tests.lab.azure.fleet import MANAGEMENT_GROUP, subscription_id
from tests.lab.client import ROOT
from tests.labs import UpLab
from tests.readme.document import blocks, of_kind

KINDS = {"sh", "text", "yaml", "hcl", "bicep", "json"}
FOR_CONTRIBUTORS = "For contributors"
APART = {"Permissions", "For contributors"}  # in tests of their own
SECTIONS = list(dict.fromkeys(b.section for b in of_kind("sh") if b.section not in APART))
# Nobody is there to be asked, and a lab of two replaces its API servers within seconds.
_TYPED = """#!/bin/bash
case "$*" in
  *"kms-migrate start"*) set -- "$@" --yes --settle-seconds 0 ;;
  *"kms-migrate verify"*) set -- "$@" --settle-seconds 0 ;;
esac
exec {az} "$@"
"""


def test_every_block_is_run_or_shown() -> None:
    assert {block.kind for block in blocks()} <= KINDS


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_the_commands_of_a_section(up: UpLab, tmp_path: Path, section: str) -> None:
    az = up("embedded", secrets=10)
    az.lab.fault("fleet", "2 10")
    script = "\n".join(_for(az, block.text) for block in of_kind("sh", section))
    done = _run(az, script, tmp_path)
    assert done.returncode == 0, (script, done.stdout, done.stderr)


@pytest.mark.slow
def test_the_roles_are_what_a_migration_needs_and_none_is_idle(up: UpLab, tmp_path: Path) -> None:
    """Without the owner's rights, with README's roles: done. With one of them missing: refused, or told."""
    az = up("embedded", secrets=10)
    assert _run(az, _for(az, "\n".join(b.text for b in of_kind("sh", "Permissions"))), tmp_path).returncode == 0
    az.lab.fault("role", "remove operator subscription Owner")
    for where, role, missed in (
        ("subscription", "Reader", {"V-04", "V-08", "AZ-08"}),
        ("cluster", "Azure Kubernetes Service Contributor Role", {"AZ-06"}),
    ):
        az.lab.fault("role", f"remove operator {where} {role}")
        seen = az.migrate("check").document["checks"]
        assert missed <= {check["id"] for check in seen if check["outcome"] in ("failed", "unknown")}
        az.lab.fault("role", f"assign operator {where} {role}")
    done = az.start()
    assert done.code == 0, done.stderr
    assert done.document["state"] == "Completed"
    assert [check["id"] for check in done.document["checks"] if check["outcome"] == "unknown"] == []


@pytest.mark.slow
def test_the_recording_is_what_the_demo_prints() -> None:
    """Line by line and in order; ``...`` stands for any number of lines that README leaves out."""
    name = f"demo{os.getpid()}"
    made = subprocess.run(
        [sys.executable, "-m", "tests.demo", "--name", name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert made.returncode == 0, made.stdout
    (recording,) = of_kind("text", "Two minutes to the first check")
    printed = iter([_steady(line.replace(name, "demo")) for line in made.stdout.splitlines()])
    for line in recording.text.splitlines():
        if line.strip() != "...":
            assert _steady(line) in printed, f"not printed, or not in this order: {line}"


def test_make_knows_what_contributors_type() -> None:
    words = [line.split("#")[0].split() for b in of_kind("sh", FOR_CONTRIBUTORS) for line in b.text.splitlines()]
    made = [line for line in words if line[:1] == ["make"]]
    assert made
    for line in made:
        dry = subprocess.run([*line[:2], "-n", *line[2:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert dry.returncode == 0, (line, dry.stderr)


@pytest.mark.slow
def test_the_lab_by_hand(tmp_path: Path) -> None:
    """The block as it stands, with this interpreter and a name of its own."""
    (block,) = [b for b in of_kind("sh", FOR_CONTRIBUTORS) if "tests.lab up" in b.text]
    name = f"readme{os.getpid()}"
    script = block.text.replace(".venv/bin/python", shlex.quote(sys.executable))
    script = re.sub(r"\bdemo\b", name, script)
    lines = [line for line in script.splitlines() if not line.startswith("kubectl") or _has("kubectl")]
    environment = os.environ | {"PATH": f"{AZ.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '{"kms-v1": 300, "kms-v2": 0, "plain": 0}' in done.stdout


def _for(az: Az, text: str) -> str:
    """README's words for what each user has another name for."""
    here = {
        "GROUP": "lab",
        "CLUSTER": az.lab.name,
        "WHO": _object_id(az),
        "SUBSCRIPTION": subscription_id(1),
        "OTHER": subscription_id(2),
        "MANAGEMENT": MANAGEMENT_GROUP,
    }
    for word, is_here in here.items():
        text = re.sub(rf"(?<![\w$]){word}(?![\w=])", is_here, text)
    return text.replace("aks_kms_migrate-1.0.0b1-py3-none-any.whl", str(wheel()))


def _object_id(az: Az) -> str:
    """Who az is signed in as."""
    token = az.type("account", "get-access-token").document["accessToken"]
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["oid"])


def _run(az: Az, script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = directory / "bin" / "az"
    command.parent.mkdir(exist_ok=True)
    command.write_text(_TYPED.format(az=shlex.quote(str(AZ))))
    command.chmod(0o755)
    extensions = az.environment["AZURE_EXTENSION_DIR"]
    if "extension add" in script:
        extensions = str(directory / "extensions")
    environment = az.environment | {"PATH": f"{command.parent}:{os.environ['PATH']}", "AZURE_EXTENSION_DIR": extensions}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _steady(line: str) -> str:
    """A line without what differs from run to run: times, ports, digests."""
    line = re.sub(r"https://[^ /\]]+/keys/(\w+)/\w*…?", r"https://VAULT/keys/\1/VERSION", line)
    line = re.sub(r"\[ *\d+:\d\d\]", "[0:00]", line)
    line = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", line)
    line = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", line)
    return re.sub(r"\b\d+(\.\d+)? s\b", "N s", line).rstrip()


def _has(program: str) -> bool:
    return any((Path(p) / program).exists() for p in os.environ["PATH"].split(os.pathsep))
