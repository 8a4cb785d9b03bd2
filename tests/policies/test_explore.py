"""Laws of odds: they sum, they respect refusals and the floor, and no row sees another."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.policies.draw import draw
from nba.policies.explore import (
    Explorer,
    Tree,
    epsilon_greedy,
    greedy,
    levels,
    softmax,
    squarecb,
    uniform,
    uniform_tree,
)
from nba.policies.policy import Bools, Floats
from tests.policies.shop import TEXT, shop

ARMS = shop().arms
TREE = Tree.of(ARMS)
K = len(ARMS)
EXPLORERS: dict[str, Explorer] = {
    "squarecb": squarecb(20.0, 0.7),
    "epsilon-greedy": epsilon_greedy(0.1),
    "softmax": softmax(0.5, 0.7),
    "uniform": uniform,
    "greedy": greedy,
}

floors = st.sampled_from([0.0, 0.02, 0.3, 1.0])
seeds = st.integers(0, 2**32 - 1)


def moments(seed: int, n: int, tied: bool = False) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(seed)
    scores = (
        rng.integers(0, 3, (n, K)).astype(float)
        if tied
        else rng.normal(size=(n, K)) * 10 ** rng.uniform(-6, 6)
    )
    eligible = rng.random((n, K)) < rng.random()
    eligible[:, 0] = True
    return scores, eligible


Spread = Callable[[list[float]], list[float]]


def squarecb_by_hand(gamma: float) -> Spread:
    def spread(values: list[float]) -> list[float]:
        best = values.index(max(values))
        odds = [1 / (len(values) + gamma * (values[best] - value)) for value in values]
        odds[best] = 1 - sum(p for i, p in enumerate(odds) if i != best)
        return odds

    return spread


def softmax_by_hand(scale: float) -> Spread:
    def spread(values: list[float]) -> list[float]:
        parts = [math.exp((value - max(values)) / scale) for value in values]
        return [part / sum(parts) for part in parts]

    return spread


def by_hand(scores: Floats, eligible: Bools, spread: Spread) -> Floats:
    """An explorer down the tree for one row, in plain Python."""

    def node(children: list[tuple[float, dict[int, float]]]) -> tuple[float, dict[int, float]]:
        values = [value for value, _ in children]
        odds = spread(values)
        below = {arm: p * q for p, (_, arms) in zip(odds, children, strict=True) for arm, q in arms.items()}
        return sum(p * value for p, value in zip(odds, values, strict=True)), below

    nested: dict[int, dict[int, list[int]]] = {}
    for arm in np.flatnonzero(eligible):
        nested.setdefault(ARMS.action[arm], {}).setdefault(ARMS.channel[arm], []).append(int(arm))
    root = [
        node([node([(float(scores[a]), {a: 1.0}) for a in arms]) for arms in channels.values()])
        for channels in nested.values()
    ]
    odds = np.zeros(K)
    for leaf, p in node(root)[1].items():
        odds[leaf] = p
    return odds


@pytest.mark.parametrize("name", EXPLORERS)
@given(seed=seeds, floor=floors, tied=st.booleans())
@settings(max_examples=60, deadline=None)
def test_odds_sum_to_one_spare_refused_arms_and_keep_the_floor(
    name: str, seed: int, floor: float, tied: bool
) -> None:
    scores, eligible = moments(seed, 20, tied)
    odds = TREE.odds(scores, eligible, EXPLORERS[name], floor)
    assert np.abs(odds.sum(axis=1) - 1).max() <= 1e-9
    assert (odds[~eligible] == 0).all()
    assert (odds >= floor * uniform_tree(ARMS, eligible)).all()


@pytest.mark.parametrize("name", EXPLORERS)
@given(seed=seeds, tied=st.booleans())
@settings(max_examples=10, deadline=None)
def test_a_row_alone_has_the_bits_it_has_among_a_thousand(name: str, seed: int, tied: bool) -> None:
    scores, eligible = moments(seed, 1000, tied)
    odds = TREE.odds(scores, eligible, EXPLORERS[name], 0.05, 0.3)
    for i in range(0, 1000, 37):
        row = slice(i, i + 1)
        alone = TREE.odds(scores[row].copy(), eligible[row].copy(), EXPLORERS[name], 0.05, 0.3)
        assert np.array_equal(alone[0], odds[i])


@pytest.mark.parametrize(
    ("explorer", "spread"),
    [
        (squarecb(20.0, 0.5), squarecb_by_hand(20.0 / 0.5)),
        (softmax(3.0, 0.5), softmax_by_hand(3.0 * 0.5)),
    ],
    ids=["squarecb", "softmax"],
)
@given(seed=seeds, tied=st.booleans())
@settings(max_examples=60, deadline=None)
def test_odds_down_the_tree_are_what_plain_python_gives(
    explorer: Explorer, spread: Spread, seed: int, tied: bool
) -> None:
    scores, eligible = moments(seed, 3, tied)
    odds = TREE.odds(scores, eligible, explorer, 0.0)
    for i in range(3):
        assert odds[i] == pytest.approx(by_hand(scores[i], eligible[i], spread), abs=1e-12)


def test_squarecb_down_a_tree_of_4800_arms_leaves_the_best_nine_tenths_and_flat_less_than_half() -> None:
    """200 actions × 4 channels × 6 timings, γ = 1000, scores of deviation near 1; seed 0, 40 rows."""
    one = shop(
        text=TEXT[: TEXT.index("channels:")]
        + "channels: {a: {}, b: {}, c: {}, d: {}}\n"
        + "timings: {t0: {}, t1: {}, t2: {}, t3: {}, t4: {}, t5: {}}\n"
        + "actions: {own: {channels: [a, b, c, d], timings: [t0, t1, t2, t3, t4, t5]}}\n"
    )
    arms = bring(one, tuple(BroughtAction(id=f"theirs-{i}") for i in range(199))).arms
    assert len(arms) == 4_801
    rng = np.random.default_rng(0)
    pairs = arms.action * 5 + arms.channel
    scores = rng.normal(size=(40, 201))[:, arms.action]
    scores += 0.5 * rng.normal(size=(40, 1_010))[:, pairs] + 0.3 * rng.normal(size=(40, 4_801))
    explore = squarecb(1_000.0, 1.0)
    odds = Tree.of(arms).odds(scores, np.ones(scores.shape, dtype=bool), explore, 0.0)
    flat = explore(scores.T[:, None, :], np.ones((4_801, 1, 40)), np.full((1, 40), 4_801.0))
    assert 0.88 < odds.max(axis=1).mean() < 0.94
    assert 0.40 < flat.max(axis=0).mean() < 0.50


@given(seed=seeds, tied=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_odds_of_the_levels_are_conditional_and_multiply_to_the_arms(seed: int, tied: bool) -> None:
    scores, eligible = moments(seed, 40, tied)
    odds = TREE.odds(scores, eligible, squarecb(20.0, 1.0), 0.1)
    arm = draw(odds, np.random.default_rng(seed).random(40))
    parts = levels(odds, ARMS, arm)
    assert parts.shape == (40, 3)
    assert parts.prod(axis=1) == pytest.approx(odds[np.arange(40), arm], rel=1e-12)
    for i in range(40):
        same_action = ARMS.action == ARMS.action[arm[i]]
        same_pair = same_action & (ARMS.channel == ARMS.channel[arm[i]])
        assert parts[i, 0] == pytest.approx(odds[i, same_action].sum(), rel=1e-12)
        assert parts[i, 1] == pytest.approx(odds[i, same_pair].sum() / odds[i, same_action].sum(), rel=1e-12)
        assert np.array_equal(levels(odds[i : i + 1].copy(), ARMS, arm[i : i + 1])[0], parts[i])


def test_silence_has_its_odds_at_the_first_level_and_certainty_below() -> None:
    odds = TREE.odds(np.zeros((1, K)), np.ones((1, K), dtype=bool), uniform, 0.0)
    assert levels(odds, ARMS, np.zeros(1, dtype=np.int64)).tolist() == [[pytest.approx(1 / 6), 1.0, 1.0]]


@given(seed=seeds, ceiling=st.sampled_from([0.0, 0.1, 1.0]), floor=floors)
@settings(max_examples=40, deadline=None)
def test_odds_found_elsewhere_are_settled_as_an_explorers_are(
    seed: int, ceiling: float, floor: float
) -> None:
    scores, eligible = moments(seed, 20)
    free = TREE.odds(scores, eligible, EXPLORERS["squarecb"], 0.0)
    best = np.where(eligible, scores, -np.inf).argmax(axis=1)
    settled = TREE.settled(free, best, eligible, floor, ceiling)
    expected = TREE.odds(scores, eligible, EXPLORERS["squarecb"], floor, ceiling)
    assert settled == pytest.approx(expected, abs=1e-15)
    assert (settled >= floor * uniform_tree(ARMS, eligible)).all()


def test_uniform_is_uniform_over_actions_then_channels_then_timings() -> None:
    odds = uniform_tree(ARMS, np.ones((1, K), dtype=bool))[0]
    assert odds[0] == pytest.approx(1 / 6)
    assert odds[ARMS.find("bogo", "push", "evening")] == pytest.approx(1 / 24)
    assert odds[ARMS.find("ten-off", "call", "now")] == pytest.approx(1 / 18)
    assert odds[ARMS.find("ring-back", "call", "now")] == pytest.approx(1 / 6)


def test_refusals_leave_u_uniform_over_what_is_left_at_each_node() -> None:
    eligible = np.ones((1, K), dtype=bool)
    eligible[0, ARMS.find("bogo", "push", "now")] = False
    eligible[0, ARMS.find("ring-back", "call", "now")] = False
    odds = uniform_tree(ARMS, eligible)[0]
    assert odds[ARMS.find("bogo", "push", "evening")] == pytest.approx(1 / 10)
    assert odds[0] == pytest.approx(1 / 5)


def test_greedy_takes_the_first_of_tied_arms() -> None:
    odds = TREE.odds(np.zeros((2, K)), np.ones((2, K), dtype=bool), greedy, 0.0)
    assert (odds.argmax(axis=1) == 0).all()
    assert (odds.max(axis=1) == 1).all()


@pytest.mark.parametrize("name", ["squarecb", "epsilon-greedy", "softmax"])
@given(seed=seeds, ceiling=st.sampled_from([0.0, 0.1, 0.5, 1.0]), tied=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_arms_beside_the_best_get_at_most_the_ceiling_in_unchanged_proportions(
    name: str, seed: int, ceiling: float, tied: bool
) -> None:
    scores, eligible = moments(seed, 20, tied)
    free = TREE.odds(scores, eligible, EXPLORERS[name], 0.0)
    odds = TREE.odds(scores, eligible, EXPLORERS[name], 0.0, ceiling)
    rows, best = np.arange(20), np.where(eligible, scores, -np.inf).argmax(axis=1)
    rest, free_rest = 1 - odds[rows, best], 1 - free[rows, best]
    assert odds.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-9)
    assert rest == pytest.approx(np.minimum(free_rest, ceiling), abs=1e-12)
    odds[rows, best] = free[rows, best] = 0
    assert odds * free_rest[:, None] == pytest.approx(free * rest[:, None], abs=1e-12)


def test_squarecb_with_nothing_but_silence_is_silent() -> None:
    eligible = np.zeros((1, K), dtype=bool)
    eligible[0, 0] = True
    odds = TREE.odds(np.full((1, K), 5.0), eligible, squarecb(20.0, 1e-300), 0.05)
    assert odds[0, 0] == pytest.approx(1.0)
    assert (odds[0, 1:] == 0).all()


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_no_uniform_draws_an_arm_without_odds(seed: int) -> None:
    scores, eligible = moments(seed, 50)
    odds = TREE.odds(scores, eligible, squarecb(20.0, 1.0), 0.02)
    rng = np.random.default_rng(seed)
    for uniforms in (np.zeros(50), np.full(50, 1 - 2.0**-53), rng.random(50)):
        arm = draw(odds, uniforms)
        assert (odds[np.arange(50), arm] > 0).all()


def test_draws_come_as_often_as_their_odds() -> None:
    """Seed 3, 200,000 draws; a correct draw fails this about once in a million (z = 5 on each arm)."""
    scores, eligible = moments(3, 1)
    odds = TREE.odds(scores, eligible, squarecb(20.0, 1.0), 0.2)
    n = 200_000
    arm = draw(np.repeat(odds, n, axis=0), np.random.default_rng(3).random(n))
    counts = np.bincount(arm, minlength=K)
    assert np.abs(counts - n * odds[0]).max() <= 5 * np.sqrt(n * odds[0] * (1 - odds[0])).max()


def test_the_edges_of_the_uniform_draw_the_first_and_the_last_arm_with_odds() -> None:
    odds = np.array([[0.0, 0.25, 0.0, 0.75, 0.0]])
    assert draw(odds, np.array([0.0]))[0] == 1
    assert draw(odds, np.array([np.nextafter(0.25, 0)]))[0] == 1
    assert draw(odds, np.array([0.25]))[0] == 3
    assert draw(odds, np.array([1 - 2.0**-53]))[0] == 3
