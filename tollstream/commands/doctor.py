"""`tollstream doctor`: one line per check, what to do where it is not well, exit 1 if anything fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from tollstream.diagnosis import files, machine, services
from tollstream.diagnosis.finding import Check, Finding, run_checks
from tollstream.errors import SettingsError
from tollstream.settings import Settings, load_settings

EXAMPLES = """
\b
Examples:
  tollstream doctor
  tollstream doctor --json | python3 -m json.tool
"""
MACHINE: tuple[tuple[str, Check], ...] = (
    ("python", machine.python),
    ("packages", machine.packages),
    ("memory", machine.memory),
    ("shared memory", machine.shared_memory),
    ("java", machine.java),
    ("kafka jars", machine.jars),
)
MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command(epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--data", type=click.Path(path_type=Path), default=Path(), help="Where the data folder is to be.")
def command(as_json: bool, data: Path) -> int:
    """Check this machine, these settings, the books, the broker and the store.

    Nothing is started, created or changed. Exit 1 if a check fails; a warning does not.
    """
    findings = examine(data)
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "findings": [finding.as_json() for finding in findings]}, indent=2))
    else:
        _print(findings)
    return 1 if failed else 0


def examine(data: Path) -> list[Finding]:
    """The machine first; the rest only if the settings can be read at all."""
    findings = run_checks([*MACHINE, ("disk", lambda: machine.disk(data))])
    try:
        settings = load_settings()
    except SettingsError as error:
        return [*findings, Finding("settings", "fail", str(error), "the valid ones are in docs/settings.md")]
    return findings + run_checks(
        [
            ("settings", lambda: files.settings_read(settings)),
            ("meters", lambda: files.meters(settings)),
            ("books", lambda: files.books(settings)),
            ("ports", lambda: machine.ports(local_ports(settings))),
            ("kafka", lambda: services.broker(settings)),
            ("clickhouse", lambda: services.store(settings)),
        ]
    )


def local_ports(settings: Settings) -> list[tuple[str, str, int]]:
    """(what, host, port) of what the settings place on this machine."""
    wanted = [("Kafka", *server.strip().rpartition(":")[::2]) for server in settings.kafka_bootstrap_servers.split(",")]
    store = urlsplit(settings.clickhouse_url)
    places = [
        *((what, host, int(port)) for what, host, port in wanted),
        ("ClickHouse", store.hostname or "", store.port or (8443 if store.scheme == "https" else 8123)),
        ("metrics", settings.metrics_host, settings.metrics_port),
    ]
    return [place for place in places if place[1].startswith("127.") or place[1] == "localhost"]


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark, colour = MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)}  {finding.check:<{width}}  {finding.found}")
        if finding.cure and finding.level != "ok":
            click.echo(f"{'':{width + 8}}to do: {finding.cure}")
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    click.echo(f"\n{failed} failed, {warned} to note, {len(findings) - failed - warned} well")
