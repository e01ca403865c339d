"""`tollstream rate`: rows on standard output, everything else said on standard error, mistakes in one sentence."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tollstream.commands.rate import command

GOLDEN = Path(__file__).parents[1] / "golden" / "rating"


def event(number: int, **changes: object) -> str:
    data: dict[str, object] = {
        "builder": "acme", "tenant": "t1", "feature": "chat", "provider": "northwind", "model": "nw-large",
        "usage": {"input_tokens": 1000, "output_tokens": 200},
    }  # fmt: skip
    data.update({name: value for name, value in changes.items() if name in ("model", "usage", "feature")})
    body = {
        "specversion": "1.0", "type": "ai.usage.v1", "id": f"e{number}", "source": "/test",
        "time": "2026-02-01T10:30:00+01:00", "subject": "acme/t1", "data": data,
    }  # fmt: skip
    return json.dumps(body)


def void(number: int, target: int) -> str:
    data = {"builder": "acme", "tenant": "t1", "target_source": "/test", "target_id": f"e{target}", "reason": "refund"}
    body = {
        "specversion": "1.0", "type": "ai.usage.void.v1", "id": f"v{number}", "source": "/test",
        "time": "2026-02-01T12:00:00Z", "subject": "acme/t1", "data": data,
    }  # fmt: skip
    return json.dumps(body)


def rate(lines: list[str], *options: str, prices: Path | None = None) -> Result:
    books = ["--prices", str(prices or GOLDEN / "prices"), "--rules", str(GOLDEN / "rules")]
    return CliRunner().invoke(
        command, [*books, "--events", "-", *options], input="\n".join(lines), catch_exceptions=False
    )


def test_each_accepted_event_is_a_row_with_amounts_as_strings() -> None:
    result = rate([event(1)])
    row = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (row["line"], row["id"], row["rule_id"], row["price_version"]) == (1, "e1", "markup", "2026-01")
    assert row["window_start"] == "2026-02-01T09:00:00+00:00"
    assert row["usage"] == {"input_tokens": "1000", "output_tokens": "200"}
    assert row["customer_charge"] == "0.005625000000"
    split = [Decimal(row[name]) for name in ("provider_reward", "platform_fee", "builder_earnings")]
    assert sum(split) == Decimal(row["customer_charge"])
    assert result.stderr == "1 rated, 0 unpriced, 0 duplicate, 0 dead-lettered.\n"


def test_unpriced_usage_has_no_amounts_and_a_reason() -> None:
    row = json.loads(rate([event(1, model="nw-none")]).stdout)
    assert (row["pricing"], row["unpriced_reason"], row["customer_charge"]) == ("unpriced", "no_price", None)


def test_a_void_takes_its_target_back_amount_by_amount() -> None:
    billed, taken_back = (json.loads(line) for line in rate([event(1), void(1, 1)]).stdout.splitlines())
    assert taken_back["kind"] == "void"
    assert taken_back["window_start"] == billed["window_start"]
    for name in ("base_cost", "customer_charge", "provider_reward", "platform_fee", "builder_earnings"):
        assert Decimal(billed[name]) + Decimal(taken_back[name]) == 0


def test_lines_without_a_row_are_noted_with_line_and_reason() -> None:
    changed = event(1, usage={"input_tokens": 5})
    result = rate([event(1), event(1), changed, "{", void(2, 9)], "--json")
    notes = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(note["line"], note["outcome"], note["reason"]) for note in notes[:-1]] == [
        (2, "duplicate", ""),
        (3, "dead_lettered", "conflicting_duplicate"),
        (4, "dead_lettered", "not_json"),
        (5, "dead_lettered", "target_unknown"),
    ]
    assert notes[-1] == {"rated": 1, "unpriced": 0, "duplicate": 1, "dead_lettered": 3}
    assert len(result.stdout.splitlines()) == 1
    assert result.exit_code == 1


@pytest.mark.parametrize("text", ["version = 1", 'version = "x"\nprices = []', "[[["])
def test_a_broken_book_is_answered_with_its_file_and_nothing_is_rated(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(Exception, match=r"broken\.toml") as error:
        rate([event(1)], prices=file)
    assert type(error.value).__module__.startswith("billing.")
