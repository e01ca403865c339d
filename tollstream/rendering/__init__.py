"""Statements as people and programs read them: HTML, PDF, text, JSON, CSV, and CSV with the names of FOCUS."""

from tollstream.rendering.document import NOBODY, Party, StatementDocument
from tollstream.rendering.forms import Form, file_name, render

__all__ = ["NOBODY", "Form", "Party", "StatementDocument", "file_name", "render"]
