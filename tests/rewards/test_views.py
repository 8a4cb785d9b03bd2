"""Markov removal effects and Shapley values: by hand, by their definitions, and adding up exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import factorial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.rewards.outcomes import Outcomes
from nba.rewards.paths import Paths, paths
from nba.rewards.removal import by_removal, parted, removal_effects
from nba.rewards.shapley import by_shapley
from tests.rewards.test_attribution import DAY, OBJECTIVES, Touch

Way = tuple[str, int | None]  # labels in order, one letter each, and the outcome's worth; None for nothing


def made(ways: Sequence[Way], labels: str) -> tuple[Paths, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Paths whose contacts are numbered through, and the contacts' labels."""
    letters = "".join(steps for steps, _ in ways)
    worth = [worth or 0 for _, worth in ways]
    found = Paths(
        path=np.repeat(np.arange(len(ways)), [len(steps) for steps, _ in ways]).astype(np.int64),
        contact=np.arange(len(letters)),
        worth=np.array(worth, dtype=np.int64),
        reached=np.array([worth is not None for _, worth in ways], dtype=np.bool_),
        organic=0,
        organic_outcomes=0,
        open=0,
    )
    return found, np.array([labels.index(letter) for letter in letters], dtype=np.int64)


some_ways = st.lists(
    st.tuples(st.text("ABCDE", min_size=1, max_size=5), st.one_of(st.none(), st.integers(1, 10**7))),
    min_size=1,
    max_size=12,
)


def test_removal_effects_of_the_usual_example() -> None:
    """A→B→C→sale, A→nothing, B→C→nothing: a third of the paths end in a sale. Without A half as many do
    (B→C alone), without B or C none. Credit 1 : 2 : 2."""
    found, label = made([("ABC", 100), ("A", None), ("BC", None)], "ABC")
    assert removal_effects(found, label, 3).tolist() == pytest.approx([0.5, 1.0, 1.0])
    assert by_removal(found, label, 3).tolist() == [20, 40, 40]


def test_both_views_by_hand() -> None:
    """Removal: 2 of 5 paths sell; 1 of 5 without A, none without B: ½ to 1. Shapley: 60 / 2 each, 40 to B."""
    found, label = made([("AB", 60), ("A", None), ("A", None), ("A", None), ("B", 40)], "AB")
    assert removal_effects(found, label, 2).tolist() == pytest.approx([0.5, 1.0])
    assert by_removal(found, label, 2).tolist() == [33, 67]
    assert by_shapley(found, label, 2).tolist() == [30, 70]


@settings(deadline=None)
@given(some_ways)
def test_both_views_add_up_to_what_the_paths_were_worth(ways: list[Way]) -> None:
    for sign in (1, -1):
        found, label = made([(steps, worth and worth * sign) for steps, worth in ways], "ABCDE")
        total = sum((worth or 0) * sign for _, worth in ways)
        for credited in (by_removal(found, label, 5), by_shapley(found, label, 5)):
            assert int(credited.sum()) == total
            assert (credited * sign >= 0).all()


@given(some_ways)
def test_a_channel_on_no_path_to_an_outcome_has_no_shapley_value_and_one_on_none_at_all_no_effect(
    ways: list[Way],
) -> None:
    found, label = made(ways, "ABCDEF")
    on = {letter for steps, worth in ways if worth for letter in steps}
    credited = by_shapley(found, label, 6)
    assert all(credited["ABCDEF".index(letter)] == 0 for letter in set("ABCDEF") - on)
    assert removal_effects(found, label, 6)[5] == 0.0


@settings(max_examples=40)
@given(some_ways)
def test_the_closed_form_is_the_shapley_value_by_its_definition(ways: list[Way]) -> None:
    """The mean gain over all orders of channels, v(S) being the worth of the paths within S."""
    found, label = made(ways, "ABCDE")

    def brought(channels: frozenset[str]) -> int:
        return sum(worth or 0 for steps, worth in ways if set(steps) <= channels)

    gains = dict.fromkeys("ABCDE", 0)
    for order in permutations("ABCDE"):
        for i, letter in enumerate(order):
            gains[letter] += brought(frozenset(order[: i + 1])) - brought(frozenset(order[:i]))
    exact = [gains[letter] / factorial(5) for letter in "ABCDE"]
    assert by_shapley(found, label, 5) == pytest.approx(exact, abs=len(ways))  # rounding, a millionth a path


@settings(max_examples=40)
@given(some_ways)
def test_where_paths_are_single_contacts_the_removal_effect_is_the_share_of_outcomes(ways: list[Way]) -> None:
    found, label = made([(steps[0], worth) for steps, worth in ways], "ABCDE")
    effects = removal_effects(found, label, 5)
    led = [steps[0] for steps, worth in ways if worth]
    expected = [led.count(letter) / len(led) if led else 0.0 for letter in "ABCDE"]
    assert effects.tolist() == pytest.approx(expected)


@given(st.integers(-(10**18), 10**18), st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_parts_in_proportion_add_up_however_large(total: int, weights: list[float]) -> None:
    found = parted(total, np.array(weights))
    assert int(found.sum()) == (total if sum(weights) > 0 else 0)


def known(touchpoints: list[Touch], contacts: list[tuple[str, float]]) -> Outcomes:
    columns = {"customer": pl.String, "type": pl.String, "occurred_at": pl.Float64, "value": pl.Float64}
    frame = pl.DataFrame(touchpoints, schema=columns, orient="row")
    customers = pl.Series([*(c for c, _ in contacts), *frame["customer"]], dtype=pl.String)
    return Outcomes.of(OBJECTIVES, customers, frame, 1e9)


def test_paths_are_the_contacts_before_an_outcome_and_runs_of_those_before_none() -> None:
    contacts = [("a", 0.0), ("a", DAY), ("a", 20 * DAY), ("a", 21 * DAY), ("b", 0.0), ("b", 39 * DAY)]
    touchpoints: list[Touch] = [("a", "purchase", 2 * DAY, 5.0), ("c", "purchase", DAY, 3.0)]
    at = np.array([when for _, when in contacts])
    found = paths(OBJECTIVES, known(touchpoints, contacts), at, as_of=40 * DAY, gains=True)
    ways = [found.contact[found.path == i].tolist() for i in range(len(found.worth))]
    assert ways == [[0, 1], [2, 3], [4]]
    assert found.reached.tolist() == [True, False, False]
    assert found.worth.tolist() == [5_000_000, 0, 0]
    assert (found.organic, found.organic_outcomes, found.open) == (3_000_000, 1, 1)


def test_losses_have_paths_of_their_own() -> None:
    contacts = [("a", 0.0)]
    touchpoints: list[Touch] = [("a", "complaint", DAY / 2, 0.0), ("a", "purchase", DAY, 5.0)]
    some = known(touchpoints, contacts)
    gains, losses = (paths(OBJECTIVES, some, np.zeros(1), as_of=1e9, gains=g) for g in (True, False))
    assert (gains.worth.tolist(), losses.worth.tolist()) == ([5_000_000], [-3_000_000])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20 * DAY)), max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["purchase", "complaint"]),
            st.floats(0, 20 * DAY),
            st.floats(-1e6, 1e6),
        ),
        max_size=12,
    ),
    st.floats(0, 40 * DAY),
)
def test_no_contact_and_no_worth_is_lost_on_the_way_into_paths(
    contacts: list[tuple[str, float]], touchpoints: list[Touch], as_of: float
) -> None:
    some, at = known(touchpoints, contacts), np.array([when for _, when in contacts])
    both = [paths(OBJECTIVES, some, at, as_of=as_of, gains=gains) for gains in (True, False)]
    units = np.rint(some.worth * 1e6).astype(np.int64)
    assert sum(int(way.worth.sum()) + way.organic for way in both) == int(units.sum())
    for way in both:
        assert len(np.unique(way.contact)) + way.open == len(contacts)
        assert way.path.tolist() == sorted(way.path.tolist())
        assert len(np.unique(way.path)) == len(way.worth)
