"""An experiment's tables, in the reader's language: variants, differences, looks, segments, balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from experiments.ab import Difference
from experiments.report.experiment.analysis import REST, Analysed
from experiments.report.experiment.guards import Guard
from nba.errors import NotEnoughData
from serving.console.trials import decimals, level_said, span
from serving.console.words import Words


class Table(NamedTuple):
    """A caption, heads, rows, and which columns are figures."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: Sequence[int]


def tables(found: Analysed, words: Words) -> list[Table]:
    """Those with rows."""
    if not len(found.cohort):
        return []
    made = [_variants(found, words), _differences(found, words), _looks(found, words), _parts(found, words)]
    return [table for table in [*made, _balance(found, words)] if table.rows]


def _variants(found: Analysed, words: Words) -> Table:
    total, customers = sum(v.weight for v in found.variants), sum(v.exposed for v in found.variants)
    metrics = list(found.cohort.experiment.metrics)
    rows = [
        (
            v.variant if place or v.variant == "control" else f"{v.variant} ({words('control')})",
            words.number(v.exposed),
            words.number(customers * v.weight / total, 1),
            words.number(v.mature),
            *(words.number(_known(v.means[m]), 3) for m in metrics),
        )
        for place, v in enumerate(found.variants)
    ]
    heads = [words("Variant"), words("Customers"), words("By weights"), words("Mature"), *metrics]
    return Table(words("Variants, with the mean of each metric"), heads, rows, range(1, len(heads)))


def _differences(found: Analysed, words: Words) -> Table:
    guards = {(g.metric, g.variant): g for g in found.guards}
    rows = [
        (
            f"{c.metric} *" if c.primary else c.metric,
            c.variant,
            *_figures(c.tested.absolute, words),
            level_said(c.level, words),
            "" if isinstance(c.tested.relative, NotEnoughData) else _relative(c.tested.relative, words),
            "" if isinstance(c.p_value, NotEnoughData) else words.p_value(c.p_value, bare=True),
            "" if isinstance(c.tested.absolute, NotEnoughData) else words(c.word),
            _guardrail(guards.get((c.metric, c.variant)), words),
        )
        for c in found.comparisons
    ]
    heads = ("Metric", "Variant", "Difference", "Interval", "Level", "Relative", "p", "Verdict", "Guardrail")
    return Table(words("Differences to control"), [words(head) for head in heads], rows, (2, 3, 4, 5, 6))


def _known(mean: float | NotEnoughData) -> float | None:
    return None if isinstance(mean, NotEnoughData) else mean


def _figures(found: Difference | NotEnoughData, words: Words) -> tuple[str, str]:
    if isinstance(found, NotEnoughData):
        return words("not enough data"), ""
    return words.number(found.value, decimals(found)), span(found, words)


def _guardrail(guard: Guard | None, words: Words) -> str:
    if guard is None:
        return ""
    return (
        words("broken") if guard.broken else words("at most {share} worse", share=words.percent(guard.harm))
    )


def _relative(found: Difference, words: Words) -> str:
    ends = words("{low} to {high}", low=words.percent(found.low), high=words.percent(found.high))
    return f"{words.percent(found.value)} ({ends})"


def _looks(found: Analysed, words: Words) -> Table:
    of = found.cohort.experiment.analysis.looks
    rows = [
        (
            words("{look} of {looks}", look=look.look, looks=of),
            c.variant,
            words.number(look.customers),
            words.number(look.z, 2),
            words.number(look.bound, 2),
            words("yes") if look.crossed else words("no"),
        )
        for c in found.primary
        for look in c.tested.looks
    ]
    heads = ("Look", "Variant", "Customers", "z", "Bound", "Crossed")
    return Table(words("Looks that were due"), [words(head) for head in heads], rows, (2, 3, 4))


def _parts(found: Analysed, words: Words) -> Table:
    rows = [
        (
            words(row.segment) if row.segment == REST else row.segment,
            variant,
            f"{words.number(row.control_n)} + {words.number(row.treatment_n)}",
            words.number(row.difference.value, decimals(row.difference)),
            span(row.difference, words),
            "" if isinstance(row.p_value, NotEnoughData) else words.p_value(row.p_value, bare=True),
        )
        for variant, one in found.segments.items()
        if not isinstance(one, NotEnoughData)
        for row in one.rows
    ]
    heads = ("Segment", "Variant", "Customers", "Difference", "Interval", "p")
    return Table(
        words("By segment, in the primary metric"), [words(head) for head in heads], rows, (2, 3, 4, 5)
    )


def _balance(found: Analysed, words: Words) -> Table:
    rows = []
    for (metric, variant), one in found.balance.items():
        if isinstance(one, NotEnoughData):
            rows.append((metric, variant, words("not enough data"), "", ""))
        else:
            p = words.p_value(one.p_value, bare=True)
            rows.append((metric, variant, words.number(one.standardised, 3), p, words(one.word)))
    heads = ("Metric", "Variant", "Standardised difference", "p", "Verdict")
    return Table(words("Balance before exposure"), [words(head) for head in heads], rows, (2, 3))
