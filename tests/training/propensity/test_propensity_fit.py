from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve

from nba.errors import InvalidInput, NotEnoughData
from training.propensity import leakage, metrics
from training.propensity.fit import Settings, fit_classifier
from training.propensity.splits import by_customer, by_time
from training.propensity.table import Table

QUICK = Settings(learning_rate=0.2, most_trees=60, patience=10)


def made_up(n: int = 4_000, seed: int = 5) -> Table:
    """y by a known law of two numbers, one category and noise; a tenth of the values is missing."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.normal(size=n), rng.integers(3, size=n), rng.normal(size=n)])
    law = 1.2 * X[:, 0] - 0.8 * X[:, 1] + np.array([-1.0, 0.0, 1.0])[X[:, 2].astype(int)] - 0.7
    y = (rng.random(n) < expit(law)).astype(np.int64)
    X[rng.random(X.shape) < 0.1] = np.nan
    return Table(
        X=X, names=("a", "b", "c", "noise"), categorical=("c",), y=y, at=np.arange(n, dtype=np.float64)
    )


def three_classes(n: int = 3_000) -> Table:
    table = made_up(n)
    y = table.y + (np.nan_to_num(table.X[:, 0]) > 0.8) * (table.y == 1)
    return dataclasses.replace(table, y=y.astype(np.int64), classes=("low", "middle", "high"))


def test_a_fit_finds_the_law_ranks_by_it_and_is_calibrated() -> None:
    """2,000 test rows, fixed seed. The law itself, known without gaps, reaches an AUC of about 0.83."""
    table = made_up(10_000)
    fitted = fit_classifier("propensity_x", table, by_customer(table), QUICK)
    assert 0.75 < fitted.metrics["roc_auc"] < 0.85
    assert fitted.metrics["calibration_error"] < 0.04
    assert fitted.metrics["log_loss"] < fitted.metrics["base_log_loss"] - 0.08
    assert list(fitted.shap) == ["a", "b", "c", "noise"]


def test_the_same_seed_gives_the_same_model_byte_by_byte_and_another_seed_another() -> None:
    table = made_up()
    one, two, other = (fit_classifier("x", table, by_customer(table), QUICK, seed=s) for s in (1, 1, 2))
    assert one.model.trees.text == two.model.trees.text
    assert one.metrics == two.metrics
    assert one.model.trees.text != other.model.trees.text


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_the_numbers_that_serve_say_what_scikit_learns_calibrated_model_says(
    method: Literal["sigmoid", "isotonic"],
) -> None:
    table = made_up()
    settings = Settings(learning_rate=0.2, most_trees=60, patience=10, calibration=method)
    fitted = fit_classifier("x", table, by_customer(table), settings)
    np.testing.assert_allclose(
        fitted.model.probabilities(table.X), fitted.estimator.predict_proba(table.X), atol=1e-12
    )


def test_three_classes_are_calibrated_by_temperature_and_beat_their_base_rates() -> None:
    table = three_classes()
    fitted = fit_classifier("next_stage", table, by_customer(table), QUICK)
    served = fitted.model.probabilities(table.X)
    np.testing.assert_allclose(served, fitted.estimator.predict_proba(table.X), atol=1e-12)
    np.testing.assert_allclose(served.sum(axis=1), 1.0, atol=1e-12)
    assert fitted.parameters["calibrated_by"] == "temperature"
    for figure in ("log_loss", "macro_log_loss"):
        assert fitted.metrics[figure] < fitted.metrics[f"base_{figure}"] - 0.05
    assert fitted.metrics["accuracy"] > fitted.metrics["base_accuracy"]


def test_what_the_test_rows_hold_changes_no_model() -> None:
    table = made_up()
    split = by_time(table, gap=100.0)
    flipped = table.y.copy()
    flipped[split.test] = 1 - flipped[split.test]
    one = fit_classifier("x", table, split, QUICK)
    two = fit_classifier("x", dataclasses.replace(table, y=flipped), split, QUICK)
    assert one.model.trees.text == two.model.trees.text
    assert one.model.calibration == two.model.calibration
    assert one.metrics["roc_auc"] == pytest.approx(1 - two.metrics["roc_auc"])


def test_too_few_positives_in_a_part_are_named_with_their_figures() -> None:
    table = made_up(200)
    rare = dataclasses.replace(table, y=(np.arange(200) % 50 == 0).astype(np.int64))
    with pytest.raises(NotEnoughData) as caught:
        fit_classifier("x", rare, by_customer(rare), QUICK)
    assert caught.value.figures["needed"] == 10


# --- leakage


def with_feature(table: Table, values: np.ndarray, categorical: bool = False) -> Table:
    return dataclasses.replace(
        table,
        X=np.column_stack([table.X, values]),
        names=(*table.names, "leak"),
        categorical=(*table.categorical, *(["leak"] if categorical else [])),
    )


def leaks(table: Table) -> dict[str, np.ndarray]:
    rng, y = np.random.default_rng(9), table.y
    flips = rng.random(len(y)) < 0.05
    missing = np.where(rng.random(len(y)) < 0.1, np.nan, y.astype(float))
    return {
        "a copy": y.astype(float),
        "a copy turned round": 1.0 - y,
        "a copy with one in twenty flipped": np.where(flips, 1 - y, y).astype(float),
        "a copy under noise": y + rng.normal(scale=0.3, size=len(y)),
        "a copy with gaps": missing,
        "known only of the positives": np.where(y == 1, 3.0, np.nan),
        "two values of four, not in order": np.where(y == 1, rng.integers(2, size=len(y)) * 2, 1.0),
    }


@pytest.mark.parametrize("kind", list(leaks(made_up(20))))
@pytest.mark.parametrize("categorical", [False, True])
def test_a_label_that_came_in_as_a_feature_is_refused_by_name(kind: str, categorical: bool) -> None:
    table = made_up()
    values = leaks(table)[kind]
    if categorical and kind == "a copy under noise":
        values = np.round(values * 4) + 10
    leaking = with_feature(table, values, categorical)
    with pytest.raises(InvalidInput) as caught:
        fit_classifier("x", leaking, by_customer(leaking), QUICK)
    assert [error.field for error in caught.value.errors] == ["leak"]


def test_a_rare_label_with_noise_is_refused_too() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(20_000) < 0.02).astype(np.int64)
    noisy = np.where(rng.random(20_000) < 0.01, 1 - y, y).astype(float)
    table = Table(X=np.column_stack([noisy, rng.normal(size=20_000)]), names=("leak", "noise"), y=y)
    with pytest.raises(InvalidInput, match="leak"):
        leakage.guard(table)


def test_a_leak_that_the_user_vouches_for_is_kept() -> None:
    leaking = with_feature(made_up(), made_up().y.astype(float))
    settings = dataclasses.replace(QUICK, allow_leaks=("leak",))
    assert fit_classifier("x", leaking, by_customer(leaking), settings).metrics["roc_auc"] > 0.99


def test_honest_features_are_far_from_the_limit_and_identifiers_explain_nothing() -> None:
    table = with_feature(made_up(), np.arange(4_000, dtype=np.float64), categorical=True)
    shares = leakage.explained(table)
    assert shares["a"] == max(shares.values())
    assert 0.05 < shares["a"] < 0.25
    assert shares["noise"] < 0.01
    assert shares["leak"] < 0.01


def test_one_customer_in_many_rows_does_not_make_its_identifier_a_leak() -> None:
    rng = np.random.default_rng(2)
    who = np.repeat(np.arange(200), 20)
    y = rng.integers(2, size=200)[who]
    table = Table(
        X=who[:, None].astype(float), names=("id",), categorical=("id",), y=y, customer=who.astype(np.str_)
    )
    assert leakage.explained(table)["id"] < 0.05


# --- metrics


def test_lift_counts_ties_at_the_border_by_the_fraction_that_fits() -> None:
    y = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert metrics.lift(y, np.linspace(1, 0, 10), 0.1) == pytest.approx(5.0)
    assert metrics.lift(y, np.full(10, 0.2), 0.1) == pytest.approx(1.0)
    assert metrics.lift(y, np.array([0.9, 0.5, 0.5, *[0.1] * 7]), 0.2) == pytest.approx((1 + 0.5) / 2 / 0.2)


def test_the_reliability_curve_is_scikit_learns_on_quantiles() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(1_000)
    y = (rng.random(1_000) < p**2).astype(np.int64)
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
    curve = metrics.reliability(y, p)
    np.testing.assert_allclose([b["predicted"] for b in curve], predicted)
    np.testing.assert_allclose([b["observed"] for b in curve], observed)
    assert metrics.calibration_error(y, p) == pytest.approx(np.abs(observed - predicted).mean())


def test_the_macro_log_loss_weighs_a_rare_class_like_a_common_one() -> None:
    y = np.array([0] * 9 + [1])
    p = np.tile([0.9, 0.1], (10, 1))
    assert metrics.multiclass(y, p, np.array([0.9, 0.1]))["macro_log_loss"] == pytest.approx(
        -(np.log(0.9) + np.log(0.1)) / 2
    )
