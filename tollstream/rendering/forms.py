"""The forms of a statement, in one place: what each is called, and who renders it.

Shapes  render(document, form) -> bytes: a pure function, the same bytes whenever and wherever it is called.
Errors  none of a document's making: whatever stands in labels, names and addresses, every form renders.
"""

from __future__ import annotations

import re
from enum import StrEnum
from importlib import import_module
from typing import cast

from tollstream.rendering.document import StatementDocument


class Form(StrEnum):
    """A form is named as it is on the command line."""

    HTML = "html"  # for a browser, a phone, a printer, and to be read aloud
    PDF = "pdf"  # the same, to be kept and sent
    TEXT = "text"  # for a terminal of 80 columns
    JSON = "json"  # everything that concerns the tenant, for programs
    CSV = "csv"  # a row for each line
    FOCUS = "focus"  # a row for each charge, with the columns of FOCUS 1.2, as CSV

    @property
    def media_type(self) -> str:
        """For HTTP and mail."""
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """For file names."""
        return _SUFFIXES[self]


_MEDIA_TYPES = {
    Form.HTML: "text/html; charset=utf-8",
    Form.PDF: "application/pdf",
    Form.TEXT: "text/plain; charset=utf-8",
    Form.JSON: "application/json",
    Form.CSV: "text/csv; charset=utf-8; header=present",
    Form.FOCUS: "text/csv; charset=utf-8; header=present",
}
_SUFFIXES = {
    Form.HTML: ".html",
    Form.PDF: ".pdf",
    Form.TEXT: ".txt",
    Form.JSON: ".json",
    Form.CSV: ".csv",
    Form.FOCUS: ".focus.csv",
}
# A module is imported when its form is asked for: fonts are large, and most who ask do not ask for them.
_MODULES = {
    Form.HTML: "page",
    Form.PDF: "pdf",
    Form.TEXT: "terminal",
    Form.JSON: "record",
    Form.CSV: "table",
    Form.FOCUS: "focus",
}


def render(document: StatementDocument, form: Form | str) -> bytes:
    """The document in one form; text is UTF-8."""
    module = import_module(f"tollstream.rendering.{_MODULES[Form(form)]}")
    return cast(bytes, module.written(document))


def file_name(document: StatementDocument, form: Form | str) -> str:
    """A name that is safe on any file system, and the same for the same document."""
    said = document.number or f"{document.statement.tenant}-{document.statement.period.label}-draft"
    return f"statement-{re.sub(r'[^A-Za-z0-9]+', '-', said).strip('-') or 'of-nobody'}{Form(form).suffix}"
