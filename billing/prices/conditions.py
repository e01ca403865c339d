"""When other prices of an entry apply: context tiers and hours of the day.

Tier    a cliff: an event whose prompt reaches it has all its units at the tier's prices. `above` = 200000 means more
        than 200,000 tokens, `from` = 200000 means 200,000 or more. Of several the highest one reached applies.
Prompt  everything the model had to read: the sum of `PROMPT_METERS`, whatever it was and whether it came from a cache.
        The classes are disjoint, so the sum counts no token twice; it is what providers compare with their thresholds.
Hours   half-open times of day [from, to) in a time zone, to the minute; a range that ends before it begins runs over
        midnight and belongs to the day on which it began. The event's own time decides.
"""

from __future__ import annotations

import itertools
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from billing.prices.price import Meters
from topics.block import QUANTITY_UNIT

PROMPT_METERS = (
    "input_tokens",
    "cached_input_tokens",
    "explicit_cached_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
    "audio_input_tokens",
    "cached_audio_input_tokens",
    "image_input_tokens",
    "cached_image_input_tokens",
    "video_input_tokens",
    "tool_use_input_tokens",
)
TOKENS_MAX = 10**9  # the largest threshold: far below what sums of a prompt's classes can overflow
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY = 1440
MINUTES_A_WEEK = 7 * MINUTES_A_DAY


class Tier(BaseModel):
    """Prices from a prompt size on. They replace those of the meters named; the others keep theirs."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    above: int | None = Field(None, ge=0, le=TOKENS_MAX, strict=True)
    from_: int | None = Field(None, alias="from", ge=1, le=TOKENS_MAX, strict=True)
    meters: Meters

    @model_validator(mode="after")
    def _one_bound(self) -> Tier:
        if (self.above is None) == (self.from_ is None):
            raise ValueError("a tier has either `above` (more than so many tokens) or `from` (so many or more)")
        return self

    @property
    def millionths_above(self) -> int:
        """The tier is reached by a prompt of more than this, in millionths of a token."""
        bound: int = QUANTITY_UNIT * (self.from_ or 0) - 1 if self.above is None else QUANTITY_UNIT * self.above
        return bound

    @property
    def words(self) -> str:
        """`above 200000` or `from 200000`."""
        return f"above {self.above}" if self.above is not None else f"from {self.from_}"


def _ascending(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    """In order of their bounds, which have to differ."""
    ordered = tuple(sorted(tiers, key=lambda tier: tier.millionths_above))
    for lower, higher in itertools.pairwise(ordered):
        if lower.millionths_above == higher.millionths_above:
            raise ValueError(f"two tiers begin {lower.words}: keep one")
    return ordered


Tiers = Annotated[tuple[Tier, ...], AfterValidator(_ascending)]


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone of the IANA database, such as UTC or Asia/Shanghai") from None
    return name


def _minutes(text: str, most: int) -> int:
    hours, colon, minutes = text.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdigit()):
        raise ValueError(f"{text!r} is no time of day, such as 16:30")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > most:
        raise ValueError(f"{text!r} is no time of day between 00:00 and {most // 60:02}:{most % 60:02}")
    return total


class Hours(BaseModel):
    """Prices at some times of the day. They replace those of the meters named, in any tier of the entry."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    from_: str = Field(alias="from")
    to: str
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    days: tuple[str, ...] = DAYS
    meters: Meters
    tiers: Tiers = ()

    @model_validator(mode="after")
    def _a_range(self) -> Hours:
        if self.minutes[0] == self.minutes[1]:
            raise ValueError(f"hours from {self.from_} to {self.to} never are: give them a length")
        unknown = [day for day in self.days if day not in DAYS]
        if unknown or not self.days or len(set(self.days)) < len(self.days):
            raise ValueError(f"days are {', '.join(DAYS)}, each at most once, not {', '.join(self.days) or 'none'}")
        return self

    @property
    def minutes(self) -> tuple[int, int]:
        """(from, to) in minutes of the day; to may be 1440."""
        return _minutes(self.from_, MINUTES_A_DAY - 1), _minutes(self.to, MINUTES_A_DAY)

    @property
    def words(self) -> str:
        """`16:30 to 00:30 UTC`, with the days where they are not all."""
        days = "" if len(self.days) == len(DAYS) else ", " + " ".join(self.days)
        return f"{self.from_} to {self.to} {self.zone}{days}"

    def minutes_of_week(self) -> Iterator[int]:
        """Every minute since Monday 00:00, local time, at which these hours are."""
        start, end = self.minutes
        length = (end - start) % MINUTES_A_DAY or MINUTES_A_DAY
        for day in self.days:
            first = DAYS.index(day) * MINUTES_A_DAY + start
            for minute in range(first, first + length):
                yield minute % MINUTES_A_WEEK


def _apart(hours: tuple[Hours, ...]) -> tuple[Hours, ...]:
    """Hours of one entry are of one zone and never overlap: two prices for one moment would be a guess."""
    owner: dict[int, Hours] = {}
    for each in hours:
        if each.zone != hours[0].zone:
            raise ValueError(f"hours of one entry are in one time zone, not in {hours[0].zone} and {each.zone}")
        for minute in each.minutes_of_week():
            other = owner.setdefault(minute, each)
            if other is not each:
                raise ValueError(f"the hours {other.words} and {each.words} overlap: only one price can apply")
    return hours


HoursOfDay = Annotated[tuple[Hours, ...], AfterValidator(_apart)]


def tier_reached(tiers: Sequence[Tier], prompt: int) -> Tier | None:
    """The highest tier that a prompt (millionths of a token) reaches."""
    reached = [tier for tier in tiers if prompt > tier.millionths_above]
    return reached[-1] if reached else None


def hours_at(hours: Sequence[Hours], moment: datetime) -> Hours | None:
    """The hours that hold an aware moment."""
    for each in hours:
        local = moment.astimezone(zoneinfo.ZoneInfo(each.zone))
        if local.weekday() * MINUTES_A_DAY + local.hour * 60 + local.minute in set(each.minutes_of_week()):
            return each
    return None
