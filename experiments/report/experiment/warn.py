"""What speaks against believing an experiment's figures, and how to read them."""

from __future__ import annotations

from experiments.report.experiment.analysis import Analysed
from experiments.report.words import p_value
from nba.errors import NotEnoughData


def warnings(found: Analysed) -> list[str]:
    """Worst first."""
    cohort = found.cohort
    said = []
    if cohort.reweighted:
        said.append(
            f"{cohort.reweighted:,} customers entered under other weights than today's: what changed over "
            "time then looks like an effect; stop, and start anew under another name and salt"
        )
    if cohort.switched:
        said.append(
            f"{cohort.switched:,} customers saw more than one variant, as salt, weights or variants changed; "
            "they count in the first, which makes differences look smaller"
        )
    if cohort.gone:
        said.append(f"{cohort.gone:,} customers entered in a variant that is no longer declared; left out")
    uneven = [f"{metric} ({variant})" for metric, variant in _uneven(found)]
    if uneven:
        said.append(
            f"the variants differed before the first exposure, more than chance explains: {', '.join(uneven)}"
        )
    return said


def notes(found: Analysed) -> list[str]:
    """How to read the figures."""
    cohort = found.cohort
    if not len(cohort):
        return []
    said = [_reading(found)]
    if not found.broken:
        said.append(f"customers fell on the variants as the weights say ({p_value(found.split)})")
    waiting = len(cohort) - cohort.mature
    if waiting:
        days = cohort.ripening / 86_400
        said.append(
            f"{waiting:,} customers are not mature: their {days:g} days are not over, so they don't count"
        )
    if cohort.held:
        said.append(
            f"{cohort.held:,} customers had only decisions that were held and never shown: not exposed"
        )
    adjusted = [f"{c.metric} ({c.variant})" for c in found.comparisons if c.tested.adjusted]
    if adjusted:
        said.append(f"adjusted for what customers had done before (CUPED): {', '.join(adjusted)}")
    return [*said, *_alike(found), *_missing(found), *_segments(found)]


def _reading(found: Analysed) -> str:
    match found.cohort.experiment.analysis.method:
        case "always-valid":
            return "* decides; all figures may be looked at any time"
        case "group-sequential":
            return (
                "* decides; it is looked at as planned, and its figures are those of the last look due; the "
                "other metrics may be looked at any time"
            )
        case _:
            return "* decides; a fixed analysis is looked at once, before that the means only describe"


def _alike(found: Analysed) -> list[str]:
    known = {key: one for key, one in found.balance.items() if not isinstance(one, NotEnoughData)}
    if not known or _uneven(found):
        return []
    metric, variant = max(known, key=lambda key: abs(known[key].standardised))
    most = known[metric, variant].standardised
    return [
        f"before exposure the variants were alike; most apart is {metric} ({variant}), by {most:.2f} "
        "standard deviations of a customer"
    ]


def _missing(found: Analysed) -> list[str]:
    return [
        f"{c.metric} ({c.variant}): {c.tested.absolute.detail}"
        for c in found.comparisons
        if not c.primary and isinstance(c.tested.absolute, NotEnoughData)
    ]


def _segments(found: Analysed) -> list[str]:
    said = []
    for variant, one in found.segments.items():
        if isinstance(one, NotEnoughData):
            said.append(f"segments of {variant}: not enough data: {one.detail}")
            continue
        differ = "differ" if one.p_value < found.cohort.experiment.analysis.alpha else "don't surely differ"
        said.append(
            f"segments of {variant}: their effects {differ} ({p_value(one.p_value)} of one effect for all, "
            "for one look); each segment's interval is widened for their number"
        )
    return said


def _uneven(found: Analysed) -> list[tuple[str, str]]:
    return [
        key
        for key, one in found.balance.items()
        if not isinstance(one, NotEnoughData) and one.word == "uneven"
    ]
