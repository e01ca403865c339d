"""The first event of the README, typed as it stands there, bills what the README says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded.stack import Endpoints

ROOT = Path(__file__).resolve().parents[2]
AMOUNTS = {"customer_charge": "0.0039", "builder_earnings": "0.00065"}


def _lines() -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Your first event.*?```bash\n(.*?)```", readme, re.DOTALL)
    assert block
    return block[1].strip().splitlines()


def test_the_first_event_takes_five_lines() -> None:
    assert len(_lines()) == 5


@pytest.mark.timeout(180)
def test_the_first_event_bills_what_the_readme_says(endpoints: Endpoints, tmp_path: Path) -> None:
    """On the session's stack instead of one of its own, in a database and an epoch that nobody else uses."""
    database = f"quickstart_{uuid4().hex}"
    script = "\n".join(_lines())
    script = script.replace("tollstream up & ", "", 1)
    script = script.replace("http://127.0.0.1:18123", endpoints.clickhouse_url)
    script = script.replace("?database=tollstream", f"?database={database}")
    # Instead of the sleep: ask until the answer is there.
    script, _, question = script.rpartition("sleep 10; ")
    assert question.startswith("curl ")
    waiting = f'for second in $(seq 60); do sleep 1; answer=$({question}); [ -n "$answer" ] && break; done'
    done = _bash(f'{script}\n{waiting}\necho "$answer"; kill %1; wait', endpoints, database, tmp_path)
    shown = dict(re.findall(r"^(\w+): +(\S+)$", done, re.MULTILINE))
    assert shown == {"tenant": "globex", **AMOUNTS}, done
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(amount in readme for amount in AMOUNTS.values())


def _bash(script: str, endpoints: Endpoints, database: str, folder: Path) -> str:
    command = folder / "tollstream"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tollstream "$@"\n')
    command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
    environment = {
        **kept,
        "PATH": f"{folder}:{kept['PATH']}",
        "TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS": endpoints.bootstrap_servers,
        "TOLLSTREAM_CLICKHOUSE_URL": endpoints.clickhouse_url,
        "TOLLSTREAM_CLICKHOUSE_DATABASE": database,
        "TOLLSTREAM_CONSUMER_GROUP": database,
        "TOLLSTREAM_TOPIC_EPOCH": str(42_000 + uuid4().int % 1000),
        "TOLLSTREAM_METRICS_PORT": "0",
    }
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        return shell.communicate(timeout=150)[0]
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
