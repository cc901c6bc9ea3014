"""Sign-in as Entra ID does it: discovery, signing keys, client credentials, signed tokens."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.lab.azure.federation import ASSERTION_TYPE, Federation
from tests.lab.azure.refusal import EntraError, ServiceError
from tests.lab.azure.server import Request, Response, Router

TENANT_ID = "11111111-2222-4333-8444-555555555555"
AZURE_CLI_APP = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # az's own client id, the same in every tenant
ARM_AUDIENCES = ("https://management.core.windows.net/", "https://management.azure.com/")
VAULT_AUDIENCE = "https://vault.azure.net"
AKS_SERVER_APP = "6dae42f8-4368-4678-94ff-3960e28e3630"
_AUDIENCES = (*ARM_AUDIENCES, VAULT_AUDIENCE, AKS_SERVER_APP)
_TOKEN_SECONDS = 3600
# Tenant names that stand for "whichever tenant the account is in".
_MULTI_TENANT = frozenset({"common", "organizations"})


@dataclass(frozen=True)
class Principal:
    """A service principal, or a managed identity with the credentials its host would use for it."""

    name: str
    client_id: str
    object_id: str
    secret: str = field(repr=False)

    @classmethod
    def create(cls, name: str) -> Principal:
        return cls(name, str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_urlsafe(24))


class Identity:
    """One tenant. ``base_url`` is asked late, because the server's port is known only once it listens.

    ``token_seconds`` is how long a token holds from when it is issued, and says that it does. ``cluster_seconds``: how
    long one for the API servers really holds, when that is less, as after a session was revoked.
    """

    def __init__(self, principals: Iterable[Principal], base_url: Callable[[], str]) -> None:
        self._principals = {principal.client_id: principal for principal in principals}
        self._base_url = base_url
        self.federation = Federation()
        self.token_seconds = _TOKEN_SECONDS
        self.cluster_seconds: int | None = None
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(der)
        self._kid = _b64(digest.finalize()[:20])
        self._public = public

    @property
    def issuer(self) -> str:
        return f"{self._base_url()}/{TENANT_ID}/v2.0"

    @property
    def token_url(self) -> str:
        return f"{self._base_url()}/{TENANT_ID}/oauth2/v2.0/token"

    def add_routes(self, router: Router) -> None:
        router.add("GET", "/{tenant}/v2.0/.well-known/openid-configuration", self._discovery)
        router.add("GET", "/{tenant}/discovery/v2.0/keys", self._keys)
        router.add("POST", "/{tenant}/oauth2/v2.0/token", self._token)

    def knows(self, object_id: str) -> bool:
        """Whether the directory has this principal."""
        return any(principal.object_id == object_id for principal in self._principals.values())

    def add(self, principal: Principal) -> None:
        self._principals[principal.client_id] = principal

    def remove(self, client_id: str) -> Principal | None:
        """Forget a principal, as when a managed identity is deleted; tokens that are out still hold."""
        return self._principals.pop(client_id, None)

    def caller(self, request: Request, audiences: Iterable[str]) -> dict[str, Any]:
        """The claims of the request's bearer token.

        Raises ``LookupError`` without a token, ``jwt.InvalidAudienceError`` for another service's token, and
        another ``jwt.InvalidTokenError`` for anything else that is wrong with it.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise LookupError("no bearer token")
        return jwt.decode(token, self._public, algorithms=["RS256"], audience=list(audiences), issuer=self.issuer)

    def arm_caller(self, request: Request) -> dict[str, Any]:
        """The caller's claims, or Resource Manager's 401."""
        realm = {
            "WWW-Authenticate": f'Bearer authorization_uri="{self._base_url()}/{TENANT_ID}", '
            'error="invalid_token", error_description="The authentication failed."'
        }
        try:
            return self.caller(request, ARM_AUDIENCES)
        except LookupError:
            message = "Authentication failed. The 'Authorization' header is missing."
            raise ServiceError(401, "AuthenticationFailed", message, realm) from None
        except jwt.ExpiredSignatureError:
            message = "The access token expiry UTC time is earlier than current UTC time."
            raise ServiceError(401, "ExpiredAuthenticationToken", message, realm) from None
        except jwt.InvalidAudienceError:
            message = "The access token has been obtained for wrong audience or resource."
            raise ServiceError(401, "InvalidAuthenticationTokenAudience", message, realm) from None
        except jwt.InvalidTokenError:
            raise ServiceError(401, "InvalidAuthenticationToken", "The access token is invalid.", realm) from None

    def for_user(self, principal: Principal, resource: str) -> tuple[str, str]:
        """A token that a broker gets for the user behind it, through az's own application, and its audience."""
        audience = _audience(f"{resource}/.default")
        user = {"unique_name": f"{principal.name}@lab.invalid", "upn": f"{principal.name}@lab.invalid", "idtyp": "user"}
        claims = {"appid": AZURE_CLI_APP, "appidacr": "0", "scp": "user_impersonation", **user}
        return self.issue(principal, audience, self.token_seconds, claims), audience

    def issue(
        self,
        principal: Principal,
        audience: str,
        seconds: int = _TOKEN_SECONDS,
        others: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """A signed token with the claims of an application's token; ``others`` go before them."""
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "appid": principal.client_id,
            "appidacr": "1",
            "idtyp": "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": TENANT_ID,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
            **others,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid})

    def _discovery(self, request: Request, tenant: str) -> Response:
        _check_tenant(tenant)
        base = f"{self._base_url()}/{tenant}"
        return Response(
            200,
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "appid"],
            },
        )

    def _keys(self, request: Request, tenant: str) -> Response:
        _check_tenant(tenant)
        numbers = self._public.public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self._kid,
            "n": _b64(numbers.n.to_bytes(256, "big")),
            "e": _b64(numbers.e.to_bytes(3, "big")),
        }
        return Response(200, {"keys": [key]})

    def _token(self, request: Request, tenant: str) -> Response:
        _check_tenant(tenant)
        form = request.form()
        principal = self._authenticate(form)
        scope = form.get("scope", "")
        audience = _audience(scope)
        early = self.cluster_seconds if audience == AKS_SERVER_APP else None
        answer = {
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
            "ext_expires_in": self.token_seconds,
            "access_token": self.issue(principal, audience, self.token_seconds if early is None else early),
        }
        return Response(200, answer, {"Cache-Control": "no-store"})

    def _authenticate(self, form: Mapping[str, str]) -> Principal:
        if form.get("grant_type") != "client_credentials":
            message = f"The grant type '{form.get('grant_type', '')}' is not supported."
            raise EntraError(400, "unsupported_grant_type", message, number=70003)
        client_id = form.get("client_id", "")
        principal = self._principals.get(client_id)
        if principal is None:
            message = (
                f"Application with identifier '{client_id}' was not found in the directory 'Lab'. This can "
                "happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant."
            )
            raise EntraError(400, "unauthorized_client", message, number=700016)
        if form.get("client_assertion_type") == ASSERTION_TYPE:
            self.federation.check(form.get("client_assertion", ""), principal.name)
            return principal
        secret = form.get("client_secret")
        if not secret:
            names = "'client_assertion' or 'client_secret'"
            message = f"The request body must contain the following parameter: {names}."
            raise EntraError(401, "invalid_client", message, number=7000218)
        if not hmac.compare_digest(secret.encode(), principal.secret.encode()):
            message = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client "
                f"secret value, not the client secret ID, for a secret added to app '{client_id}'."
            )
            raise EntraError(401, "invalid_client", message, number=7000215)
        return principal


def _audience(scope: str) -> str:
    """The audience that a client-credentials scope (``<resource>/.default``) asks for."""
    resource, dot, rest = scope.partition("/.default")
    if not dot or rest:
        message = f"The provided value for the input parameter 'scope' is not valid: '{scope}'."
        raise EntraError(400, "invalid_scope", message, number=1002012)
    for audience in _AUDIENCES:
        if resource.rstrip("/") == audience.rstrip("/"):
            return audience
    message = (
        f"The resource principal named {resource} was not found in the tenant named Lab. This can happen if "
        "the application has not been installed by the administrator of the tenant or consented to by any "
        "user in the tenant. You might have sent your authentication request to the wrong tenant."
    )
    raise EntraError(400, "invalid_resource", message, number=500011)


def _check_tenant(tenant: str) -> None:
    if tenant != TENANT_ID and tenant not in _MULTI_TENANT:
        message = (
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
            "into the correct cloud."
        )
        raise EntraError(400, "invalid_tenant", message, number=90002)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
