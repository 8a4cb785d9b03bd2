"""Events as journeys: the border at which a table's names become codes, and its rows get an order.

An event belongs to a case (a customer, an order, a fine) and is a step of it at a moment. Within a case the
order is that of time, and of the table where times are equal. What is empty stands for nothing: a row
without a case, a step or a time is left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.rules import nearest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_STEPS = ("consent", "profile", "identify", "not_sent", "stage_changed")
"""Touchpoints of a store that are told or noted of a customer and are nothing that happened on the way."""
BECAUSE = ("ticket_opened", "ticket_closed")
"""Those that follow from another at the same moment, and stand after it."""
MOST_STEPS = 10_000
MICROSECONDS = 1e6
_NAMED = 12  # steps that an error tells
_VALUE_LIMIT = 1e12  # a value beyond counts as this much, so that no sum loses what is small


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """m events of n cases, by case, then in order.

    Attributes:
        case: (m,) codes 0 … n − 1, in order of their first row in the table.
        step: (m,) index into `steps`.
        at: (m,) microseconds since 1970, UTC.
        value: (m,) what the event was worth, finite; None where the table has no values.
        cluster: (n,) codes of what the cases belong to, such as customers; the cases themselves by default.
        part: (n,) what the cases are split by: the first such value that is known; None where none is asked.
        steps: the steps' names, in order of their first row in the table.
        left_out: why rows were left out, and how many.
    """

    case: Ints
    step: Ints
    at: Ints
    value: Floats | None
    cluster: Ints
    part: pl.Series | None
    steps: tuple[str, ...]
    left_out: dict[str, int]

    @classmethod
    def of(cls, table: pl.DataFrame) -> Events:
        """From columns `case`, `step` (text), `time` (Datetime us), and where known `value`, `cluster`,
        `part` (text).

        Raises:
            NotEnoughData: no row has a case, a step and a time.
            InvalidInput: more than MOST_STEPS steps.
        """
        empty = {name: _empty(table[name]) for name in ("case", "step", "time")}
        left_out = {f"no {name}": int(missing.sum()) for name, missing in empty.items()}
        kept = table.filter(~(empty["case"] | empty["step"] | empty["time"]))
        if kept.is_empty():
            figures = {"rows": float(table.height)}
            raise NotEnoughData("there is no event with a case, a step and a time", figures)
        case, _ = _coded(kept["case"])
        step, steps = _coded(kept["step"])
        if len(steps) > MOST_STEPS:
            detail = (
                f"{len(steps):,} different steps, more than {MOST_STEPS:,}: an id? Name a column of kinds"
            )
            raise InvalidInput.of("step", detail)
        rows = pl.DataFrame({"case": case, "step": step, "at": kept["time"].dt.timestamp("us")})
        if "value" in kept.columns:
            rows = rows.with_columns(_finite(kept["value"]))
        rows = rows.with_columns(kept[name] for name in ("cluster", "part") if name in kept.columns)
        rows = rows.sort("case", "at", maintain_order=True)
        cluster = rows["case"].unique(maintain_order=True)
        if "cluster" in rows.columns:
            alone = pl.select(pl.format("\x00{}", cluster)).to_series()
            cluster, _ = _coded(_first_known(rows, "cluster").fill_null(alone))
        return cls(
            case=rows["case"].to_numpy(),
            step=rows["step"].to_numpy(),
            at=rows["at"].to_numpy(),
            value=rows["value"].to_numpy() if "value" in rows.columns else None,
            cluster=cluster.to_numpy(),
            part=_first_known(rows, "part") if "part" in rows.columns else None,
            steps=tuple(steps),
            left_out={why: count for why, count in left_out.items() if count},
        )

    def __len__(self) -> int:
        return len(self.case)

    @property
    def cases(self) -> int:
        return len(self.cluster)

    @property
    def starts(self) -> Ints:
        """(n + 1,) the first row of each case, and the end."""
        return np.append(np.flatnonzero(self.first), len(self)).astype(np.int64)

    @property
    def first(self) -> Bools:
        """(m,) whether the event is its case's first."""
        return np.append(True, self.case[1:] != self.case[:-1])

    @property
    def last(self) -> Bools:
        """(m,) whether the event is its case's last."""
        return np.append(self.case[1:] != self.case[:-1], True)

    @property
    def gap(self) -> Floats:
        """(m,) seconds until the case's next event; inf after the last."""
        gaps = np.full(len(self), np.inf)
        gaps[:-1] = np.where(self.last[:-1], np.inf, np.diff(self.at) / MICROSECONDS)
        return gaps

    def code(self, step: str, field: str) -> int:
        """The code of a step. Raises InvalidInput where there is none of that name."""
        if step not in self.steps:
            near = nearest(step, list(self.steps))
            raise InvalidInput.of(field, f"there is no step {step!r}{near}; {_some(self.steps)}")
        return self.steps.index(step)

    def of_cases(self, chosen: Bools) -> Events:
        """The journeys of the cases (n,) for which the mask holds."""
        rows = chosen[self.case]
        return Events(
            case=(np.cumsum(chosen) - 1)[self.case[rows]].astype(np.int64),
            step=self.step[rows],
            at=self.at[rows],
            value=None if self.value is None else self.value[rows],
            cluster=self.cluster[chosen],
            part=None,
            steps=self.steps,
            left_out={},
        )


def _some(steps: tuple[str, ...]) -> str:
    """The steps that there are, in words."""
    rest = len(steps) - _NAMED
    return f"there are {', '.join(steps[:_NAMED])}{f' and {rest:,} more' if rest > 0 else ''}"


def _empty(column: pl.Series) -> pl.Series:
    return (
        column.is_null() | (column == "").fill_null(False) if column.dtype == pl.String else column.is_null()
    )


def _coded(column: pl.Series) -> tuple[pl.Series, list[str]]:
    """(m,) Int64 codes in order of first appearance, and the names."""
    names = column.alias("name").unique(maintain_order=True).to_frame().with_row_index("code")
    codes = column.alias("name").to_frame().join(names, on="name", how="left", maintain_order="left")
    return codes["code"].cast(pl.Int64), names["name"].to_list()


def _first_known(rows: pl.DataFrame, column: str) -> pl.Series:
    """(n,) each case's first value that is known, in its order; null where there is none."""
    known = pl.col(column).drop_nulls().first()
    return rows.group_by("case", maintain_order=True).agg(known)[column]


def _finite(column: pl.Series) -> pl.Series:
    """No value, and NaN, count as nothing; the endless as the most that counts."""
    return (
        column.cast(pl.Float64).fill_nan(0.0).fill_null(0.0).clip(-_VALUE_LIMIT, _VALUE_LIMIT).alias("value")
    )
