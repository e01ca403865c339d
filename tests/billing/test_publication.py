"""Which records stand, told as tables: place, kind, version, recorded after so many minutes, begins after so many."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.publication import LEAD, BookDigest, Leads, earliest, objection, standing

START = datetime(2026, 11, 1, tzinfo=UTC)
SKEW = 300
LEADS = Leads([(START - timedelta(days=1), SKEW)])
MINUTE = timedelta(minutes=1)


def book(line: str) -> BookDigest:
    """`place kind version recorded begins [word...]`: minutes after START; words are retroactive, in=ID, text=TEXT."""
    place, kind, version, recorded, begins, *words = line.split()
    given = dict(word.split("=") for word in words if "=" in word)
    return BookDigest(
        kind,
        version,
        START + float(begins) * MINUTE,
        digest=given.get("text", f"text of {version}"),
        sequence=int(place),
        retroactive="retroactive" in words,
        publication_id=given.get("in", "" if place == "0" else line),
        recorded_at=START + float(recorded) * MINUTE,
    )


def stand(table: str, leads: Leads = LEADS) -> list[str]:
    books = [book(line.split("#")[0]) for line in table.strip().splitlines()]
    answer = [f"{each.kind} {each.version}" for each in standing(books, leads)]
    assert answer == [f"{each.kind} {each.version}" for each in standing(reversed(books), leads)]
    return answer


def test_the_first_publication_of_each_kind_may_begin_in_the_past_and_later_ones_keep_the_lead() -> None:
    assert stand("""
        1 prices a 0   -9999
        2 rules  a 0.1 -9999
        3 prices b 1   7        # 360 s after it was recorded, to the second
        4 prices c 2   7.9999   # too soon, by 6 ms
        5 rules  b 3   -1       # too soon by far
    """) == ["prices a", "rules a", "prices b"]


def test_versions_of_the_first_publication_are_together_the_first() -> None:
    assert stand("""
        1 prices a 0 -9999 in=x
        2 prices b 0 -5000 in=x
        3 prices c 0 -4000 in=y
    """) == ["prices a", "prices b"]


def test_a_place_belongs_to_the_first_recorded_there_even_where_it_does_not_stand() -> None:
    assert stand("""
        1 prices a    0 -9999
        2 prices soon 1 2         # too soon: does not stand, and keeps its place
        2 prices b    2 9000      # the server had forgotten the token
        3 prices c    3 9001
        3 rules  a    4 9002
    """) == ["prices a", "prices c"]


def test_a_publication_that_was_stored_twice_is_one() -> None:
    assert stand("""
        1 prices a 0 -9999 in=x
        2 prices b 0 -5000 in=x
        1 prices a 9 -9999 in=x
        2 prices b 9 -5000 in=x
        3 prices c 1 7 in=y
        3 prices c 9 7 in=y     # the first one was in time
    """) == ["prices a", "prices b", "prices c"]


def test_a_name_is_given_once_for_each_kind_and_a_start_once() -> None:
    assert stand("""
        1 prices a 0 -9999
        2 rules  a 0 -9999
        3 prices a 1 9000 text=other
        4 prices b 2 9000
        5 prices c 3 9000
        6 rules  b 4 9000
    """) == ["prices a", "rules a", "prices b", "rules b"]


def test_a_version_that_did_not_stand_may_be_published_again_with_a_later_start() -> None:
    assert stand("""
        1 prices a 0 -9999
        2 prices b 1 2
        3 prices b 3 99
    """) == ["prices a", "prices b"]


def test_retroactive_versions_need_no_lead_take_no_start_and_are_not_the_first_that_applies() -> None:
    assert stand("""
        1 prices r 0 -9999 retroactive
        2 prices a 0.1 -9999
        3 prices s 1 -9999 retroactive
        4 prices r 2 -5 retroactive text=other
    """) == ["prices r", "prices a", "prices s"]


def test_what_workers_recorded_before_there_were_places_stands_where_it_was_recorded() -> None:
    assert stand("""
        0 prices a 0  -9999
        0 prices b 1  2          # its worker judged the lead, and used it
        0 prices b 2  2 text=other
        1 prices c 10 99
        0 prices d 11 199        # an old worker, after the first new publication
        2 prices d 12 999 text=other
    """) == ["prices a", "prices b", "prices c", "prices d"]


def test_the_lead_is_that_of_the_epochs_pinned_when_it_was_recorded() -> None:
    leads = Leads([(START, 60), (START + 10 * MINUTE, 600)])
    assert stand("1 prices a 0 -9\n2 prices b 9 11", leads) == ["prices a", "prices b"]
    assert stand("1 prices a 0 -9\n2 prices b 10 20", leads) == ["prices a"]
    assert Leads().at(START) == LEAD


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 prices a 1 999 text=other", "Version a of the prices was recorded with another text"),
        ("2 prices b 1 -9999", "version a: only one version can apply at a time"),
        ("2 prices b 1 2", r"sooner than 360 s from now: .* would do is 2026-11-01T00:07:00Z"),
        ("2 prices b 1 7", None),
    ],
)
def test_an_objection_says_what_would_do(line: str, said: str | None) -> None:
    first = book("1 prices a 0 -9999")
    new = book(line)
    found = objection([new], [first], new.recorded_at, LEADS.at(new.recorded_at))
    if said is None:
        assert found is None
    else:
        with pytest.raises(ValueError, match=said):
            raise ValueError(found)


def test_the_earliest_start_is_a_whole_minute_that_keeps_the_lead() -> None:
    lead = timedelta(seconds=360)
    assert earliest(START, lead) == START + 6 * MINUTE
    assert earliest(START + timedelta(microseconds=1), lead) == START + 7 * MINUTE
    late = book("2 prices b 0 0")
    at = START + timedelta(seconds=17.5)
    assert objection([replace(late, effective_from=earliest(at, lead))], [book("1 prices a 0 -9")], at, lead) is None
