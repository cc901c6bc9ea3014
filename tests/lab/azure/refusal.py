"""How a service says no: an HTTP status, a code and a message, in the shape each service really uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class ServiceError(Exception):
    """A refusal: the answer is an error. The server turns it into a response; nothing else catches it.

    ``body()`` has the envelope of Azure Resource Manager (``{"error": {...}}``), with ``details`` where there are any.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    details: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.status} ({self.code}) {self.message}"

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        return {"error": error | ({"details": self.details} if self.details else {})}


@dataclass(eq=False)
class AksError(ServiceError):
    """As the AKS resource provider answers: no envelope (hashicorp/terraform-provider-azurerm#23436)."""

    subcode: str = ""

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "details": None, "message": self.message, "subcode": self.subcode}


@dataclass(eq=False)
class VaultError(ServiceError):
    """As Key Vault answers: the precise reason is an inner code."""

    inner: str = ""

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.inner:
            error["innererror"] = {"code": self.inner}
        return {"error": error}


@dataclass(eq=False)
class EntraError(ServiceError):
    """As Entra ID answers a token request: ``code`` is the OAuth error, the number leads the description."""

    number: int = 0

    def body(self) -> dict[str, Any]:
        return {
            "error": self.code,
            "error_description": f"AADSTS{self.number}: {self.message}",
            "error_codes": [self.number],
        }


def bad_request(message: str) -> AksError:
    return AksError(400, "BadRequest", message)


def not_allowed(message: str, status: int = 400) -> AksError:
    """``OperationNotAllowed``: 400 for what the rules forbid, 409 for what is forbidden right now."""
    return AksError(status, "OperationNotAllowed", message)


def resource_not_found(kind: str, name: str, group: str) -> ServiceError:
    return ServiceError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        {"x-ms-failure-cause": "gateway"},
    )
