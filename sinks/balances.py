"""The rows that live balances are kept as: the newest of each tenant, for whoever asks the store instead of us.

Units   amounts Decimal(38, 12) in the currency beside them; used and limit of a standing in its unit; times aware UTC.
"""

from __future__ import annotations

import pyarrow as pa

from sinks.journals import MOMENT
from sinks.tables import MONEY

_SECOND = pa.timestamp("s", tz="UTC")

LIVE_BALANCES = pa.schema(
    [
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("period", pa.string()),
        ("period_start", _SECOND),
        ("period_end", _SECOND),
        ("as_of", MOMENT),
        ("plan", pa.string()),
        ("currency", pa.string()),
        ("total", MONEY),
        ("charge_currency", pa.string()),
        ("spent", MONEY),
        ("kind", pa.list_(pa.string())),
        ("item", pa.list_(pa.string())),
        ("label", pa.list_(pa.string())),
        ("unit", pa.list_(pa.string())),
        ("used", pa.list_(MONEY)),
        ("limit", pa.list_(MONEY)),
        ("refusal", pa.string()),
    ]
)
