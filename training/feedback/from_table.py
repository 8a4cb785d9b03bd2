"""What customers said, from a table of one's own: a row is an answer, a text, or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.report.feedback.heard import ANSWERS, TEXTS, Heard
from nba.errors import FieldError, InvalidInput
from nba.playbook.feedback import LONGEST_TEXT, Feedback, Survey
from training.feedback.texts import check_column, seconds_of, table

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Which column of a table means what; at least one of `score` and `text`.

    Attributes:
        customer: left out, every row is of another customer.
        by: columns to split by; those of numbers are looked at as drivers only.
    """

    survey: Survey
    score: str | None
    text: str | None
    customer: str | None
    time: str | None
    by: tuple[str, ...]


def heard_of(path: Path, told: Told, feedback: Feedback) -> Heard:
    """Read it. Rows with neither answer nor text are left out.

    Raises:
        InvalidInput: the file can't be read, lacks a column, or has answers off the scale or texts too long,
            with their rows.
    """
    if told.score is None and told.text is None:
        raise InvalidInput.of("score", "is needed, or --text: the column of answers, or of texts")
    frame = table(path)
    for name in (told.score, told.text, told.customer, told.time, *told.by):
        if name is not None:
            check_column(frame, name, path)
    rows = frame.with_row_index("row of the table")
    values = _values(rows, told, feedback, path)
    texts = _texts(rows, told, path)
    at = pl.Series([None] * len(rows), dtype=pl.Float64)
    if told.time is not None:
        at = pl.Series(seconds_of(rows[told.time], path))
    whose = rows["row of the table"] if told.customer is None else rows[told.customer].cast(pl.String)
    customer = whose.fill_null("").rank("dense").cast(pl.Int64)
    answered, written = values.is_not_null(), texts.is_not_null()
    places = answered.cast(pl.Int64).cum_sum() - 1
    own = pl.DataFrame({"customer": customer, "at": at, "value": values, "text": texts})
    answers = own.filter(answered).with_columns(survey=pl.lit(told.survey, dtype=pl.String))
    said = own.filter(written).with_columns(type=pl.lit("review"))
    splits = {name: rows[name] for name in told.by if not _number(rows[name])}
    return Heard(
        answers=answers.select(pl.col(name).cast(kind) for name, kind in ANSWERS.items()),
        splits={name: column.cast(pl.String).filter(answered) for name, column in splits.items()},
        facts={
            name: rows[name].filter(answered).cast(pl.Float64).fill_null(float("nan")).to_numpy()
            for name in told.by
            if name not in splits
        },
        texts=said.select(pl.col(name).cast(kind) for name, kind in TEXTS.items()),
        answer_of=np.where(answered.to_numpy(), places.to_numpy(), -1)[written.to_numpy()].astype(np.int64),
    )


def _number(column: pl.Series) -> bool:
    return bool(column.dtype.is_numeric())


def _values(rows: pl.DataFrame, told: Told, feedback: Feedback, path: Path) -> pl.Series:
    """(n,) answers, null where there is none."""
    if told.score is None:
        return pl.Series([None] * len(rows), dtype=pl.Float64)
    given = rows[told.score]
    values = given.cast(pl.Float64, strict=False)
    scale = feedback.scale(told.survey)
    wrong = [
        row
        for row, (answer, value) in enumerate(zip(given.to_list(), values.to_list(), strict=True))
        if answer is not None and not (value is not None and scale.has(value))
    ]
    _refuse(told.score, wrong, f"an answer of type {told.survey} is {scale.described()}", path)
    return values


def _texts(rows: pl.DataFrame, told: Told, path: Path) -> pl.Series:
    """(n,) texts, null where there is none."""
    if told.text is None:
        return pl.Series([None] * len(rows), dtype=pl.String)
    texts = rows[told.text].cast(pl.String)
    wrong = np.flatnonzero((texts.str.len_bytes() > LONGEST_TEXT).fill_null(value=False).to_numpy())
    _refuse(told.text, wrong.tolist(), f"has more than {LONGEST_TEXT:,} bytes", path)
    return texts.set(texts.str.strip_chars() == "", None)


def _refuse(field: str, wrong: list[int], detail: str, path: Path) -> None:
    if wrong:
        more = f"; {len(wrong):,} rows in all" if len(wrong) > _SHOWN else ""
        errors = [FieldError(field=field, detail=f"row {row + 1}: {detail}") for row in wrong[:_SHOWN]]
        errors[-1] = FieldError(field=field, detail=errors[-1].detail + more)
        raise InvalidInput(errors, source=str(path))
