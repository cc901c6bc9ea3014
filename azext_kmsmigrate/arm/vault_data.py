"""Asks a key vault itself: what it tells everybody (its tenant), and the public part of a key."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from azext_kmsmigrate.checks.topic import Unseen

Json = dict[str, Any]
_VERSION = "7.4"
_TIMEOUTS = {"connection_timeout": 5, "read_timeout": 15}  # seconds
_TENANT = re.compile(r'authorization="https://[^"/]+/([^"/]+)"', re.IGNORECASE)


class VaultData:
    """The data plane. ``fetch_token``: the user's own token for Key Vault, fetched when a call needs it."""

    def __init__(self, fetch_token: Callable[[], str], **kwargs: Any) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        self._fetch_token = fetch_token
        steps = [policies.UserAgentPolicy(**kwargs), policies.ProxyPolicy(**kwargs)]
        steps += [policies.RetryPolicy(retry_total=1, retry_backoff_factor=0.5)]
        self._client: Any = PipelineClient("", policies=steps, **kwargs)

    def tenant(self, address: str) -> str | Unseen | None:
        """The tenant of the vault at an address, from its challenge to a caller without a token; None: no such host."""
        answer = self._send(f"https://{address}/keys")
        if answer is None or isinstance(answer, Unseen):
            return answer
        found = _TENANT.search(answer.headers.get("WWW-Authenticate", ""))
        return (
            found[1] if found else Unseen(f"{address} did not answer as a key vault does (HTTP {answer.status_code})")
        )

    def key(self, address: str, name: str, version: str) -> Json | Unseen | None:
        """A key version's bundle; None when there is no such version. Of a disabled one a vault may tell only that."""
        return self._document(f"https://{address}/keys/{name}/{version}", "Microsoft.KeyVault/vaults/keys/read")

    def rotation_policy(self, address: str, name: str) -> Json | Unseen | None:
        """What Key Vault does with a key by itself; None when there is no such key."""
        right = "Microsoft.KeyVault/vaults/keyrotationpolicies/read"
        return self._document(f"https://{address}/keys/{name}/rotationpolicy", right)

    def deleted_key(self, address: str, name: str) -> Json | Unseen | None:
        """A key that is deleted and can be recovered; None when there is none."""
        return self._document(f"https://{address}/deletedkeys/{name}", "Microsoft.KeyVault/vaults/keys/read")

    def _document(self, url: str, permission: str) -> Json | Unseen | None:
        answer = self._send(url, self._fetch_token())
        if answer is None:
            return Unseen("there is no host of the vault's name")
        if isinstance(answer, Unseen):
            return answer
        if answer.status_code == 404:
            return None
        if answer.status_code == 200:
            found = _json(answer)
            return found if isinstance(found, dict) else Unseen("the key vault answered with no document")
        inner = _inner_code(answer)
        if inner == "KeyDisabled":
            return {"attributes": {"enabled": False}}
        if "Firewall" in inner or "Connection" in inner:
            return Unseen("the vault's firewall does not let you in from here")
        lacks = permission if answer.status_code == 403 else ""
        return Unseen(f"the key vault does not let you look at it ({inner or answer.status_code})", lacks)

    def _send(self, url: str, token: str = "") -> Any:
        """The answer; ``Unseen`` when none came, None when there is no such host."""
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = HttpRequest("GET", url, params={"api-version": _VERSION}, headers=headers)
        try:
            return self._client.send_request(request, **_TIMEOUTS)
        except AzureError as error:
            if "resolve" in str(error).lower() or "Name or service not known" in str(error):
                return None
            return Unseen(f"the key vault cannot be reached from here ({type(error).__name__})")


def _json(answer: Any) -> Any:
    try:
        return answer.json()
    except ValueError:  # a page of a proxy's, or half an answer
        return None


def _inner_code(answer: Any) -> str:
    try:
        error = _json(answer).get("error") or {}
        return str((error.get("innererror") or {}).get("code") or error.get("code") or "")
    except AttributeError:
        return ""
