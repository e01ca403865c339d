"""What the pages ask of the store, a file for each kind of thing. Readers take a client that has the token's filter.

Every answer is bounded: LIMIT in the query, one row more than is shown where there may be a next page. Amounts are
exact decimals of 26 digits before the point, as in the store's own views, and travel as text.
"""
