"""The catalogue of meters: what is built in, what an installation may add, and how a bad file is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from topics.errors import CatalogueError
from topics.meters import METERS_MAX, Meter, MeterKind, load_catalogue

NEEDED = {
    MeterKind.INFERENCE: "input_tokens cached_input_tokens cache_write_5m_tokens cache_write_1h_tokens output_tokens "
    "reasoning_tokens audio_input_tokens audio_output_tokens image_input_tokens image_output_tokens tool_calls",
    MeterKind.BUSINESS: "requests messages conversations documents pages files images reports tasks runs "
    "workflow_actions workspaces active_customers",
}


def test_the_built_in_meters_are_those_of_the_contract() -> None:
    catalogue = load_catalogue()
    for kind, names in NEEDED.items():
        assert set(names.split()) <= set(catalogue.names(kind))
    assert catalogue["input_tokens"] == Meter("input_tokens", "token", "Input tokens", MeterKind.INFERENCE)
    labels = [meter.label for meter in catalogue.values()]
    assert len(set(labels)) == len(labels)


def test_an_installation_adds_meters_and_renames_labels(tmp_path: Path) -> None:
    path = tmp_path / "meters.toml"
    path.write_text(
        '[x_rays]\nunit = "image"\nlabel = "X-rays"\nkind = "business"\n'
        '[requests]\nunit = "request"\nlabel = "Questions"\nkind = "business"\n'
    )
    catalogue = load_catalogue(path)
    assert catalogue["x_rays"].unit == "image"
    assert catalogue["requests"].label == "Questions"
    assert set(load_catalogue()) < set(catalogue)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x", "is not TOML"),
        ("[X-rays]\nunit='a'\nlabel='b'\nkind='business'", "[X-rays] is no meter name"),
        ("x = 1", "[x] must be a table"),
        ("[x]\nunit='a'\nlabel='b'", "[x] needs kind"),
        ("[x]\nunit=''\nlabel='b'\nkind='business'", "[x] needs unit"),
        ("[x]\nunit=1\nlabel='b'\nkind='business'", "[x] needs unit"),
        ("[x]\nunit='a'\nlabel='b'\nkind='extra'", "[x] has kind 'extra'; it must be one of inference, business"),
        ("[x]\nunit='a'\nlabel='b'\nkind='business'\nprice=1", "[x] has unknown keys price"),
        ("[requests]\nunit='call'\nlabel='b'\nkind='business'", "[requests] is a built-in meter"),
        (
            "\n".join(f"[m{n}]\nunit='a'\nlabel='b'\nkind='business'" for n in range(METERS_MAX)),
            "meters are more than",
        ),
    ],
)
def test_a_bad_file_is_answered_with_its_name_and_the_entry(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "meters.toml"
    path.write_text(text)
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(path)
    assert str(refused.value).startswith(str(path))
    assert words in str(refused.value)


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nowhere\.toml: cannot be read"):
        load_catalogue(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(CatalogueError, match="is not UTF-8"):
        load_catalogue(tmp_path / "latin.toml")
