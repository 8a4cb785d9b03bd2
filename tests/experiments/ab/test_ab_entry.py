"""Each customer enters once, in order of maturity; and the split is watched as they enter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.ab import Entries, Moments, Ratio, evenly, sequential_srm
from nba.errors import InvalidInput

ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)), max_size=30
)


def entries(rows: list[tuple[int, ...]]) -> tuple[Entries, np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=float).reshape(-1, 4)
    customers = [f"c{i}" for i in range(len(table))]
    made = Entries.of(table[:, 0], table[:, 1].astype(int), 3, customers)
    return made, table[:, 2], table[:, 3]


@given(rows=ROWS, cuts=st.lists(st.integers(0, 30), max_size=5))
def test_sums_at_a_cut_are_those_of_the_customers_who_matured_first(
    rows: list[tuple[int, ...]], cuts: list[int]
) -> None:
    made, y, x = entries(rows)
    cuts = sorted(min(cut, len(rows)) for cut in cuts)
    first = sorted(range(len(rows)), key=lambda i: (rows[i][0], f"c{i}"))
    for cut, means, ratios, counts in zip(
        cuts, made.moments(cuts, y, x), made.ratios(cuts, y, x + 1), made.counts(cuts), strict=True
    ):
        for which in range(3):
            there = [i for i in first[:cut] if rows[i][1] == which]
            assert means[which] == Moments.of(y[there], x[there])
            assert ratios[which] == Ratio.of(y[there], x[there] + 1)
            assert counts[which] == len(there)


def test_the_order_in_which_customers_are_given_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    when, arm, y = rng.integers(0, 9, 40).astype(float), rng.integers(0, 2, 40), rng.integers(0, 9, 40)
    names = [f"c{i:02}" for i in range(40)]
    shuffled = rng.permutation(40)
    one = Entries.of(when, arm, 2, names).moments([10, 40], y)
    other = Entries.of(when[shuffled], arm[shuffled], 2, [names[i] for i in shuffled])
    assert other.moments([10, 40], y[shuffled]) == one


def test_customers_count_from_the_moment_their_window_has_closed() -> None:
    made = Entries.of([30.0, 10.0, 20.0], [0, 1, 0], 2, ["a", "b", "c"])
    assert [made.mature(as_of) for as_of in (9.9, 10.0, 25.0, 99.0)] == [0, 1, 2, 3]
    assert made.matured_at.tolist() == [10.0, 20.0, 30.0]
    assert len(made) == 3


def test_even_cuts_end_with_the_last_customer() -> None:
    assert evenly(10, 4) == [2, 5, 8, 10]
    assert evenly(1_000, 1) == [1_000]


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("customer", lambda: Entries.of([1.0, 2.0], [0, 1], 2, ["a", "a"])),
        ("arm", lambda: Entries.of([1.0, 2.0], [0, 2], 2, ["a", "b"])),
        ("arm", lambda: Entries.of([1.0, 2.0], [0], 2, ["a", "b"])),
        ("matured_at", lambda: Entries.of([1.0, float("nan")], [0, 1], 2, ["a", "b"])),
        ("cuts", lambda: Entries.of([1.0, 2.0], [0, 1], 2, ["a", "b"]).moments([2, 1], [1.0, 2.0])),
        ("cuts", lambda: Entries.of([1.0, 2.0], [0, 1], 2, ["a", "b"]).counts([3])),
        ("values", lambda: Entries.of([1.0, 2.0], [0, 1], 2, ["a", "b"]).moments([1], [1.0])),
        ("looks", lambda: evenly(3, 4)),
        ("counts", lambda: sequential_srm([10], [1])),
        ("counts", lambda: sequential_srm([10, -1], [1, 1])),
        ("weights", lambda: sequential_srm([10, 10], [1, 0])),
        ("concentrations", lambda: sequential_srm([10, 10], [1, 1], concentrations=[0])),
        ("concentrations", lambda: sequential_srm([10, 10], [1, 1], concentrations=[])),
    ],
)
def test_a_wrong_entry_is_named(field: str, call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        call()
    assert refused.value.errors[0].field == field


def test_the_split_is_told_broken_while_customers_still_enter() -> None:
    assert sequential_srm([0, 0], [1, 1]) == 1.0
    assert sequential_srm([50_000, 50_050], [1, 1]) == 1.0
    assert sequential_srm([50_000, 52_000], [1, 1]) < 0.001
    assert sequential_srm([400, 600], [1, 1]) < 0.001
    assert sequential_srm([52_000, 25_000, 25_000], [2, 1, 1]) < 0.001
    assert sequential_srm([700_000, 200_000, 100_000], [7, 2, 1]) == 1.0


def test_the_split_s_p_value_is_the_bayes_factor_of_a_beta_prior() -> None:
    """Two arms: ∫ θ^a (1−θ)^b dBeta(θ; c/2, c/2) · 2^(a+b), by quadrature."""
    theta = np.linspace(0, 1, 200_001)[1:-1]
    prior = stats.beta.pdf(theta, 50, 50)
    factor = np.sum(stats.binom.pmf(40, 100, theta) * prior) * (theta[1] - theta[0])
    expected = stats.binom.pmf(40, 100, 0.5) / factor
    assert sequential_srm([40, 60], [1, 1], concentrations=[100]) == pytest.approx(expected, rel=1e-6)


@given(counts=st.lists(st.integers(0, 10_000), min_size=2, max_size=5), scale=st.floats(0.01, 100))
def test_the_scale_of_the_weights_and_the_order_of_the_arms_change_nothing(
    counts: list[int], scale: float
) -> None:
    weights = [i + 1.0 for i in range(len(counts))]
    found = sequential_srm(counts, weights)
    assert 0 <= found <= 1
    assert sequential_srm(counts, [scale * w for w in weights]) == pytest.approx(found, rel=1e-6)
    assert sequential_srm(counts[::-1], weights[::-1]) == pytest.approx(found, rel=1e-6)
