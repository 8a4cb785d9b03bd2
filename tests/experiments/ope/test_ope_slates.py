"""Slates of independent slots: which estimator holds under which model of the reward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.ope import estimate, slots
from nba.errors import InvalidInput

SLOTS, ARMS = 3, 4
LOGGING = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
TARGET = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])
EFFECT = np.array([[0.0, 0.1, 0.2, 0.3], [0.3, 0.2, 0.1, 0.0], [0.2, 0.0, 0.1, 0.1]])


def drawn(rng: np.random.Generator, m: int) -> dict[str, Any]:
    arm = (LOGGING.cumsum(axis=1)[None] > rng.random((m, SLOTS, 1))).argmax(axis=2)
    return {"arm": arm, "propensity": LOGGING[np.arange(SLOTS), arm], "target": TARGET}


def test_slots_with_rewards_of_their_own_add_up_to_the_slate() -> None:
    """Seed 1, 20,000 slates; five standard errors: a false alarm in two million."""
    rng = np.random.default_rng(1)
    log = drawn(rng, 20_000)
    mean = EFFECT[np.arange(SLOTS), log["arm"]]
    batch = slots(reward=(rng.random(mean.shape) < mean), **log, q_hat=np.tile(EFFECT, (20_000, 1, 1)))
    truth = float((TARGET * EFFECT).sum())
    assert batch.units == 20_000
    for name in ("ips", "snips", "dr", "sndr"):
        found = estimate(name, batch)
        assert abs(found.value - truth) < 5 * found.stderr, name
        assert found.stderr < 0.03


def test_the_pseudo_inverse_needs_only_the_slates_reward_where_effects_add() -> None:
    """Seed 2, 50,000 slates; five standard errors. IPS on the same rows would miss by far."""
    rng = np.random.default_rng(2)
    log = drawn(rng, 50_000)
    whole = EFFECT[np.arange(SLOTS), log["arm"]].sum(axis=1) + rng.normal(0, 0.1, 50_000)
    batch = slots(reward=whole, **log)
    truth = float((TARGET * EFFECT).sum())
    found = estimate("pseudo-inverse", batch, slots=SLOTS)
    assert abs(found.value - truth) < 5 * found.stderr
    assert abs(estimate("ips", batch).value - truth) > 5 * found.stderr


def test_the_pseudo_inverse_misses_what_slots_do_to_each_other() -> None:
    """Seed 3, 50,000 slates whose reward is 1 where the first two slots agree; a known bias."""
    rng = np.random.default_rng(3)
    log = drawn(rng, 50_000)
    batch = slots(reward=(log["arm"][:, 0] == log["arm"][:, 1]).astype(float), **log)
    truth = float((TARGET[0] * TARGET[1]).sum())
    found = estimate("pseudo-inverse", batch, slots=SLOTS)
    assert abs(found.value - truth) > 5 * found.stderr
    product = batch.weight.reshape(-1, SLOTS).prod(axis=1) * batch.reward.reshape(-1, SLOTS)[:, 0]
    assert abs(product.mean() - truth) < 5 * product.std() / np.sqrt(50_000)


def test_one_slot_is_no_slate() -> None:
    rng = np.random.default_rng(4)
    arm = rng.integers(0, 3, (500, 1))
    log = {"arm": arm, "propensity": np.full((500, 1), 1 / 3), "target": np.array([[0.5, 0.3, 0.2]])}
    batch = slots(reward=rng.random(500), **log)
    assert estimate("pseudo-inverse", batch) == estimate("ips", batch)


def test_shapes_that_dont_fit_are_named() -> None:
    log = drawn(np.random.default_rng(5), 10)
    for wrong, field in (
        ({"arm": np.zeros(10, dtype=int)}, "arm"),
        ({"reward": np.zeros((10, 2))}, "reward"),
        ({"target": np.zeros((4, 4))}, "target"),
        ({"customer": np.zeros(9)}, "customer"),
        ({"q_hat": np.zeros((10, 3, 4))}, "q_hat"),
    ):
        with pytest.raises(InvalidInput) as error:
            slots(**{"reward": np.zeros(10), **log, **wrong})
        assert error.value.errors[0].field == field
    with pytest.raises(InvalidInput, match="slots"):
        estimate("pseudo-inverse", slots(reward=np.ones(10), **log), slots=1.5)
