"""A segmentation as a table and sentences for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.console import Console

from experiments.report.tables import table
from nba.journey.traits import Trait
from nba.model import timestamp
from nba.playbook.compile import Playbook
from training.segments.describe import Difference, Favourite, Mean, Persona, told
from training.segments.run import Found


def show(playbook: Playbook, found: Found, console: Console) -> None:
    """Print it."""

    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, highlight=False, soft_wrap=True, markup=False)

    say(f"{playbook.version}, {len(found.cohort):,} customers as of {timestamp(found.as_of)}")
    say(found.choice.said)
    rows = [
        {"segment": f"{s.id} {s.name}", **_row(p, playbook.spec.currency)}
        for s, p in zip(found.segments, found.personas, strict=True)
    ]
    console.print(table(rows))
    traits = {trait.name: trait for trait in found.scaling.traits}
    for segment, persona, overlap in zip(found.segments, found.personas, found.matched.overlap, strict=True):
        known = f"overlaps {100 * overlap:.0f} % with the model before" if overlap else "new"
        say(f"\n{segment.id} {segment.name} ({known})", "bold")
        for line in _sentences(persona, traits):
            say(f"  {line}")
    _show_changes(found, say)


def _show_changes(found: Found, say: Callable[..., None]) -> None:
    matched = found.matched
    if matched.moved is not None:
        say(f"\n{100 * matched.moved:.1f} % of the customers are in another segment than by the model before")
    for gone in matched.gone:
        say(f"gone: {gone.id} {gone.name}")
    for name in found.unknown:
        say(f"warning: a rule asks for the segment {name!r}, which there is not; it never holds")
    say('"lately": a touchpoint of 90 days ago counts half; differences are no causes', "dim")


def _row(persona: Persona, currency: str) -> dict[str, str]:
    return {
        "customers": f"{persona.size:,} ({100 * persona.share:.0f} %)",
        f"worth in 90 days, {currency}": _amount(persona.worth),
        "churn": _percent(persona.churn),
        "silent": _percent(persona.silent),
        "channel": _favourite(persona.channel),
        "part of day": _favourite(persona.part_of_day),
    }


def _sentences(persona: Persona, traits: Mapping[str, Trait]) -> list[str]:
    rule = " and ".join(persona.rule) or "everybody"
    lines = [
        f"{rule}: true of {100 * persona.catches:.0f} % of them; of all of whom it is true, "
        f"{100 * persona.right:.0f} % are of them"
    ]
    return lines + [_difference(d, traits[d.trait]) for d in persona.differences]


def _difference(d: Difference, trait: Trait) -> str:
    return (
        f"{d.said}: {told(trait, d.inside)} (n = {d.n_inside:,}) against {told(trait, d.outside)} "
        f"(n = {d.n_outside:,}), a difference of {d.effect:+.1f} standard deviations"
    )


def _amount(mean: Mean | None) -> str:
    return "not known" if mean is None else f"{mean.value:,.2f} ({mean.low:,.2f} to {mean.high:,.2f})"


def _percent(mean: Mean | None) -> str:
    return "not known" if mean is None else f"{100 * mean.value:.0f} %"


def _favourite(found: Favourite | None) -> str:
    return "not known" if found is None else f"{found.name} ({100 * found.share:.0f} % of {found.n:,})"
