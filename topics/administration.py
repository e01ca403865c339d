"""Creating the topics, and refusing what would lose or move events.

`plan` is a pure function of what is wanted, what exists and what the store has recorded for the epoch; the rest asks
Kafka and carries the plan out. Existing topics are never altered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from topics.catalogue import ALERTS_TOPIC, TopicSpec, topic_specs
from topics.errors import TopicChangeRefusedError, TopicError

REQUEST_TIMEOUT_MS = 10_000
LISTED_PAUSE_SECONDS = 0.1
_TOPIC_ALREADY_EXISTS = 36
# Settings whose other value would change which events exist, or when they are said to have arrived.
_GUARDED = ("message.timestamp.type", "cleanup.policy")


@dataclass(frozen=True, slots=True)
class ExistingTopic:
    """A topic as Kafka has it."""

    name: str
    partitions: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordedEpoch:
    """What the store has pinned for an epoch."""

    epoch: int
    topic: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to create, what differs without harm, and why nothing may be done, if so."""

    create: tuple[TopicSpec, ...] = ()
    unchanged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    def require(self) -> Plan:
        """This plan, or `TopicChangeRefusedError` with every refusal."""
        if self.refusals:
            raise TopicChangeRefusedError(" ".join(self.refusals))
        return self


def plan(wanted: Sequence[TopicSpec], existing: Iterable[ExistingTopic], recorded: RecordedEpoch | None = None) -> Plan:
    """Compare; `recorded` is what the store has pinned for the epoch, None where it was not asked."""
    found = {topic.name: topic for topic in existing}
    create: list[TopicSpec] = []
    unchanged: list[str] = []
    notes: list[str] = []
    refusals: list[str] = []
    for spec in wanted:
        if recorded is not None and recorded.topic == spec.name and recorded.partitions != spec.partitions:
            refusals.append(
                f"{spec.name}: epoch {recorded.epoch} was started with {recorded.partitions} partitions, "
                f"{spec.partitions} are wanted: set them back, or start a new epoch (--epoch {recorded.epoch + 1})."
            )
            continue
        topic = found.get(spec.name)
        if topic is None:
            create.append(spec)
            continue
        unchanged.append(spec.name)
        refusals.extend(_refusals(spec, topic))
        notes.extend(
            f"{spec.name}: {name} is {topic.settings[name]}, wanted {value}; kafka-configs.sh can change it."
            for name, value in spec.settings().items()
            if name not in _GUARDED and topic.settings.get(name, value) != value
        )
    return Plan(tuple(create), tuple(unchanged), tuple(notes), tuple(refusals))


def _refusals(spec: TopicSpec, topic: ExistingTopic) -> list[str]:
    refusals: list[str] = []
    if topic.partitions > spec.partitions:
        refusals.append(
            f"{spec.name} has {topic.partitions} partitions, {spec.partitions} are wanted: Kafka cannot take "
            f"partitions away; set partitions to {topic.partitions}, or start a new epoch."
        )
    if topic.partitions < spec.partitions:
        refusals.append(
            f"{spec.name} has {topic.partitions} partitions, {spec.partitions} are wanted: more would move keys away "
            f"from the events they have to be compared with; set partitions back, or start a new epoch."
        )
    for name in _GUARDED:
        wanted, given = spec.settings()[name], topic.settings.get(name)
        if given is not None and given != wanted:
            refusals.append(
                f"{spec.name}: {name} is {given}, it has to be {wanted}: create the topic of a new epoch, or change it "
                "before the first event."
            )
    return refusals


async def inspect(bootstrap_servers: str, names: Sequence[str]) -> list[ExistingTopic]:
    """Those of `names` that exist. Raises `TopicError` where Kafka does not answer."""
    async with _Client(bootstrap_servers) as client:
        return await _existing(client, names)


async def create(
    bootstrap_servers: str,
    epoch: int,
    partitions: int,
    *,
    recorded: RecordedEpoch | None = None,
    alerts_topic: str = ALERTS_TOPIC,
) -> Plan:
    """Make the topics of an epoch that are missing; the plan that was carried out.

    Raises `TopicChangeRefusedError`, with nothing done, or `TopicError` where Kafka refuses or does not answer."""
    wanted = topic_specs(epoch, partitions, alerts_topic)
    async with _Client(bootstrap_servers) as client:
        carried_out = plan(wanted, await _existing(client, [spec.name for spec in wanted]), recorded).require()
        if carried_out.create:
            await _create(client, carried_out.create)
            # Somebody else may have made one of them in between, and otherwise.
            plan(wanted, await _existing(client, [spec.name for spec in wanted]), recorded).require()
        return carried_out


async def create_topics(bootstrap_servers: str, specs: Sequence[TopicSpec]) -> None:
    """Make these topics, without comparing anything; one that exists is left as it is."""
    async with _Client(bootstrap_servers) as client:
        await _create(client, specs)


class _Client:
    """An admin client that speaks in sentences."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._client = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        try:
            await self._client.start()
        except (KafkaError, OSError) as error:
            await self._client.close()
            raise TopicError(
                f"Kafka at {self._servers} does not answer ({error}): start it, or correct the address"
            ) from error
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def _existing(client: AIOKafkaAdminClient, names: Sequence[str]) -> list[ExistingTopic]:
    present = set(await client.list_topics())
    wanted = [name for name in names if name in present]
    if not wanted:
        return []
    described = await client.describe_topics(wanted)
    settings = await _settings(client, wanted)
    return [
        ExistingTopic(each["topic"], len(each["partitions"]), settings.get(each["topic"], {})) for each in described
    ]


async def _settings(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


async def _create(client: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    answer: Any = await client.create_topics(
        [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication_factor,
                replica_assignments={},  # aiokafka takes -1, the broker's default, only with it; empty means none
                topic_configs=spec.settings(),
            )
            for spec in specs
        ]
    )
    for name, code, *message in answer.topic_errors:
        if code not in (0, _TOPIC_ALREADY_EXISTS):
            why = message[0] if message and message[0] else for_code(code).__name__
            raise TopicError(f"Kafka did not create {name}: {why}")
    await wait_until_listed(client, [spec.name for spec in specs])


async def wait_until_listed(client: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    """Kafka answers that it has made a topic before its brokers have heard of it: whoever comes next has to find it."""
    missing = set(names)
    for _ in range(100):
        missing -= set(await client.list_topics())
        if not missing:
            return
        await asyncio.sleep(LISTED_PAUSE_SECONDS)
    raise TopicError(f"Kafka made {', '.join(sorted(missing))}, but does not list it: look at the broker's log")
