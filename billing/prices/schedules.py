"""The slots of many events at once: which prices of its sheet each of them meets, whatever sheets they are of.

Sheets are numbered when they are first met, and their thresholds and hours are kept as arrays, so that a block with
hundreds of models costs a few operations on columns. What a slot is: billing/prices/sheet.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from billing.prices.conditions import MINUTES_A_DAY, MINUTES_A_WEEK, Hours, Tier
from billing.prices.sheet import PriceSheet

NEVER = np.iinfo(np.int64).max  # a threshold that no prompt is above
NO_ZONE = -1


@dataclass(frozen=True, slots=True)
class _Week:
    """The hours of an entry, known by their times alone."""

    hours: Sequence[Hours] = field(compare=False)
    times: tuple[tuple[str, str, tuple[str, ...]], ...]


class Schedules:
    """Every conditional sheet met so far, by number."""

    def __init__(self) -> None:
        self._numbers: dict[PriceSheet, int] = {}
        self._zones: dict[str, int] = {}
        self._weeks: dict[_Week, int] = {}  # there are few different ones
        self._arrays = _Arrays([], [])

    def number(self, sheet: PriceSheet) -> int:
        """The number of a sheet."""
        return self._numbers.setdefault(sheet, len(self._numbers))

    def slots(self, sheets: np.ndarray, event_times: np.ndarray, prompts: np.ndarray) -> np.ndarray:
        """(n,) slots, from sheets by number, times (µs since 1970) and prompts (millionths of a token)."""
        if self._arrays.sheets < len(self._numbers):
            self._arrays = _Arrays([(sheet, *self._local(sheet)) for sheet in self._numbers], list(self._weeks))
        arrays = self._arrays
        hours = np.zeros(len(sheets), dtype=np.int64)
        for name, zone in self._zones.items():
            rows = np.flatnonzero(arrays.zone[sheets] == zone)
            hours[rows] = arrays.weeks[arrays.week[sheets[rows]], _minutes_of_week(event_times[rows], name)]
        at = arrays.first_hours[sheets] + hours
        tier, inner = _reached(arrays.bounds[sheets], prompts), _reached(arrays.inner[at], prompts)
        slots: np.ndarray = arrays.first_slot[at] + tier * (arrays.inner_count[at] + 1) + inner
        return slots

    def _local(self, sheet: PriceSheet) -> tuple[int, int]:
        """The numbers of its zone and of its week."""
        hours = sheet.entry.hours
        if not hours:
            return NO_ZONE, 0
        zone = self._zones.setdefault(hours[0].zone, len(self._zones))
        week = _Week(hours, tuple((each.from_, each.to, each.days) for each in hours))
        return zone, self._weeks.setdefault(week, len(self._weeks))


class _Arrays:
    """What is known of the sheets, as columns."""

    def __init__(self, known: Sequence[tuple[PriceSheet, int, int]], weeks: Sequence[_Week]) -> None:
        self.sheets = len(known)
        # Of each sheet: zone, week, thresholds of its tiers, and where its hours begin among all hours.
        self.zone = np.array([zone for _, zone, _ in known], dtype=np.int64)
        self.week = np.array([week for _, _, week in known], dtype=np.int64)
        self.bounds = _bounds([sheet.entry.tiers for sheet, _, _ in known])
        self.first_hours = np.zeros(len(known), dtype=np.int64)
        # Of all hours, each sheet's "no hours" first: first slot, thresholds of their own tiers, number of these.
        first_slot: list[int] = []
        inner: list[Sequence[Tier]] = []
        for number, (sheet, _, _) in enumerate(known):
            self.first_hours[number] = len(first_slot)
            slot = 0
            for tiers in ((), *(each.tiers for each in sheet.entry.hours)):
                first_slot.append(slot)
                inner.append(tiers)
                slot += (len(sheet.entry.tiers) + 1) * (len(tiers) + 1)
        self.first_slot = np.array(first_slot, dtype=np.int64)
        self.inner = _bounds(inner)
        self.inner_count = np.array([len(tiers) for tiers in inner], dtype=np.int64)
        # Of each week, for each of its minutes which hours it is in, counted from 1; 0 is none.
        self.weeks = np.zeros((len(weeks), MINUTES_A_WEEK), dtype=np.int16)
        for number, week in enumerate(weeks):
            for which, hours in enumerate(week.hours, start=1):
                self.weeks[number, list(hours.minutes_of_week())] = which


def _minutes_of_week(event_times: np.ndarray, zone: str) -> np.ndarray:
    """Minutes since Monday 00:00, local time."""
    moments = pl.Series(event_times, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt
    days = moments.weekday().cast(pl.Int64) - 1
    minutes: np.ndarray = (days * MINUTES_A_DAY + moments.hour().cast(pl.Int64) * 60 + moments.minute()).to_numpy()
    return minutes


def _bounds(tiers: Sequence[Sequence[Tier]]) -> np.ndarray:
    """A row of thresholds for each, filled up with what no prompt is above."""
    bounds = np.full((len(tiers), max(map(len, tiers), default=0)), NEVER, dtype=np.int64)
    for row, each in zip(bounds, tiers, strict=True):
        row[: len(each)] = [tier.millionths_above for tier in each]
    return bounds


def _reached(bounds: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """How many of its row's thresholds each prompt is above."""
    reached: np.ndarray = (prompts[:, None] > bounds).sum(axis=1)
    return reached
