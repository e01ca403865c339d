"""The Faust app of a worker: one topic, one agent, no tables, no web server, no commits of Faust's own.

Faust gives group membership, rebalancing, fetching in a thread of its own and a life cycle. What must be exact is not
left to it: offsets are committed by the pump, after the flush, and never by Faust (topics without acknowledgements have
nothing that it could commit; tests/integration/test_transport.py shows it on a broker).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, cast

import faust
from mode.supervisors import CrashingSupervisor

from agents.configuration import WorkerConfiguration
from agents.pump import Pump
from agents.transport import Chunk, ChunkConsumer, ChunkSchema, install

NEVER_SECONDS = 10 * 365 * 86_400.0
BUFFERED_CHUNKS = 8  # between the fetcher and the pump; more would only be memory
LOG = logging.getLogger(__name__)


class WorkerApp(faust.App):
    """An app that leaves no folder behind: without tables there is nothing to keep in one."""

    def _create_directories(self) -> None:
        pass


def build_app(configuration: WorkerConfiguration) -> faust.App:
    """An app that consumes nothing yet; `connect` gives it its agent and its hooks."""
    session = configuration.session_timeout_seconds
    app = WorkerApp(
        configuration.consumer_group,
        broker=[f"kafka://{server.strip()}" for server in configuration.bootstrap_servers.split(",")],
        broker_client_id=configuration.worker,
        broker_session_timeout=float(session),
        broker_heartbeat_interval=max(1.0, session / 4),
        broker_request_timeout=float(max(40, session)),
        broker_rebalance_timeout=float(configuration.revoke_seconds_max + 30),
        broker_commit_interval=NEVER_SECONDS,
        broker_commit_livelock_soft_timeout=NEVER_SECONDS,
        broker_max_poll_interval=float(configuration.flush_seconds_max + configuration.stall_seconds + 300),
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=configuration.fetch_bytes,
        stream_buffer_maxsize=BUFFERED_CHUNKS,
        stream_wait_empty=False,
        agent_supervisor=CrashingSupervisor,
        topic_disable_leader=True,
        topic_allow_declare=False,
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        logging_config=None,
    )
    install(app)
    return app


@dataclass(frozen=True, slots=True)
class Membership:
    """The worker's place in the consumer group, as the pump needs it."""

    app: faust.App
    topic: str

    @property
    def consumer(self) -> ChunkConsumer:
        """The app's consumer, once it has started."""
        return cast(ChunkConsumer, self.app.consumer)

    def partitions(self) -> list[int]:
        """What the group has assigned to this worker."""
        return sorted(tp.partition for tp in self.consumer.assignment() if tp.topic == self.topic)

    async def committed(self) -> dict[int, int | None]:
        """The committed offset of each assigned partition."""
        return await self.consumer.committed(self.topic, self.partitions())


def connect(membership: Membership, pump: Pump, drain_seconds: float) -> None:
    """Give the app its agent, which hands chunks to the pump, and the hooks by which rebalances reach it.

    A hook that fails stops the worker through `pump.failure`; Faust would at best log it and go on."""
    app = membership.app

    async def take(stream: faust.StreamT[Chunk]) -> None:
        consumer = membership.consumer
        async for chunk in stream:
            await pump.offer(chunk, lambda chunk: chunk.seek == consumer.seeks)

    async def assigned(*_: Any, **__: Any) -> None:
        # Awaited by Faust before it seeks to the committed offsets and fetches; heartbeats go on in another thread.
        try:
            committed = await membership.committed()
            await pump.assign(committed)
            LOG.info("partitions %s are loaded; committed offsets %s", sorted(committed), committed)
        except Exception as error:
            pump.fail(error)

    async def revoked(*_: Any, **__: Any) -> None:
        # Awaited before the group goes on without us: what is in flight may still commit.
        try:
            await pump.revoke()
        except Exception as error:
            pump.fail(error)

    async def stopping(*_: Any, **__: Any) -> None:
        # The consumer still runs, so that the last block can be committed.
        await pump.drain(drain_seconds)

    app.agent(app.topic(membership.topic, schema=ChunkSchema(), acks=False, internal=False), name="take")(take)
    app.on_rebalance_complete.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)
    app.on_before_shutdown.connect(stopping, weak=False)
