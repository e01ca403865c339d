"""`tollstream console`: tokens from the command line, and a page that a process serves until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from tollstream import cli
from tollstream.console.serving import is_loopback

pytestmark = pytest.mark.integration
WHY = ("--label", "Ana", "--by", "ana", "--reason", "a test")


@pytest.fixture
def configuration(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


@pytest.fixture
def console(configuration: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str]) -> Any:
    """The verb, in this process: (exit code, output, errors)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["console", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_token_is_shown_once_listed_without_it_and_revoked(console: Any) -> None:
    assert console("token", "list") == (0, "No token was created yet.\n", "")
    code, out, _ = console("token", "create", "--role", "builder", "--builder", "acme", *WHY, "--json")
    assert code == 0
    made = json.loads(out)
    assert made["token"].startswith(f"tollstream_{made['id']}_")
    code, out, _ = console("token", "create", "--role", "operator", "--expires", "never", *WHY)
    assert "opens the console for ever. It is shown this once:" in out
    secret = made["token"][24:]
    code, out, _ = console("token", "list", "--json")
    first, second = json.loads(out)
    assert secret not in out
    assert (first["role"], first["builder"], first["state"], first["created_by"]) == ("builder", "acme", "valid", "ana")
    assert (second["role"], second["expires_at"]) == ("operator", None)
    code, out, _ = console("token", "revoke", made["id"], "--by", "ben", "--reason", "left")
    assert (code, out) == (0, f"Token {made['id']} (Ana) is revoked.\n")
    assert [each["state"] for each in json.loads(console("token", "list", "--json")[1])] == ["revoked", "valid"]
    code, out, err = console("token", "revoke", made["id"], "--by", "ben", "--reason", "left")
    assert (code, out) == (2, "")
    assert "was revoked by ben" in err
    assert secret[:8] not in console("token", "list")[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--role", "tenant", "--builder", "acme"), "a tenant's token --builder and --tenant"),
        (("--role", "operator", "--expires", "yesterday"), "is no time to come"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_in_a_sentence(
    console: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = console("token", "create", *arguments, *WHY)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_the_console_runs_until_it_is_stopped(console: Any, configuration: ClickHouseConfiguration) -> None:
    command = [sys.executable, "-m", "tollstream", "console", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as made:
        assert made.stdout is not None
        try:
            said = made.stdout.readline()
            assert said.startswith("Console: http://127.0.0.1:")
            assert "Nobody can log in yet: tollstream console token create" in made.stdout.readline()
            address = said.removeprefix("Console: ").strip()
            _, out, _ = console("token", "create", "--role", "operator", *WHY, "--json")
            token = json.loads(out)["token"]
            request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request) as answer:
                assert "All Builders" in answer.read().decode()
        finally:
            made.send_signal(signal.SIGTERM)
        assert made.wait(30) == 0


@pytest.mark.parametrize(
    ("host", "yes"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.com", False)],
)
def test_what_only_this_machine_reaches(host: str, yes: bool) -> None:
    assert is_loopback(host) is yes
