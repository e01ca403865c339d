"""Do Kafka and ClickHouse answer, and do they hold what this version needs? Nothing is created or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tollstream.diagnosis.finding import Finding, Level
from tollstream.settings import Settings
from tollstream.store import clickhouse_configuration

if TYPE_CHECKING:
    from sinks.clickhouse import ClickHouseConfiguration

ANSWER_SECONDS = 5
START = "start them with `tollstream up`, or name others in the settings"


def store(settings: Settings) -> Sequence[Finding]:
    """ClickHouse's version, whether the schema is the one this version needs, and whether it has books to rate with."""
    from sinks.clickhouse.client import Client
    from sinks.clickhouse.migrate import schema_state
    from sinks.errors import SinkError, StoreUnreachableError

    configuration = clickhouse_configuration(settings.model_copy(update={"clickhouse_timeout_seconds": ANSWER_SECONDS}))
    try:
        client = Client.connect(configuration)
    except StoreUnreachableError as error:
        return [away("clickhouse", str(error), [configuration.host])]
    except SinkError as error:
        return [Finding("clickhouse", "fail", str(error))]
    try:
        [row] = client.query_rows("SELECT version() AS version", doing="asking for the version")
    finally:
        client.close()
    states = schema_state(configuration)
    missing = [state.name for state in states if state.applied_at is None]
    found = [Finding("clickhouse", "ok", f"{configuration.url} answers: ClickHouse {row['version']}")]
    if missing:
        applied = len(states) - len(missing)
        shown = f"{applied} of {len(states)} migrations are applied to {configuration.database}; next: {missing[0]}"
        return [*found, Finding("schema", "fail", shown, "run `tollstream schema migrate`")]
    found.append(Finding("schema", "ok", f"all {len(states)} migrations are applied to {configuration.database}"))
    return [*found, *_published(configuration, settings)]


def _published(configuration: ClickHouseConfiguration, settings: Settings) -> Sequence[Finding]:
    """What workers rate with: the published versions, and until a first one is, those in the files they are given."""
    from sinks.clickhouse.client import Client
    from sinks.clickhouse.readers.books import read_book_records

    client = Client.connect(configuration)
    try:
        stand = read_book_records(client).standing()
    finally:
        client.close()
    findings = []
    for kind, files in (("prices", settings.prices), ("rules", settings.rules)):
        number = sum(book.kind == kind for book in stand)
        if number:
            findings.append(Finding(f"published {kind}", "ok", f"{number} version(s)"))
        elif files is not None:
            findings.append(Finding(f"published {kind}", "ok", f"none yet; a worker publishes those in {files}"))
        else:
            cure = f"tollstream {kind} publish FILE --reason TEXT (docs/publishing.md); workers do not start before"
            findings.append(Finding(f"published {kind}", "warn", f"no {kind} are published", cure))
    return findings


def broker(settings: Settings) -> Sequence[Finding]:
    """Whether Kafka answers, and whether the topics are as this version would make them."""
    return asyncio.run(_broker(settings))


async def _broker(settings: Settings) -> Sequence[Finding]:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    servers = settings.kafka_bootstrap_servers
    client = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=ANSWER_SECONDS * 1000)
    try:
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            await client.start()
            described = await client.describe_cluster()
    except (KafkaError, TimeoutError, OSError):
        sentence = f"Kafka at {servers} does not answer"
        return [away("kafka", sentence, [server.strip().rpartition(":")[0] for server in servers.split(",")])]
    finally:
        await client.close()
    found = Finding("kafka", "ok", f"{servers} answers: {len(described['brokers'])} broker(s)")
    return [found, *await _topics(settings)]


async def _topics(settings: Settings) -> Sequence[Finding]:
    from topics.administration import inspect, plan
    from topics.catalogue import topic_specs

    wanted = topic_specs(settings.topic_epoch, settings.partitions, settings.alerts_topic)
    compared = plan(wanted, await inspect(settings.kafka_bootstrap_servers, [spec.name for spec in wanted]))
    if compared.refusals:
        return [Finding("topics", "fail", " ".join(compared.refusals), "see above; nothing was changed")]
    if compared.create:
        missing = ", ".join(spec.name for spec in compared.create)
        return [Finding("topics", "fail", f"not there yet: {missing}", "run `tollstream topics create`")]
    notes = [Finding("topics", "warn", note) for note in compared.notes]
    return notes or [Finding("topics", "ok", ", ".join(compared.unchanged))]


def away(check: str, sentence: str, hosts: Sequence[str]) -> Finding:
    """On this machine nothing running yet is no fault; elsewhere it is."""
    local = all(host in ("localhost", "::1", "[::1]") or host.startswith("127.") for host in hosts)
    level: Level = "warn" if local else "fail"
    return Finding(check, level, sentence, START if local else "check the address, the network and the server")
