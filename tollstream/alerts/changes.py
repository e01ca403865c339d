"""Which tenants have to be looked at: those whose totals have grown, or whose plans, credits or closings have changed.

Growth   Offsets up to which everything is stored (checkpoints) are read first, then the totals that hold usage beyond
         those of the look before: a total of a flush that is half stored is found again by the next look.
Often    the windows of open periods are asked about at every look, all windows once in SWEEP_SECONDS: late usage of a
         closed period changes what is left of credits.
Progress a look counts once it is `done`: one that broke off is made again, whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers import running
from sinks.clickhouse.readers.running import Places
from sinks.rerates import Partition
from tollstream.balances.outlook import Known, Outlook, outlook_of
from tollstream.balances.reading import LiveBalances
from tollstream.closing.freezing import read_cut
from tollstream.closing.periods import closed

SWEEP_SECONDS = 60.0


@dataclass(slots=True)
class Look:
    """What one look is about. `tenants` by Builder: None for everybody."""

    as_of: datetime  # by the store's clock
    places: Mapping[str, Places]
    cut: Mapping[Partition, int]
    swept: bool
    seconds: float  # when it began
    tenants: dict[str, set[str] | None] = field(default_factory=dict)


class Changes:
    """What has changed since the last look that was done; at first, everything."""

    def __init__(self, client: Client, balances: LiveBalances) -> None:
        self._client, self._balances = client, balances
        self._places: Mapping[str, Places] = {}
        self._cut: Mapping[Partition, int] = {}
        self._swept_cut: Mapping[Partition, int] = {}
        self._swept_seconds: float | None = None
        self._known: dict[str, tuple[Places, Known]] = {}
        self._opened: dict[str, datetime] = {}

    async def look(self, seconds: float) -> Look:
        """What to look at now; `seconds` is any clock that only rises."""
        cut = await read_cut(self._balances.store)
        places = await self._client.run(running.read_places, self._client)
        sweep = self._swept_seconds is None or seconds - self._swept_seconds >= SWEEP_SECONDS
        if sweep:  # of whoever has closed nothing the beginning is asked for again: usage may have come before it
            self._known = {name: held for name, held in self._known.items() if closed(held[1].entries)}
        look = Look(await self._balances.store.clock(), places, cut, sweep, seconds)
        for builder, now in places.items():
            before = self._places.get(builder)
            if before is None or (now.plans, now.closings, now.rates) != (before.plans, before.closings, before.rates):
                look.tenants[builder] = None
            elif now.grants != before.grants:
                look.tenants[builder] = await self._client.run(
                    running.read_granted_since, self._client, builder, before.grants
                )
        followed = [builder for builder in places if look.tenants.get(builder, ()) is not None]
        since = self._swept_cut if sweep else self._cut
        if followed and cut != since:
            opens = None if sweep else self._opens(followed)
            grown = await self._client.run(running.read_grown, self._client, followed, since, opens)
            for builder, tenants in grown.items():
                held = look.tenants.setdefault(builder, set())
                if held is not None:
                    held |= tenants
        look.tenants = {builder: tenants for builder, tenants in look.tenants.items() if tenants is None or tenants}
        return look

    async def outlook(self, look: Look, builder: str) -> Outlook:
        """Of a Builder of the look; what is on record is read again only where it has changed."""
        places = look.places[builder]
        held = self._known.get(builder)
        if held is None or held[0]._replace(grants=0) != places._replace(grants=0) or held[1].is_new:
            known = await self._balances.known(builder)
        else:
            known = held[1]
        # The place is that of the look: what is granted behind it belongs to the next one.
        known = replace(known, agreements=replace(known.agreements, grants_place=places.grants))
        self._known[builder] = places, known
        outlook = outlook_of(known, look.cut, look.as_of)
        self._opened[builder] = outlook.steps[0].period.start
        return outlook

    def done(self, look: Look) -> None:
        """Everything of the look is published."""
        self._places, self._cut = look.places, look.cut
        if look.swept:
            self._swept_cut, self._swept_seconds = look.cut, look.seconds

    def _opens(self, builders: Iterable[str]) -> datetime | None:
        """Start of the first open period of any of them; None where it is not known of one."""
        starts = [self._opened.get(builder) for builder in builders]
        known = [start for start in starts if start is not None]
        return min(known) if known and len(known) == len(starts) else None
