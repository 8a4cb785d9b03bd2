"""Each interval by itself: figures of others, laws, and how often it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.ope.batch import Floats
from experiments.ope.intervals import (
    bootstrap,
    clopper_pearson,
    confidence_sequence,
    cressie_read,
    empirical_bernstein,
    normal,
    student,
)
from experiments.ope.intervals.boundaries import (
    empirical_bernstein_sequence,
    gamma_exponential,
    normal_mixture,
    poly_stitching,
)

GOLDEN = Path(__file__).parents[2] / "golden"
THEIRS: dict[str, Any] = json.loads((GOLDEN / "intervals.json").read_text())
BOUNDS: dict[str, Any] = json.loads((GOLDEN / "confidence_sequences.json").read_text())["values"]
Ends = tuple[float, float]
Weighted = Callable[..., Ends]
WEIGHTED: list[Weighted] = [cressie_read, confidence_sequence, clopper_pearson]
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def log() -> tuple[Floats, Floats]:
    """Weights and weighted rewards of the golden log."""
    rng = np.random.default_rng(3)
    logged = rng.uniform(0.1, 0.9, THEIRS["n"])
    reward = rng.random(THEIRS["n"]) < 0.3
    weight = np.clip(logged * rng.uniform(0.2, 2, THEIRS["n"]), 0, 1) / logged
    return weight, weight * reward


def drawn(seed: int, m: int = 60) -> tuple[Floats, Floats]:
    """Weights of mean 1 and weighted rewards in [0, 1] times them."""
    rng = np.random.default_rng(seed)
    weight = rng.gamma(0.7, 1 / 0.7, m)
    return weight, weight * rng.beta(0.5, 1.5, m)


def test_the_normal_interval_is_theirs(log: tuple[Floats, Floats]) -> None:
    value = float(log[1].mean())
    assert value == pytest.approx(THEIRS["ips"], abs=1e-12)
    assert normal(value, log[1] - value, len(log[1]), 0.95) == pytest.approx(THEIRS["gaussian"], abs=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(cressie_read, "cressieread_int"), (clopper_pearson, "clopper_pearson"), (confidence_sequence, "cs")],
)
def test_intervals_of_weighted_rewards_are_theirs(
    log: tuple[Floats, Floats], ours: Weighted, theirs: str
) -> None:
    assert ours(*log, 0.95, bounds=(0.0, 1.0)) == pytest.approx(THEIRS[theirs], abs=1e-9)


def test_uniform_boundaries_are_theirs() -> None:
    near, far, exponential, stitched, sequence = BOUNDS.values()
    assert normal_mixture(10, 0.05, v_opt=100) == pytest.approx(near, abs=1e-9)
    assert normal_mixture(1000, 0.05, v_opt=100) == pytest.approx(far, abs=1e-9)
    assert gamma_exponential(100, 0.05, v_opt=100, scale=2) == pytest.approx(exponential, abs=1e-9)
    assert poly_stitching(100, 0.05, v_min=10, scale=3) == pytest.approx(stitched, abs=1e-9)
    flips = (np.random.default_rng(0).random(500) < 0.3).astype(float)
    assert empirical_bernstein_sequence(flips, 0.95) == pytest.approx(sequence, abs=1e-9)


@settings(deadline=None)
@given(SEEDS, st.floats(0.5, 0.98))
def test_a_higher_level_is_never_narrower(seed: int, level: float) -> None:
    weight, rewarded = drawn(seed)
    psi = rewarded - rewarded.mean()
    higher = (1 + level) / 2
    for interval in (normal, student):
        assert widens(interval(0.0, psi, 60, level), interval(0.0, psi, 60, higher))
    for weighted in WEIGHTED:
        usual, wide = (weighted(weight, rewarded, at, bounds=(0.0, 1.0)) for at in (level, higher))
        assert widens(usual, wide)


@settings(deadline=None)
@given(SEEDS, st.floats(-50, 50), st.floats(0.01, 100))
def test_another_currency_gives_the_same_interval_in_it(seed: int, shift: float, scale: float) -> None:
    weight, rewarded = drawn(seed)
    moved = scale * rewarded + shift * weight
    for weighted in WEIGHTED:
        there = weighted(weight, rewarded, 0.95, bounds=(0.0, 1.0))
        here = weighted(weight, moved, 0.95, bounds=(shift, shift + scale))
        assert here == pytest.approx([shift + scale * end for end in there], abs=1e-5 * scale)


@settings(deadline=None)
@given(SEEDS)
def test_intervals_of_bounded_rewards_stay_within_the_bounds(seed: int) -> None:
    for weighted in WEIGHTED:
        low, high = weighted(*drawn(seed, 12), 0.95, bounds=(0.0, 1.0))
        assert 0 <= low <= high <= 1


@settings(deadline=None)
@given(SEEDS)
def test_the_order_of_customers_matters_to_the_sequence_alone(seed: int) -> None:
    weight, rewarded = drawn(seed)
    back = weight[::-1].copy(), rewarded[::-1].copy()
    for weighted in (cressie_read, clopper_pearson):
        there = weighted(weight, rewarded, 0.95, bounds=(0.0, 1.0))
        assert weighted(*back, 0.95, bounds=(0.0, 1.0)) == pytest.approx(there, abs=1e-9)


@settings(deadline=None)
@given(SEEDS, st.floats(2, 40))
def test_fewer_degrees_of_freedom_widen_cressie_read(seed: int, freedom: float) -> None:
    weight, rewarded = drawn(seed)
    usual = cressie_read(weight, rewarded, 0.95, bounds=(0.0, 1.0))
    assert widens(usual, cressie_read(weight, rewarded, 0.95, bounds=(0.0, 1.0), freedom=freedom))


@settings(deadline=None)
@given(SEEDS)
def test_students_interval_is_wider_than_the_normal_one_and_bernsteins_than_both(seed: int) -> None:
    rewarded = drawn(seed)[1]
    psi = rewarded - rewarded.mean()
    plain, wide = normal(0.5, psi, 60, 0.95), student(0.5, psi, 60, 0.95)
    assert widens(plain, wide)
    assert widens(plain, empirical_bernstein(0.5, psi, 60, 0.95, reach=float(np.ptp(rewarded))))


def test_the_bootstrap_is_that_of_its_seed_and_leans_where_influence_is_skewed() -> None:
    """Seed 1, 80 customers with exponential influence: the long tail's end lies farther out."""
    rewarded = np.random.default_rng(1).exponential(size=80)
    psi = rewarded - rewarded.mean()
    low, high = bootstrap(1.0, psi, 80, 0.95, seed=5)
    assert (low, high) == bootstrap(1.0, psi, 80, 0.95, seed=5)
    assert (low, high) != bootstrap(1.0, psi, 80, 0.95, seed=6)
    assert high - 1.0 > 1.1 * (1.0 - low)


def test_the_bootstrap_says_endless_where_no_resample_has_any_spread() -> None:
    assert bootstrap(1.0, np.zeros(9), 9, 0.95, seed=0) == (-np.inf, np.inf)


@pytest.mark.parametrize("weighted", [cressie_read, confidence_sequence])
def test_intervals_of_few_heavy_weights_hold_where_normal_ones_dont(weighted: Weighted) -> None:
    """Seed 2, 1,000 logs of 60 customers, weight 20 for one in 20, reward .2: an effective sample of 3.

    An interval that covers 95 % fails this about once in a million; the normal one covers about 45 %.
    """
    rng = np.random.default_rng(2)
    held = plain = 0
    for _ in range(1_000):
        weight = np.where(rng.random(60) < 0.05, 20.0, 0.0)
        rewarded = weight * (rng.random(60) < 0.2)
        low, high = weighted(weight, rewarded, 0.95, bounds=(0.0, 1.0))
        held += low <= 0.2 <= high
        value = float(rewarded.mean())
        low, high = normal(value, rewarded - value, 60, 0.95)
        plain += low <= 0.2 <= high
    assert held >= 917
    assert plain < 700


def widens(inner: Ends, outer: Ends) -> bool:
    return outer[0] <= inner[0] + 1e-9 and inner[1] <= outer[1] + 1e-9
