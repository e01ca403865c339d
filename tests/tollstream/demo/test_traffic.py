"""The day's traffic: what is in it, what it must become, and that a seed fixes it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from gateway.emitter import Encoding
from tollstream.commands.demo import BOOKS
from tollstream.demo.breakage import Broken
from tollstream.demo.distribution import draw_requests
from tollstream.demo.offers import OFFERS
from tollstream.demo.oracle import OracleResult, Published, recompute
from tollstream.demo.traffic import NODES, Delivery, Traffic, make_traffic
from topics.decode import Decoder
from topics.encodings import structured
from topics.meters import load_catalogue
from topics.partitioner import partition_for

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PARTITIONS = 8


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return make_traffic(draw_requests(2_000, seed=3), seed=3, ends_at=NOON)


def logged(traffic: Traffic) -> list[Published]:
    """As if published in this order."""
    published = []
    for offset, item in enumerate(traffic.items):
        if isinstance(item, Broken):
            key, content_type = item.key.decode(), item.content_type
            value = None if item.value is None else item.value.decode("utf-8", "surrogateescape")
        else:
            key, value, content_type = item.event["subject"], json.dumps(item.event), "application/cloudevents+json"
        moment = int(NOON.timestamp() * 1_000_000)
        published.append(
            Published(partition_for(key.encode(), PARTITIONS), offset, 0, moment, key, value, content_type)
        )
    return published


@pytest.fixture(scope="module")
def result(traffic: Traffic) -> OracleResult:
    return recompute(logged(traffic), BOOKS / "prices.toml", BOOKS / "rules.toml", 3_600)


def test_the_oracle_finds_exactly_the_outcomes_that_were_planned(traffic: Traffic, result: OracleResult) -> None:
    assert {name: count for name, count in result.outcomes.items() if name != "adjusted"} == traffic.expected


def test_every_broken_record_is_found_out_for_the_reason_it_was_made_for(
    traffic: Traffic, result: OracleResult
) -> None:
    reasons = Counter(item.reason for item in traffic.items if isinstance(item, Broken))
    assert len(reasons) >= 12
    assert Counter(result.dead_letters.values()) == reasons + Counter(["conflicting_duplicate", "target_unknown"])


def test_decoder_and_oracle_refuse_the_same_for_the_same_reasons(traffic: Traffic, result: OracleResult) -> None:
    decoder = Decoder(load_catalogue(), partitions=PARTITIONS)
    judged_later = {"future_time", "too_late", "conflicting_duplicate", "target_unknown"}
    expected = {place: reason for place, reason in result.dead_letters.items() if reason not in judged_later}
    block = decoder.decode([_Record(each) for each in logged(traffic)])
    assert {(each.partition, each.offset, each.index): each.reason.value for each in block.rejections} == expected


class _Record:
    def __init__(self, published: Published) -> None:
        self.partition, self.offset = published.partition, published.offset
        self.timestamp = published.record_time // 1_000
        self.key: bytes | None = None if published.key is None else published.key.encode()
        text = published.value
        self.value: bytes | None = None if text is None else text.encode("utf-8", "surrogateescape")
        self.headers: Sequence[tuple[str, bytes]] = (("content-type", published.content_type.encode()),)


def test_times_lie_in_the_day_before_the_end_and_some_events_come_late(traffic: Traffic) -> None:
    usage = [item.event for item in traffic.items if isinstance(item, Delivery) and "usage" in item.event["data"]]
    times = [datetime.fromisoformat(event["time"]) for event in usage]
    assert min(times) == NOON - timedelta(days=1)
    assert max(times) == NOON
    assert max(before - after for before, after in pairwise(times)) > timedelta(hours=1)


def test_copies_and_voids_come_a_chunk_or_more_after_what_they_belong_to(traffic: Traffic) -> None:
    first: dict[str, int] = {}
    for position, item in enumerate(traffic.items):
        if isinstance(item, Broken):
            continue
        identifier = item.event["id"]
        target = item.event["data"].get("target_id")
        if target and not target.endswith("never-sent"):
            assert position - first[target] > traffic.chunk
        if identifier in first:
            assert position - first[identifier] > traffic.chunk
        first.setdefault(identifier, position)


def test_every_builder_tenant_feature_encoding_and_mode_takes_part(traffic: Traffic) -> None:
    deliveries = [item for item in traffic.items if isinstance(item, Delivery)]
    assert {item.encoding for item in deliveries} == set(Encoding)
    assert {item.event["source"] for item in deliveries} == set(NODES)
    subjects = {item.event["subject"] for item in deliveries}
    assert subjects == {f"{offer.builder}/{tenant}" for offer in OFFERS for tenant in offer.tenants}
    usage = [item.event["data"] for item in deliveries if "usage" in item.event["data"]]
    assert {data["mode"] for data in usage} == {"standard", "batch"}
    assert {data["status"] for data in usage} == {"completed", "aborted"}
    assert {data["feature"] for data in usage} == {feature.name for offer in OFFERS for feature in offer.features}


def test_tenants_are_drawn_skewed(traffic: Traffic) -> None:
    counts = Counter(item.event["subject"] for item in traffic.items if isinstance(item, Delivery))
    for offer in OFFERS:
        own = [counts[f"{offer.builder}/{tenant}"] for tenant in offer.tenants]
        assert own[0] > 1.4 * own[1] > 1.4 * own[-1] * 0.9


def test_equal_arguments_give_equal_traffic_and_another_seed_another() -> None:
    requests = draw_requests(300, seed=1)
    assert make_traffic(requests, 1, NOON) == make_traffic(requests, 1, NOON)
    assert make_traffic(requests, 1, NOON) != make_traffic(requests, 2, NOON)


def test_ids_and_quantities_do_not_depend_on_the_clock() -> None:
    requests = draw_requests(300, seed=1)

    def said(ends_at: datetime) -> list[tuple[str, object]]:
        items = make_traffic(requests, 1, ends_at).items
        return [(each.event["id"], each.event["data"]) for each in items if isinstance(each, Delivery)]

    assert said(NOON) == said(NOON + timedelta(days=3, seconds=7))


def test_all_rules_of_the_books_charge_somebody(result: OracleResult) -> None:
    used = {line.rating.rule_id for line in result.lines.values()}
    rules = (BOOKS / "rules.toml").read_text()
    assert {line.split('"')[1] for line in rules.splitlines() if line.startswith("id = ")} == used


def test_tokens_of_a_request_are_split_and_not_counted_twice() -> None:
    requests = draw_requests(500, seed=9)
    items = [item.event for item in make_traffic(requests, 9, NOON).items if isinstance(item, Delivery)]
    by_id = {event["id"]: event["data"]["usage"] for event in reversed(items) if "usage" in event["data"]}
    for number, request in enumerate(requests):
        usage = by_id[f"9-{number:06d}"]
        assert usage["input_tokens"] + usage.get("cached_input_tokens", 0) == request.context_tokens
        assert usage.get("output_tokens", 0) + usage.get("reasoning_tokens", 0) == request.generated_tokens


def test_every_event_passes_the_gateways_validation(traffic: Traffic) -> None:
    meters = load_catalogue().keys()
    for item in traffic.items:
        if isinstance(item, Delivery):
            structured.decode(json.dumps(item.event).encode(), meters=meters)


def test_what_is_too_late_or_of_the_future_is_so_when_it_is_published() -> None:
    now = NOON + timedelta(days=30)
    items = make_traffic(draw_requests(300, seed=1), 1, NOON, now).items
    times = {
        each.reason: datetime.fromisoformat(json.loads(each.value or b"{}")["time"])
        for each in items
        if isinstance(each, Broken) and each.reason in ("future_time", "too_late")
    }
    assert times["future_time"] > now + timedelta(minutes=5)
    assert times["too_late"] < now - timedelta(days=35)


def test_what_waits_for_a_price_is_what_nobody_takes_back(traffic: Traffic, result: OracleResult) -> None:
    assert 0 < traffic.waiting == sum(total.unpriced_events for total in result.totals.values())
