"""Labelled texts from a table: what is used, what is left out and why, and which rows judge.

Nobody's text is copied from here to a log, to MLflow or into an error.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba.errors import InvalidInput
from nba.journey.feedback.model import SENTIMENTS
from nba.playbook.rules import nearest
from training.propensity.run import read_table

Ints = NDArray[np.int64]
NONE = -1
TEST = 0.2
FOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column of a table means what.

    Attributes:
        label: sentiments by name, 0 and 1, or a number: at most `negative` is negative, at least `positive`
            is positive, what is between is neutral.
        time: to judge on later rows; `unit`: whose rows stay together. Neither: all rows for themselves.
    """

    text: str
    label: str
    theme: str | None = None
    time: str | None = None
    unit: str | None = None
    negative: float = 2.0
    positive: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """n labelled texts.

    Attributes:
        sentiment: (n,) place in `SENTIMENTS`.
        theme: (n,) place in `themes`, or `NONE`.
        at: (n,) epoch seconds; None where the table has no time.
        unit: (n,) whose rows stay together, a number each.
        left_out: why → rows.
        split: how `test` was chosen, in words.
        test: (n,) rows that judge.
        fold: (n,) one of `FOLDS` parts of the others, for choosing settings.
    """

    texts: tuple[str, ...]
    sentiment: Ints
    theme: Ints
    themes: tuple[str, ...]
    at: NDArray[np.float64] | None
    unit: Ints
    left_out: dict[str, int]
    split: str
    test: NDArray[np.bool_]
    fold: Ints


def read_texts(path: Path, columns: Columns, seed: int = 0) -> Texts:
    """Read a .csv, .parquet or .jsonl table.

    Raises:
        InvalidInput: the file can't be read, lacks a column, or a label is none; with the row.
    """
    frame = table(path)
    wanted = [c for c in (columns.text, columns.label, columns.theme, columns.time, columns.unit) if c]
    for name in wanted:
        check_column(frame, name, path)
    texts = frame[columns.text].cast(pl.String).fill_null("").str.strip_chars()
    label = _labels(frame[columns.label], columns, path)
    empty, unlabelled = texts == "", pl.Series(label == NONE)
    again = texts.is_first_distinct().not_() & ~empty
    used = ~(empty | unlabelled | again)
    left_out = {
        "without text": int(empty.sum()),
        "without label": int((unlabelled & ~empty).sum()),
        "the same text again": int((again & ~unlabelled).sum()),
    }
    rows = frame.filter(used)
    kept = texts.filter(used)
    named = rows[columns.theme].cast(pl.String) if columns.theme else None
    themes = () if named is None else tuple(named.drop_nulls().unique().sort().to_list())
    places = {name: place for place, name in enumerate(themes)}
    told = [None] * len(rows) if named is None else named.to_list()
    theme = np.array([NONE if name is None else places[name] for name in told], dtype=np.int64)
    unit = kept if columns.unit is None else rows[columns.unit].cast(pl.String).fill_null("")
    at = None if columns.time is None else seconds_of(rows[columns.time], path)
    place = np.array([_place(str(seed), name) for name in unit.to_list()])
    test = place < TEST if at is None else at >= np.quantile(at, 1 - TEST)
    return Texts(
        texts=tuple(kept.to_list()),
        sentiment=label[used.to_numpy()],
        theme=theme,
        themes=themes,
        at=at,
        unit=unit.rank("dense").to_numpy().astype(np.int64) - 1,
        left_out=left_out,
        split=_said(columns),
        test=test,
        fold=(np.array([_place(f"{seed} fold", name) for name in unit.to_list()]) * FOLDS).astype(np.int64),
    )


def table(path: Path) -> pl.DataFrame:
    """A .csv, .parquet or .jsonl file. Raises InvalidInput where it can't be read."""
    if path.suffix not in (".jsonl", ".ndjson"):
        return read_table(path)
    try:
        return pl.read_ndjson(path, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise InvalidInput.of("source", f"can't be read: {reason}", source=str(path)) from None


def check_column(frame: pl.DataFrame, name: str, path: Path) -> None:
    """Raises InvalidInput with the nearest name where the table has no such column."""
    if name not in frame.columns:
        detail = f"the table has no such column{nearest(name, frame.columns)}"
        raise InvalidInput.of(name, detail, source=str(path))


def _labels(label: pl.Series, columns: Columns, path: Path) -> Ints:
    """(n,) place in `SENTIMENTS`; `NONE` where there is none."""
    if label.dtype == pl.Boolean:
        label = label.cast(pl.Int64)
    if label.dtype.is_numeric():
        values = label.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        known = values[~np.isnan(values)]
        low, high = (0.0, 1.0) if set(known.tolist()) <= {0.0, 1.0} else (columns.negative, columns.positive)
        found = np.where(values <= low, 0, np.where(values >= high, 2, 1))
        return np.where(np.isnan(values), NONE, found).astype(np.int64)
    names = label.cast(pl.String).str.strip_chars().str.to_lowercase().to_list()
    places = {name: place for place, name in enumerate(SENTIMENTS)} | {"": NONE, None: NONE}
    wrong = [row for row, name in enumerate(names) if name not in places]
    if wrong:
        detail = "is a number, or negative, neutral or positive; another label is in"
        raise InvalidInput.of(columns.label, f"{detail} row {wrong[0] + 1}", source=str(path))
    return np.array([places[name] for name in names], dtype=np.int64)


def seconds_of(times: pl.Series, path: Path) -> NDArray[np.float64]:
    """(n,) epoch seconds of a column of times. Raises InvalidInput where some are none."""
    if times.dtype == pl.String:
        times = times.str.to_datetime(strict=False, time_unit="us")
    if times.dtype == pl.Date:
        times = times.cast(pl.Datetime("us"))
    if times.dtype.is_temporal():
        times = times.dt.epoch("us").cast(pl.Float64) / 1e6
    if not times.dtype.is_numeric() or times.is_null().any():
        raise InvalidInput.of(times.name, "has rows that are no times; use ISO 8601", source=str(path))
    return times.cast(pl.Float64).to_numpy()


def _said(columns: Columns) -> str:
    if columns.time is not None:
        return f"the latest {100 * TEST:g} % of texts by {columns.time}"
    whose = "texts" if columns.unit is None else f"values of {columns.unit}, all texts of one together,"
    return f"{100 * TEST:g} % of {whose} chosen by hash"


def _place(salt: str, name: str) -> float:
    """In [0, 1), the same in every run."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{name}".encode()).digest()[:8], "big") / 2.0**64
