"""Inputs: what is spread otherwise is found, and what chance or the calendar moves is not."""

from __future__ import annotations

import numpy as np

from nba.playbook.compile import parse
from tests.service.business import OPEN
from training.health.inputs import index_of, looked_at, missing, stability

PLAYBOOK = parse(OPEN)
COLUMN = PLAYBOOK.schema.index


def _features(n: int, chance: np.random.Generator) -> np.ndarray:
    features = np.zeros((n, len(PLAYBOOK.schema)))
    features[:, COLUMN["device"]] = chance.integers(0, 2, n)
    features[:, COLUMN["basket"]] = chance.lognormal(2, 1, n)
    features[:, COLUMN["age"]] = np.where(chance.random(n) < 0.3, np.nan, chance.normal(40, 10, n))
    return features


def _halves(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    window = np.arange(n + m) >= n
    return window, ~window


def _breached(features: np.ndarray, n: int, m: int, customer: np.ndarray | None = None) -> set[str]:
    who = np.arange(n + m) if customer is None else customer
    window, reference = _halves(n, m)
    found = [*stability(features, who, window, reference, PLAYBOOK)]
    found += missing(features, who, window, reference, PLAYBOOK)
    return {f"{check.name} {check.subject}" for check in found if check.breached}


def test_psi_of_unchanged_features_stays_within_what_it_hardly_exceeds_by_chance() -> None:
    """Seeds 0 to 1,999, 250 against 1,000 customers, ten bins: a right bound is passed 0.2 times in all;
    five or more have a chance below one in a million."""
    passed = 0
    for seed in range(2_000):
        chance = np.random.default_rng(seed)
        window, reference = (np.bincount(chance.integers(0, 10, n), minlength=10) for n in (250, 1_000))
        value, bound = index_of(window.astype(float), reference.astype(float))
        passed += value > bound
    assert passed < 5


def test_a_small_sample_that_looks_odd_is_no_alarm() -> None:
    """Seeds 0 to 99, 60 against 200 customers: the index passes 0.25 by chance, the bound does not let it;
    at 10⁻⁴ a feature, one alarm in 100 × 9 features has a chance of 9 %, three of one in 8,000."""
    above, alarms = 0, 0
    for seed in range(100):
        features = _features(260, np.random.default_rng(seed))
        window, reference = _halves(200, 60)
        found = list(stability(features, np.arange(260), window, reference, PLAYBOOK))
        above += any(check.value > check.threshold for check in found)
        alarms += sum(check.breached for check in found)
    assert above > 5
    assert alarms < 3


def test_other_devices_and_larger_baskets_are_found() -> None:
    chance = np.random.default_rng(1)
    features = _features(2_500, chance)
    assert _breached(features, 2_000, 500) == set()
    features[2_000:, COLUMN["device"]] = chance.random(500) < 0.05
    features[2_000:, COLUMN["basket"]] *= 3
    assert _breached(features, 2_000, 500) == {"psi device", "psi basket"}


def test_what_comes_no_more_is_missing() -> None:
    features = _features(2_500, np.random.default_rng(2))
    features[2_000:, COLUMN["age"]] = np.nan
    assert "missing age" in _breached(features, 2_000, 500)


def test_what_is_newly_sent_is_no_drift() -> None:
    features = _features(2_500, np.random.default_rng(3))
    features[:2_000, COLUMN["age"]] = np.nan
    assert _breached(features, 2_000, 500) == set()


def test_one_customer_with_a_thousand_decisions_is_one_customer() -> None:
    features = _features(3_500, np.random.default_rng(4))
    features[2_500:, COLUMN["device"]] = 1
    customer = np.concatenate([np.arange(2_500), np.full(1_000, 2_499)])
    assert _breached(features, 2_000, 1_500, customer) == set()


def test_what_grows_by_construction_is_not_looked_at() -> None:
    names = {feature.name for _, feature, _ in looked_at(PLAYBOOK)}
    assert {"device", "basket", "age", "stage", "purchase_count_hl7"} <= names
    for grows in ("tenure_days", "purchase_total", "purchase_count_hl90", "contact_count_hl7", "hour"):
        assert grows not in names
