"""Templates: a rule book for each of four common offers, written to be read and changed by a Builder."""

from billing.surcharges.templates.loading import OFFERS, load_template

__all__ = ["OFFERS", "load_template"]
