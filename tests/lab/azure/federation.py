"""Federated credentials: the tokens of a pipeline's own issuer that Entra ID takes in the place of a secret.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

from __future__ import annotations

import time
from datetime import datetime, timezone

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.lab.azure.refusal import EntraError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ISSUER = "https://pipeline.example/lab"
AUDIENCE = "api://AzureADTokenExchange"
_REVIEW = "Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."


class Federation:
    """One issuer; its subjects are the names of principals."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._given = self._over = 0

    def end_all(self) -> None:
        """The tokens given so far hold no longer, as when their minutes have gone by."""
        self._over = self._given

    def token(self, subject: str, seconds: int) -> str:
        """What the issuer gives a job; it holds so many seconds."""
        now = int(time.time())
        self._given += 1
        claims = {"iss": ISSUER, "sub": subject, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + seconds}
        claims |= {"jti": str(self._given)}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "pipeline"})

    def check(self, assertion: str, subject: str) -> None:
        """Raises Entra ID's refusal when the assertion does not stand for this principal now."""
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            message = "Failed to process request. The client assertion is not a valid JSON Web Token."
            raise EntraError(400, "invalid_request", message, number=50027) from None
        found = (claims.get("iss"), claims.get("sub"), claims.get("aud"))
        if found != (ISSUER, subject, AUDIENCE):
            message = (
                "No matching federated identity record found for presented assertion subject "
                f"'{claims.get('sub')}'. Check your federated identity credential Subject, Audience and Issuer against "
                "the presented assertion."
            )
            raise EntraError(401, "invalid_client", message, number=700213)
        try:
            jwt.decode(assertion, self._key.public_key(), algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
            if int(claims["jti"]) <= self._over:
                raise jwt.ExpiredSignatureError
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            now = time.time()
            message = (
                f"Client assertion is not within its valid time range. Current time: {_iso(now)}, assertion valid from "
                f"{_iso(claims['nbf'])}, expiry time of assertion {_iso(min(now, claims['exp']))}. {_REVIEW}"
            )
            raise EntraError(401, "invalid_client", message, number=700024) from None
        except jwt.InvalidTokenError:
            message = "Client assertion failed signature validation."
            raise EntraError(401, "invalid_client", message, number=700027) from None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
