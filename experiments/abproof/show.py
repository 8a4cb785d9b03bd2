"""The proofs as tables for a terminal, and as JSON for a program."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.ab import Difference
from experiments.abproof.alike import FIRST
from experiments.abproof.asos import Asos
from experiments.abproof.cookies import Cookies
from experiments.abproof.peeking import Rate
from experiments.abproof.run import Proof


def show(proof: Proof, console: Console) -> None:
    """Print one table after another, each with what it is of."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    d = proof.design
    say(
        f"Four ways to analyse: {d.per_arm:,} customers an arm, a share of {d.base:.0%} lifted by"
        f" {d.lift:.0%}, {d.looks} looks, α = {d.alpha:g}; {10 * proof.runs:,} runs. ± is a standard error;"
        " in brackets theory."
    )
    console.print(_methods(proof))
    say("Always valid, by tuning")
    console.print(_tunings(proof))
    say(
        f"No difference, looked at after every pair of customers from {FIRST} to {d.per_arm:,} an arm:"
        f" share of {proof.runs:,} runs that ever raise an alarm at 5 %."
    )
    console.print(_alike(proof))
    say("Sound splits, looked at after every step: share of runs that ever raise an alarm.")
    console.print(_splits(proof))
    say(f"CUPED: width of the 95 % interval as a share of the plain one; {proof.runs:,} runs.")
    console.print(_cuped(proof))
    _public(proof, console, say)


def as_json(proof: Proof) -> dict[str, Any]:
    """All figures, unrounded. Where data are missing, the path that isn't there."""
    return {
        "runs": proof.runs,
        "design": asdict(proof.design),
        "methods": [asdict(row) for row in proof.methods],
        "always_valid": [
            {"tuning": tuning, "false_alarms": asdict(alarms), "power": asdict(power)}
            for tuning, (alarms, power) in proof.tunings.items()
        ],
        "no_difference": [asdict(row) for row in proof.alike],
        "sound_splits": [asdict(row) for row in proof.splits],
        "cuped": [asdict(row) for row in proof.cuped],
        "cookie_cats": _or_missing(proof.cookies),
        "asos": _or_missing(proof.asos),
    }


def _or_missing(found: Cookies | Asos | Path) -> dict[str, Any]:
    return {"missing": str(found)} if isinstance(found, Path) else asdict(found)


def _methods(proof: Proof) -> Table:
    table = Table("method", "false alarms", "power", "customers until it stops")
    for row in proof.methods:
        table.add_row(row.method, _rate(row.false_alarms), _rate(row.power), f"{row.customers:,.0f}")
    return table


def _tunings(proof: Proof) -> Table:
    table = Table("tuning", "false alarms", "power")
    for tuning, (alarms, power) in proof.tunings.items():
        table.add_row(f"{tuning:,.0f}", _rate(alarms), _rate(power))
    return table


def _alike(proof: Proof) -> Table:
    table = Table("metric", "plain test, peeked at", "always valid", "group-sequential, 5 looks")
    for row in proof.alike:
        table.add_row(row.metric, *_thousandths(row.peeked, row.always_valid, row.group_sequential))
    return table


def _splits(proof: Proof) -> Table:
    table = Table(
        "weights", "customers", "step", "Pearson 5 %, peeked at", "sequential 5 %", "sequential 0.1 %"
    )
    for row in proof.splits:
        table.add_row(
            " : ".join(f"{w:g}" for w in row.weights),
            f"{row.customers:,}",
            f"{row.step}",
            *_thousandths(row.pearson_peeked, row.sequential),
            f"{row.sequential_001:.4f}",
        )
    return table


def _cuped(proof: Proof) -> Table:
    table = Table("correlation", "width", "√(1 − ρ²)", "95 % intervals cover")
    for row in proof.cuped:
        table.add_row(f"{row.correlation:g}", *_thousandths(row.width, row.theory, row.covered))
    return table


def _public(proof: Proof, console: Console, say: Any) -> None:
    if isinstance(proof.cookies, Path):
        say(f"Cookie Cats: not measured, {proof.cookies} is not there")
    else:
        for line in _cookie_lines(proof.cookies):
            say(line)
        console.print(_retention(proof.cookies))
    if isinstance(proof.asos, Path):
        say(f"ASOS: not measured, {proof.asos} is not there")
    else:
        say(_asos_words(proof.asos))
        console.print(_asos(proof.asos))


def _cookie_lines(found: Cookies) -> list[str]:
    control, treatment = found.counts
    warning = " WARNING: a broken split?" if found.warns else ""
    return [
        f"Cookie Cats: {control:,} players beside {treatment:,}, meant to be as many.",
        f"Looked at once, at the end: p = {found.at_end:.4f}.{warning}",
        f"Sequential: p = {found.sequential:.3f} at the end, {found.least_sequential:.3f} at its least;"
        f" a test that had bet on the very share seen would have {found.best_possible:.3f}.",
    ]


def _retention(found: Cookies) -> Table:
    table = Table("metric", "looked at once", "p", "always valid", "p")
    for name, (once, always) in found.metrics.items():
        table.add_row(name, _points(once), f"{once.p_value:.4f}", _points(always), f"{always.p_value:.3f}")
    return table


def _asos_words(found: Asos) -> str:
    return (
        f"ASOS: {found.series} series of one metric of one variant ({found.left_out} more have no usable"
        f" snapshot; {found.unusable:,} of {found.snapshots:,} snapshots lack variances or customers)."
        f" {found.broken} of {found.variants} variants fail a 1:1 split at the end,"
        f" {found.broken_sequentially} at some snapshot; {found.sound} series have a split that holds."
    )


def _asos(found: Asos) -> Table:
    table = Table("way", "claims", "not so at the end", "claims, split holds", "not so at the end")
    for row in found.claims:
        counts = row.claimed, row.not_at_end, row.claimed_sound, row.not_at_end_sound
        table.add_row(row.way, *map(str, counts))
    return table


def _rate(rate: Rate) -> str:
    return f"{rate.simulated:.3f} ± {rate.stderr:.3f} ({rate.theory:.3f})"


def _thousandths(*shares: float) -> list[str]:
    return [f"{share:.3f}" for share in shares]


def _points(found: Difference) -> str:
    """In percentage points."""
    return f"{100 * found.value:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
