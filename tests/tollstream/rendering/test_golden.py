"""Every form but PDF, whole: tests/golden/rendering/, from tests/support/rendered; `make golden` writes them again.

The style sheet is left out of the HTML: it is read where it stands, and looked at as a picture.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, render

GOLDEN = Path(__file__).parents[2] / "golden" / "rendering"
FORMS = [form for form in Form if form is not Form.PDF]
NAMES = [name for name in SAMPLES if name != "long"]
STYLE = re.compile(rb"(?<=<style>\n).*?(?=</style>)", re.DOTALL)


def rendered(name: str, form: Form) -> bytes:
    return STYLE.sub(b"(page.css)\n", render(SAMPLES[name], form))


if os.environ.get("GOLDEN") == "write":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.iterdir():
        old.unlink()
    for each in NAMES:
        for form in FORMS:
            (GOLDEN / f"{each}{form.suffix}").write_bytes(rendered(each, form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_statement_reads_as_it_did(name: str, form: Form) -> None:
    assert rendered(name, form).decode() == (GOLDEN / f"{name}{form.suffix}").read_bytes().decode()


def test_no_golden_statement_is_left_of_one_that_is_gone() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}{form.suffix}" for name in NAMES for form in FORMS}
