from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from nba.errors import InvalidInput, NotEnoughData
from training.propensity.splits import by_customer, by_time, split_of
from training.propensity.table import Table, from_frame

FRAME = pl.DataFrame(
    {
        "who": ["a", "b", "c", "d"],
        "age": [30, None, 50, 60],
        "plan": ["gold", "basic", None, "gold"],
        "active": [True, False, None, True],
        "since": [datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2, 3, 4)],
        "left": ["No", "Yes", None, "No"],
    }
)


def test_a_frame_becomes_numbers_with_gaps_as_nan_and_text_as_categories() -> None:
    table = from_frame(FRAME, "left", time="since", customer="who")
    assert table.names == ("age", "plan", "active")
    assert table.categorical == ("plan",)
    assert table.classes == ("No", "Yes")
    np.testing.assert_array_equal(table.y, [0, 1, 0])  # the row without a label is left out
    np.testing.assert_array_equal(table.X, [[30, 1, 1], [np.nan, 0, 0], [60, 1, 1]])
    assert table.at is not None
    np.testing.assert_allclose(np.diff(table.at), [86_400, 2 * 86_400])


def test_text_of_too_many_values_is_an_identifier_and_is_left_out_and_named() -> None:
    frame = pl.DataFrame({"id": [f"x{i}" for i in range(300)], "n": range(300), "y": [0, 1] * 150})
    assert from_frame(frame, "y").ignored == ("id",)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"label": "gone"}, "label"),
        ({"label": "left", "time": "gone"}, "time-column"),
        ({"label": "left", "drop": ["gone"]}, "drop"),
        ({"label": "plan"}, "positive"),
        ({"label": "plan", "positive": "silver"}, "positive"),
        ({"label": "who"}, "label"),
    ],
)
def test_a_wrong_column_or_an_ambiguous_label_is_named(options: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_frame(FRAME, **options)
    assert [error.field for error in caught.value.errors] == [field]


def test_a_label_of_many_values_is_one_against_the_others() -> None:
    table = from_frame(FRAME, "who", positive="b")
    assert table.classes == ("other", "b")
    assert table.y.tolist() == [0, 1, 0, 0]


def test_a_label_of_one_value_is_not_enough_data() -> None:
    with pytest.raises(NotEnoughData):
        from_frame(FRAME.filter(pl.col("left") == "No"), "left")


def table(n: int, customers: int | None = None, timed: bool = True) -> Table:
    rng = np.random.default_rng(0)
    return Table(
        X=rng.normal(size=(n, 1)),
        names=("x",),
        y=rng.integers(2, size=n),
        at=rng.uniform(0, 1_000, size=n) if timed else None,
        customer=rng.integers(customers, size=n).astype(np.str_) if customers else None,
    )


def test_by_time_the_test_lies_a_gap_after_everything_else_and_customers_are_not_shared_before_it() -> None:
    data = table(5_000, customers=300)
    split = split_of(data, gap=50.0, seed=1)
    assert split.kind == "time"
    assert data.at is not None
    assert data.customer is not None
    earlier = np.concatenate([split.train, split.validation])
    assert data.at[earlier].max() + 50.0 <= data.at[split.test].min()
    assert not set(data.customer[split.train]) & set(data.customer[split.validation])
    for part, share in ((split.train, 0.57), (split.validation, 0.19), (split.test, 0.19)):
        assert len(part) / 5_000 == pytest.approx(share, abs=0.05)


def test_no_time_left_beside_the_gap_is_not_enough_data() -> None:
    with pytest.raises(NotEnoughData) as caught:
        by_time(table(100), gap=2_000.0)
    assert caught.value.figures["gap in days"] == pytest.approx(2_000.0 / 86_400.0)
    with pytest.raises(NotEnoughData, match=r"\(rows in all .*, gap in rows 2,000\)"):
        by_time(table(100), gap=2_000.0, rows=True)


def test_months_of_seconds_are_told_in_days() -> None:
    data = table(100)
    with pytest.raises(NotEnoughData, match=r"gap in days 30\)"):
        by_time(data, gap=30 * 86_400.0)


def test_by_customer_parts_share_no_customer_and_five_turns_test_each_row_once() -> None:
    data = table(3_000, customers=500, timed=False)
    assert data.customer is not None
    tested = []
    for turn in range(5):
        split = by_customer(data, "salt", turn)
        parts = [set(data.customer[rows]) for rows in (split.train, split.validation, split.test)]
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert len(split.train) + len(split.validation) + len(split.test) == 3_000
        tested.append(split.test)
    assert sorted(np.concatenate(tested)) == list(range(3_000))


def test_a_customer_stays_in_its_part_when_others_join() -> None:
    data = table(2_000, customers=500, timed=False)
    assert data.customer is not None
    few = data.take(np.arange(200))
    assert few.customer is not None
    of_all = set(data.customer[by_customer(data, "s").test])
    of_few = set(few.customer[by_customer(few, "s").test])
    assert of_few <= of_all


def test_without_customers_and_time_each_row_is_for_itself() -> None:
    assert split_of(table(100, timed=False), gap=0.0, seed=0).kind == "row"
