"""The canary of one command: made when it is needed, removed on every way out."""

from __future__ import annotations

from types import TracebackType

from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.migration.events import Note
from azext_kmsmigrate.migration.secret import SecretRef
from azext_kmsmigrate.ports import Observer, Secrets


class OwnCanary:
    """Use it in a ``with``. One at a time is there: ``make`` removes what it made before."""

    def __init__(self, secrets: Secrets, observer: Observer) -> None:
        self._secrets, self._observer = secrets, observer
        self._made: SecretRef | None = None

    def make(self) -> SecretRef:
        self._remove()
        self._made = self._secrets.create_own_canary()
        return self._made

    def __enter__(self) -> OwnCanary:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What cannot be removed now must not hide how the command ends: a later one removes it."""
        try:
            self._remove()
        except ClusterError:
            assert self._made is not None
            left = f"The Secret {self._made} of this command could not be removed; a later one will do it."
            self._observer.tell(Note(left))

    def _remove(self) -> None:
        if self._made is not None:
            self._secrets.delete_own_canary(self._made)
            self._made = None
