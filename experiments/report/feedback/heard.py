"""What was heard of customers, as columns: survey answers with what was known of who gave them, and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ANSWERS = pl.Schema({"customer": pl.Int64, "survey": pl.String, "value": pl.Float64, "at": pl.Float64})
TEXTS = pl.Schema({"customer": pl.Int64, "type": pl.String, "text": pl.String, "at": pl.Float64})
NOT_KNOWN = "not known"
NEAR = 86_400.0  # seconds between an answer and the text that goes with it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """Answers and texts; `customer` is a number that tells customers apart and means nothing else.

    Attributes:
        answers: columns of `ANSWERS`; `at` is epoch seconds, null where it is not known.
        splits: name → (n,) text of each answer: its stage, channel, segment, … when it was given.
        facts: name → (n,) number of each answer, known before it was given; NaN where not.
        texts: columns of `TEXTS`.
        answer_of: (t,) for each text the place of the same customer's nearest answer, or −1.
    """

    answers: pl.DataFrame
    splits: Mapping[str, pl.Series]
    facts: Mapping[str, Floats]
    texts: pl.DataFrame
    answer_of: NDArray[np.int64]


def nearest_answer(answers: pl.DataFrame, texts: pl.DataFrame, within: float) -> NDArray[np.int64]:
    """(t,) place of the customer's answer nearest in time to each text, at most `within` seconds off."""
    asked = texts.select("customer", "at").with_row_index("row").sort("at")
    known = answers.select("customer", "at").with_row_index("answer").drop_nulls("at").sort("at")
    if known.is_empty() or asked.is_empty():
        return np.full(len(texts), -1, dtype=np.int64)
    found = asked.join_asof(
        known, on="at", by="customer", strategy="nearest", tolerance=within, check_sortedness=False
    )
    places = found.sort("row")["answer"].cast(pl.Int64).fill_null(-1)
    return places.to_numpy().astype(np.int64)


def periods(at: pl.Series, every: str) -> pl.Series:
    """Epoch seconds → `2026-03` or `2026-W11`, UTC."""
    moments = pl.from_epoch((at * 1e6).cast(pl.Int64), time_unit="us")
    said = moments.dt.strftime("%Y-%m" if every == "month" else "%G-W%V")
    return said.fill_null(NOT_KNOWN)
