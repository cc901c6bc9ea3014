"""Reads of Resource Manager for which az brings no client in every version: az's sign-in, one GET, plain documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class ArmReader:
    """A client in the form that az's ``get_mgmt_service_client`` makes: it hands over its sign-in and its policies."""

    def __init__(self, credential: Any, subscription_id: str, base_url: str = "", **options: Any) -> None:
        from azure.core.pipeline import policies
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMRetryPolicy

        self._client = ARMPipelineClient(
            base_url=base_url,
            policies=[
                policies.RequestIdPolicy(**options),
                policies.HeadersPolicy(**options),
                options["user_agent_policy"],
                policies.ProxyPolicy(**options),
                policies.ContentDecodePolicy(**options),
                ARMRetryPolicy(**options),
                options["authentication_policy"],
                options["custom_hook_policy"],
                options["logging_policy"],
            ],
            connection_timeout=10,
            read_timeout=60,
            connection_verify=options.get("connection_verify", True),
        )

    def get(self, path: str, api_version: str, **query: str) -> dict[str, Any]:
        """One document. ``path``: a resource id, or another path below the endpoint.

        :raises azure.core.exceptions.AzureError: as every client of the SDK does
        """
        from azure.core.rest import HttpRequest

        request = HttpRequest("GET", path, params={"api-version": api_version, **query})
        return self._answer(request)

    def items(self, path: str, api_version: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every item of a collection, page by page; raises as ``get`` does."""
        from azure.core.rest import HttpRequest

        page = self.get(path, api_version, **query)
        yield from page.get("value") or ()
        while link := page.get("nextLink"):
            page = self._answer(HttpRequest("GET", link))
            yield from page.get("value") or ()

    def _answer(self, request: Any) -> dict[str, Any]:
        request.url = self._client.format_url(request.url)
        response = self._client.send_request(request)
        response.raise_for_status()
        document = response.json()
        return document if isinstance(document, dict) else {}
