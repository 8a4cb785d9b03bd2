"""Where it hurts: figures by hand, what is planted is found, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import InvalidInput
from nba.journey.events import Events
from nba.journey.excess import Units, excesses
from nba.journey.jackknife import dealt, spread
from nba.journey.pain import Pains, pains
from tests.journey.tables import Row, events


def branching(stops: dict[str, int], cases: int = 100) -> Events:
    """Per first step so many cases; the first `stops[step]` of them end there, the others go on to Goal."""
    rows: list[Row] = []
    for first, stopping in stops.items():
        for i in range(cases):
            rows.append((f"{first}{i}", first, 0))
            rows += [(f"{first}{i}", "Goal", 10)] if i >= stopping else []
    return events(rows)


def test_lost_value_is_the_stops_beyond_the_usual_times_the_value_of_going_on() -> None:
    """Of 100 each 50 stop at A, 20 at B and at C. Elsewhere 40 of 200 do: 30 more than usual at A, and all
    who go on reach the goal."""
    found = pains(branching({"A": 50, "B": 20, "C": 20}), "Goal")
    worst = found.points[0]
    assert (worst.start, worst.units, worst.hits, worst.usual) == ("A", 100, 50, pytest.approx(20.0))
    assert worst.lost.value == pytest.approx(30.0)
    assert worst.lost.low < 30 < worst.lost.high
    assert {p.start: p.lost.value for p in found.points} == pytest.approx({"A": 30, "B": -15, "C": -15})
    assert found.unit == "cases that reach Goal"


def test_the_goal_itself_and_what_follows_it_is_no_pain() -> None:
    rows = [row for i in range(50) for row in [(f"c{i}", "Goal", 0), (f"c{i}", "After", 1)]]
    rows += [(f"d{i}", "Before", 0) for i in range(50)]
    assert {p.start for p in pains(events(rows), "Goal").points} <= {"Before"}


def test_cases_are_compared_with_those_as_far_into_their_journey() -> None:
    """At the second step everybody's share of stops is higher; the worse of two first steps still shows."""
    rows: list[Row] = []
    for i in range(400):
        first = "A" if i % 2 else "B"
        rows.append((f"c{i}", first, 0))
        if i % 2 == 0 or i % 10 != 1:  # a fifth stop at A, none at B
            rows.append((f"c{i}", "X" if i % 4 < 2 else "Y", 1))
            if i % 3 == 0:
                rows.append((f"c{i}", "Goal", 2))
    found = {p.start: p for p in pains(events(rows), "Goal").points}
    assert found["A"].usual == pytest.approx(0.0)
    assert found["A"].hits == 40
    assert abs(found["X"].lost.value) < 5 > abs(found["Y"].lost.value)


def test_where_hardly_anyone_goes_on_nothing_is_claimed_but_it_is_named() -> None:
    rows = [(f"c{i}", "Start", 0) for i in range(100)] + [(f"c{i}", "End", 1) for i in range(80)]
    found = pains(events(rows))
    assert found.unjudged == ("End",)
    assert "End" not in {p.start for p in found.points}


def test_a_transition_whose_slow_crossings_bring_less_is_a_bottleneck() -> None:
    rows: list[Row] = []
    for i in range(400):
        slow = i % 4 == 0
        rows += [(f"c{i}", "A", 0), (f"c{i}", "B", 100 + 1000 * slow + i % 7)]
        rows += [(f"c{i}", "Goal", 5_000)] if i % 10 < (2 if slow else 8) else []
    found = pains(events(rows), "Goal")
    worst = found.bottlenecks[0]
    assert (worst.start, worst.goal) == ("A", "B")
    assert worst.hits == 100
    assert worst.without is not None
    assert worst.with_hit is not None
    assert worst.lost.value == pytest.approx(worst.hits * (worst.without - worst.with_hit))
    assert worst.lost.low > 0
    assert worst.waited is not None
    assert worst.waited.value == pytest.approx(100 * 1000, rel=0.01)


def test_with_a_patience_a_late_return_is_a_stop_and_a_young_visit_is_not_yet_known() -> None:
    rows: list[Row] = [(f"c{i}", "A", 0) for i in range(60)] + [(f"c{i}", "B", 50) for i in range(30)]
    rows += [(f"d{i}", "A", 95) for i in range(40)] + [("e", "B", 100)]
    rows += [(f"f{i}", "B", 0) for i in range(40)] + [(f"f{i}", "B", 5) for i in range(20)]
    waiting = {p.start: p for p in pains(events(rows), patience=10).points}
    ever = {p.start: p for p in pains(events(rows)).points}
    assert "A" not in waiting  # all 60 stop, the 30 that come back come too late: nobody goes on
    assert (ever["A"].units, ever["A"].hits) == (100, 70)
    assert (waiting["B"].units, waiting["B"].hits) == (90, 70)


def test_value_after_a_visit_is_what_the_case_brings_later() -> None:
    rows = [row for i in range(60) for row in [(f"a{i}", "A", 0), (f"a{i}", "Buy", 5)][: 1 + (i % 2)]]
    rows += [row for i in range(60) for row in [(f"b{i}", "B", 0), (f"b{i}", "Buy", 5)]]
    value = [7.0 if step == "Buy" else 1.0 for _, step, _ in rows]
    found = {p.start: p for p in pains(events(rows, value=value)).points}
    assert (found["A"].without, found["A"].with_hit) == (7.0, 0.0)
    assert found["A"].lost.value == pytest.approx(30 * 7.0)


def test_what_going_on_is_worth_is_asked_of_those_as_far_in_not_of_the_longest_journeys() -> None:
    """300 stop at their first A, 200 buy once, 25 buy 60 times: a first A brings 75.56, any A 270."""
    rows: list[Row] = [(f"stops{i}", "A", 0) for i in range(300)]
    for name, customers, rounds in (("once", 200, 1), ("loyal", 25, 60)):
        for i in range(customers):
            rows += [
                (f"{name}{i}", step, 2 * k + b) for k in range(rounds) for b, step in enumerate(("A", "Buy"))
            ]
    value = [10.0 if step == "Buy" else 0.0 for _, step, _ in rows]
    found = {p.start: p for p in pains(events(rows, value=value)).points}
    assert found["A"].without == pytest.approx((200 * 10 + 25 * 600) / 225)
    assert 0 < found["A"].lost.value <= 300 * 75.6


def test_a_step_that_journeys_are_for_is_not_judged_and_told() -> None:
    """Everybody ends at a purchase sooner or later; that is no loss, and says nothing of the other steps."""
    rows: list[Row] = []
    for i in range(200):
        rows += [(f"c{i}", "B" if i % 2 else "A", 0)]
        rows += [(f"c{i}", "Buy", 1)] if i % 4 else []
    value = [10.0 if step == "Buy" else 0.0 for _, step, _ in rows]
    found = pains(events(rows, value=value), ends=("Buy", "Subscribe"))
    assert found.ends == ("Buy",)
    assert "Buy" not in {*found.unjudged, *(p.start for p in found.points)}
    assert {p.start: p.usual for p in found.points} == pytest.approx({"A": 0.0, "B": 50.0})
    assert pains(events(rows, value=value), "Buy", ends=("Buy",)).ends == ()


def test_what_follows_a_transition_is_counted_until_it_is_crossed_again() -> None:
    """100 cases go A, Buy four times, a quarter of them slowly, which brings 1 less each time: 100 in all."""
    rows: list[Row] = []
    value: list[float] = []
    for i in range(100):
        for k in range(4):
            slow = (i + k) % 4 == 0
            rows += [(f"c{i}", "A", 1000 * k), (f"c{i}", "Buy", 1000 * k + (500 if slow else 1))]
            value += [0.0, 0.0]
            rows.append((f"c{i}", "Pay", 1000 * k + 600))
            value.append(9.0 if slow else 10.0)
    found = {(p.start, p.goal): p for p in pains(events(rows, value=value)).bottlenecks}
    assert found["A", "Buy"].lost.value == pytest.approx(100.0)


def test_few_cases_and_one_step_have_nothing_to_compare() -> None:
    for rows in ([("a", "A", 0)], [(f"c{i}", "A", 0) for i in range(100)]):
        found = pains(events(rows))
        assert (found.points, found.bottlenecks) == ((), ())


def test_a_goal_that_is_not_there_and_no_patience_are_refused() -> None:
    some = events([("a", "Purchase", 0)])
    with pytest.raises(InvalidInput, match="did you mean 'Purchase'"):
        pains(some, "purchase")
    with pytest.raises(InvalidInput, match="patience"):
        pains(some, patience=0.0)
    with pytest.raises(InvalidInput, match="level"):
        pains(some, level=0.0)


def test_the_jackknife_of_a_total_is_its_textbook_standard_error() -> None:
    """One row a cluster and as many groups: √(n·s²) for a total."""
    values = np.random.default_rng(1).normal(3.0, 2.0, 40)
    group, groups = dealt(np.arange(40))
    sums = np.bincount(group, values, minlength=groups)[:, None]
    found = spread(sums, lambda total: total)
    assert groups == 40
    assert found.value[0] == pytest.approx(values.sum())
    assert found.stderr[0] == pytest.approx(np.sqrt(40 * values.var(ddof=1)))


def test_clusters_are_dealt_into_groups_of_one_size() -> None:
    cluster = np.repeat(np.arange(1_003), 3)
    group, groups = dealt(cluster)
    sizes = np.bincount(group[::3], minlength=groups)
    assert groups == 50
    assert sizes.max() - sizes.min() <= 1
    assert all(len(set(group[cluster == c])) == 1 for c in range(0, 1_003, 97))


def test_95_percent_intervals_of_lost_value_cover_the_truth_when_cases_of_a_customer_are_alike() -> None:
    """150 worlds (seed 7) of 400 customers with 1 to 3 cases that share the customer's mood. At A stops are
    .5 against .3 at B, where all begin with one of the two by even chances; who goes on brings 1. So the
    lost value at A is 800 · ½ · (.5 − .3). The list holds two intervals together, so each covers at least
    95 %; a right one falls below 92 % of 150 in fewer than one of 100 seeds."""
    random = np.random.default_rng(7)
    covered = sum(_covers(_world(random), 80.0) for _ in range(150))
    assert covered >= 0.92 * 150


def _world(random: np.random.Generator) -> Events:
    owner = np.repeat(np.arange(400), random.integers(1, 4, 400))
    mood = random.random(400)[owner]
    first = np.where(random.random(len(owner)) < 0.5, "A", "B")
    going = mood * 0.6 + 0.2 > np.where(first == "A", 0.5, 0.38)  # P = .5 and .7
    rows, cluster = [], []
    for i, (place, goes) in enumerate(zip(first.tolist(), going.tolist(), strict=True)):
        steps = [place, "Goal"] if goes else [place]
        rows += [(f"c{i}", step, at) for at, step in enumerate(steps)]
        cluster += [f"customer {owner[i]}"] * len(steps)
    return events(rows, cluster=cluster)


def _covers(world: Events, truth: float) -> bool:
    found: Pains = pains(world, "Goal")
    at_a = next(p for p in found.points if p.start == "A")
    return at_a.lost.low <= truth <= at_a.lost.high


def test_what_a_stop_costs_is_told_by_cases_as_far_into_their_journey() -> None:
    """Half stop at their first event, where going on brings 1; at the fifth nobody stops and 1,000 follow."""
    first, fifth = np.full(100, 1), np.full(100, 5)
    found = excesses(
        Units(
            place=np.repeat([0, 1], 200),
            depth=np.concatenate([first, fifth] * 2),
            cluster=np.arange(400),
            hit=np.concatenate([np.arange(100) % 2, np.zeros(300)]).astype(np.float64),
            after=np.concatenate([1.0 - np.arange(100) % 2, np.full(100, 1_000.0)] * 2),
        )
    )
    assert found is not None
    lost = dict(zip(found.place.tolist(), found.lost.value.tolist(), strict=True))
    assert lost[0] == pytest.approx(50 * 1.0)
