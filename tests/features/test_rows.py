"""A row of features, whole: each value in its column, and what is not known is NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nba.features.layout import Layout
from nba.features.rows import assemble, code, stage_of
from nba.features.state import States
from nba.playbook.declaration import Feature
from nba.playbook.rules import compile_rule
from tests.playbook.business import shop

BOOK = shop()
SUNDAY = 1_774_744_200.0  # 2026-03-29 00:30 UTC


def rows(
    attributes: list[dict[str, object]], context: list[dict[str, object]], zones: list[str]
) -> np.ndarray:
    return assemble(
        BOOK,
        states=States.empty(Layout.of(BOOK.schema), len(zones)),
        now=np.full(len(zones), SUNDAY),
        zones=zones,
        attributes=attributes,
        context=context,
        scores=None,
    )


def column(X: np.ndarray, name: str) -> list[float]:
    return [float(value) for value in X[:, BOOK.schema.index[name]]]


def test_each_value_stands_in_its_column() -> None:
    X = rows(
        [{"age": 40, "member": True, "secret": 1}, {}],
        [{"device": "android", "basket": 3.5}, {"device": "fridge"}],
        ["Europe/Amsterdam", "America/New_York"],
    )
    np.testing.assert_equal(column(X, "age"), [40, np.nan])
    np.testing.assert_equal(column(X, "member"), [1, np.nan])
    np.testing.assert_equal(column(X, "device"), [1, np.nan])
    np.testing.assert_equal(column(X, "basket"), [3.5, np.nan])
    assert column(X, "hour") == [1.5, 20.5]
    assert column(X, "weekday") == [6, 5]
    assert np.isnan(column(X, "propensity_buy")).all()
    assert column(X, "stage") == [1, 1]


def test_one_row_is_what_it_is_among_others() -> None:
    attributes, context = [{"age": 1.0}, {"age": 2.0}, {}], [{"basket": 1.0}, {}, {"device": "web"}]
    zones = ["UTC", "Asia/Kolkata", "UTC"]
    X = rows(attributes, context, zones)
    for i in range(3):
        np.testing.assert_array_equal(rows([attributes[i]], [context[i]], [zones[i]])[0], X[i])


def test_no_customers_have_no_rows() -> None:
    assert rows([], [], []).shape == (0, len(BOOK.schema))


def test_the_stage_is_the_first_whose_rule_surely_holds_and_none_where_none_does() -> None:
    rules = [compile_rule(text, BOOK.schema) for text in ("age > 60", "age > 30", "not age > 30")]
    X = np.full((4, len(BOOK.schema)), np.nan)
    X[:, BOOK.schema.index["age"]] = [70, 40, 20, np.nan]
    np.testing.assert_equal(stage_of(rules, X).tolist(), [0, 1, 2, np.nan])


NUMBER = Feature(name="n", kind="number", group="context")
FLAG = Feature(name="b", kind="boolean", group="context")
CATEGORY = Feature(name="c", kind="category", group="context", categories=("a", "b"))


@pytest.mark.parametrize(
    ("feature", "value", "expected"),
    [
        (NUMBER, 3, 3.0),
        (NUMBER, -0.5, -0.5),
        (NUMBER, True, math.nan),
        (NUMBER, "3", math.nan),
        (NUMBER, math.inf, math.nan),
        (NUMBER, 10**400, math.nan),
        (NUMBER, None, math.nan),
        (FLAG, False, 0.0),
        (FLAG, 1, math.nan),
        (FLAG, "true", math.nan),
        (CATEGORY, "b", 1.0),
        (CATEGORY, "z", math.nan),
        (CATEGORY, 1, math.nan),
        (CATEGORY, None, math.nan),
    ],
)
def test_a_value_of_the_wrong_kind_is_not_known(feature: Feature, value: object, expected: float) -> None:
    np.testing.assert_equal(code(feature, value), expected)
