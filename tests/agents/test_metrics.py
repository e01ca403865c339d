"""The list of metrics, and what a scraper sees of it."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.metrics import METRICS, CounterName, GaugeName, HistogramName, Metrics, page, start_server

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("kind", "names"), [("counter", CounterName), ("gauge", GaugeName), ("histogram", HistogramName)]
)
def test_every_literal_name_is_in_the_list_under_its_kind_and_no_other_is(kind: str, names: object) -> None:
    assert sorted(get_args(names)) == sorted(metric.name for metric in METRICS if metric.kind == kind)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_says_what_is_healthy_and_what_to_do_otherwise(metric: object) -> None:
    text = metric.help  # type: ignore[attr-defined]
    assert "Healthy: " in text
    assert "Otherwise: " in text


def test_no_metric_has_a_label_that_could_hold_a_tenant() -> None:
    assert {label for metric in METRICS for label in metric.labels} == {
        "outcome",
        "reason",
        "kind",
        "partition",
        "figure",
        "version",
        "stage",
    }


def test_names_carry_their_unit_and_counters_end_in_total() -> None:
    for metric in METRICS:
        assert metric.name.startswith("tollstream_")
        assert (metric.kind == "counter") == metric.name.endswith("_total")


def test_the_page_of_metrics_is_current() -> None:
    assert (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8") == page(), (
        "run: python -m agents.metrics > docs/metrics.md"
    )


def test_a_real_scrape_answers_every_metric_with_the_values_that_were_set() -> None:
    metrics = Metrics()
    metrics.count("tollstream_events_total", 3, outcome="accepted")
    metrics.count("tollstream_dead_letters_total", 1, reason="not_json")
    metrics.set("tollstream_lag_records", 17, partition="4")
    metrics.follow("tollstream_stalled_seconds", lambda: 2.5)
    metrics.observe("tollstream_stage_seconds", 0.02, stage="ledger")
    server = start_server(metrics, "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
            families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    finally:
        server.stop()
    for metric in METRICS:  # those of another process stay away
        assert (metric.name.removesuffix("_total") in families) == (metric.process == "worker"), metric.name
    assert "process_resident_memory_bytes" in families
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["tollstream_events_total", "accepted"] == 3
    assert samples["tollstream_dead_letters_total", "not_json"] == 1
    assert samples["tollstream_lag_records", "4"] == 17
    assert samples["tollstream_stalled_seconds",] == 2.5
    assert samples["tollstream_stage_seconds_count", "ledger"] == 1


def test_a_taken_port_is_an_error_and_not_a_silent_other_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            start_server(Metrics(), "127.0.0.1", taken.getsockname()[1])
