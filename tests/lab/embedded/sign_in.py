"""Who a bearer token is: kube-apiserver's OIDC check of an Entra ID token."""

from __future__ import annotations

import json
import ssl
import threading
from typing import Any

import jwt
import urllib3

from tests.lab.embedded.messages import Caller
from tests.lab.model import EntraTrust

_CLAIMS = ["exp", "iss", "aud", "oid"]


class TokenCheck:
    """Checks signature (RS256), issuer, audience and expiry; the user name is the claim ``oid``.

    The issuer's keys are read on the first token and again when a token names an unknown one.
    """

    def __init__(self, trust: EntraTrust) -> None:
        self._trust = trust
        context = ssl.create_default_context(cadata=trust.ca_pem)
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, timeout=5.0)
        self._lock = threading.Lock()
        self._keys: dict[str, Any] = {}

    def caller(self, token: str) -> Caller | None:
        """The token's user, or None when it is not accepted."""
        try:
            key = self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._trust.client_id,
                issuer=self._trust.issuer,
                options={"require": _CLAIMS},
            )
        except (jwt.PyJWTError, urllib3.exceptions.HTTPError, KeyError, ValueError):
            return None
        name = str(claims["oid"])
        masters = ("system:masters",) if name == self._trust.admin_object_id else ()
        return Caller(name, ("system:authenticated", *masters))

    def _key(self, key_id: str) -> Any:
        with self._lock:
            if key_id not in self._keys:
                discovery = self._fetch(self._trust.issuer.rstrip("/") + "/.well-known/openid-configuration")
                if discovery["issuer"] != self._trust.issuer:
                    raise ValueError("issuer does not match")
                found = self._fetch(discovery["jwks_uri"])["keys"]
                self._keys = {
                    entry["kid"]: jwt.PyJWK(entry, algorithm="RS256").key
                    for entry in found
                    if entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig"
                }
            return self._keys[key_id]

    def _fetch(self, url: str) -> Any:
        answer = self._pool.request("GET", url)
        if answer.status != 200:
            raise ValueError(f"{url} answered {answer.status}")
        return json.loads(answer.data)
