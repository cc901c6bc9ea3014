"""Reads and writes plan files."""

from __future__ import annotations

import json

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.migration.facts import ClusterName
from azext_kmsmigrate.migration.plan_file import PlanFile, PlanFileUnreadableError, from_document, to_document


def save(path: str, file: PlanFile) -> None:
    """Write the file, over an older one. Raises ``Refused`` (PLAN_FILE)."""
    try:
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(to_document(file), stream, indent=2, sort_keys=True)
            stream.write("\n")
    except OSError as error:
        raise _refused(path, "written", error) from error


def load(path: str, name: ClusterName) -> PlanFile:
    """Read the file. Raises ``Refused`` (PLAN_FILE, PLAN_FILE_FOREIGN); the name is for its advice."""
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream)
        return from_document(document)
    except OSError as error:
        raise _refused(path, "read", error) from error
    except PlanFileUnreadableError as error:
        raise Refused(errors.PLAN_FILE_FOREIGN, path=path, reason=error, **name.words) from error
    except (ValueError, RecursionError) as error:
        raise Refused(errors.PLAN_FILE_FOREIGN, path=path, reason="it is not JSON", **name.words) from error


def _refused(path: str, what: str, error: OSError) -> Refused:
    return Refused(errors.PLAN_FILE, path=path, what=what, code=error.strerror or type(error).__name__)
