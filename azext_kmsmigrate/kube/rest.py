"""The ``kubernetes`` package's REST client, for the calls outside the passes: journal, Lease, canary, nodes.

Bodies are read without the package's own decoding, because its debug log prints every body that it decodes.
"""

from __future__ import annotations

import json
import ssl
from typing import Any

from azext_kmsmigrate.kube.package import kubernetes_client
from azext_kmsmigrate.kube.wire import Route

PATIENT = (10.0, 60.0)  # seconds to connect and to read; the server itself gives up a write after 34 s
HURRIED = (1.0, 1.0)  # where the user wants to be gone


class RestClient:
    """The port ``Transport``, on one connection pool of one connection."""

    def __init__(self, route: Route, tls: ssl.SSLContext, seconds: tuple[float, float] = PATIENT) -> None:
        import urllib3

        client = kubernetes_client()
        self._rest = client.rest.RESTClientObject(client.Configuration())
        options: dict[str, Any] = {"num_pools": 1, "maxsize": 1, "block": True, "ssl_context": tls, "retries": False}
        self._rest.pool_manager = (
            urllib3.ProxyManager(route.proxy, **options) if route.proxy else urllib3.PoolManager(**options)
        )
        self._server, self._refused, self._seconds = route.server, client.ApiException, seconds

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        import urllib3

        try:
            response = self._rest.request(
                method,
                self._server + target,
                headers=headers,
                body=None if body is None else json.loads(body),
                _preload_content=False,
                _request_timeout=self._seconds,
            )
            return response.status, response.headers, bytes(response.data)
        except self._refused as error:
            if not error.status:
                raise ConnectionError(type(error).__name__) from error
            raw = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
            return error.status, error.headers or {}, raw
        except urllib3.exceptions.TimeoutError as error:
            raise TimeoutError(type(error).__name__) from error
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(type(error).__name__) from error

    @property
    def made(self) -> int:
        pools = self._rest.pool_manager.pools
        return sum(pools[key].num_connections for key in pools.keys())  # noqa: SIM118 it refuses to be iterated

    def close(self) -> None:
        self._rest.pool_manager.clear()
