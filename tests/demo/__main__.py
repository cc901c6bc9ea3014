"""The demo: a lab with Secrets under KMS v1, the migration typed as in the README, and etcd's word for it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.demo.installation import install
from tests.demo.transcript import note, say
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.lab.premises import LabError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--apiserver", choices=("embedded", "real"), default="embedded")
    parser.add_argument("--secrets", type=int, default=300)
    parser.add_argument("--name", default="demo", help="the lab's and the cluster's name (%(default)s)")
    given = parser.parse_args()
    az = Path(sys.executable).with_name("az")
    extensions = install(az)
    begun = time.monotonic()
    options = LabOptions(given.name, apiserver=given.apiserver, secrets=given.secrets)
    say(
        [
            "eval",
            f"$(python -m tests.lab up {given.name} --apiserver {given.apiserver} --secrets {given.secrets})",
        ]
    )
    try:
        with LabClient.up(options, tethered=True) as lab:
            problems = _migrate(lab, az, extensions, given.secrets)
            say(["python", "-m", "tests.lab", "down", given.name])
    except LabError as error:
        problems = [str(error)]
    for problem in problems:
        note(f"WRONG: {problem}")
    if not problems:
        note(f"\n{given.secrets} Secrets are under KMS v2, none changed: {time.monotonic() - begun:.0f} s.")
    return 1 if problems else 0


def _migrate(lab: LabClient, az: Path, extensions: Path, secrets: int) -> list[str]:
    """Type the migration's commands; what is wrong at the end, if anything."""
    environment = os.environ | lab.environment() | {"AZURE_EXTENSION_DIR": str(extensions)}
    before = lab.fingerprints()
    _etcd(lab)
    problems = []
    for words, extra in (
        ("plan", ["-o", "table"]),
        ("start", ["--yes"]),
        ("verify", []),
    ):
        command = ["aks", "kms-migrate", words, "-g", "lab", "-n", lab.name, *extra]
        say(["az", *command])
        code = subprocess.run([str(az), *command], env=environment, check=False).returncode
        if code:
            problems.append(f"az aks kms-migrate {words} ended with {code}")
        if words == "start":
            counts = _etcd(lab)
            if counts["kms-v1"] or counts["plain"] or counts["kms-v2"] < secrets:
                problems.append(f"etcd holds {counts}")
    after = lab.fingerprints()
    changed = sorted(name for name, fingerprint in before.items() if after.get(name) != fingerprint)
    if changed:
        problems.append(f"{len(changed)} Secrets are not what they were: {', '.join(changed[:5])}")
    return problems


def _etcd(lab: LabClient) -> dict[str, int]:
    say(["python", "-m", "tests.lab", "etcd", lab.name])
    counts = lab.etcd()
    for form, count in counts.items():
        note(f"{form:7} {count}")
    return counts


if __name__ == "__main__":
    sys.exit(main())
