"""`tollstream backfill`: grants are on record, start late enough, and a mistake is a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.migrate import migrate
from sinks.errors import GrantRefusedError
from tollstream.commands.backfill import command

GRANT = [
    "grant", "--source", "/gateway/7", "--from", "2026-01-01T00:00:00Z", "--to", "2026-02-01T00:00:00Z",
    "--by", "ada", "--why", "disk restored",
]  # fmt: skip


@pytest.fixture
def database(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", "backfill_verb")
    migrate(ClickHouseConfiguration(url=clickhouse_url, database="backfill_verb"))


def run(*arguments: str) -> object:
    result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_grant_is_recorded_listed_and_not_valid_at_once(database: None) -> None:
    before = datetime.now(UTC)
    granted = run(*GRANT)
    assert isinstance(granted, dict)
    assert granted in run("list")  # type: ignore[operator]
    assert datetime.fromisoformat(granted["valid_from"]) >= before + timedelta(seconds=60)


def test_a_grant_that_workers_could_not_know_in_time_is_refused(database: None) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    with pytest.raises(GrantRefusedError, match="60 s ahead"):
        CliRunner().invoke(command, [*GRANT, "--valid-from", soon], catch_exceptions=False)


def test_a_time_without_an_offset_is_refused_with_the_cure() -> None:
    result = CliRunner().invoke(command, [*GRANT[:4], "2026-01-01T00:00:00", *GRANT[5:]])
    assert result.exit_code == 2
    assert "write 2026-01-01T00:00:00Z if it is UTC" in result.output
