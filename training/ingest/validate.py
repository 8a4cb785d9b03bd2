"""Judge rows: good ones are touchpoints of the history, each bad one has the first reason found.

Vectorised; no row is looked at by itself. What is checked: ids are 1 to 128 of `[A-Za-z0-9._~:-]`, types
are names, times are known and not in the future, values are finite, properties are short enough, and
`consent` and `profile` say what they must.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from nba.features.history import COLUMNS
from nba.playbook.checks import zone_names
from nba.playbook.feedback import SURVEYS, Feedback, Survey
from training.ingest.batch import BAD, SHOWN

SLACK = 300.0  # seconds that clocks may differ
LONGEST = 65_536  # bytes of properties
MOST = 1e12  # as the API: sums of squares of values have to stay finite
_ID = r"^[A-Za-z0-9._~:-]{1,128}$"
_ID_REASON = "not 1 to 128 of A-Z a-z 0-9 . _ ~ : -"
_TYPE = r"^[a-z][a-z0-9_]{0,63}$"
_NAME = r"^[^\x00-\x1f\x7f]{1,128}$"
_PURPOSES = ("marketing", "service", "transactional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Rows for which `bad` is true are refused for this reason; `shown` is what the quarantine shows."""

    field: str
    reason: str
    bad: pl.Expr
    shown: pl.Expr


def sift(
    rows: pl.DataFrame, as_of: float, feedback: Feedback = Feedback()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with the columns `ROWS` → good rows with the history's columns, and `BAD` ones, one a line.

    Args:
        as_of: epoch seconds; what is more than five minutes later is in the future.
        feedback: the playbook's scales of surveys.
    """
    checks = _checks(as_of, feedback)
    verdicts = [pl.when(check.bad).then(pl.lit(i, dtype=pl.Int16)) for i, check in enumerate(checks)]
    judged = rows.with_columns(
        pl.when(pl.col("flaw_reason").is_null()).then(pl.coalesce(verdicts)).alias("verdict")
    )
    refused = pl.col("verdict").is_not_null() | pl.col("flaw_reason").is_not_null()
    good = judged.filter(~refused).with_columns(pl.col("value").fill_null(0.0))
    bad = judged.filter(refused).unique("line", keep="first", maintain_order=True)
    return good.select(COLUMNS.names()), _bad(bad, checks)


def _bad(rows: pl.DataFrame, checks: Sequence[Check]) -> pl.DataFrame:
    def each(texts: list[pl.Expr], flaw: str) -> pl.Expr:
        chosen = [pl.when(pl.col("verdict") == i).then(text) for i, text in enumerate(texts)]
        return pl.coalesce(pl.col(flaw), *chosen)

    return rows.select(
        pl.col("line"),
        each([pl.lit(check.field) for check in checks], "flaw_field").alias("field"),
        each([pl.lit(check.reason) for check in checks], "flaw_reason").alias("reason"),
        each([check.shown for check in checks], "flaw_value").str.slice(0, SHOWN).alias("value"),
    ).select(pl.col(name).cast(kind) for name, kind in BAD.items())


def _checks(as_of: float, feedback: Feedback) -> list[Check]:
    names = (("channel", _NAME), ("action", _NAME))
    return [
        *_identifier("customer", pl.col("customer_id"), _ID, _ID_REASON),
        *_identifier("id", pl.col("event_id"), _ID, _ID_REASON),
        *_identifier("type", pl.col("type"), _TYPE, "not a name of a-z 0-9 _, up to 64"),
        *_times(as_of),
        *_values(),
        *(_answers(survey, feedback) for survey in SURVEYS),
        *(_check(n, "not 1 to 128 printable characters", ~pl.col(n).str.contains(r)) for n, r in names),
        *_properties(),
    ]


def _check(field: str, reason: str, bad: pl.Expr, shown: pl.Expr | None = None) -> Check:
    return Check(field=field, reason=reason, bad=bad, shown=pl.col(field) if shown is None else shown)


def _identifier(field: str, column: pl.Expr, pattern: str, reason: str) -> list[Check]:
    missing = column.is_null() | (column == "")
    return [
        _check(field, "missing", missing, column),
        _check(field, reason, ~column.str.contains(pattern), column),
    ]


def _times(as_of: float) -> list[Check]:
    text, seconds = pl.col("time_text"), pl.col("occurred_at").dt.epoch("us") / 1e6
    return [
        _check("time", "missing", text.is_null(), text),
        _check("time", "not a time", seconds.is_null(), text),
        _check("time", "in the future", seconds > as_of + SLACK, text),
        _check("time", "before 1970", seconds < 0, text),
    ]


def _values() -> list[Check]:
    text, value = pl.col("value_text"), pl.col("value")
    return [
        _check("value", "not a number", value.is_null() & text.is_not_null(), text),
        _check("value", "not finite", ~value.is_finite(), text),
        _check("value", f"beyond ±{MOST:g}", value.abs() > MOST, text),
    ]


def _answers(survey: Survey, feedback: Feedback) -> Check:
    """Of one survey: an answer that is missing or off the scale."""
    scale, value = feedback.scale(survey), pl.col("value")
    off = value.is_null() | ~value.is_between(scale.lowest, scale.highest)
    if scale.whole:
        off = off | (value != value.floor())
    reason = f"an answer of type {survey} is {scale.described()}"
    return _check("value", reason, (pl.col("type") == survey) & off, pl.col("value_text"))


def _properties() -> list[Check]:
    properties = pl.col("properties")
    consent = pl.when(pl.col("type") == "consent").then(properties.fill_null("{}"))
    purpose, granted = consent.str.json_path_match("$.purpose"), consent.str.json_path_match("$.granted")
    zone = pl.when(pl.col("type") == "profile").then(properties).str.json_path_match("$.timezone")
    purposed = purpose.fill_null(_PURPOSES[0]).is_in(_PURPOSES)  # left out it is marketing, as in the API
    said = granted.is_in(["true", "false"]).fill_null(value=False) & ~properties.str.contains(
        r'"granted": ?"'
    )
    return [
        _check("properties", f"more than {LONGEST} bytes", properties.str.len_bytes() > LONGEST),
        _check(
            "properties.purpose",
            "consent needs marketing, service or transactional",
            consent.is_not_null() & ~purposed,
            purpose,
        ),
        _check("properties.granted", "consent needs true or false", consent.is_not_null() & ~said, granted),
        _check("properties.timezone", "no such time zone", ~zone.is_in(sorted(zone_names())), zone),
    ]
