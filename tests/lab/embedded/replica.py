"""One API server: a version, a provider order, a start time, and the connections it serves."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from tests.lab.embedded import api, discovery, faults, signs
from tests.lab.embedded.connection import Connection, ProtocolError
from tests.lab.embedded.deprecated import DeprecatedApis
from tests.lab.embedded.envelope import Chain, Identity, KeyIdUses, Transformer, TransformError
from tests.lab.embedded.faults import ApiError
from tests.lab.embedded.key_service import KeyService
from tests.lab.embedded.kms_providers import KmsV1, KmsV2
from tests.lab.embedded.messages import Caller, Request, Response
from tests.lab.embedded.registry import Admission, Registry
from tests.lab.embedded.sign_in import TokenCheck
from tests.lab.embedded.store import Store
from tests.lab.model import SECRETS_PREFIX, Provider

FIRST_WITHOUT_KMS_V1 = 29
FIRST_WITH_SEEDS = 29
FIRST_WITH_KMS_V2 = 27
# What such a server stores of its own an older one cannot read: there is no way back.
FIRST_WITH_FLOW_CONTROL_V1 = 30
# From here on pages are continued from the watch cache's snapshots, which etcd's compaction does not touch.
FIRST_WITH_LIST_SNAPSHOTS = 34
_PRIORITY_LEVEL = "/registry/prioritylevelconfigurations/exempt"
_PRIORITY_LEVEL_V1 = b'{"kind":"PriorityLevelConfiguration","apiVersion":"flowcontrol.apiserver.k8s.io/v1"}'
_DRAIN_SECONDS = 60.0
_RESYNC_SECONDS = 1.0
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_LOG = logging.getLogger(__name__)


class RefusedToStartError(Exception):
    """The server ends at once: kube-apiserver's own words about its EncryptionConfiguration."""


class Replica:
    """Runs from construction until ``drain``. ``keys`` makes the key service of a provider."""

    def __init__(
        self,
        version: str,
        providers: Sequence[Provider],
        store: Store,
        admission: Admission,
        keys: Callable[[Provider], KeyService],
        tokens: TokenCheck | None,
    ) -> None:
        _refuse(version, providers)
        self.version = version
        self.started = time.time()
        self._id = uuid.uuid4().hex
        self._uses = KeyIdUses()
        self._deprecated = DeprecatedApis(signs.minor(version))
        seeds = signs.minor(version) >= FIRST_WITH_SEEDS
        transformers = [_transformer(provider, keys, self._uses, seeds) for provider in providers]
        self._plugins = [
            (provider.api_version, transformer)
            for provider, transformer in zip(providers, transformers, strict=True)
            if provider.kind == "kms"
        ]
        self._store = store
        self._chain = Chain(transformers)
        snapshots = store.revision if signs.minor(version) >= FIRST_WITH_LIST_SNAPSHOTS else None
        self._registry = Registry(store, self._chain, admission, snapshots)
        self._tokens = tokens
        self._lock = threading.Lock()
        self._connections: dict[Connection, threading.Thread] = {}
        self._draining = False
        self._synced = False
        self._synced_at = 0.0
        self._stop_watching = store.watch(self._observe)
        if signs.minor(version) >= FIRST_WITH_FLOW_CONTROL_V1:
            store.put(_PRIORITY_LEVEL, _PRIORITY_LEVEL_V1)
        self._sync()

    def readiness(self) -> tuple[int, str]:
        """Status code and verbose body of ``/readyz``."""
        checks = signs.readiness(self._sync(), signs.kms_checks(self._plugins))
        return signs.report(checks, endpoint="readyz", verbose=True)

    def serve(self, sock: ssl.SSLSocket) -> None:
        """Answer one connection until it ends; runs in the connection's own thread."""
        connection = Connection(sock)
        with self._lock:
            if self._draining:
                sock.close()
                return
            self._connections[connection] = threading.current_thread()
        try:
            subject = connection.certificate_subject()
            known = Caller(subject[0], ("system:authenticated", *subject[1])) if subject else Caller()
            while (request := connection.next_request()) is not None:
                if not connection.answer(request, self._respond(request, known)):
                    break
        except (OSError, ProtocolError, ValueError) as error:
            _LOG.debug("a connection ended: %s", error)
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(connection, None)

    def drain(self) -> None:
        """Close what is idle, let what is under way finish, and be gone."""
        with self._lock:
            self._draining = True
            open_now = dict(self._connections)
        for connection in open_now:
            connection.drain()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for thread in open_now.values():
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        self._stop_watching()

    def _respond(self, request: Request, known: Caller) -> Response:
        try:
            return self._dispatch(request, self._caller(request, known))
        except ApiError as error:
            return Response.of_json(error.code, error.body)
        except Exception:
            _LOG.exception("%s %s", request.method, request.path)
            return Response.of_json(500, faults.internal("the stand-in failed, see its log").body)

    def _caller(self, request: Request, known: Caller) -> Caller:
        if known.name:
            return known
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = self._tokens.caller(token.strip()) if self._tokens and scheme.lower() == "bearer" else None
        if found is None:
            raise faults.unauthorized()
        return found

    def _dispatch(self, request: Request, caller: Caller) -> Response:
        target = api.target_of(request.path)
        if target is not None:
            return api.serve(self._registry, caller, target, request)
        if request.path == _REVIEWS:
            if request.method != "POST":
                raise faults.method_not_allowed()
            return Response.of_json(201, api.access_review(caller, request))
        if request.method in ("GET", "HEAD"):
            found = self._non_resource(request, caller) or self._deprecated_api(request, caller)
            if found is not None:
                return found
        if discovery.serves(request.path):
            raise faults.not_found_here()
        return Response.of_text(404, "404 page not found\n")

    def _non_resource(self, request: Request, caller: Caller) -> Response | None:
        path, verbose = request.path.rstrip("/"), "verbose" in request.query
        if path == "/version":
            return Response.of_json(200, signs.version_document(self.version))
        if path == "/readyz":
            checks = signs.readiness(self._sync(), signs.kms_checks(self._plugins))
            return Response.of_text(*signs.report(checks, endpoint="readyz", verbose=verbose))
        if path in ("/livez", "/healthz"):
            checks = [signs.Check("ping"), signs.Check("log")]
            return Response.of_text(*signs.report(checks, endpoint=path[1:], verbose=verbose))
        if path == "/metrics":
            if not caller.is_admin:
                why = f'forbidden: User "{caller.name}" cannot get path "/metrics"'
                raise ApiError(403, "Forbidden", why, details={})
            text = signs.metrics(self.version, self.started, self._chain, self._uses, self._id, self._deprecated)
            return Response(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")
        if path == "/openapi/v2":
            return Response(200, discovery.openapi_v2(), "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        document = discovery.document(path, request.headers.get("host", ""))
        return None if document is None else Response.of_json(200, document)

    def _deprecated_api(self, request: Request, caller: Caller) -> Response | None:
        listed = self._deprecated.listed(request.path) if caller.is_admin else None
        return None if listed is None else Response.of_json(200, listed)

    def _observe(self, key: str, value: bytes) -> None:
        """The watch cache decodes every Secret that anybody writes: it shows in the counters."""
        if key.startswith(SECRETS_PREFIX):
            with contextlib.suppress(TransformError):
                self._chain.read(value, key)

    def _sync(self) -> bool:
        """Whether the informers have listed everything: one unreadable object keeps them from that."""
        with self._lock:
            if self._synced or time.monotonic() - self._synced_at < _RESYNC_SECONDS:
                return self._synced
            self._synced_at = time.monotonic()
            newer = self._store.get(_PRIORITY_LEVEL) is not None
            if newer and signs.minor(self.version) < FIRST_WITH_FLOW_CONTROL_V1:
                return False
            try:
                for key, value in self._store.values(SECRETS_PREFIX).items():
                    self._chain.read(value, key)
                self._synced = True
            except TransformError as error:
                _LOG.warning("cannot list Secrets: %s", error)
            return self._synced


def _transformer(
    provider: Provider, keys: Callable[[Provider], KeyService], uses: KeyIdUses, seeds: bool
) -> Transformer:
    if provider.kind == "identity":
        return Identity()
    if provider.api_version == "v1":
        return KmsV1(provider, keys(provider))
    return KmsV2(provider, keys(provider), uses, seeds=seeds)


def _refuse(version: str, providers: Sequence[Provider]) -> None:
    """What LoadEncryptionConfig refuses, in its words."""
    names: set[str] = set()
    for provider in providers:
        if provider.kind not in ("identity", "kms"):
            raise RefusedToStartError(f"provider {provider.kind} is not one of this lab's")
        if provider.kind == "identity":
            continue
        if provider.name in names:
            raise RefusedToStartError(f"duplicate KMS provider name {provider.name}, names must be unique")
        names.add(provider.name)
        if provider.api_version == "v1" and signs.minor(version) >= FIRST_WITHOUT_KMS_V1:
            raise RefusedToStartError(
                "error while building transformers: KMSv1 is deprecated and will only receive"
                " security updates going"
                " forward. Use KMSv2 instead.  Set --feature-gates=KMSv1=true to use the deprecated"
                " KMSv1 feature."
            )
        if provider.api_version == "v2" and signs.minor(version) < FIRST_WITH_KMS_V2:
            raise RefusedToStartError(
                "error while building transformers: could not configure KMSv2 plugin"
                f' "{provider.name}", KMSv2'
                " feature is not enabled"
            )
    if not providers:
        raise RefusedToStartError("resources[0].providers: Required value: at least one provider is required")
