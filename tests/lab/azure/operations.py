"""Long-running operations: one at a time, driving the control plane from the model's goal.

The model holds the goal as soon as a PUT is accepted. What is still to do is the difference between the goal
and what was reached, so a later PUT without any change (a reconcile) finishes what a failed one left.
"""

from __future__ import annotations

import sys
import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from tests.lab.azure import cluster as model
from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.failures import OperationFailed
from tests.lab.azure.faults import Fault, Faults
from tests.lab.azure.obstacles import Obstacles
from tests.lab.azure.rules import Accepted, Change
from tests.lab.controlplane.ports import Plane

_INTERNAL_ERROR = ("InternalOperationError", "Internal server error")
# Ours: the text is in no public source, the code is AKS's.
_PREEMPTED = ("AKSOperationPreempted", "The operation was preempted by another operation")
_UNKNOWN_KEY = "unknown"


@dataclass
class Operation:
    """One operation; ``pool`` is empty when it is the whole cluster's. ``detail`` never leaves the lab."""

    id: str
    change: Change
    pool: str
    started: str
    status: str = "InProgress"
    ended: str = ""
    error: tuple[str, str] | None = None
    detail: str = ""

    @property
    def running_state(self) -> str:
        return "Upgrading" if self.change in (Change.UPGRADE, Change.UPGRADE_POOL) else "Updating"

    def as_status(self) -> Json:
        """The document that ``Azure-AsyncOperation`` points to."""
        document: Json = {"name": self.id, "status": self.status, "startTime": self.started}
        if self.ended:
            document["endTime"] = self.ended
        if self.error:
            document["error"] = {"code": self.error[0], "message": self.error[1]}
        return document


@dataclass(frozen=True)
class _Step:
    """One call of the control plane, and the note that it was made; ``in_model``: Azure shows the note."""

    act: Callable[[], None]
    record: Callable[[], None]
    in_model: bool = True


class ClusterOperations:
    """The cluster's document and the operations on it. ``lock`` guards both; hold it to read and decide."""

    def __init__(self, document: Json, faults: Faults, obstacles: Obstacles) -> None:
        self.lock = threading.RLock()
        self.document = document
        self.plane: Plane | None = None
        self._applied_key = Kms.of(document).active_key
        self._faults = faults
        self._obstacles = obstacles
        obstacles.plane = lambda: self.plane
        self._operations: dict[str, Operation] = {}
        self._released = threading.Event()
        # An early success lets a second operation begin while the first still works on the control plane.
        self._plane_lock = threading.Lock()

    def attach(self, plane: Plane) -> None:
        """The control plane is there: a cluster that was being created is ready now."""
        with self.lock:
            self.plane = plane
            if self.document["properties"]["provisioningState"] == "Creating":
                self.document["properties"]["provisioningState"] = "Succeeded"
                self.document["eTag"] = model.new_etag()

    def patch_pool(self, name: str, patch: Json) -> None:
        """Change one pool from outside with a JSON merge patch; raises ``KeyError`` for an unknown pool."""
        with self.lock:
            model.pool_of(self.document, name).update(
                model.merge_patch(model.pool_of(self.document, name), {**patch, "eTag": model.new_etag()})
            )

    def latest(self) -> Operation | None:
        """The operation that began last."""
        return next(reversed(self._operations.values()), None)

    def patch(self, patch: Json) -> Json:
        """Change the model from outside with a JSON merge patch: a seed or a fault, unknown to the plane."""
        with self.lock:
            self.document = model.merge_patch(self.document, patch)
            self.document["eTag"] = model.new_etag()
            return self.document

    @property
    def running(self) -> str | None:
        """The state name of the operation under way, as Azure prints it."""
        for operation in self._operations.values():
            if operation.status == "InProgress":
                return operation.running_state
        return None

    def find(self, operation_id: str) -> Operation | None:
        return self._operations.get(operation_id)

    def all(self) -> list[Operation]:
        with self.lock:
            return list(self._operations.values())

    def release(self) -> None:
        """Let every operation that hangs go on."""
        self._released.set()

    def begin(self, accepted: Accepted, pool: str = "") -> Operation:
        """Make the accepted document the goal and work towards it in a thread of its own."""
        now = datetime.now(timezone.utc).isoformat()
        operation = Operation(str(uuid.uuid4()), accepted.change, pool, now)
        fault = self._faults.take(accepted.change, answer=False)
        with self.lock:
            self.document = accepted.document
            self._operations[operation.id] = operation
            self._mark(operation, operation.running_state)
            if fault is Fault.HANG:
                self._released.clear()
        threading.Thread(
            target=self._run, args=(operation, fault), name=f"operation-{accepted.change.value}", daemon=True
        ).start()
        return operation

    def _run(self, operation: Operation, fault: Fault | None) -> None:
        if fault is Fault.HANG:
            self._released.wait()
        if fault is Fault.CANCELED:
            self._finish(operation, "Canceled")
        elif fault is Fault.FAILED_BEFORE_EFFECT:
            self._finish(operation, "Failed", _INTERNAL_ERROR)
        elif fault is Fault.PREEMPTED:
            with self.lock:
                self._finish(operation, "Failed", _PREEMPTED)
                self.begin(Accepted(self.document, Change.RECONCILE))
        else:
            self._work(operation, fault)

    def _work(self, operation: Operation, fault: Fault | None) -> None:
        with self._plane_lock:
            try:
                steps = self._steps()
                if fault is Fault.EARLY_SUCCESS:
                    self._reach(steps)
                    self._finish(operation, "Succeeded")
                for step in steps:
                    step.act()
                    # After a Failed upgrade Azure shows the target, and as current the old version.
                    if fault is not Fault.FAILED_AFTER_EFFECT or not step.in_model:
                        self._reach([step])
            except OperationFailed as failure:
                operation.detail = str(failure)
                self._finish(operation, "Failed", (failure.code, failure.message))
                return
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                operation.detail = f"{type(error).__name__}: {error}"
                self._finish(operation, "Failed", _INTERNAL_ERROR)
                return
        if fault is Fault.FAILED_AFTER_EFFECT:
            self._finish(operation, "Failed", _INTERNAL_ERROR)
        else:
            self._finish(operation, "Succeeded")

    def _steps(self) -> list[_Step]:
        """What separates the goal from what was reached, in AKS's order."""
        plane = self.plane
        if plane is None:
            raise RuntimeError("no control plane is attached")
        steps: list[_Step] = []
        with self.lock:
            key = Kms.of(self.document).active_key
            properties = self.document["properties"]
            if key != self._applied_key:
                steps.append(self._kms_step(plane, self.document, key))
            version = properties["kubernetesVersion"]
            if version != properties["currentKubernetesVersion"]:
                steps.append(_Step(lambda: plane.upgrade(version), self._recorder("", version)))
            for pool in model.pools(self.document):
                name, target = pool["name"], pool["orchestratorVersion"]
                if target != pool["currentOrchestratorVersion"]:
                    steps.append(_Step(self._pool_upgrade(plane, name, target), self._recorder(name, target)))
        return steps

    def _kms_step(self, plane: Plane, document: Json, key: str | None) -> _Step:
        def act() -> None:
            if key:
                self._obstacles.before_kms(document)
            # Halfway through nobody knows which key is in use: whatever comes next must set it again.
            self._applied_key = _UNKNOWN_KEY
            plane.set_kms(key)

        def record() -> None:
            self._applied_key = key

        return _Step(act, record, in_model=False)

    def _pool_upgrade(self, plane: Plane, pool: str, version: str) -> Callable[[], None]:
        def act() -> None:
            self._obstacles.before_pool(self.document, pool)
            plane.upgrade_pool(pool, version)

        return act

    def _recorder(self, pool: str, version: str) -> Callable[[], None]:
        def record() -> None:
            if pool:
                profile = model.pool_of(self.document, pool)
                profile["currentOrchestratorVersion"] = version
                profile["nodeImageVersion"] = model.node_image(version)
            else:
                self.document["properties"]["currentKubernetesVersion"] = version

        return record

    def _reach(self, steps: list[_Step]) -> None:
        with self.lock:
            for step in steps:
                step.record()

    def _mark(self, operation: Operation, state: str) -> None:
        if not operation.pool:
            self.document["properties"]["provisioningState"] = state
        for pool in model.pools(self.document):
            # A reconcile takes up what a failed upgrade left of its pools.
            upgraded = (
                not operation.pool
                and operation.change in (Change.UPGRADE, Change.RECONCILE)
                and (
                    pool["orchestratorVersion"] != pool["currentOrchestratorVersion"]
                    or pool["provisioningState"] != "Succeeded"
                )
            )
            if pool["name"] == operation.pool or upgraded:
                pool["provisioningState"] = state
                pool["eTag"] = model.new_etag()

    def _finish(self, operation: Operation, status: str, error: tuple[str, str] | None = None) -> None:
        with self.lock:
            if operation.status != "InProgress":
                return
            operation.status, operation.error = status, error
            operation.ended = datetime.now(timezone.utc).isoformat()
            self._mark(operation, status)
            properties = self.document["properties"]
            properties.pop("status", None)
            if error:
                properties["status"] = {"provisioningError": {"code": error[0], "message": error[1]}}
            self.document["eTag"] = model.new_etag()
