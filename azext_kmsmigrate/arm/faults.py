"""Foreign exceptions of the Azure SDK and of az's sign-in become catalogue entries, here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, Conflict, KmsMigrateError
from azext_kmsmigrate.migration.facts import ClusterName
from azext_kmsmigrate.migration.refusal import refusal_in, shortened

_WHOLE = 10_000  # characters of a message that are read for what it names
_HASHES = re.compile("#{2,}")
_AADSTS = re.compile(r"AADSTS\d{5,10}")


@contextmanager
def translated(what: str, name: ClusterName) -> Iterator[None]:
    """Whatever the SDK or the sign-in raises inside leaves as one of ours. ``what`` completes "Azure refused …"."""
    from azure.core.exceptions import AzureError as SdkError
    from knack.util import CLIError
    from requests.exceptions import RequestException

    try:
        yield
    except KmsMigrateError:
        raise
    except (SdkError, CLIError, RequestException, JSONDecodeError) as error:
        raise translate(error, what, name) from error
    except Exception as error:
        if not of_sign_in(error):
            raise
        raise unreachable_for_sign_in(error, what) from error


def of_sign_in(error: BaseException) -> bool:
    """Whether it comes out of MSAL, which lets through what its HTTP client raises, and says ValueError where Entra ID
    did not answer as such."""
    trace = error.__traceback__
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == "msal":
            return True
        trace = trace.tb_next
    return False


def unreachable_for_sign_in(error: BaseException, what: str) -> AzureError:
    return AzureError(errors.AZURE_UNREACHABLE, what=what, code=f"{type(error).__name__} at the sign-in")


def translate(error: Exception, what: str, name: ClusterName) -> KmsMigrateError:
    """The catalogue entry for a foreign exception; the most specific rule wins."""
    from azure.core import exceptions as sdk
    from requests.exceptions import RequestException

    if isinstance(error, RequestException):  # of the sign-in, which does not go through the SDK
        return AzureError(errors.AZURE_UNREACHABLE, what=what, code=f"{type(error).__name__} at the sign-in")
    if isinstance(error, sdk.HttpResponseError):
        return _answered(error, what, name)
    # No document: the SDK takes a page of a proxy's for an answer, and raises what reading it raises.
    if isinstance(error, (sdk.ServiceRequestError, sdk.ServiceResponseError, JSONDecodeError)):
        return AzureError(errors.AZURE_UNREACHABLE, what=what, code=type(error).__name__)
    if isinstance(error, sdk.AzureError):
        return AzureError(
            errors.AZURE_REFUSED, what=what, code=type(error).__name__, detail=one_line(str(error)), next=again(name)
        )
    return AzureError(errors.SIGN_IN_FAILED, what=what, code=_sign_in_code(error))


def _sign_in_code(error: Exception) -> str:
    """Entra ID's own code, if it gave one: https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""
    found = _AADSTS.search(str(error))
    return found[0] if found else type(error).__name__


def _answered(error: object, what: str, name: ClusterName) -> KmsMigrateError:
    from azure.core.exceptions import ClientAuthenticationError

    status = getattr(error, "status_code", None)
    code, detail = words_of(error)
    refusal = refusal_in(code, detail)
    if refusal is not None:
        return refusal.error(
            f"Azure refused {what}", "The cluster stays as it was before this request.", name, again(name)
        )
    if (status is None or status < 400) and not isinstance(error, ClientAuthenticationError):
        # The answer broke off, or was none that can be read: it says nothing about what happened.
        return AzureError(errors.AZURE_UNREACHABLE, what=what, code=type(error).__name__)
    if status in (None, 401):
        return AzureError(errors.SIGN_IN_FAILED, what=what, code=code)
    if status == 403:
        return AzureError(errors.AZURE_FORBIDDEN, what=what, code=code)
    if status in (409, 412):
        return Conflict(errors.CHANGED_MEANWHILE, what=what, code=code)
    if status in (408, 429):
        entry = errors.AZURE_THROTTLED if status == 429 else errors.AZURE_UNREACHABLE
        return AzureError(entry, what=what, code=code)
    if status >= 500:
        return AzureError(errors.AZURE_UNAVAILABLE, what=what, code=code)
    return AzureError(errors.AZURE_REFUSED, what=what, code=code, detail=shortened(detail), next=again(name))


def unheard(error: Exception, what: str, name: ClusterName) -> KmsMigrateError:
    """For a failed question about an operation that was accepted: Azure refused the question, not the operation."""
    what = f"following {what}"
    found = translate(error, what, name)
    known = (errors.SIGN_IN_FAILED, errors.AZURE_FORBIDDEN, errors.AZURE_THROTTLED, errors.AZURE_UNAVAILABLE)
    if found.entry in known:
        return found
    return AzureError(errors.AZURE_UNREACHABLE, what=what, code=found.values.get("code") or type(error).__name__)


def words_of(error: object) -> tuple[str, str]:
    """Azure's own code and message, on one line and whole; ARM's errors hold no Secret data."""
    inner = getattr(error, "error", None)
    code = getattr(inner, "code", None) or f"HTTP {getattr(error, 'status_code', None)}"
    message = getattr(inner, "message", None) or getattr(error, "reason", None) or ""
    return one_line(str(code)), _printable(str(message))[:_WHOLE]


def one_line(text: str) -> str:
    """Fit for a log: no line breaks, no length without end, and no way to speak to a pipeline (``##vso[``)."""
    return shortened(_printable(text))


def _printable(text: str) -> str:
    return _HASHES.sub("#", " ".join(text.split())).rstrip(".")


def again(name: ClusterName) -> str:
    return f"az aks kms-migrate start {name.option_text}"
