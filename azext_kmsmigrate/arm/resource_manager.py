"""Asks Azure Resource Manager for documents, by their ids and a fixed api-version.

For what the checks look at, az has SDKs that differ from one version of az to the next; the REST contract does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from azext_kmsmigrate.arm.faults import translate, translated
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.migration.facts import ClusterName

Json = dict[str, Any]
_TIMEOUTS = {"connection_timeout": 10, "read_timeout": 30}  # seconds


class ResourceManager:
    """az makes it as it makes an SDK's client: with its sign-in, its user agent, its logging.

    An answer is the document, None (404), or ``Unseen`` with the right that lacks (403). Whatever else Azure says is
    raised as one of ``errors``.
    """

    def __init__(self, credential: Any, subscription_id: str, base_url: str = "", **kwargs: Any) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline import policies

        del credential  # az's authentication policy holds it
        kwargs.pop("credential_scopes", None)
        steps = [
            policies.RequestIdPolicy(**kwargs),
            policies.HeadersPolicy(kwargs.pop("headers", None)),
            kwargs.pop("user_agent_policy", None),
            policies.ProxyPolicy(**kwargs),
            policies.RetryPolicy(retry_total=3, retry_backoff_factor=0.5),
            kwargs.pop("authentication_policy", None),
            kwargs.pop("custom_hook_policy", None),
            kwargs.pop("logging_policy", None),
        ]
        kwargs.pop("http_logging_policy", None)
        self.subscription = subscription_id
        self._base = base_url.rstrip("/")
        self._client: Any = PipelineClient(base_url, policies=[s for s in steps if s is not None], **kwargs)

    def of(self, name: ClusterName) -> Resources:
        return Resources(self._base, self._client, name)

    def answer(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Json | None = None) -> Any:
        """Azure's answer as it is, whatever its status; ``path`` may be a link that ``holds``."""
        from azure.core.rest import HttpRequest

        url = path if self.holds(path) else f"{self._base}/{path.lstrip('/')}"
        return self._client.send_request(HttpRequest(method, url, params=query, json=body), **_TIMEOUTS)

    def holds(self, link: str) -> bool:
        """Whether a link leads to the Azure that this client asks."""
        return link.startswith(f"{self._base}/")


class Resources:
    """The documents around one cluster. ``permission`` in each call: the right that it takes, told where it lacks."""

    def __init__(self, base: str, client: Any, name: ClusterName) -> None:
        self._base, self._client, self.name = base, client, name

    def get(self, path: str, version: str, permission: str, **query: str) -> Json | Unseen | None:
        return self._send("GET", self._url(path), permission, query={"api-version": version, **query})

    def post(self, path: str, version: str, permission: str, body: Json) -> Json | Unseen | None:
        return self._send("POST", self._url(path), permission, query={"api-version": version}, body=body)

    def put(self, path: str, version: str, permission: str, body: Json) -> Json | Unseen | None:
        return self._send("PUT", self._url(path), permission, query={"api-version": version}, body=body)

    def listed(self, path: str, version: str, permission: str, **query: str) -> tuple[Json, ...] | Unseen | None:
        """All pages of a list."""
        found: list[Json] = []
        for page in self._pages(path, {"api-version": version, **query}, permission):
            if not isinstance(page, dict):
                return page
            found += page.get("value") or []
        return tuple(found)

    def _pages(self, path: str, query: Mapping[str, str], permission: str) -> Iterator[Json | Unseen | None]:
        page = self._send("GET", self._url(path), permission, query=query)
        yield page
        while isinstance(page, dict) and (link := page.get("nextLink")):
            if not str(link).startswith(f"{self._base}/"):
                yield Unseen("Azure's list goes on at another address than Azure's own")
                return
            page = self._send("GET", link, permission)
            yield page

    def _url(self, path: str) -> str:
        return f"{self._base}/{path.lstrip('/')}"

    def _send(
        self, method: str, url: str, permission: str, query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Json | Unseen | None:
        from azure.core.exceptions import DecodeError, HttpResponseError
        from azure.core.rest import HttpRequest

        what = f"reading ({permission})" if method != "PUT" else f"writing ({permission})"
        with translated(what, self.name):
            answer = self._client.send_request(HttpRequest(method, url, params=query, json=body), **_TIMEOUTS)
            if answer.status_code == 404:
                return None
            if answer.status_code == 403:
                return Unseen("Azure does not let you look at it", permission)
            if answer.status_code >= 300:
                raise translate(HttpResponseError(response=answer), what, self.name)
            try:
                found = answer.json() if answer.content else {}
            except ValueError as error:  # a page of a proxy's, or half an answer
                raise translate(DecodeError(response=answer), what, self.name) from error
        return found if isinstance(found, dict) else Unseen("Azure answered with something else than a document")
