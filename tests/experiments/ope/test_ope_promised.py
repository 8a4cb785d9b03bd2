"""What the logging odds promise: equal to going through every draw, and heard where the log is silent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.coverage.cells import REWARDS, WEIGHTS
from experiments.coverage.world import World
from experiments.ope import LoggedBatch, difference, estimate
from experiments.ope.intervals.student import student
from experiments.ope.promised import Promised, promised
from experiments.ope.registry import terms_of
from nba.errors import NotEnoughData

SEEDS = st.integers(0, 2**32 - 1)


def told(batch: LoggedBatch, name: str = "dr", second: np.ndarray | None = None) -> Promised:
    targets = (batch.target,) if second is None else (batch.target, second)
    found = promised(batch, targets, [terms_of(name, replace(batch, target=each), {}) for each in targets])
    assert found is not None
    return found


def log(seed: int, n: int = 6, arms: int = 3, misses: float = 2.0) -> LoggedBatch:
    """A log on whose every row the model misses by the same amount, so that only the draw is chance."""
    rng = np.random.default_rng(seed)
    logging, target = rng.dirichlet(np.ones(arms), size=(2, n)) * 0.97 + 0.01
    arm = rng.integers(arms, size=n)
    q_hat = np.repeat(rng.normal(size=(n, 1)), arms, axis=1)
    return LoggedBatch(
        reward=q_hat[:, 0] + misses,
        arm=arm,
        propensity=logging[np.arange(n), arm],
        target=target,
        q_hat=q_hat,
        logging=logging,
    )


@given(SEEDS)
def test_spread_and_count_are_those_of_going_through_every_draw(seed: int) -> None:
    batch = log(seed)
    odds, weight = batch.logging, batch.target / batch.logging
    own = (batch.q_hat[:, 0] - batch.q_hat[:, 0].mean())[:, None]
    squared = (odds * (own**2 + 4 * (weight - 1) ** 2)).sum(axis=1)
    fourth = (odds * (own**4 + 6 * own**2 * 4 * (weight - 1) ** 2 + 16 * (weight - 1) ** 4)).sum(axis=1)
    found = told(batch)
    assert found.stderr == pytest.approx(squared.sum() ** 0.5 / 6)
    assert found.n_psi == pytest.approx(squared.sum() ** 2 / fourth.sum())


@given(SEEDS)
def test_it_does_not_hang_on_what_was_drawn(seed: int) -> None:
    """As long as what the weights multiply is alike on all rows."""
    batch = log(seed)
    arm = (batch.arm + 1) % 3
    other = replace(batch, arm=arm, propensity=batch.logging[np.arange(6), arm])
    assert told(batch).stderr == pytest.approx(told(other).stderr)
    assert told(batch).n_psi == pytest.approx(told(other).n_psi)


@given(SEEDS)
def test_a_customers_rows_add_as_independent_ones(seed: int) -> None:
    """Twice as many alike rows for each customer: the error falls by √2."""
    batch = log(seed)
    twice = {name: np.repeat(getattr(batch, name), 2, axis=0) for name in ("reward", "arm", "propensity")}
    tables = {name: np.repeat(getattr(batch, name), 2, axis=0) for name in ("target", "q_hat", "logging")}
    doubled = replace(batch, **twice, **tables, customer=np.repeat(np.arange(6), 2))
    assert told(doubled).stderr == pytest.approx(told(batch).stderr / 2**0.5)


@pytest.mark.parametrize("name", ["clipped-ips", "dr-os", "switch-dr", "mips", "dm"])
def test_bent_weights_are_promised_nothing(name: str) -> None:
    batch = replace(log(1), embedding=np.arange(3))
    assert promised(batch, (batch.target,), [terms_of(name, batch, {})]) is None


def test_without_the_odds_of_all_arms_nothing_is_promised() -> None:
    batch = replace(log(1), logging=None)
    assert promised(batch, (batch.target,), [terms_of("dr", batch, {})]) is None


def silent() -> tuple[LoggedBatch, np.ndarray]:
    """4,000 decisions, conversions at .3; the target wants an arm of odds .002 in a tenth of the contexts,
    where it was never drawn."""
    rng = np.random.default_rng(3)
    n, at = 4_000, np.arange(4_000) < 400
    champion = np.where(at[:, None], [0.998, 0.002], [0.7, 0.3])
    target = np.where(at[:, None], [0.002, 0.998], [0.65, 0.35])
    arm = np.where(at, 0, rng.random(n) < 0.3).astype(np.int64)
    batch = LoggedBatch(
        reward=(rng.random(n) < 0.3).astype(np.float64),
        arm=arm,
        propensity=champion[np.arange(n), arm],
        target=target,
        q_hat=np.full((n, 2), 0.3),
        logging=champion,
    )
    return batch, champion


def test_an_arm_that_was_never_drawn_is_not_forgotten() -> None:
    batch, champion = silent()
    sure = difference("dr", replace(batch, logging=None), batch.target, champion)
    found = difference("dr", batch, batch.target, champion)
    assert sure.interval == "student"
    assert sure.n_psi > 50
    assert found.n_psi < 5
    assert found.interval == "cressie-read"
    assert found.stderr > 3 * sure.stderr
    assert found.high - found.low > 3 * (sure.high - sure.low)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_with_plenty_of_draws_the_promise_is_what_was_seen(name: str) -> None:
    """Seed 4, an even log of 20,000: both within a tenth."""
    world, reward = WEIGHTS["light"], REWARDS["conversions.3"]
    (known,) = replace(world, known=True).logs(
        np.random.default_rng(4), logs=1, customers=20_000, decisions=1, reward=reward
    )
    batch = replace(known, logging=None)
    seen = estimate(name, batch)
    found = told(known, name)
    assert found.stderr == pytest.approx(seen.stderr, rel=0.1)
    assert seen.n_psi / 2 < found.n_psi < seen.n_psi * 2


def test_twins_are_covered_where_the_logs_own_count_is_not_enough() -> None:
    """200 logs, seed 5: 95 % intervals hold the difference in 93 % or more of those that are answered; from
    the drawn arm's odds alone the same interval holds in fewer than 80 %."""
    world, reward = World.twins(106, 0.001, 2), REWARDS["conversions.3"]
    logs = world.logs(np.random.default_rng(5), logs=200, customers=700, decisions=1, reward=reward)
    truth, held, alone = world.truth(reward), [], []
    for batch in logs:
        with suppress(NotEnoughData):
            found = difference("dr", batch, batch.target, batch.logging)
            held.append(found.low <= truth <= found.high)
        blind = promised_nothing(batch)
        alone.append(blind[0] <= truth <= blind[1])
    assert len(held) > 150
    assert np.mean(held) >= 0.93
    assert np.mean(alone) < 0.8


def promised_nothing(batch: LoggedBatch) -> tuple[float, float]:
    """Student's interval of the difference to what logged, by the influences of the log alone."""
    terms = [terms_of("dr", replace(batch, target=each), {}) for each in (batch.target, batch.logging)]
    each = terms[0].plain - terms[1].plain
    return student(float(each.mean()), each - each.mean(), len(each), 0.95)
