"""What rows of the store tell of customers when they answered: stage, segment, what had happened of late.

A quick stand-in for the features that `nba feedback report` has: "of late" is a count over `LATE`, and only
of what the rows that were read reach back to. Nothing after an answer explains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from experiments.report.feedback.heard import Floats, Heard
from experiments.report.feedback.stored import numbered

LATE = 30 * 86_400.0
CONTACTS = "contacts"
_WAYS: tuple[Literal["backward", "forward"], ...] = ("backward", "forward")
_STANDING = {"customer": pl.String, "at": pl.Float64, "name": pl.String}
_HAPPENED = pl.Schema({"customer": pl.String(), "at": pl.Float64()})


class Stood(NamedTuple):
    """Where a customer, by surrogate, was known to stand at a moment; None for not known."""

    customer: str
    at: float
    stage: str | None
    segment: str | None


def heard_with(
    answers: pl.DataFrame,
    texts: pl.DataFrame,
    *,
    stood: Sequence[Stood],
    happened: Mapping[str, pl.DataFrame],
    since: float,
) -> Heard:
    """What was said, split by stage and segment, with facts.

    Args:
        answers, texts: of `stored.said`.
        stood: in any order; an answer has what was known last before it, and else what was known first.
        happened: fact → when it happened to whom, with columns `customer` and `at`.
        since: from when on `happened` has all; of an answer less than `LATE` after it no fact is known.
    """
    plain = numbered(answers, texts)
    own = answers.select("customer", "at").with_row_index("row")
    splits = {
        name: _standing(own, [(s.customer, s.at, getattr(s, name)) for s in stood])
        for name in ("stage", "segment")
    }
    known = (own["at"] >= since + LATE).to_numpy()
    facts = {f"{name} of late": _counted(own, rows, known) for name, rows in happened.items()}
    return replace(plain, splits={**splits, **plain.splits}, facts=facts)


def _standing(own: pl.DataFrame, stood: Sequence[tuple[str, float, str | None]]) -> pl.Series:
    """(n,) where each answer's customer stood; null where it is not known."""
    rows = pl.DataFrame([s for s in stood if s[2] is not None], schema=_STANDING, orient="row").sort("at")
    found = own.sort("at")
    for number, way in enumerate(_WAYS):
        found = found.join_asof(
            rows.rename({"name": f"name{number}"}),
            on="at",
            by="customer",
            strategy=way,
            check_sortedness=False,
        )
    return found.sort("row").select(pl.coalesce("name0", "name1").alias("name"))["name"]


def _counted(
    own: pl.DataFrame, happened: pl.DataFrame, known: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Floats:
    """(n,) how often it happened in [answer − `LATE`, answer); NaN where that is not known."""
    rows = happened.select(_HAPPENED.names()).cast(_HAPPENED).sort("at")
    rows = rows.with_columns(count=pl.int_range(1, pl.len() + 1).over("customer"))
    until = _count_before(own, rows, 0.0)
    return np.where(known, until - _count_before(own, rows, LATE), np.nan)


def _count_before(own: pl.DataFrame, rows: pl.DataFrame, earlier: float) -> Floats:
    """(n,) rows of each answer's customer before so many seconds before it."""
    moments = own.with_columns(pl.col("at") - earlier).sort("at")
    found = moments.join_asof(
        rows, on="at", by="customer", strategy="backward", allow_exact_matches=False, check_sortedness=False
    )
    return found.sort("row")["count"].fill_null(0).to_numpy().astype(np.float64)
