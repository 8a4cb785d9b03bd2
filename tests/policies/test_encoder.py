"""The encoder: bounded, row by row, and what each column says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.policies.artefact import made_up_contexts
from nba.policies.encoder import Encoder
from nba.policies.policy import Floats
from tests.policies.shop import shop

SCHEMA = shop().schema
TRAINING = made_up_contexts(SCHEMA, 2_000)
ENCODER = Encoder.fit(SCHEMA, TRAINING)


def column(X: Floats, name: str, encoder: Encoder = ENCODER) -> Floats:
    return encoder.encode(X)[:, encoder.names.index(name)]


def of(feature: str, *values: float) -> Floats:
    """Rows where one feature has these values and all others are not known."""
    X = np.full((len(values), len(SCHEMA)), np.nan)
    X[:, SCHEMA.index[feature]] = values
    return X


@given(st.lists(st.floats(width=64), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_entry_is_finite_and_within_four_whatever_comes_in(values: list[float]) -> None:
    X = np.resize(np.array(values), (7, len(SCHEMA)))
    encoded = ENCODER.encode(X)
    assert encoded.shape == (7, len(ENCODER))
    assert np.abs(encoded).max() <= 4 + 1e-9


def test_a_row_alone_has_the_bits_it_has_among_thousands() -> None:
    bulk = ENCODER.encode(TRAINING)
    for i in range(0, 2_000, 97):
        assert np.array_equal(ENCODER.encode(TRAINING[i : i + 1].copy())[0], bulk[i])


def test_a_value_is_scaled_and_a_skewed_one_bent() -> None:
    rng = np.random.default_rng(0)
    X = np.zeros((5_000, len(SCHEMA)))
    X[:, SCHEMA.index["age"]] = rng.normal(40, 10, 5_000)
    X[:, SCHEMA.index["basket"]] = rng.lognormal(2, 2, 5_000)
    encoder = Encoder.fit(SCHEMA, X)
    assert column(of("age", 50.0), "age", encoder)[0] == pytest.approx(1.0, abs=0.1)
    low, mid, high, endless = column(of("basket", 0.0, 7.4, 1e3, 1e12), "basket", encoder)
    assert low < mid < high
    assert endless == pytest.approx(high, abs=0.1)
    assert np.abs(encoder.encode(X)[:, 0].mean()) < 1e-9


def test_what_is_not_known_is_zero_and_says_so() -> None:
    X = of("basket", np.nan, 3.0)
    assert column(X, "basket").tolist()[0] == 0.0
    assert column(X, "basket unknown").tolist() == [1.0, 0.0]
    assert column(X, "device unknown").tolist() == [1.0, 1.0]


def test_each_known_value_is_in_at_most_one_bin_and_unknown_in_none() -> None:
    X = of("basket", np.nan, 0.0, 0.5, 2.0, 1e9)
    bins = [i for i, name in enumerate(ENCODER.names) if name.startswith("basket in")]
    assert len(bins) == 3
    assert ENCODER.encode(X)[:, bins].sum(axis=1).tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_categories_and_booleans_are_one_hots() -> None:
    assert column(of("device", 0, 1, 2), "device=android").tolist() == [0.0, 1.0, 0.0]
    assert column(of("member", 0, 1, np.nan), "member=yes").tolist() == [0.0, 1.0, 0.0]


def test_columns_that_never_vary_are_left_out() -> None:
    X = TRAINING.copy()
    X[:, SCHEMA.index["age"]] = 3.0
    X[:, SCHEMA.index["device"]] = 1.0
    X[:, SCHEMA.index["basket"]] = np.nan
    names = Encoder.fit(SCHEMA, X).names
    assert not [name for name in names if name.startswith(("age", "device", "basket"))]


def test_a_budget_leaves_out_bins_of_state_features_first_and_never_a_value() -> None:
    bins = sum(" in (" in name for name in ENCODER.names)
    small = Encoder.fit(SCHEMA, TRAINING, columns=len(ENCODER) - bins + 13)
    assert len(small) <= len(ENCODER) - bins + 13
    assert len(small.value_source) == len(ENCODER.value_source)
    binned = {name.split(" in (")[0] for name in small.names if " in (" in name}
    assert binned == {"basket", "age", "hour", "weekday"}


def test_each_column_names_its_feature() -> None:
    for name, source in zip(ENCODER.names, ENCODER.source, strict=True):
        assert name.startswith(SCHEMA.names[source])


def test_arrays_and_names_are_all_of_it() -> None:
    names = tuple(json.loads(json.dumps(ENCODER.names)))
    again = Encoder.from_arrays(names, ENCODER.arrays())
    assert np.array_equal(again.encode(TRAINING), ENCODER.encode(TRAINING))
    assert again.names == ENCODER.names


def test_nothing_known_at_all_encodes_to_no_columns() -> None:
    encoder = Encoder.fit(SCHEMA, np.full((10, len(SCHEMA)), np.nan))
    assert encoder.encode(TRAINING[:3]).shape == (3, 0)
