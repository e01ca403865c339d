"""What holds for every set of records: the order of reading, what comes later, and what no two that stand share."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.publication import PRICES, RULES, BookDigest, Leads, standing

START = datetime(2026, 11, 1, tzinfo=UTC)
SECONDS = st.integers(0, 400)
LEADS = st.builds(
    lambda pins: Leads([(START + timedelta(seconds=at), skew) for at, skew in pins]),
    st.lists(st.tuples(SECONDS, st.sampled_from([0, 30])), max_size=3),
)


@st.composite
def publications(draw: st.DrawFn) -> list[BookDigest]:
    """One insert: one or more versions of a kind, at places one after the other; few names, so that they meet."""
    kind = draw(st.sampled_from([PRICES, RULES]))
    place = draw(st.integers(0, 5))
    recorded_at = START + timedelta(seconds=draw(SECONDS))
    publication_id = draw(st.uuids()).hex if place else ""
    return [
        BookDigest(
            kind,
            draw(st.sampled_from("abcdef")),
            START + timedelta(seconds=draw(SECONDS)),
            digest=draw(st.sampled_from("xyz")),
            sequence=place + number if place else 0,
            retroactive=draw(st.booleans()),
            publication_id=publication_id,
            recorded_at=recorded_at,
        )
        for number in range(draw(st.integers(1, 3)) if place else 1)
    ]


RECORDS = st.lists(publications(), max_size=8).map(lambda groups: list(itertools.chain.from_iterable(groups)))


@given(RECORDS, LEADS, st.randoms(use_true_random=False))
def test_the_order_of_reading_changes_nothing(records: list[BookDigest], leads: Leads, draw: random.Random) -> None:
    shuffled = records[:]
    draw.shuffle(shuffled)
    assert standing(shuffled, leads) == standing(records, leads)


@given(RECORDS, RECORDS, LEADS)
def test_what_is_recorded_later_changes_nothing_of_what_stands(
    records: list[BookDigest], more: list[BookDigest], leads: Leads
) -> None:
    """Later: at a place behind all others (as every publisher takes it) or, where a place was given twice, later."""
    before = standing(records, leads)
    newest = max((book.sequence for book in records), default=0)
    last = max((book.recorded_at for book in records), default=START)
    for book in more:
        later = last + timedelta(seconds=1) + (book.recorded_at - START)
        taken = {each.sequence for each in records} - {0}
        place = book.sequence if book.sequence in taken or not book.sequence else newest + book.sequence
        added = BookDigest(
            book.kind, book.version, book.effective_from, book.digest, "", place, book.retroactive,
            book.publication_id and f"later {book.publication_id}", recorded_at=later,
        )  # fmt: skip
        after = standing([*records, added], leads)
        assert after[: len(before)] == before
        assert set(after[len(before) :]) <= {added}


@given(RECORDS, LEADS)
def test_those_that_stand_share_no_name_no_start_and_no_place_and_keep_the_lead(
    records: list[BookDigest], leads: Leads
) -> None:
    stand = standing(records, leads)
    assert len({book.name for book in stand}) == len(stand)
    applying = [book for book in stand if not book.retroactive]
    assert len({(book.kind, book.effective_from) for book in applying}) == len(applying)
    places = [book.sequence for book in stand if book.sequence]
    assert places == sorted(set(places))
    for kind in (PRICES, RULES):
        of_kind = [book for book in applying if book.kind == kind]
        for book in of_kind:
            founding = book.publication_id == of_kind[0].publication_id
            in_time = book.effective_from >= book.recorded_at + leads.at(book.recorded_at)
            assert founding or in_time or not book.sequence
