"""The forms as one list: each renders every sample, twice alike, in another process too; names are safe."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, file_name, render

ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = """
import hashlib, sys
from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, render
for name in SAMPLES:
    for form in Form:
        print(name, form, hashlib.sha256(render(SAMPLES[name], form)).hexdigest())
"""


def test_the_same_document_is_the_same_bytes_in_another_process_time_zone_and_language() -> None:
    outside = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", ELSEWHERE], env=outside, capture_output=True, text=True, check=True)
    here = [
        f"{name} {form} {hashlib.sha256(render(SAMPLES[name], form)).hexdigest()}" for name in SAMPLES for form in Form
    ]
    assert ran.stdout.splitlines() == here


def test_a_form_is_asked_for_by_its_name() -> None:
    document = SAMPLES["empty"]
    assert [form.value for form in Form] == ["html", "pdf", "text", "json", "csv", "focus"]
    assert render(document, "csv") == render(document, Form.CSV)
    with pytest.raises(ValueError, match="docx"):
        render(document, "docx")


def test_every_form_says_what_it_is() -> None:
    assert len({form.suffix for form in Form}) == len(Form)
    assert Form.PDF.media_type == "application/pdf"
    assert Form.CSV.media_type.startswith("text/csv")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("QUILL-2026-000417", "statement-QUILL-2026-000417.pdf"),
        ("FOLIO/2026/10/0093", "statement-FOLIO-2026-10-0093.pdf"),
        ("../../etc/passwd", "statement-etc-passwd.pdf"),
        ("\u202e\n", "statement-of-nobody.pdf"),
        ("", "statement-nobody-2026-10-draft.pdf"),
    ],
)
def test_a_file_name_is_safe_on_any_file_system(number: str, name: str) -> None:
    assert file_name(replace(SAMPLES["empty"], number=number), "pdf") == name
