"""Records of one partition and what must become of each, worked by hand; `test_oracle.py` says how to read a row."""

from __future__ import annotations

SCENARIOS = {
    "every kind of rule": """
        usage id=1 builder=b-pass   in=1000 out=200        -> rated 0.0045 0.00315 0.00135 0
            # 1000 x 0.0000025 + 200 x 0.00001 = 0.0025 + 0.002
        usage id=2 builder=b-markup in=1000 out=200        -> rated 0.00675 0.00315 0.00135 0.00225
        usage id=3 builder=b-margin in=1000 out=200        -> rated 0.005625 0.00315 0.00135 0.001125
            # a margin of 20 % of the price is 1.25 times the base
        usage id=4 builder=b-pages  in=1000 pages=3        -> rated 0.0325 0.00175 0.00075 0.03
        usage id=5 builder=b-talks  in=1000 conversations=1 -> rated 0.05 0.00175 0.00075 0.0475
        usage id=6 builder=b-plan   in=1000                -> rated 0 0.00175 0.00075 -0.0025
        usage id=7 builder=b-bounded in=1000               -> rated 0.01 0.00175 0.00075 0.0075
        usage id=8 builder=b-bounded in=9000               -> rated 0.02 0.01575 0.00675 -0.0025
        usage id=9 builder=b-bounded in=6000               -> rated 0.015 0.0105 0.0045 0
    """,
    "the most specific rule and the right price": """
        usage id=1 builder=b-markup tenant=vip in=1000     -> rated 0.0025 0.00175 0.00075 0
            # tenant is the weightiest field
        usage id=2 builder=b-markup provider=anthropic model=claude-b in=1000 -> rated 0.006 0.00225 0.00075 0.003
            # model class premium: markup 100 %; anthropic's share is 75 %
        usage id=3 builder=b-pass region=eu in=1000        -> rated 0.00275 0.001925 0.000825 0
        usage id=4 builder=b-pass region=us in=1000        -> rated 0.0025 0.00175 0.00075 0
        usage id=5 builder=b-pass mode=batch in=1000       -> rated 0.00125 0.000875 0.000375 0
        usage id=6 builder=b-pass mode=batch out=1         -> unpriced no_price
    """,
    "rounding is half-even, twelve places, once": """
        usage id=1 builder=b-pass model=gpt-odd in=1       -> rated 1e-12 1e-12 0 0
            # reward 0.7e-12 rounds up, the fee is what is left
        usage id=2 builder=b-pass model=gpt-odd in=0.5     -> rated 0 0 0 0
        usage id=3 builder=b-pass model=gpt-odd in=1.5     -> rated 2e-12 1e-12 1e-12 0
        usage id=4 builder=b-third model=gpt-odd in=1 -> rated 3e-12 1e-12 0 2e-12
            # a margin of 70 %: 1e-12 / 0.3 = 3.33e-12
        usage id=5 builder=b-third model=gpt-odd in=5 -> rated 17e-12 4e-12 1e-12 12e-12
            # 5e-12 / 0.3 = 16.67e-12; reward 3.5e-12 rounds to the even 4e-12
    """,
    "unpriced is never zero": """
        usage id=1 builder=b-pass model=gpt-z in=1000      -> unpriced no_price
        usage id=2 builder=b-pass model=gpt-z in=0         -> rated 0 0 0 0
        usage id=3 builder=b-pass model= provider= in=1    -> unpriced no_model
        usage id=4 builder=b-nobody in=1000                -> unpriced no_rule
        usage id=5 builder=b-talks in=1000                 -> unpriced no_unit
        usage id=6 builder=b-pass in=1 time=-2678400       -> unpriced no_book
        void  id=7 builder=b-pass target=1                 -> unpriced no_price
    """,
    "copies and contradictions": """
        usage id=1 builder=b-pass in=1000                  -> rated 0.0025 0.00175 0.00075 0
        usage id=1 builder=b-pass in=1000                  -> duplicate
        usage id=1 builder=b-pass in=1000.0 mode=standard  -> duplicate
        usage id=1 builder=b-pass in=1001                  -> dead conflicting_duplicate
        usage id=1 builder=b-pass in=1000 time=1           -> dead conflicting_duplicate
        usage id=1 builder=b-pass in=1000                  -> duplicate
    """,
    "voids and adjustments": """
        void  id=v0 builder=b-pass target=1                -> dead target_unknown
        usage id=1 builder=b-pass in=1000                  -> rated 0.0025 0.00175 0.00075 0
        adjust id=a1 builder=b-pass target=1 charge=0.1 reward=0.05 fee=0.02 earnings=0.03 -> rated 0.1 0.05 0.02 0.03
        void  id=v1 builder=b-pass tenant=else target=1    -> dead target_of_other_tenant
        void  id=v2 builder=b-pass target=1                -> rated -0.1025 -0.05175 -0.02075 -0.03
        void  id=v2 builder=b-pass target=1                -> duplicate
        void  id=v3 builder=b-pass target=1                -> dead target_already_voided
        void  id=v4 builder=b-pass target=v2               -> dead target_not_usage
        adjust id=a2 builder=b-pass target=1 charge=1 reward=0 fee=0 earnings=0 -> dead unbalanced_adjustment
        usage id=1 builder=b-pass in=1000                  -> duplicate
    """,
    "re-ratings": """
        usage id=1 builder=b-pass in=1000 model=gpt-z      -> unpriced no_price
        adjust id=a1 builder=b-pass target=1 charge=3 reward=1 fee=1 earnings=1 by=p2:r:up:usd -> dead invalid_value
        adjust id=a2 builder=b-pass target=1 charge=3 reward=1 fee=1 earnings=1 by=p2:r::USD   -> dead empty_field
        adjust id=a3 builder=b-pass target=1 charge=3 reward=1 fee=1 earnings=1 by=p2:r:up:EUR -> rated 3 1 1 1
        adjust id=a3 builder=b-pass target=1 charge=3 reward=1 fee=1 earnings=1 by=p2:r:up:EUR -> duplicate
        adjust id=a3 builder=b-pass target=1 charge=3 reward=1 fee=1 earnings=1 -> dead conflicting_duplicate
        adjust id=a4 builder=b-pass target=1 charge=3 reward=1 fee=1 earnings=1 by=p3:r:up:USD -> dead currency_mismatch
        adjust id=a5 builder=b-pass target=1 charge=-1 reward=0 fee=0 earnings=-1 by=p3:r:other:EUR -> rated -1 0 0 -1
        void  id=v1 builder=b-pass target=1                -> rated -2 -1 -1 0
        usage id=2 builder=b-pass in=1000                  -> rated 0.0025 0.00175 0.00075 0
        adjust id=b1 builder=b-pass target=2 charge=1 reward=1 fee=0 earnings=0 by=p2:r:up:EUR -> dead currency_mismatch
        adjust id=b2 builder=b-pass target=2 charge=1 reward=1 fee=0 earnings=0 by=p2:r:up:USD -> rated 1 1 0 0
    """,
    "times": """
        usage id=1 builder=b-pass in=1 time=300            -> rated 0.0000025 0.00000175 0.00000075 0
        usage id=2 builder=b-pass in=1 time=301            -> dead future_time
        usage id=3 builder=b-pass in=1 time=-3024001       -> dead too_late
    """,
    "what cannot be billed": """
        usage id=1 builder=b-pass in=-1                    -> dead quantity_negative
        usage id=2 builder=b-pass in=0.1234567             -> dead quantity_too_precise
        usage id=3 builder=b-pass in=1000000000001         -> dead quantity_too_large
        usage id=4 builder=b-pass in=NaN                   -> dead quantity_not_finite
        usage id=5 builder=b-pass vibes=1                  -> dead unknown_meter
        usage id=6 builder=b-pass                          -> dead no_usage
        usage id=7 builder= in=1                           -> dead empty_field
        usage id=8 builder=b-pass mode=turbo in=1          -> dead invalid_value
    """,
}
