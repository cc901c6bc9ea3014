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
    wanted = f"{given.name} --apiserver {given.apiserver} --secrets {given.secrets}"
    note(f'\n$ eval "$(python -m tests.lab up {wanted})"')
    options = LabOptions(given.name, apiserver=given.apiserver, secrets=given.secrets)
    try:
        with LabClient.up(options, tethered=True) as lab:
            _migrate(lab, az, extensions, given.secrets)
            say(["python", "-m", "tests.lab", "down", given.name])
    except (LabError, DemoError) as error:
        note(f"\nWRONG: {error}")
        return 1
    note(f"\n{given.secrets} Secrets are under KMS v2, none changed: {time.monotonic() - begun:.0f} s.")
    return 0


class DemoError(Exception):
    """The migration did not do what the demo shows."""


def _migrate(lab: LabClient, az: Path, extensions: Path, secrets: int) -> None:
    """Type the migration's commands and look at etcd before and after."""
    environment = os.environ | lab.environment() | {"AZURE_EXTENSION_DIR": str(extensions)}

    def run(verb: str, *extra: str) -> None:
        command = ["aks", "kms-migrate", verb, "-g", "lab", "-n", lab.name, *extra]
        say(["az", *command])
        code = subprocess.run([str(az), *command], cwd=lab.directory, env=environment, check=False).returncode
        if code:
            raise DemoError(f"az aks kms-migrate {verb} ended with {code}")

    before = lab.fingerprints()
    _etcd(lab)
    run("plan", "-o", "table")
    # A lab of two replaces its API servers within seconds; on AKS the default of a minute is right.
    run("start", "--yes", "--settle-seconds", "3")
    counts = _etcd(lab)
    # The migration may keep Secrets of its own; none may be stored in another form.
    if counts["kms-v1"] or counts["plain"] or counts["kms-v2"] < secrets:
        raise DemoError(f"etcd holds {counts}")
    run("verify", "--settle-seconds", "1")
    after = lab.fingerprints()
    changed = sorted(name for name, fingerprint in before.items() if after.get(name) != fingerprint)
    if changed:
        raise DemoError(f"{len(changed)} Secrets are not what they were: {', '.join(changed[:5])}")


def _etcd(lab: LabClient) -> dict[str, int]:
    say(["python", "-m", "tests.lab", "etcd", lab.name])
    counts = lab.etcd()
    for form, count in counts.items():
        note(f"{form:7} {count}")
    return counts


if __name__ == "__main__":
    sys.exit(main())
