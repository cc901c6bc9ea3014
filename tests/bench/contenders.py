"""Who is compared: ``az aks kms-migrate rewrite-secrets``, the pipe of Microsoft's article, and a bare Go client."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.az import AZ
from tests.bench.neighbour import NAME
from tests.bench.processes import Clocks, CommandFailed, Cost, run
from tests.lab.azure.fleet import MANAGEMENT_GROUP
from tests.lab.client import LabClient
from tests.lab.controlplane.real import binaries
from tests.lab.model import StoredForm

SETTLE_SECONDS = 3
_PATCHER = Path(__file__).parent / "go" / "patcher"
PIPE = "kubectl get secrets -A {select}-o json | kubectl replace -f -"


@dataclass(frozen=True)
class Ours:
    """One run of ours. ``together``: settling, rewriting and proof without the fixed wait, in seconds."""

    secrets: int
    rewriting: float
    proof: float
    together: float
    rewriting_began: float
    proof_ended: float
    cost: Cost
    used: Clocks


@dataclass(frozen=True)
class Pipe:
    """One run of the pipe over ``secrets`` Secrets."""

    secrets: int
    cost: Cost
    used: Clocks


@dataclass(frozen=True)
class Bare:
    """One run of the Go client: the rewriting alone, with so many workers."""

    secrets: int
    workers: int
    seconds: float
    cost: Cost
    used: Clocks


class Contest:
    """A cluster whose Secrets are made stale before each run, and looked at in etcd after it."""

    def __init__(self, lab: LabClient, extensions: Path) -> None:
        self.lab = lab
        self._environment = os.environ | lab.environment() | {"AZURE_EXTENSION_DIR": str(extensions)}
        self._form = StoredForm.KMS_V2

    def make_stale(self) -> None:
        """Turn KMS off or on, whichever is new: no Secret lies in the form that is written then."""
        words = ["--disable-azure-keyvault-kms"]
        if self._form is StoredForm.PLAIN:
            key = self.lab.key_id()
            words = ["--enable-azure-keyvault-kms", "--azure-keyvault-kms-key-id", key]
            words += ["--azure-keyvault-kms-key-vault-network-access", "Public"]
        _done(self._az("aks", "update", *words, "-o", "none"))
        self._form = StoredForm.KMS_V2 if self._form is StoredForm.PLAIN else StoredForm.PLAIN

    def ours(self, stale: int) -> Ours:
        """Rewrite and prove; raises CommandFailed when etcd, or the evidence, says that it ended wrong."""
        before = Clocks.of(self.lab.process_id())
        cost = self._az("aks", "kms-migrate", "rewrite-secrets", "--yes", "--settle-seconds", str(SETTLE_SECONDS))
        used = Clocks.of(self.lab.process_id()).since(before)
        document: dict[str, Any] = json.loads(_done(cost).stdout)
        rewriting, proof = document["evidence"]["passes"]
        self._check(rewriting["secrets"]["rewritten"] >= stale, f"{rewriting} of {stale}")
        between = next(at for at, line in cost.said if "Now the proof" in line)
        self._check_all_forms()
        return Ours(
            secrets=rewriting["secrets"]["total"],
            rewriting=rewriting["seconds"],
            proof=proof["seconds"],
            together=document["steps"][0]["durationSeconds"] - SETTLE_SECONDS,
            rewriting_began=between - rewriting["seconds"],
            proof_ended=between + proof["seconds"],
            cost=cost,
            used=used,
        )

    def pipe(self, secrets: int, select: str = "") -> Pipe:
        """The documented way; ``select`` narrows it to a part, of so many Secrets."""
        before = Clocks.of(self.lab.process_id())
        command = PIPE.format(select=select)
        cost = run(["bash", "-o", "pipefail", "-c", f"{command} >/dev/null"], self._environment, self.lab.directory)
        used = Clocks.of(self.lab.process_id()).since(before)
        # The neighbour changes its own Secret between the two halves: that one conflict is no fault of the pipe.
        wrong = [line for _, line in cost.said if "arning" not in line and f'"{NAME}"' not in line]
        self._check(not wrong, f"the pipe said {wrong[:2]}")
        if select:
            forms = self.lab.etcd()
            self._check(forms[self._form.value] >= secrets, f"etcd holds {forms}")
        else:
            self._check_all_forms()
        return Pipe(secrets, cost, used)

    def bare(self, workers: int) -> Bare:
        """The same patches from a client that does nothing else."""
        program = binaries.go_program(_PATCHER)
        file = self.lab.directory / "endpoint.json"
        file.touch(0o600)
        file.write_text(json.dumps(asdict(self.lab.endpoint())))
        before = Clocks.of(self.lab.process_id())
        command = [str(program), f"-endpoint={file}", f"-workers={workers}"]
        cost = _done(run(command, self._environment, self.lab.directory))
        used = Clocks.of(self.lab.process_id()).since(before)
        self._check_all_forms()
        said = json.loads(cost.stdout)
        return Bare(said["secrets"], workers, said["seconds"], cost, used)

    def fleet(self) -> tuple[int, Cost]:
        """``list`` of the lab's fleet, and how many clusters it gave."""
        words = ["aks", "kms-migrate", "list", "--management-groups", MANAGEMENT_GROUP]
        cost = _done(run([str(AZ), *words], self._environment, self.lab.directory))
        return len(json.loads(cost.stdout)), cost

    def _check_all_forms(self) -> None:
        forms = self.lab.etcd()
        left = sum(count for form, count in forms.items() if form != self._form.value)
        self._check(not left, f"etcd holds {forms}")

    def _check(self, right: bool, what: str) -> None:
        if not right:
            raise CommandFailed(f"a run to {self._form.value} ended wrong: {what}")

    def _az(self, *words: str) -> Cost:
        return run([str(AZ), *words, "-g", "lab", "-n", self.lab.name], self._environment, self.lab.directory)


def _done(cost: Cost) -> Cost:
    if cost.code:
        raise CommandFailed(f"a command ended with {cost.code}: {' / '.join(line for _, line in cost.said[-5:])}")
    return cost
