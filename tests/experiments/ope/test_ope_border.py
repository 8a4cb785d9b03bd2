"""What is refused, and with which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.ope import ESTIMATORS, LoggedBatch, difference, estimate
from nba.errors import InvalidInput, NotEnoughData

GOOD: dict[str, Any] = {
    "reward": [1.0, 0.0, 2.0],
    "arm": [0, 1, 1],
    "propensity": [0.5, 0.5, 1.0],
    "target": [[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reward", [1.0, 0.0]),
        ("reward", [1.0, 0.0, np.nan]),
        ("reward", ["a", "b", "c"]),
        ("arm", [0, 1, 2]),
        ("arm", [0, -1, 1]),
        ("arm", [0.0, 1.0, 1.0]),
        ("arm", [[0, 1, 1]]),
        ("propensity", [0.5, 0.0, 1.0]),
        ("propensity", [0.5, 1.1, 1.0]),
        ("propensity", [0.5, np.nan, 1.0]),
        ("target", [[0.5, 0.6], [1.0, 0.0], [0.2, 0.8]]),
        ("target", [[1.5, -0.5], [1.0, 0.0], [0.2, 0.8]]),
        ("target", [[np.nan, 0.5], [1.0, 0.0], [0.2, 0.8]]),
        ("target", [0.5, 0.5, 1.0]),
        ("target", np.zeros((0, 2))),
        ("q_hat", [[0.5, 0.5]]),
        ("q_hat", [[0.5, 0.5], [np.inf, 0.0], [0.2, 0.8]]),
        ("customer", ["a", "b"]),
        ("customer", ["a", None, "b"]),
        ("customer", [1.0, np.nan, 2.0]),
        ("embedding", [0, 1, 0, 1]),
        ("logging", [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        LoggedBatch(**GOOD | {field: value})
    assert refused.value.errors[0].field == field


def test_lists_booleans_and_names_of_customers_are_taken() -> None:
    batch = LoggedBatch(**GOOD | {"reward": [True, False, True], "customer": ["ann", "bob", "ann"]})
    assert (batch.units, batch.unit.tolist() if batch.unit is not None else None) == (2, [0, 1, 0])
    assert batch.weight == pytest.approx([1.0, 0.0, 0.8])


@pytest.mark.parametrize("name", ["dm", "dr", "sndr", "switch-dr", "dr-os", "sg-dr"])
def test_an_estimator_with_a_model_asks_for_its_predictions(name: str) -> None:
    with pytest.raises(InvalidInput, match="q_hat") as refused:
        estimate(name, LoggedBatch(**GOOD))
    assert refused.value.errors[0].field == "q_hat"


def test_mips_asks_for_an_embedding() -> None:
    with pytest.raises(InvalidInput, match="embedding"):
        estimate("mips", LoggedBatch(**GOOD))


@pytest.mark.parametrize(
    ("name", "hyper", "field"),
    [
        ("nonsense", {}, "name"),
        ("snips", {"clip": 1.0}, "clip"),
        ("ips", {"clip": -1.0}, "clip"),
        ("ips", {"clip": float("nan")}, "clip"),
        ("switch-dr", {"threshold": -1.0}, "threshold"),
        ("dr-os", {"shrinkage": -1.0}, "shrinkage"),
        ("sg-ips", {"shrinkage": 1.0}, "shrinkage"),
        ("ips", {"level": 1.0}, "level"),
    ],
)
def test_a_wrong_name_level_or_hyperparameter_is_named(
    batch: LoggedBatch, name: str, hyper: dict[str, float], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        estimate(name, batch, **hyper)
    assert refused.value.errors[0].field == field


@pytest.mark.parametrize("name", ESTIMATORS)
def test_one_customer_is_not_enough(name: str, batch: LoggedBatch) -> None:
    with pytest.raises(NotEnoughData) as refused:
        estimate(name, replace(batch, customer=np.zeros(300)))
    assert refused.value.figures["customers"] == 1
    with pytest.raises(NotEnoughData):
        difference(name, replace(batch, customer=np.zeros(300)), batch.target, np.roll(batch.target, 1))


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"dm", "mips"}))
def test_a_target_that_the_log_never_shows_is_refused(name: str, batch: LoggedBatch) -> None:
    target = np.zeros((300, 7))
    target[:, 6] = 1
    unseen = replace(batch, target=target, q_hat=np.zeros((300, 7)), embedding=None, logging=None)
    with pytest.raises(NotEnoughData) as refused:
        estimate(name, unseen)
    assert refused.value.figures == {"n": 300, "customers": 60, "effective_n": 0}


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr", "switch-dr"])
def test_a_log_that_rests_on_one_customer_is_refused(name: str, batch: LoggedBatch) -> None:
    propensity = batch.propensity.copy()
    propensity[int(batch.weight.argmax())] = 1e-6
    with pytest.raises(NotEnoughData, match="one customer") as refused:
        estimate(name, replace(batch, propensity=propensity, logging=None))
    assert refused.value.figures["effective_n"] < 1.5


@pytest.mark.parametrize(("name", "reward"), [("ips", 0.0), ("snips", 0.0), ("snips", 0.1), ("sndr", 0.7)])
def test_rewards_that_are_all_equal_have_no_known_spread(
    batch: LoggedBatch, name: str, reward: float
) -> None:
    """An interval of width 0 would claim to be certain after a log without a single conversion."""
    flat = replace(batch, reward=np.full(300, reward), q_hat=np.full((300, 6), 0.5))
    with pytest.raises(NotEnoughData) as refused:
        estimate(name, flat)
    assert refused.value.figures["n_psi"] == 0
    with pytest.raises(NotEnoughData):
        difference(name, flat, batch.target, np.roll(batch.target, 1, axis=1))
    assert difference(name, flat, batch.target, batch.target).value == 0


def test_a_single_conversion_is_refused_and_a_few_are_not(batch: LoggedBatch) -> None:
    by_row = replace(batch, customer=None, logging=None)
    weighed = np.argsort(-batch.weight)
    once, often = np.zeros(300), np.zeros(300)
    once[weighed[0]] = often[weighed[:8]] = 1.0
    with pytest.raises(NotEnoughData) as refused:
        estimate("ips", replace(by_row, reward=once))
    assert 1 <= refused.value.figures["n_psi"] < 1.1
    assert estimate("ips", replace(by_row, reward=often)).low < estimate("ips", by_row).value
