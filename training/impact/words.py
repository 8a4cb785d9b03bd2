"""Impact in plain words: one sentence a comparison, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.report.compare import Report
from experiments.report.words import amount, warnings
from nba.errors import NotEnoughData
from training.impact.report import Comparison, How, Worth

WHAT = {
    "random_eligible": "an eligible arm drawn at random",
    "holdout": "no contact at all",
    "propensity": "ranking by the probability that something good follows",
    "no_levers": "the same policy without levers",
    "incumbent": "the incumbent's rules",
}


WHO: Mapping[How, str] = {"on-policy": "treatment customers", "off-policy": "learned policies"}
"""Whose earnings a comparison is about, by how it is made."""


def sentence(who: str, what: str, worth: Worth, currency: str, level: float) -> str:
    """`treatment customers earned 1.31 EUR more per customer than with …, 95 % interval 0.40 to …`."""
    size = f"{amount(abs(worth.value), worth.stderr)} {currency}"
    way = "more" if worth.value >= 0 else "less"
    span = f"{amount(worth.low, worth.stderr)} to {amount(worth.high, worth.stderr)}"
    said = (
        f"{who} earned {size} {way} per customer than with {what}, {100 * level:g} % interval {span}, "
        f"on {worth.customers:,} customers with {worth.decisions_each:.1f} decisions each"
    )
    if worth.stderr == 0:
        return f"{said}: the two do the same"
    return f"{said}: no difference is shown" if worth.low <= 0 <= worth.high else said


def unknown(against: str, how: How, error: NotEnoughData) -> Comparison:
    """A comparison that the data can't carry."""
    return Comparison(
        against=against,
        what=WHAT[against],
        how=how,
        said=f"{WHO[how]} against {WHAT[against]}: not known: {error.detail}",
        missing=error.detail,
        figures=error.figures,
    )


def notes(groups: Report, found: Sequence[Comparison]) -> tuple[str, ...]:
    """What to mind."""
    said = [f"warning: {line}" for line in warnings(groups)]
    said.append("an interval holds for one look, on a date chosen beforehand, and for one comparison")
    if any(c.how == "on-policy" and c.worth is not None for c in found):
        said.append(
            "treatment customers: all of them in this time, whatever decided for them: also before a learned "
            "policy came, on ramps and in experiments; --since leaves the time before out"
        )
    if any(c.how == "off-policy" and c.worth is not None for c in found):
        said += [
            "off-policy: value per decision, doubly robust on the learned policies' own mature decisions, "
            "times decisions per customer; what an alternative would have done to later ones is not in it",
            "the propensity ranking is learned from other customers of the whole period: it knows later days "
            "than the learned policies did, which is in its favour",
        ]
    return tuple(said)
