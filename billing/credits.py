"""Credits: grants of units or money to a tenant, the order in which they are drawn, and what of them is left.

Units   a grant is of a business meter (`unit`, quantities 6 places) or of money (`unit` is "", 12 places).
Order   by priority (smaller first), then the one that expires first (never is last), then granted first, then by id.
State   What is left of a grant is a fold over its draws; a draw is signed, so giving back is a draw below 0.
        Never below zero and never above what was granted: `CreditError`, for then a draw was lost or counted twice.
Prepaid What a grant cost is owed to the tenant until it is drawn or expires: after q of Q, price x q / Q is earned,
        half-even at 12 places of the running sum, so that the whole grant earns its whole price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from billing.errors import BillingError
from billing.money import EXACT, ROUNDING, rounded

GrantKind = Literal["top_up", "promotional", "prepaid", "rollover", "goodwill"]
KINDS: tuple[GrantKind, ...] = ("top_up", "promotional", "prepaid", "rollover", "goodwill")
DrawKind = Literal["sold", "drawn", "expired"]
PAID_KINDS = ("top_up", "prepaid")  # what a tenant has paid for: an allowance funded by `prepaid` draws on these
PRIORITY = 100
ZERO = Decimal(0)
NEVER = datetime.max.replace(tzinfo=UTC)


class CreditError(BillingError):
    """A grant that cannot be, or was drawn beyond what it holds; names the grant."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Units or money that a tenant may use before paying more. Immutable; `id` is unique within the tenant.

    It pays for usage of periods of which it has seen a part: granted before their end, not expired at their start."""

    id: str
    tenant: str
    kind: GrantKind
    unit: str  # a business meter; "" for money
    currency: str  # of `price_paid`, and of `quantity` where the grant is money
    quantity: Decimal  # above 0
    price_paid: Decimal  # 0 for what was given; what it is above or below the value drawn is the funder's
    granted_at: datetime
    expires_at: datetime | None = None  # exclusive; None: never
    priority: int = PRIORITY
    funding: Literal["builder", "platform"] = "builder"  # who carries what the price does not
    settled: bool = False  # whether the price was collected when it was bought: then no statement asks for it
    label: str = ""  # in the customer's words
    source: str = ""  # of a rollover: "<period>/<plan>/<allowance>"
    rules: tuple[str, ...] = ()  # the rules whose lines it pays for; none: all of them

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CreditError(f"grant {self.id}: kind is one of {', '.join(KINDS)}, not {self.kind}")
        if self.quantity <= 0:
            raise CreditError(f"grant {self.id}: a quantity is above 0, not {self.quantity}")
        if self.price_paid < 0:
            raise CreditError(f"grant {self.id}: a price is not below 0, not {self.price_paid}")
        if self.granted_at.tzinfo is None or (self.expires_at and self.expires_at.tzinfo is None):
            raise CreditError(f"grant {self.id}: times need an offset, such as 2026-10-01T00:00:00Z")
        if self.expires_at is not None and self.expires_at <= self.granted_at:
            raise CreditError(f"grant {self.id}: it expires before it is granted")

    @property
    def order(self) -> tuple[int, datetime, datetime, str]:
        """Grants are drawn in this order, whatever order they are read in."""
        return self.priority, self.expires_at or NEVER, self.granted_at, self.id

    def serves(self, start: datetime, end: datetime) -> bool:
        """Whether it may pay for usage in [start, end)."""
        return self.granted_at < end and (self.expires_at is None or self.expires_at > start)

    def earned(self, drawn: Decimal) -> Decimal:
        """What of its price is earned once this much of it is drawn."""
        if drawn == self.quantity or not self.price_paid:
            return self.price_paid if drawn else ZERO
        return rounded(ROUNDING.divide(EXACT.multiply(self.price_paid, drawn), self.quantity))


class Draw(NamedTuple):
    """One movement of a grant, as a statement made it. Append-only: all that is known of a grant is the sum of these.

    sold     its price stands on this statement; quantity is 0, amount the price
    drawn    `quantity` paid `amount` of a line of `period` (both below 0 where a correction gave back)
    expired  `quantity` was left when it ran out; amount is 0
    """

    grant_id: str
    kind: DrawKind
    period: str  # label of the period whose usage it pays; of the statement for sold and expired
    line: str  # the key of the line it pays: "usage/<rule>" or "minimum"; "" for sold and expired
    quantity: Decimal  # units of the grant, or money
    amount: Decimal  # charge currency; how much less the tenant pays
    earned: Decimal  # what of the price became earned: the debit of the prepaid liability


@dataclass(frozen=True, slots=True)
class GrantBalance:
    """A grant and what of it is gone: drawn (expired included), and whether its price stood on a statement."""

    grant: Grant
    used: Decimal = ZERO
    sold: bool = False

    def __post_init__(self) -> None:
        if not ZERO <= self.used <= self.grant.quantity:
            raise CreditError(f"grant {self.grant.id}: {self.used} of {self.grant.quantity} used")

    @property
    def left(self) -> Decimal:
        """What can still be drawn, were it not for time."""
        return EXACT.subtract(self.grant.quantity, self.used)


def balances(grants: Iterable[Grant], draws: Iterable[Draw]) -> tuple[GrantBalance, ...]:
    """Every grant with what past statements drew of it, in the order in which grants are drawn."""
    found = {grant.id: GrantBalance(grant) for grant in grants}
    used: dict[str, Decimal] = {}
    sold = set()
    for draw in draws:
        if draw.grant_id not in found:
            raise CreditError(f"grant {draw.grant_id} was drawn and is not among the grants: read all of the tenant's")
        used[draw.grant_id] = EXACT.add(used.get(draw.grant_id, ZERO), draw.quantity)
        if draw.kind == "sold":
            sold.add(draw.grant_id)
    whole = (
        replace(balance, used=used.get(grant_id, ZERO), sold=grant_id in sold) for grant_id, balance in found.items()
    )
    return tuple(sorted(whole, key=lambda balance: balance.grant.order))


class Purse:
    """The grants of one tenant while a statement draws on them; drawing more than is left is an error, not a debt."""

    __slots__ = ("_draws", "_grants", "_used", "currency", "tenant")

    def __init__(self, held: Iterable[GrantBalance], tenant: str = "", currency: str = "") -> None:
        self.tenant, self.currency = tenant, currency  # of grants that the statement makes
        ordered = sorted(held, key=lambda balance: balance.grant.order)
        self._grants: dict[str, Grant] = {balance.grant.id: balance.grant for balance in ordered}
        if len(self._grants) != len(ordered):
            raise CreditError("two grants of one tenant have the same id")
        self._used = {balance.grant.id: balance.used for balance in ordered}
        self._draws: list[Draw] = []

    @property
    def grants(self) -> Mapping[str, Grant]:
        """By id, in the order in which they are drawn."""
        return self._grants

    @property
    def draws(self) -> tuple[Draw, ...]:
        """What was drawn, in the order in which it was."""
        return tuple(self._draws)

    def used(self, grant_id: str) -> Decimal:
        """What is gone of a grant."""
        return self._used[grant_id]

    def left(self, grant_id: str) -> Decimal:
        """What can still be drawn."""
        return EXACT.subtract(self._grants[grant_id].quantity, self._used[grant_id])

    def draw(self, grant_id: str, kind: DrawKind, period: str, line: str, quantity: Decimal, amount: Decimal) -> Draw:
        """Move `quantity` (below 0: back) of a grant for `amount` of a line."""
        grant = self._grants[grant_id]
        before = self._used[grant_id]
        after = EXACT.add(before, quantity)
        if not ZERO <= after <= grant.quantity:
            raise CreditError(f"grant {grant_id}: {quantity} cannot be drawn, {before} of {grant.quantity} is used")
        self._used[grant_id] = after
        earned = EXACT.subtract(grant.earned(after), grant.earned(before))
        drawn = Draw(grant_id, kind, period, line, quantity, amount, earned)
        self._draws.append(drawn)
        return drawn
