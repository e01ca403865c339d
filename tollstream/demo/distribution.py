"""Draws requests like those of the public conversation trace, from its published summary statistics alone.

Source  Azure LLM inference trace 2023 (conversation): github.com/Azure/AzurePublicDataset,
        data/AzureLLMInferenceTrace_conv.csv, Microsoft Azure, CC-BY 4.0; P. Patel et al., "Splitwise: Efficient
        generative LLM inference using phase splitting", ISCA 2024. No row of it is here: the figures below are its
        minimum, median, 99th percentile, maximum and mean, the values that templates repeat, and its arrival rate.
Shapes  draw_requests(count, seed) -> requests in order of time; equal arguments, equal requests.
How     Token counts are drawn stratified (one per equal slice of probability, shuffled), so that even a short draw has
        the published quantiles. Between two quantiles the curve is a power whose exponent follows from the mean.
        The two columns are drawn independently: in the trace their correlation is weak (-0.11).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cached_property

from tollstream.demo.trace import Request

REQUESTS = 19_366
SPAN_SECONDS = 3_501.72
BUSIEST_MINUTE = 502  # requests, where the mean minute has 332


@dataclass(frozen=True)
class Quantiles:
    """What is published of a column: its value at some probabilities, its mean, and values repeated in many rows."""

    points: tuple[tuple[float, int], ...]  # (probability, value), from (0, minimum) to (1, maximum)
    mean: float
    repeated: tuple[tuple[int, float], ...]  # (value, share of the rows that have exactly it)

    @cached_property
    def exponent(self) -> float:
        """The power of the curve above the median that gives the published mean (below it the curve is straight)."""
        (low_share, low), (median_share, median), *_ = self.points
        flat, rise = (low + median) / 2 * (median_share - low_share), 0.0
        for (start, value), (stop, following) in zip(self.points[1:], self.points[2:], strict=False):
            flat += value * (stop - start)
            rise += (following - value) * (stop - start)
        return rise / (self.mean - flat) - 1

    def value(self, probability: float) -> int:
        """The value below which this share of the rows lies."""
        for start, stop, repeated in self._plateaus:
            if start <= probability <= stop:
                return repeated
        return round(self._curve(probability))

    def _curve(self, probability: float) -> float:
        power = 1.0
        for (start, value), (stop, following) in zip(self.points, self.points[1:], strict=False):
            if probability <= stop:
                return value + (following - value) * math.pow((probability - start) / (stop - start), power)
            power = self.exponent
        return self.points[-1][1]

    @cached_property
    def _plateaus(self) -> list[tuple[float, float, int]]:
        """(from, to, value): the slices of probability around each repeated value that it takes for itself."""
        centres = [(self._share_below(value), share, value) for value, share in self.repeated]
        return [(centre - share / 2, centre + share / 2, value) for centre, share, value in centres]

    def _share_below(self, value: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self._curve(middle) < value else (low, middle)
        return low


CONTEXT_TOKENS = Quantiles(
    points=((0.0, 2), (0.5, 1_020), (0.99, 4_142), (1.0, 14_050)),
    mean=22_361_870 / REQUESTS,
    repeated=((181, 419 / REQUESTS),),
)
GENERATED_TOKENS = Quantiles(
    points=((0.0, 7), (0.5, 129), (0.99, 601), (1 - 11 / REQUESTS, 1_000), (1.0, 1_000)),  # 11 rows stand at the cap
    mean=4_088_665 / REQUESTS,
    repeated=((396, 425 / REQUESTS),),
)


def draw_requests(count: int = REQUESTS, seed: int = 0) -> list[Request]:
    """`count` requests over the trace's span, seeded. Raises ValueError when count is not positive."""
    if count <= 0:
        raise ValueError(f"the number of requests is at least 1, not {count}")
    random_source = random.Random(f"requests {seed}")
    columns = zip(
        _arrivals(count, random_source),
        _stratified(CONTEXT_TOKENS, count, random_source),
        _stratified(GENERATED_TOKENS, count, random_source),
        strict=True,
    )
    return [Request(microsecond, context, generated) for microsecond, context, generated in columns]


def _stratified(quantiles: Quantiles, count: int, random_source: random.Random) -> list[int]:
    values = [quantiles.value((slice_ + random_source.random()) / count) for slice_ in range(count)]
    random_source.shuffle(values)
    return values


def _arrivals(count: int, random_source: random.Random) -> list[int]:
    """Times (µs, sorted, the first at 0): exponential gaps under a rate that swells to the busiest minute's."""
    swell = BUSIEST_MINUTE * SPAN_SECONDS / 60 / REQUESTS - 1
    elapsed, times = 0.0, []
    for arrival in range(count):
        times.append(elapsed)
        rate = 1 + 0.8 * swell * math.sin(2 * math.pi * 3 * arrival / count)  # three waves; chance adds the last fifth
        elapsed += random_source.expovariate(rate)
    scale = SPAN_SECONDS * 1_000_000 / (times[-1] or 1.0)
    return [round(moment * scale) for moment in times]
