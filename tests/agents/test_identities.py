"""The filter never denies what it holds; the recent ones are exact, and what is dropped first is the oldest."""

from __future__ import annotations

import numpy as np
import pytest

from agents.identities import RECENT_RUNS_MAX, Accepted, IdentityFilter, RecentIdentities


def some(count: int, seed: int = 1) -> np.ndarray:
    """Well mixed, as hashes are."""
    return np.random.default_rng(seed).integers(0, 2**64, (count, 2), dtype=np.uint64, endpoint=False)


def accepted(identities: np.ndarray, first_offset: int = 0) -> Accepted:
    places = np.arange(first_offset, first_offset + len(identities))
    return Accepted(identities, places.astype(np.uint64) + np.uint64(7), places, places * 0 + 3, places * 10)


def test_a_no_of_the_filter_is_certain_however_many_segments_it_has() -> None:
    held = some(5_000)
    identities = IdentityFilter(segment_identities=64)
    for start in range(0, 5_000, 77):  # parts that begin and end in the middle of segments
        identities.add(held[start : start + 77])
    assert identities.suspects(held).tolist() == list(range(5_000))


def test_the_filter_hardly_ever_suspects_what_it_does_not_hold() -> None:
    identities = IdentityFilter(segment_identities=1 << 14)
    identities.add(some(1 << 14))
    assert len(identities.suspects(some(200_000, seed=2))) <= 5  # two in a million, once it is full


def test_an_empty_filter_suspects_nothing() -> None:
    identities = IdentityFilter(segment_identities=64)
    assert identities.suspects(some(10)).tolist() == []
    identities.add(some(0))
    assert identities.suspects(some(10)).tolist() == []


def test_each_suspect_is_named_once_even_if_it_was_added_to_several_segments() -> None:
    identities = IdentityFilter(segment_identities=4)
    identities.add(np.repeat(some(1), 12, axis=0))
    assert identities.suspects(np.concatenate([some(3, seed=2), some(1)])).tolist() == [3]


def test_a_recent_identity_is_found_with_its_place_its_payload_and_its_time() -> None:
    recent, held = RecentIdentities(), some(100)
    recent.add(accepted(held[:60]))
    recent.add(accepted(held[60:], first_offset=60))
    rows, found = recent.find(np.concatenate([some(5, seed=2), held[[70, 3]]]))
    by_row = {row: number for number, row in enumerate(rows.tolist())}
    assert by_row.keys() == {5, 6}
    for row, place in ((5, 70), (6, 3)):
        one = found.take(np.array([by_row[row]]))
        assert one.identities.tolist() == [held[place].tolist()]
        assert (one.payloads[0], one.offsets[0], one.indexes[0], one.event_times[0]) == (
            place + 7,
            place,
            3,
            place * 10,
        )


@pytest.mark.parametrize("word", [0, 1], ids=["high", "low"])
def test_half_an_identity_is_not_enough(word: int) -> None:
    recent, held = RecentIdentities(), some(1)
    recent.add(accepted(held))
    near = held.copy()
    near[0, word] += np.uint64(1)
    assert recent.find(near)[0].tolist() == []


def test_one_low_word_with_several_high_words_is_told_apart() -> None:
    recent, held = RecentIdentities(), some(4)
    held[:, 1] = 9
    recent.add(accepted(held))
    rows, found = recent.find(held[[2, 0]])
    assert dict(zip(rows.tolist(), found.offsets.tolist(), strict=True)) == {0: 2, 1: 0}


def test_an_identity_that_was_accepted_twice_is_found_twice() -> None:
    recent = RecentIdentities()
    recent.add(accepted(some(1), first_offset=4))
    recent.add(accepted(some(1), first_offset=9))
    rows, found = recent.find(some(1))
    assert rows.tolist() == [0, 0]
    assert sorted(found.offsets.tolist()) == [4, 9]


def test_the_oldest_are_dropped_first_and_never_those_of_the_last_block() -> None:
    recent = RecentIdentities(identities_max=10)
    for number in range(3):
        recent.add(accepted(some(4, seed=number)))
    found = [len(recent.find(some(4, seed=number))[0]) for number in range(3)]
    assert found == [0, 4, 4]
    recent.add(accepted(some(50, seed=9)))
    assert len(recent.find(some(50, seed=9))[0]) == 50
    assert len(recent.find(some(4, seed=2))[0]) == 0


def test_many_small_blocks_are_merged_and_none_of_them_is_lost() -> None:
    recent, held = RecentIdentities(), some(10 * RECENT_RUNS_MAX)
    for number in range(len(held)):
        recent.add(accepted(held[number : number + 1], first_offset=number))
        recent.add(accepted(held[:0]))
    rows, found = recent.find(held)
    assert dict(zip(rows.tolist(), found.offsets.tolist(), strict=True)) == {n: n for n in range(len(held))}
    assert len(recent._runs) <= RECENT_RUNS_MAX


def test_nothing_is_found_among_nothing() -> None:
    rows, found = RecentIdentities().find(some(3))
    assert (len(rows), len(found)) == (0, 0)
