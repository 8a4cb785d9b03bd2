"""What every estimator in the table promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest

from experiments.ope import ESTIMATORS, Estimate, LoggedBatch, difference, estimate
from experiments.ope.batch import Ints
from experiments.ope.registry import terms_of
from experiments.ope.terms import Terms

pytestmark = pytest.mark.parametrize("name", ESTIMATORS)
BY_ROW = ("reward", "arm", "propensity", "target", "q_hat", "customer", "logging")


def rows(batch: LoggedBatch, at: Ints) -> LoggedBatch:
    """The batch of these rows, in this order."""
    return replace(batch, **{column: getattr(batch, column)[at] for column in BY_ROW})


def columns(terms: Terms) -> Iterator[np.ndarray]:
    return (getattr(terms, f.name) for f in fields(terms) if getattr(terms, f.name) is not None)


def numbers(found: Estimate) -> list[float]:
    return [found.value, found.stderr, found.low, found.high, found.effective_n]


def test_the_order_of_rows_doesnt_matter(name: str, batch: LoggedBatch) -> None:
    shuffled = rows(batch, np.random.default_rng(1).permutation(300))
    assert numbers(estimate(name, shuffled)) == pytest.approx(numbers(estimate(name, batch)), rel=1e-12)


def test_the_terms_of_a_pooled_log_are_those_of_its_parts(name: str, batch: LoggedBatch) -> None:
    first, second = rows(batch, np.arange(120)), rows(batch, np.arange(120, 300))
    parts = zip(columns(terms_of(name, first, {})), columns(terms_of(name, second, {})), strict=True)
    for whole, (left, right) in zip(columns(terms_of(name, batch, {})), parts, strict=True):
        np.testing.assert_allclose(whole, np.concatenate([left, right]), rtol=1e-12)


def test_a_log_repeated_for_the_same_customers_knows_no_more(name: str, batch: LoggedBatch) -> None:
    """By the log alone: what the odds promise is of draws that were made one by one."""
    repeated = rows(batch, np.tile(np.arange(300), 3))
    if terms_of(name, batch, {}).multiplied is not None:
        batch, repeated = replace(batch, logging=None), replace(repeated, logging=None)
    assert numbers(estimate(name, repeated)) == pytest.approx(numbers(estimate(name, batch)), rel=1e-10)


def test_a_customer_for_each_row_is_the_same_as_no_customers(name: str, batch: LoggedBatch) -> None:
    alone = estimate(name, replace(batch, customer=np.arange(300)))
    assert numbers(alone) == pytest.approx(numbers(estimate(name, replace(batch, customer=None))), rel=1e-12)


def test_rows_of_one_customer_count_together(name: str, batch: LoggedBatch) -> None:
    clustered, by_row = estimate(name, batch), estimate(name, replace(batch, customer=None))
    assert clustered.value == by_row.value
    assert clustered.stderr > by_row.stderr
    assert clustered.effective_n < by_row.effective_n
    assert clustered.n == by_row.n == 300


def test_the_logging_policy_itself_is_worth_the_mean_reward(name: str, batch: LoggedBatch) -> None:
    hyper = {"shrinkage": np.inf} if name == "dr-os" else {}
    on_policy = replace(batch, target=np.asarray(batch.logging), q_hat=np.full((300, 6), 0.3))
    expected = 0.3 if name == "dm" else batch.reward.mean()  # dm believes the model
    assert estimate(name, on_policy, **hyper).value == pytest.approx(expected, rel=1e-12)


def test_rewards_in_another_currency_scale_the_whole_estimate(name: str, batch: LoggedBatch) -> None:
    scaled = replace(batch, reward=100 * batch.reward, q_hat=100 * np.asarray(batch.q_hat))
    expected = [100 * x for x in numbers(estimate(name, batch))[:4]]
    assert numbers(estimate(name, scaled))[:4] == pytest.approx(expected, rel=1e-9)


def test_a_higher_level_is_wider_and_holds_the_value(name: str, batch: LoggedBatch) -> None:
    usual, wide = estimate(name, batch), estimate(name, batch, level=0.99)
    assert wide.low < usual.low < usual.value < usual.high < wide.high


def test_identical_targets_differ_by_nothing(name: str, batch: LoggedBatch) -> None:
    same = difference(name, batch, batch.target, batch.target.copy())
    assert (same.value, same.stderr, same.low, same.high) == (0.0, 0.0, 0.0, 0.0)


def test_the_difference_is_that_of_the_two_values_and_changes_sign(name: str, batch: LoggedBatch) -> None:
    other = np.roll(batch.target, 1, axis=1)
    there, back = (difference(name, batch, *pair) for pair in ((batch.target, other), (other, batch.target)))
    apart = estimate(name, batch).value - estimate(name, replace(batch, target=other)).value
    assert there.value == pytest.approx(apart, abs=1e-12)
    assert [back.value, back.low, back.high] == pytest.approx([-there.value, -there.high, -there.low])
    assert back.stderr == pytest.approx(there.stderr)


def test_a_paired_difference_of_like_policies_is_narrower_than_an_unpaired_one(
    name: str, batch: LoggedBatch
) -> None:
    alike = 0.9 * batch.target + 0.1 * np.roll(batch.target, 1, axis=1)
    one, two = estimate(name, batch), estimate(name, replace(batch, target=alike))
    assert difference(name, batch, batch.target, alike).stderr < 0.5 * np.hypot(one.stderr, two.stderr)


def test_the_batch_is_left_as_it_was(name: str, batch: LoggedBatch) -> None:
    before = {column: np.copy(getattr(batch, column)) for column in BY_ROW}
    estimate(name, batch)
    difference(name, batch, batch.target, np.roll(batch.target, 1, axis=1))
    for column, value in before.items():
        np.testing.assert_array_equal(getattr(batch, column), value)
