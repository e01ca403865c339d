"""The decoder on records that are wrong as records, and on voids and adjustments."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.support.raw import PARTITIONS, RECORD_TIME, Record, decode_events, decoder, record_of, usage_event
from topics.block import EVENT_SCHEMA, TARGET_SCHEMA, Kind, Span
from topics.encodings import binary, structured
from topics.events import AdjustmentEvent, AnyEvent, VoidEvent
from topics.identity import identity_words
from topics.partitioner import partition_for
from topics.payload import payload_hash
from topics.reasons import Reason

GOOD = record_of(structured.encode(usage_event()))
VALUE = GOOD.value or b""
NEIGHBOUR = partition_for(b"acme/globex", PARTITIONS)
PRICING = {"price_version": "2026-02", "rule_version": "2026-01", "rule_id": "everybody", "currency": "USD"}


def adjustment_event(**given: Any) -> AdjustmentEvent:
    fields: dict[str, Any] = {
        "id": "a1", "source": "rerate", "time": "2026-01-01T00:00:00Z", "builder": "acme", "tenant": "globex",
        "target_source": "gateway/eu-1", "target_id": "e1", "reason": "price",
        "amounts": {
            "customer_charge": "1", "provider_reward": "0.5", "platform_fee": "0.25", "builder_earnings": "0.25",
        },
    }  # fmt: skip
    return AdjustmentEvent.model_validate(fields | given)


def reasons(*records: Record) -> list[Reason]:
    block = decoder().decode(list(records))
    assert block.events.height + len(block.rejections) == len(records)
    return [rejection.reason for rejection in block.rejections]


def changed(**changes: object) -> Record:
    return Record(**({"offset": 0} | vars(GOOD) | changes))


def test_an_empty_block_has_all_columns() -> None:
    block = decoder().decode([])
    assert dict(block.events.schema) == EVENT_SCHEMA
    assert dict(block.targets.schema) == TARGET_SCHEMA
    assert block.identities.shape == (0, 2)
    assert block.spans == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": None}, Reason.NULL_VALUE),
        ({"value": b" " * (1 << 20) + b"x"}, Reason.RECORD_TOO_LARGE),
        ({"headers": (("content-type", b"text/csv"),)}, Reason.UNKNOWN_CONTENT_TYPE),
        ({"headers": (("content-type", b"application/cloudevents-batch+json"),)}, Reason.UNKNOWN_CONTENT_TYPE),
        ({"headers": (("content-type", b"application/json"),)}, Reason.NOT_CLOUDEVENTS),
        ({"headers": (("ce_specversion", b"\xff"),)}, Reason.INVALID_UTF8),
        ({"key": None}, Reason.KEY_MISMATCH),
        ({"key": b"acme/initech"}, Reason.KEY_MISMATCH),
        ({"partition": (GOOD.partition + 1) % PARTITIONS}, Reason.WRONG_PARTITION),
    ],
)
def test_a_record_that_is_wrong_as_a_record(changes: dict[str, object], reason: Reason) -> None:
    assert reasons(changed(**changes)) == [reason]
    # The same beside an event that is right, whose tags are then already known.
    assert reasons(GOOD, changed(**changes, offset=1)) == [reason]


@pytest.mark.parametrize(
    "headers",
    [
        (),
        [],
        (("Content-Type", b"application/cloudevents+json; charset=UTF-8"),),
        (("traceparent", b"00-x"), ("content-type", b"APPLICATION/CLOUDEVENTS+JSON")),
    ],
)
def test_structured_events_are_recognised_however_the_content_type_is_written(headers: object) -> None:
    assert reasons(changed(headers=headers)) == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"[" * 1_000_000, Reason.NESTED_TOO_DEEP),
        (b'{"a":' * 200_000, Reason.NESTED_TOO_DEEP),
        (VALUE[:-1] + b',"more":' + b"[" * 400_000 + b"]" * 400_000 + b"}", Reason.NESTED_TOO_DEEP),
        (VALUE.replace(b"1000", b"9" * 1_000_000), Reason.QUANTITY_TOO_LARGE),
        (VALUE.replace(b"1000", b"1e" + b"9" * 1_000_000), Reason.QUANTITY_TOO_LARGE),
        (VALUE.replace(b"1000", b"0." + b"0" * 1_000_000 + b"1"), Reason.QUANTITY_TOO_PRECISE),
        (VALUE.replace(b'"e1"', b'"' + b"\\u0041" * 170_000 + b'"'), Reason.FIELD_TOO_LONG),
        (b'"' * 1_000_000, Reason.NOT_JSON),
        (b'{"a":"' + b'\\"' * 500_000, Reason.NOT_JSON),
        (b"\x00" * 1_000_000, Reason.NOT_JSON),
        (b"{}" * 500_000, Reason.NOT_JSON),
        (VALUE.replace(b"1000", b'"' + b"9" * 1_000_000 + b'"'), Reason.QUANTITY_TOO_LARGE),
    ],
)
def test_a_megabyte_of_anything_is_refused_in_a_moment(value: bytes, reason: Reason) -> None:
    started = time.process_time()
    assert reasons(changed(value=value[: 1 << 20])) == [reason]
    assert time.process_time() - started < 1.0


def test_depth_does_not_depend_on_the_stack_of_the_caller() -> None:
    deep = VALUE[:-1] + b',"more":' + b"[" * 60 + b"]" * 60 + b"}"
    deeper = VALUE[:-1] + b',"more":' + b"[" * 64 + b"]" * 64 + b"}"

    def at_depth(calls: int) -> list[Reason]:
        return at_depth(calls - 1) if calls else reasons(changed(value=deep), changed(value=deeper, offset=1))

    assert at_depth(0) == at_depth(400) == [Reason.NESTED_TOO_DEEP]


def test_a_quantity_given_twice_counts_as_it_was_given_last() -> None:
    value = VALUE.replace(b'"input_tokens":1000', b'"input_tokens":1,"input_tokens":2')
    assert decoder().decode([changed(value=value)]).events["usage.input_tokens"].to_list() == [2_000_000]
    twice = VALUE.replace(b'"usage":', b'"usage":{"requests":5},"usage":')
    assert "usage.requests" not in decoder().decode([changed(value=twice)]).events.columns


def test_usage_may_stand_anywhere_in_the_data() -> None:
    value = VALUE.replace(b'{"builder":"acme","tenant":"globex",', b"{").replace(
        b"200}", b'200},"tenant":"globex","builder":"acme"'
    )
    assert decoder().decode([changed(value=value)]).payloads == decoder().decode([GOOD]).payloads


def test_voids_and_adjustments_name_their_targets() -> None:
    amounts = {"customer_charge": "1", "provider_reward": "0.5", "platform_fee": "0.25", "builder_earnings": "0.25"}
    about: dict[str, Any] = {"source": "gateway/eu-1", "builder": "acme", "tenant": "globex"}
    about |= {"time": "2026-01-01T00:00:00Z", "target_source": "gateway/eu-1", "target_id": "e1"}
    events: list[AnyEvent] = [
        usage_event(),
        VoidEvent(id="v1", reason="refused", **about),
        usage_event(id="e2"),
        AdjustmentEvent.model_validate({"id": "a1", "reason": "price", "amounts": amounts, **about}),
        AdjustmentEvent.model_validate(
            {"id": "a2", "reason": "price", "amounts": amounts, "pricing": PRICING, **about}
        ),
    ]
    block = decode_events(events)
    assert block.events["kind"].to_list() == [Kind.USAGE, Kind.VOID, Kind.USAGE, Kind.ADJUSTMENT, Kind.ADJUSTMENT]
    targets = block.targets.to_dicts()
    about_e1 = {"target_source": "gateway/eu-1", "target_id": "e1"}
    nothing, exact = dict.fromkeys(amounts), {name: Decimal(text) for name, text in amounts.items()}
    unpriced = dict.fromkeys(PRICING)
    assert targets[0] == {"row": 1, "note": "refused", **about_e1, **nothing, **unpriced}
    assert targets[1] == {"row": 3, "note": "price", **about_e1, **exact, **unpriced}
    assert targets[2] == {"row": 4, "note": "price", **about_e1, **exact, **PRICING}
    assert [tuple(words) for words in block.target_identities.tolist()] == [identity_words("gateway/eu-1", "e1")] * 3
    assert [tuple(words) for words in block.identities.tolist()] == [identity_words(e.source, e.id) for e in events]
    assert len(set(block.payloads.tolist())) == 4  # the two usage events differ in nothing but their id
    tags = block.dimensions.row(int(block.events["dimension"][1]), named=True)
    assert (tags["builder"], tags["tenant"], tags["mode"]) == ("acme", "globex", "")


@pytest.mark.parametrize("field", list(PRICING))
def test_each_text_of_a_pricing_counts_in_the_payload(field: str) -> None:
    adjustment = adjustment_event(pricing=PRICING)
    assert payload_hash(adjustment_event(pricing=PRICING | {field: "EUR"})) != payload_hash(adjustment)


def test_an_adjustment_without_pricing_has_the_payload_hash_that_ledgers_hold() -> None:
    """Written before there was any pricing; a change would make conflicts of copies."""
    assert payload_hash(adjustment_event()) == payload_hash(adjustment_event(pricing=None)) == 0x4C76FE8A8A1C8033


def test_pricing_and_amounts_travel_in_every_encoding_of_an_adjustment() -> None:
    event = adjustment_event(pricing=PRICING)
    for message in (structured.encode(event), binary.encode(event)):
        block = decoder().decode([record_of(message)])
        assert block.targets.select(list(PRICING)).row(0, named=True) == PRICING
        assert block.payloads.tolist() == [payload_hash(event)]


def test_voids_in_binary_mode_are_read_as_well() -> None:
    about = {"builder": "acme", "tenant": "globex", "target_source": "s", "target_id": "e"}
    void = VoidEvent.model_validate({"id": "v1", "source": "s", "time": "2026-01-01T00:00:00Z", **about})
    block = decoder().decode([record_of(binary.encode(void))])
    assert block.payloads.tolist() == decode_events([void]).payloads.tolist()


def test_spans_cover_gaps_and_count_unreadable_records_once() -> None:
    other = record_of(structured.encode(usage_event(tenant="t2")), offset=3)
    assert other.partition != NEIGHBOUR
    records = [changed(offset=10), other, changed(offset=17, value=b"x"), changed(offset=19)]
    block = decoder().decode(records)
    assert block.spans == {NEIGHBOUR: Span(10, 20, 3), other.partition: Span(3, 4, 1)}
    assert block.records is records


def test_the_decoder_forgets_tags_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topics.decode.DIMENSIONS_MAX", 3)
    hot = decoder()
    for turn in range(4):
        events = [usage_event(id=f"{turn}-{n}", feature=f"f{turn}-{n}") for n in range(3)]
        block = hot.decode([record_of(structured.encode(event), offset=n) for n, event in enumerate(events)])
        assert block.dimensions["feature"].to_list() == [event.feature for event in events]
        assert block.identities.tolist() == [list(identity_words(e.source, e.id)) for e in events]


def test_the_record_time_is_the_brokers() -> None:
    assert decoder().decode([GOOD]).events["record_time"].to_list() == [RECORD_TIME * 1000]


@pytest.mark.parametrize(
    "after",
    [
        b',"more":{"requests":7}',
        b',"x\\"usage":{"requests":7}',
        b',"more":[{"requests":7}]',
        b',"feature":"\\"usage\\":{}"',
    ],
)
def test_an_object_that_only_looks_like_the_usage_is_not_taken_for_it(after: bytes) -> None:
    value = VALUE.replace(b'"output_tokens":200}', b'"output_tokens":200}' + after)
    for _ in range(2):
        block = decoder().decode([changed(value=value), changed(value=value, offset=1)])
        assert block.events["usage.input_tokens"].to_list() == [1_000_000_000] * 2
        assert "usage.requests" not in block.events.columns


def test_nesting_beside_the_usage_is_bounded_as_well() -> None:
    deep = b'"data":{"more":' + b"[" * 70 + b"]" * 70 + b","
    assert reasons(changed(value=VALUE.replace(b'"data":{', deep))) == [Reason.NESTED_TOO_DEEP]


def test_a_slash_in_builder_or_tenant_is_refused_although_subject_and_key_agree() -> None:
    for builder, tenant in ((b"a/b", b"c"), (b"a", b"b/c")):
        key = builder + b"/" + tenant
        value = VALUE.replace(b'"subject":"acme/globex"', b'"subject":"' + key + b'"')
        value = value.replace(
            b'"builder":"acme","tenant":"globex"', b'"builder":"%b","tenant":"%b"' % (builder, tenant)
        )
        record = changed(value=value, key=key, partition=partition_for(key, PARTITIONS))
        assert reasons(record) == [Reason.INVALID_VALUE]
