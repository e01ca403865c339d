"""Identity, payload hash and partition: fixed for ever, so their values stand here."""

from __future__ import annotations

import random

import polars as pl
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from tests.support.raw import usage_event
from topics.identity import identities, identity_hash, identity_words, netstring
from topics.partitioner import murmur2 as own_murmur2
from topics.partitioner import partition_for
from topics.payload import payload_hash

words = st.text(st.characters(blacklist_categories=["Cs"]), max_size=6)


def test_identities_never_change() -> None:
    assert identity_hash("gateway/eu-1", "call-1").hex() == "071aaa33c80b37763b66a9975170462d"


def test_payload_hashes_never_change() -> None:
    assert payload_hash(usage_event()) == 0x8BE8F32FCF699B17


@given(words, words, words, words)
def test_different_pairs_have_different_identities(source: str, id_: str, other_source: str, other_id: str) -> None:
    assert (identity_hash(source, id_) == identity_hash(other_source, other_id)) == (
        (source, id_) == (other_source, other_id)
    )


def test_a_separator_in_the_text_does_not_make_two_events_one() -> None:
    assert identity_hash("a-b", "c") != identity_hash("a", "b-c")
    assert identity_hash("a,1:b", "c") != identity_hash("a", "1:b,c")


@given(st.lists(st.tuples(words, words), max_size=4))
def test_columns_of_identities_agree_with_one_at_a_time(pairs: list[tuple[str, str]]) -> None:
    found = identities(
        pl.Series([netstring(source).decode() for source, _ in pairs], dtype=pl.String),
        pl.Series([id_ for _, id_ in pairs], dtype=pl.String),
    )
    assert [tuple(each) for each in found.tolist()] == [identity_words(*pair) for pair in pairs]


def test_what_is_paid_for_is_in_the_payload_and_what_is_not_is_not() -> None:
    original = payload_hash(usage_event())
    assert payload_hash(
        usage_event(id="e2", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    ) == (original)
    different = [
        usage_event(time="2026-01-01T00:00:00.000001Z"),
        usage_event(feature="chat"),
        usage_event(action="chat"),
        usage_event(usage={"input_tokens": 1000, "output_tokens": 201}),
        usage_event(usage={"input_tokens": 200, "output_tokens": 1000}),
        usage_event(usage={"input_tokens": 1000, "output_tokens": 200, "requests": 0}),
        usage_event(usage={"input_tokens": 1000}),
    ]
    assert len({original, *map(payload_hash, different)}) == 1 + len(different)
    assert payload_hash(usage_event(usage={"output_tokens": "200.0", "input_tokens": 1000})) == original


@given(st.binary(max_size=40))
def test_murmur2_is_kafkas(key: bytes) -> None:
    assert own_murmur2(key) == murmur2(key)


@given(st.binary(max_size=40), st.integers(1, 1024))
def test_the_partition_is_that_of_kafkas_default_partitioner(key: bytes, partitions: int) -> None:
    everything = list(range(partitions))
    assert partition_for(key, partitions) == DefaultPartitioner()(key, everything, everything)


def test_keys_spread_over_all_partitions() -> None:
    keys = [f"acme/{random.Random(number).random()}".encode() for number in range(2000)]
    assert {partition_for(key, 32) for key in keys} == set(range(32))
