"""Statements to look at and to test with, by name."""

from tests.support.rendered import offers, rare

OFFERS = {
    "included-with-top-ups": offers.included_with_top_ups(),
    "premium-features": offers.premium_features(),
    "hybrid-subscription": offers.hybrid_subscription(),
    "agency-margin": offers.agency_margin(),
}
SAMPLES = OFFERS | {
    "corrections": rare.corrections(),
    "long": rare.long(),
    "hostile": rare.hostile(),
    "empty": rare.empty(),
}
