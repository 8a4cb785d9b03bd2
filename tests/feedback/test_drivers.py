"""What sets the unhappy apart: the effect as counted pair by pair, errors by customer, many looks at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.report.feedback.drivers import drivers
from nba.errors import NotEnoughData


def people(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.random(n) < 0.4, np.arange(n), rng


@given(st.integers(0, 10_000))
def test_the_effect_is_the_share_of_pairs_above_less_that_below(seed: int) -> None:
    unhappy, customer, rng = people(60, seed)
    if not 10 <= unhappy.sum() <= 50:
        return
    x = rng.integers(0, 4, 60).astype(float)
    x[rng.random(60) < 0.1] = np.inf
    (found,) = drivers(unhappy, customer, {"x": x}).found
    pairs = [float(a > b) - float(a < b) for a in x[unhappy] for b in x[~unhappy]]
    assert found.delta == pytest.approx(np.mean(pairs))
    assert found.low <= found.delta <= found.high


def test_of_a_yes_or_no_fact_it_is_the_difference_of_shares() -> None:
    unhappy, customer, rng = people()
    x = (rng.random(200) < 0.3).astype(float)
    (found,) = drivers(unhappy, customer, {"x": x}).found
    assert found.yes_or_no
    assert found.delta == pytest.approx(x[unhappy].mean() - x[~unhappy].mean())
    assert (found.unhappy, found.others) == (x[unhappy].mean(), x[~unhappy].mean())


def test_a_planted_cause_comes_first_and_stands_out_among_many_that_are_none() -> None:
    unhappy, customer, rng = people(400)
    facts = {f"chance {i}": rng.normal(size=400) for i in range(30)}
    facts["complaint"] = np.where(rng.random(400) < 0.3 + 0.4 * unhappy, 1.0, 0.0)
    found = drivers(unhappy, customer, facts)
    assert found.found[0].name == "complaint"
    assert found.found[0].size in ("medium", "large")
    assert [d.name for d in found.standing_out] == ["complaint"]


def test_chance_alone_seldom_stands_out_however_many_facts_are_looked_at() -> None:
    """300 surveys of 10 facts that mean nothing, customers answering three times: at most 5 % may find one;
    40 alarms or more (13 %) come about once in a hundred million, and errors by row would give over 100."""
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        customer = np.repeat(np.arange(60), 3)
        unhappy = (rng.random(60) < 0.4)[customer]
        facts = {str(i): rng.normal(size=60)[customer] for i in range(10)}
        alarms += bool(drivers(unhappy, customer, facts).standing_out)
    assert alarms < 40


def test_a_fact_that_parts_the_sides_wholly_keeps_an_interval() -> None:
    unhappy, customer, _ = people(40)
    (found,) = drivers(unhappy, customer, {"x": unhappy.astype(float)}).found
    assert found.delta == 1.0
    assert found.low < 0.95


def test_facts_that_can_t_be_compared_are_named_with_the_reason() -> None:
    unhappy, customer, rng = people(60)
    few = np.full(60, np.nan)
    few[:8] = rng.random(8)
    rare = np.zeros(60)
    rare[:2] = 1.0
    found = drivers(unhappy, customer, {"few": few, "rare": rare, "same": np.full(60, 3.0)})
    assert set(found.skipped) == {"few", "rare", "same"}
    assert found.found == ()


def test_few_on_one_side_are_told_with_the_figures() -> None:
    with pytest.raises(NotEnoughData, match="unhappy 3"):
        drivers(np.arange(40) < 3, np.arange(40), {"x": np.arange(40.0)})
    with pytest.raises(NotEnoughData, match="unhappy 1"):  # thirty answers of one customer are one customer
        drivers(np.arange(60) < 30, np.where(np.arange(60) < 30, 0, np.arange(60)), {"x": np.arange(60.0)})
