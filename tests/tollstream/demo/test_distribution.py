"""The generator against the figures published of the trace (see tollstream/demo/distribution.py for the source)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tollstream.demo.distribution import CONTEXT_TOKENS, GENERATED_TOKENS, REQUESTS, Quantiles, draw_requests
from tollstream.demo.trace import Request

PUBLISHED = {  # column: (minimum, median, 99th percentile, maximum, sum)
    "context_tokens": (2, 1_020, 4_142, 14_050, 22_361_870),
    "generated_tokens": (7, 129, 601, 1_000, 4_088_665),
}


@pytest.fixture(scope="module", params=[0, 1, 20_231_116])
def drawn(request: pytest.FixtureRequest) -> list[Request]:
    return draw_requests(seed=request.param)


@pytest.mark.parametrize("column", PUBLISHED)
def test_the_token_counts_have_the_published_quantiles_and_sum(drawn: list[Request], column: str) -> None:
    minimum, median, percentile_99, maximum, total = PUBLISHED[column]
    values = sorted(getattr(request, column) for request in drawn)
    assert len(values) == REQUESTS
    assert minimum <= values[0] <= minimum + 1
    assert values[len(values) // 2] == pytest.approx(median, rel=0.005)
    assert values[round(len(values) * 0.99)] == pytest.approx(percentile_99, rel=0.005)
    assert maximum * 0.97 <= values[-1] <= maximum
    assert sum(values) == pytest.approx(total, rel=0.001)


def test_values_that_templates_repeat_are_repeated_as_often_as_published(drawn: list[Request]) -> None:
    assert Counter(request.context_tokens for request in drawn)[181] == pytest.approx(419, abs=5)
    assert Counter(request.generated_tokens for request in drawn)[396] == pytest.approx(425, abs=5)
    assert Counter(request.generated_tokens for request in drawn)[1_000] == pytest.approx(11, abs=2)


def test_arrivals_have_the_published_span_rate_and_skew(drawn: list[Request]) -> None:
    times = [request.microsecond for request in drawn]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] == 3_501_720_000
    assert max(Counter(moment // 60_000_000 for moment in times).values()) == pytest.approx(502, rel=0.12)
    assert max(Counter(moment // 1_000_000 for moment in times).values()) == pytest.approx(19, abs=4)
    assert sorted(after - before for before, after in pairwise(times))[REQUESTS // 2] == pytest.approx(
        118_000, rel=0.05
    )


def test_a_short_draw_has_the_median_of_a_long_one() -> None:
    values = sorted(request.context_tokens for request in draw_requests(count=200, seed=4))
    assert values[100] == pytest.approx(1_020, rel=0.03)


def test_equal_seeds_draw_equal_requests_and_other_seeds_others() -> None:
    assert draw_requests(100, seed=5) == draw_requests(100, seed=5)
    assert draw_requests(100, seed=5) != draw_requests(100, seed=6)


def test_one_request_is_a_draw_and_none_is_an_error() -> None:
    assert draw_requests(1)[0].microsecond == 0
    with pytest.raises(ValueError, match="at least 1, not 0"):
        draw_requests(0)


@pytest.mark.parametrize("quantiles", [CONTEXT_TOKENS, GENERATED_TOKENS])
def test_the_curve_rises_from_the_minimum_to_the_maximum(quantiles: Quantiles) -> None:
    values = [quantiles.value(step / 1_000) for step in range(1_001)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (quantiles.points[0][1], quantiles.points[-1][1])
