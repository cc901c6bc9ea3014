"""The forms of a report, and which one a command line means. Pure."""

from __future__ import annotations

import enum
import os

from azext_kmsmigrate.handover.document import Report
from azext_kmsmigrate.handover.markdown import markdown
from azext_kmsmigrate.handover.page import page


class ReportForm(str, enum.Enum):
    """``--format``."""

    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


STDOUT = "-"  # as a file's name
_ENDINGS = {
    ".md": ReportForm.MARKDOWN,
    ".markdown": ReportForm.MARKDOWN,
    ".html": ReportForm.HTML,
    ".htm": ReportForm.HTML,
    ".json": ReportForm.JSON,
}


def form_of(asked: str | None, path: str | None) -> ReportForm | None:
    """What was asked for, else what the file's ending says; None when it says nothing."""
    if asked:
        return ReportForm(asked)
    return _ENDINGS.get(os.path.splitext(path)[1].lower()) if path else ReportForm.JSON


def text_of(report: Report, form: ReportForm) -> str:
    """The report as text. JSON is az's to make."""
    return markdown(report) if form is ReportForm.MARKDOWN else page(report)
