"""The templates as text: files beside this one, with the names of a Builder, a version and a start filled in.

Errors  `BookError` for a name that no event or rule could have.
"""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from pathlib import Path

from billing.documents import BookError
from topics.events import CONTROL_CHARACTERS

OFFERS: dict[str, str] = {
    "included-with-top-ups": "Everyday AI is part of the plan; heavier tasks have a price that top-ups pay for.",
    "premium-features": "The app's ordinary AI is part of it; some features are paid for each time.",
    "hybrid-subscription": "The subscription pays for the app; the customer pays for the AI as it is used.",
    "agency-margin": "An agency keeps a part of the price of every run of a client's workflow.",
}
NAME_MAX = 200  # bytes: rules are called after the Builder, and an id has at most 256 characters


def load_template(offer: str, *, builder: str, version: str, effective_from: datetime) -> str:
    """The rule book of one of OFFERS for a Builder, as TOML with its comments."""
    unfit = not builder.strip() or "/" in builder or CONTROL_CHARACTERS.search(builder) is not None
    if unfit or len(builder.encode()) > NAME_MAX:
        raise BookError(
            f"builder {builder!r}: no event can have that name; one line without a slash, 1 to {NAME_MAX} bytes"
        )
    text = Path(__file__).with_name(f"{offer}.toml").read_text(encoding="utf-8")
    start = effective_from.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return string.Template(text).substitute(builder=_quoted(builder), version=_quoted(version), effective_from=start)


def _quoted(name: str) -> str:
    """A name as it stands between the quotes of TOML, whose escapes are JSON's."""
    return json.dumps(name, ensure_ascii=False)[1:-1]
