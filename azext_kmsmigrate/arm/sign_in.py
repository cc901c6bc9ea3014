"""az's sign-in for Azure, taken anew from what the CLI has stored once it gives no token any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StoredCredential:
    """A credential as the SDK takes it. ``make``: the CLI's own for what is stored now.

    A federated token holds for minutes and az keeps the one that it was given, so hours later it gets no further token.
    Somebody may have signed in again meanwhile (``az login`` with a new one); what is in memory does not know of that.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made = make()

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """A token for these scopes. Raises what the CLI's own credential raises."""
        from knack.util import CLIError

        try:
            return self._made.get_token(*scopes, **options)
        except CLIError:
            self._made = self._make()
            return self._made.get_token(*scopes, **options)
