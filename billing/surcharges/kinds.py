"""The list of kinds: a new kind of surcharge is a new file and a line here."""

from __future__ import annotations

from billing.surcharges import included, margin, markup, pass_through, per_unit, unit_price
from billing.surcharges.kind import SurchargeKind

KINDS: dict[str, SurchargeKind] = {
    module.KIND.name: module.KIND for module in (markup, margin, per_unit, unit_price, pass_through, included)
}
