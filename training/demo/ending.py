"""The demo's last words on its customers, from what commands wrote as JSON: personas, feedback, tickets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

_DRIVERS = 3  # that are told


def personas(found: Mapping[str, Any]) -> Table:
    """A row a segment: size, what sets it apart in words; worth, churn, channel, part of day, of how many.

    Args:
        found: of `nba journey segments`.
    """
    table = Table(title=f"Personas: {found['customers']:,} customers by what they do", show_lines=True)
    table.add_column("persona")
    table.add_column("what is true of them")
    table.add_column("in figures (worth: 90 days)", no_wrap=True)
    for segment in found["segments"]:
        table.add_row(
            f"{segment['name']}\n{segment['size']:,} ({100 * segment['share']:.0f} %)",
            f"{' and '.join(segment['rule']) or 'everybody'}\n"
            f"({100 * segment['catches']:.0f} % of them; {100 * segment['right']:.0f} % of whom it is true)",
            "\n".join(_figures(segment, found["currency"])),
        )
    return table


def said(feedback: Mapping[str, Any], tickets: Mapping[str, Any]) -> Iterator[str]:
    """Lines: NPS, what the unhappy have more or less of, what texts are about, how tickets went.

    Args:
        feedback: of `nba feedback report`. tickets: of `nba journey tickets`.
    """
    total = feedback["surveys"].get("nps", {}).get("total")
    if total is not None:
        yield (
            f"NPS {total['value']:.0f} (95 % interval {total['low']:.0f} to {total['high']:.0f}) of "
            f"{total['answers']:,} answers by {total['customers']:,} customers"
        )
    drivers = feedback["drivers"]
    apart = [d for d in drivers["found"] if d["adjusted"] < 1 - drivers["level"]] if drivers else []
    for driver in sorted(apart, key=lambda d: -abs(d["delta"]))[:_DRIVERS]:
        more = "more" if driver["delta"] > 0 else "less"
        yield (
            f"the unhappy have {more}: {driver['name']}, {driver['unhappy']:.3g} against "
            f"{driver['others']:.3g} (effect {driver['delta']:+.2f}, {driver['low']:+.2f} to "
            f"{driver['high']:+.2f})"
        )
    if not apart:
        yield "nothing is shown to set the unhappy apart"
    if feedback["texts"] and feedback["texts"]["themes"]:
        themes = ", ".join(f"{t['name']} {t['texts']:,}" for t in feedback["texts"]["themes"])
        yield f"texts by theme: {themes}"
    one = tickets["rules"]["all"]
    if one["tickets"]:
        yield (
            f"{one['tickets']:,} tickets, {one['in_time']['part']:,} of {one['in_time']['of']:,} settled in "
            f"time; {one['open']:,} are open, {one['overdue']:,} of these late"
        )
        back = tickets["won_back"]
        yield f"{back['part']:,} of {back['of']:,} detractors who answered again were won back"


def _figures(segment: Mapping[str, Any], currency: str) -> Iterator[str]:
    """Worth, churn, channel, part of day; each with the number of customers of whom it is known."""
    worth, churn = segment["worth"], segment["churn"]
    if worth is None:
        yield "worth not known"
    else:
        half = (worth["high"] - worth["low"]) / 2
        yield f"{worth['value']:.2f} ± {half:.2f} {currency}, n {worth['n']:,}"
    yield "churn not known" if churn is None else f"churn {100 * churn['value']:.1f} %, n {churn['n']:,}"
    for name in ("channel", "part_of_day"):
        liked = segment[name]
        told = (
            "not known"
            if liked is None
            else f"{liked['name']} {100 * liked['share']:.0f} %, n {liked['n']:,}"
        )
        yield f"{name.replace('_', ' ')}: {told}"
