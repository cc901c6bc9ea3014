"""One trial: a migration in which one kind of call fails, the same command typed again, and what etcd holds then."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.az import Az, Typed
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.matrix.calls import Call, Row, rows
from tests.matrix.cells import Cell
from tests.matrix.scenes import SCENES, Scene
from tests.matrix.verdict import Trial, Verdict, judge

_HOOK = Path(__file__).with_name("hook")
_START = ("start", "--yes", "--settle-seconds", "0", "--progress", "plain")
_VERIFY = ("verify", "--settle-seconds", "0")
_SECRETS = 4
_HURRY = 200


class Trials:
    """Runs trials on labs of their own, one after the other. ``extensions``: where the wheel is installed."""

    def __init__(self, extensions: Path, name: str = "") -> None:
        self._extensions, self._name = extensions, name or f"matrix{os.getpid()}"

    def rows(self) -> list[Row]:
        """What undisturbed migrations call, scene by scene."""
        found: list[Row] = []
        for scene in SCENES:
            with self._up(scene) as lab:
                typed, calls = self._typed(lab, _START)
            assert typed.code == 0, typed.stderr
            found += rows(scene.name, calls, found)
        return found

    def verdict(self, cell: Cell) -> Verdict:
        """Run the trial of a cell and judge it."""
        return judge(self.run(cell))

    def run(self, cell: Cell) -> Trial:
        """``start`` with the failure; without it, if that did not end well; ``verify``."""
        scene = next(scene for scene in SCENES if scene.name == cell.row.scene)
        with self._up(scene) as lab:
            before = lab.fingerprints()
            if cell.failure.operation:
                lab.fault("operation", f"{scene.operation(cell.row)} {cell.failure.operation}")
                spoil = ""
            else:
                spoil = json.dumps(cell.failure.document(cell.row))
            first, calls = self._typed(lab, _START, spoil)
            again = self._typed(lab, _START)[0] if first.code else None
            verified, _ = self._typed(lab, _VERIFY)
            return Trial(
                first=first,
                calls=calls,
                again=again,
                verified=verified,
                forms=lab.etcd(),
                before=before,
                after=lab.fingerprints(),
                operations=lab.operations(),
                history=lab.history(),
                changes=scene.changes,
            )

    def _up(self, scene: Scene) -> LabClient:
        return LabClient.up(LabOptions(self._name, secrets=_SECRETS, **scene.options), tethered=True)

    def _typed(self, lab: LabClient, words: tuple[str, ...], spoil: str = "") -> tuple[Typed, list[Call]]:
        log = lab.directory / "calls"
        log.unlink(missing_ok=True)
        az = Az(lab, self._extensions)
        az.environment |= {
            "PYTHONPATH": str(_HOOK),
            "AKS_CALLS": str(log),
            "AKS_HURRY": str(_HURRY),
            "AKS_SPOIL": spoil,
        }
        typed = az.type("aks", "kms-migrate", *words, "-g", "lab", "-n", lab.name)
        lines = log.read_text().splitlines() if log.exists() else []
        return typed, [Call.parse(line) for line in lines]
