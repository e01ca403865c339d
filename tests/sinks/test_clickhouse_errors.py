"""Each failure of ClickHouse gets the one answer a worker needs: try again, or stop. Real sockets, real codes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from sinks import errors
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.errors import CREDENTIALS_REFUSED, REFUSED, SCHEMA_MISSING, classify
from sinks.clickhouse.writer import write_rows
from tests.support import rows

NOWHERE = ClickHouseConfiguration("http://127.0.0.1:1")


@pytest.fixture
def deaf_server() -> Iterator[int]:
    """Accepts connections and never answers: a stopped process, a lost route."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def requests() -> list[bytes]:
    """What the rude server was asked."""
    return []


@pytest.fixture
def rude_server(requests: list[bytes]) -> Iterator[int]:
    """Reads a request and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        requests.append(connection.recv(65536))

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_nobody_listening_is_unreachable_and_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(errors.StoreUnreachableError, match="cannot be reached while connecting") as caught:
        Client.connect(ClickHouseConfiguration(f"http://127.0.0.1:{port}"))
    assert isinstance(caught.value, errors.SinkTransientError)
    assert caught.value.url == f"http://127.0.0.1:{port}"


def test_a_server_that_never_answers_is_given_up_on_time(deaf_server: int) -> None:
    started = time.monotonic()
    with pytest.raises(errors.StoreTimeoutError) as caught:
        Client.connect(ClickHouseConfiguration(f"http://127.0.0.1:{deaf_server}", timeout_seconds=1))
    assert isinstance(caught.value, errors.SinkTransientError)
    assert caught.value.seconds == 1
    assert time.monotonic() - started < 20


def test_a_server_that_hangs_up_is_unreachable(rude_server: int) -> None:
    with pytest.raises(errors.StoreUnreachableError):
        Client.connect(ClickHouseConfiguration(f"http://127.0.0.1:{rude_server}", timeout_seconds=5))


def test_an_insert_whose_outcome_is_unknown_is_not_repeated_behind_the_callers_back(
    database: ClickHouseConfiguration, rude_server: int, requests: list[bytes]
) -> None:
    client = Client.connect(database)
    client._driver._backend._base_url = f"http://127.0.0.1:{rude_server}/"  # type: ignore[attr-defined]
    with pytest.raises(errors.StoreUnreachableError, match="while writing usage_ledger"):
        write_rows(client, "usage_ledger", rows.ledger([rows.ledger_row(1)]))
    assert len(requests) == 1
    client.close()


async def test_a_hung_write_leaves_the_event_loop_free(database: ClickHouseConfiguration, deaf_server: int) -> None:
    client = Client.connect(replace(database, timeout_seconds=1))
    client._driver._backend._base_url = f"http://127.0.0.1:{deaf_server}/"  # type: ignore[attr-defined]
    sink = ClickHouseSink(client)
    writing = asyncio.create_task(sink.write_ledger(rows.ledger([rows.ledger_row(1)])))
    beats = 0
    while not writing.done():
        await asyncio.sleep(0.02)
        beats += 1
    with pytest.raises(errors.StoreTimeoutError, match="while writing usage_ledger"):
        await writing
    assert beats >= 10  # heartbeats went on for a second
    await sink.close()


async def test_a_missing_schema_is_terminal_and_names_the_cure(empty_database: ClickHouseConfiguration) -> None:
    sink = await ClickHouseSink.connect(empty_database)
    for call in (
        sink.write_ledger(rows.ledger([rows.ledger_row(1)])),
        sink.read_checkpoints(1, [0]),
        sink.read_accounts(),
    ):
        with pytest.raises(errors.SchemaMissingError, match="tollstream schema migrate") as caught:
            await call
        assert isinstance(caught.value, errors.SinkTerminalError)
        assert caught.value.code in (60, 81)
    await sink.close()


def test_a_missing_column_is_a_missing_schema(client: Client) -> None:
    with pytest.raises(errors.SchemaMissingError):
        client.query_rows(f"SELECT no_such FROM {client.configuration.database}.checkpoints", doing="asking")


def test_what_the_server_cannot_read_is_refused_for_good(client: Client) -> None:
    with pytest.raises(errors.StoreRefusedError) as caught:
        client.query_rows("SELEKT 1", doing="asking")
    assert isinstance(caught.value, errors.SinkTerminalError)
    assert caught.value.code == 62


def test_an_error_halfway_through_an_answer_is_an_error(client: Client) -> None:
    with pytest.raises(errors.SinkError):
        client.query_bytes("SELECT throwIf(number = 3000000) FROM numbers(4000000)", fmt="RowBinary", doing="asking")


@pytest.mark.parametrize("code", SCHEMA_MISSING, ids=SCHEMA_MISSING.values())
def test_codes_of_a_missing_schema(code: int) -> None:
    assert isinstance(classified(code), errors.SchemaMissingError)


@pytest.mark.parametrize("code", CREDENTIALS_REFUSED, ids=CREDENTIALS_REFUSED.values())
def test_codes_of_refused_credentials(code: int) -> None:
    assert isinstance(classified(code), errors.CredentialsRefusedError)


@pytest.mark.parametrize("code", REFUSED, ids=REFUSED.values())
def test_codes_of_a_refused_request(code: int) -> None:
    assert isinstance(classified(code), errors.StoreRefusedError)


@pytest.mark.parametrize(
    "code",
    [159, 202, 209, 210, 225, 236, 241, 242, 243, 252, 285, 286, 319, 394, 425, 999, 1001, 123_456],
    ids=lambda code: f"code {code}",
)
def test_codes_that_pass_and_codes_nobody_knows_are_worth_another_try(code: int) -> None:
    error = classified(code)
    assert isinstance(error, errors.StoreBusyError)
    assert isinstance(error, errors.SinkTransientError)


def test_no_code_has_two_answers() -> None:
    assert len({*SCHEMA_MISSING, *CREDENTIALS_REFUSED, *REFUSED}) == sum(
        map(len, (SCHEMA_MISSING, CREDENTIALS_REFUSED, REFUSED))
    )


def test_a_password_never_stands_in_a_message() -> None:
    configuration = replace(NOWHERE, username="billing", password="hunter2")
    for code in (516, 60, 62, 241):
        error = classify(DatabaseError("Code: failed", code=code), configuration, "connecting")
        assert "hunter2" not in str(error) + repr(vars(error))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "127.0.0.1:8123"}, "not a URL such as"),
        ({"url": "ftp://host"}, "not a URL such as"),
        ({"url": "http://me:secret@host"}, "credentials are settings of their own"),
        ({"database": "a b"}, "not a plain name"),
        ({"database": "x; DROP"}, "not a plain name"),
        ({"cluster": "c'"}, "not a plain name"),
        ({"timeout_seconds": 0}, "not a whole second"),
    ],
)
def test_a_setting_that_cannot_be_right_is_answered_with_one_that_is(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(errors.StoreConfigurationError, match=said) as caught:
        replace(NOWHERE, **wrong)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "port", "compresses"),
    [
        ("http://127.0.0.1:18123", "127.0.0.1", 18123, False),
        ("http://localhost", "localhost", 8123, False),
        ("http://[::1]:9000", "::1", 9000, False),
        ("https://ch.example", "ch.example", 8443, True),
    ],
)
def test_a_url_says_host_port_and_whether_to_compress(url: str, host: str, port: int, compresses: bool) -> None:
    configuration = ClickHouseConfiguration(url)
    assert (configuration.host, configuration.port, configuration.compresses) == (host, port, compresses)


def classified(code: int) -> errors.SinkError:
    return classify(DatabaseError("Code: failed", code=code), NOWHERE, "writing usage_ledger")
