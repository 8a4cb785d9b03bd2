"""Attribution: the three models by hand, and parts that add up to the whole, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.errors import InvalidInput
from nba.playbook.schema import Objectives
from nba.rewards.attribution import Credit, Model, attribute
from nba.rewards.outcomes import Outcomes

DAY = 86_400.0
OBJECTIVES = Objectives.model_validate(
    {
        "window": "7d",
        "outcomes": {"purchase": {"value": "amount"}, "complaint": {"value": -3, "window": "1d"}},
    }
)
MODELS: tuple[Model, ...] = get_args(Model)
Touch = tuple[str, str, float, float]


def credited(
    contacts: list[tuple[str, float]], touchpoints: list[Touch], model: Model, half_life: float = DAY
) -> Credit:
    columns = {"customer": pl.String, "type": pl.String, "occurred_at": pl.Float64, "value": pl.Float64}
    frame = pl.DataFrame(touchpoints, schema=columns, orient="row")
    customers = pl.Series([*(c for c, _ in contacts), *frame["customer"]], dtype=pl.String)
    known = Outcomes.of(OBJECTIVES, customers, frame, 1e9)
    return attribute(OBJECTIVES, known, np.array([at for _, at in contacts]), model, half_life)


@pytest.mark.parametrize(
    ("model", "shares"), [("last-touch", [0, 14, 0]), ("linear", [7, 7, 0]), ("time-decay", [2.8, 11.2, 0])]
)
def test_a_purchase_is_shared_among_the_contacts_in_whose_windows_it_came(
    model: Model, shares: list[float]
) -> None:
    """Two days between the first two contacts are two half-lives: 1 to 4. The third came after it."""
    contacts = [("a", 0.0), ("a", 2 * DAY), ("a", 4 * DAY)]
    found = credited(contacts, [("a", "purchase", 3 * DAY, 14.0)], model)
    assert found.contacts.tolist() == [round(share * 1e6) for share in shares]
    assert found.organic == 0


def test_what_came_before_any_contact_or_after_its_window_is_organic() -> None:
    touchpoints: list[Touch] = [
        ("a", "purchase", DAY - 1, 1.0),
        ("a", "purchase", DAY, 2.0),
        ("a", "purchase", 8 * DAY - 1, 4.0),
        ("a", "purchase", 8 * DAY, 8.0),
        ("b", "purchase", 2 * DAY, 16.0),
        ("a", "complaint", 2 * DAY, 0.0),
        ("a", "complaint", 2 * DAY - 1, 0.0),
    ]
    for model in MODELS:
        found = credited([("a", DAY)], touchpoints, model)
        assert found.contacts.tolist() == [3_000_000]  # 2 + 4 − 3
        assert found.outcomes.tolist() == [3]
        assert (found.organic, found.organic_outcomes) == (22_000_000, 4)  # 1 + 8 + 16 − 3


def test_without_contacts_all_is_organic_and_without_outcomes_nothing_is() -> None:
    for model in MODELS:
        assert credited([], [("a", "purchase", DAY, 5.0)], model).organic == 5_000_000
        assert credited([("a", DAY)], [], model).total == 0


def test_a_purchase_of_long_after_a_short_half_life_is_still_shared() -> None:
    found = credited([("a", 0.0), ("a", 1.0)], [("a", "purchase", 6 * DAY, 3.0)], "time-decay", 1e-3)
    assert found.contacts.tolist() == [0, 3_000_000]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20 * DAY)), max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["purchase", "complaint"]),
            st.floats(0, 20 * DAY),
            st.floats(-1e6, 1e6),
        ),
        max_size=12,
    ),
    st.sampled_from(MODELS),
    st.floats(60, 30 * DAY),
)
def test_parts_add_up_to_the_whole_exactly(
    contacts: list[tuple[str, float]], touchpoints: list[Touch], model: Model, half_life: float
) -> None:
    found = credited(contacts, touchpoints, model, half_life)
    assert int(found.contacts.sum()) + found.organic == found.total
    worths = [Fraction(v) if kind == "purchase" else Fraction(-3) for _, kind, _, v in touchpoints]
    assert abs(found.total / Fraction(10**6) - sum(worths)) <= Fraction(len(worths), 10**6)


def test_amounts_too_large_to_count_and_no_half_life_are_refused() -> None:
    with pytest.raises(InvalidInput, match="larger unit"):
        credited([], [("a", "purchase", 0.0, 1e13)], "linear")
    with pytest.raises(InvalidInput, match="half-life"):
        credited([], [], "time-decay", 0.0)
