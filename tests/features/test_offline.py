"""The table over a history: the same numbers as online, and nothing after its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.errors import InvalidInput
from nba.features import history, offline, walk
from nba.features.layout import Array, Layout
from nba.features.state import States
from tests.features.definition import assert_close, assert_equal, frame, instants, touchpoints
from tests.strategies import SCHEMA, TEN_YEARS, Event, histories, times

LAYOUT = Layout.of(SCHEMA)
Moments = list[tuple[int, int]]  # customer, milliseconds


def asked(moments: Moments) -> pl.DataFrame:
    """The moments as a frame that also carries a column of its own."""
    return pl.DataFrame(
        {
            "label": list(range(len(moments))),
            "customer_id": pl.Series([f"c-{customer}" for customer, _ in moments], dtype=pl.String),
            "at": instants(pl.Series([millis for _, millis in moments], dtype=pl.Int64)),
        }
    )


def matrix(table: pl.DataFrame) -> Array:
    return table.select(SCHEMA.state_names).to_numpy()


moments = st.lists(st.tuples(st.integers(0, 3), times()), max_size=12)


@given(histories(), moments, st.booleans())
def test_the_table_holds_the_features_as_defined_at_each_moment(
    events: list[Event], moments: Moments, inclusive: bool
) -> None:
    some = [(e.customer, e.millis) for e in events[:3]]  # moments at the very time of a touchpoint
    wanted = moments + some
    table = offline.table(frame(events), asked(wanted), SCHEMA, inclusive=inclusive)
    known = [
        [e for e in events if e.customer == c and (e.millis < at or (inclusive and e.millis == at))]
        for c, at in wanted
    ]
    assert_equal(matrix(table), known, [at / 1e3 for _, at in wanted])


@given(histories(), st.lists(times(), min_size=3, max_size=3))
def test_online_and_offline_agree(events: list[Event], at: list[int]) -> None:
    table = offline.table(frame(events), asked(list(enumerate(at))), SCHEMA)
    before = [e for e in events if e.millis < at[e.customer]]
    online = States.of(LAYOUT, 3, touchpoints(before)).read(np.array(at) / 1e3)
    sizes = States.of(LAYOUT, 3, touchpoints([replace(e, value=abs(e.value)) for e in before]))
    room = 1e-9 * np.nan_to_num(sizes.read(np.array(at) / 1e3)) + 1e-200
    np.testing.assert_array_equal(np.isnan(matrix(table)), np.isnan(online))
    assert (np.nan_to_num(np.abs(matrix(table) - online)) <= room).all()


@given(histories(), moments, st.data())
def test_nothing_after_its_time_changes_a_row(
    events: list[Event], moments: Moments, data: st.DataObject
) -> None:
    later = data.draw(times())
    table = offline.table(frame(events), asked(moments), SCHEMA)
    blind = offline.table(frame([e for e in events if e.millis < later]), asked(moments), SCHEMA)
    early = pl.col("at") <= instants(pl.Series([later]))[0]
    np.testing.assert_allclose(matrix(blind.filter(early)), matrix(table.filter(early)), rtol=1e-12)


@given(histories())
def test_a_snapshot_is_the_fold_of_every_customer(events: list[Event]) -> None:
    customers, states = offline.snapshot(frame(events), SCHEMA)
    numbers = [int(c.removeprefix("c-")) for c in customers]
    assert numbers == sorted({e.customer for e in events if e.type in SCHEMA.types})
    assert_close(
        states,
        States.of(LAYOUT, 3, touchpoints(events)).take(numbers),
        [replace(e, customer=numbers.index(e.customer)) for e in events if e.customer in numbers],
    )


@given(histories(customers=5), st.integers(1, 3))
def test_lots_of_any_size_give_the_same_table(events: list[Event], size: int) -> None:
    wanted = asked([(e.customer, e.millis + 1) for e in events] + [(9, 0)])
    whole = offline.table(frame(events), wanted, SCHEMA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "LOT", size)
        np.testing.assert_array_equal(matrix(offline.table(frame(events), wanted, SCHEMA)), matrix(whole))


def test_moments_keep_their_order_and_their_own_columns() -> None:
    wanted = asked([(2, 90_000), (0, 50_000), (2, 10_000), (2, 90_000)])
    table = offline.table(frame([]), wanted, SCHEMA)
    assert table.columns == [*wanted.columns, *SCHEMA.state_names]
    assert table.select(wanted.columns).equals(wanted)


def test_no_moments_give_an_empty_table_with_all_columns() -> None:
    event = Event(customer=0, type="visit", channel=None, action=None, millis=5, value=0.0)
    table = offline.table(frame([event]), asked([]), SCHEMA)
    assert table.shape == (0, 3 + len(SCHEMA.state_names))


def test_a_half_life_of_a_day_keeps_the_recent_past_after_ten_years() -> None:
    """3,650 half-lives: weights taken against a fixed origin would leave the range of a double."""
    event = Event(customer=0, type="purchase", channel="web", action=None, millis=0, value=10.0)
    events = [replace(event, millis=ms) for ms in range(0, TEN_YEARS + 1, TEN_YEARS // 500)]
    wanted = asked([(0, TEN_YEARS // 7), (0, TEN_YEARS + 86_400_000)])
    table = offline.table(frame(events), wanted, SCHEMA)
    known = [[e for e in events if e.millis < at] for at in (TEN_YEARS // 7, TEN_YEARS + 86_400_000)]
    assert_equal(matrix(table), known, [TEN_YEARS // 7 / 1e3, TEN_YEARS / 1e3 + 86_400])
    assert table["purchase_value_hl1"][1] == pytest.approx(5.0 + 5.0 * 2**-7.304, rel=1e-3)


def test_a_value_that_is_no_number_is_refused() -> None:
    event = Event(customer=0, type="visit", channel=None, action=None, millis=5, value=float("nan"))
    with pytest.raises(InvalidInput, match="value"):
        offline.table(frame([event]), asked([(0, 10)]), SCHEMA)


def test_tables_of_a_history_on_disk_hold_every_moment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offline, "PART", 3)
    random = np.random.default_rng(3)
    events = [
        Event(customer=int(c), type="visit", channel="web", action=None, millis=int(ms), value=1.0)
        for c, ms in zip(random.integers(0, 150, 2_000), random.integers(0, TEN_YEARS, 2_000), strict=True)
    ]
    for part, some in (("one", events[:700]), ("two", events[700:])):
        rows = frame(some).with_columns(event_id=pl.lit("e"), properties=pl.lit(None))
        history.append(tmp_path, rows, part)
    wanted = asked([(int(c), int(ms)) for c, ms in random.integers(0, [200, TEN_YEARS], (600, 2))])
    tables = list(offline.tables(tmp_path, wanted, SCHEMA))
    owners = [owner for table in tables for owner in table["customer_id"].unique()]
    assert len(owners) == len(set(owners))
    together = pl.concat(tables).sort("label")
    assert together.select(wanted.columns).equals(wanted)
    whole = offline.table(frame(events), wanted, SCHEMA)
    np.testing.assert_allclose(matrix(together), matrix(whole), rtol=1e-12)
