"""The proofs as tables for a terminal, and as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.ope import Estimate
from experiments.opeproof.classification import ESTIMATORS, LOGGINGS, Cell, Proof
from experiments.opeproof.open_bandit import ESTIMATORS as ASKED
from experiments.opeproof.open_bandit import Case
from nba.errors import NotEnoughData


def show_proof(proof: Proof, console: Console) -> None:
    """Relative error by logging policy over all sets, then by set over all logging policies."""
    console.print(
        f"Labelled sets as bandits: {len(proof.sets)} sets, {proof.seeds} logs of {proof.rows:,} decisions"
        " for each pair of policies",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_by_logging(proof))
    console.print(_by_set(proof))


def show_bandit(cases: Sequence[Case], console: Console) -> None:
    """Each case beside what the target earned itself, in clicks per thousand."""
    table = Table("log → target", "rows", "clicks", "effective n", "on-policy", *ASKED, "believe it?")
    table.title = "Open Bandit (men): clicks per 1,000 impressions, 95 % intervals"
    for case in cases:
        cells = [_per_thousand(case.found[name]) for name in ASKED]
        effective = f"{case.overlap.effective_n:,.0f}"
        rows, clicks = f"{case.rows:,}", str(case.clicks)
        table.add_row(
            case.name, rows, clicks, effective, _per_thousand(case.truth), *cells, case.trust.belief
        )
    console.print(table)


def as_json(proof: Proof | None, cases: Sequence[Case]) -> dict[str, Any]:
    """All figures, unrounded; a refusal is `not_enough_data` with its reason."""
    written: dict[str, Any] = {"open_bandit": [_case(case) for case in cases]}
    if proof is not None:
        written["classification"] = {
            "rows": proof.rows,
            "seeds": proof.seeds,
            "cells": [
                {"set": name, "logging": logging, "estimator": estimator, **asdict(cell)}
                for (name, logging, estimator), cell in proof.cells.items()
            ],
            "effective_n": [
                {"set": name, "logging": logging, "effective_n": value}
                for (name, logging), value in proof.effective.items()
            ],
        }
    return written


def relative_error(cells: Iterable[Cell]) -> float | NotEnoughData:
    """Root mean square of V̂/V − 1 over the answered logs of each cell, then the mean over cells."""
    each = [float(np.sqrt(np.mean(np.square(cell.errors)))) for cell in cells if cell.errors]
    return float(np.mean(each)) if each else NotEnoughData("every log was refused", {})


def _by_logging(proof: Proof) -> Table:
    table = Table("estimator", *(f"logged by {name}" for name in LOGGINGS), "intervals held", "refused")
    table.title = "Relative error (root mean square), in percent, mean over sets"
    for estimator in ESTIMATORS:
        errors = [
            _percent(relative_error(proof.cells[name, logging, estimator] for name in proof.sets))
            for logging in LOGGINGS
        ]
        table.add_row(estimator, *errors, *_kept([c for k, c in proof.cells.items() if k[2] == estimator]))
    effective = [np.mean([proof.effective[name, logging] for name in proof.sets]) for logging in LOGGINGS]
    table.add_section()
    table.add_row("effective n", *(f"{value:,.0f}" for value in effective), "", "")
    return table


def _by_set(proof: Proof) -> Table:
    few = [name for name in ESTIMATORS if name not in ("clipped-snips", "sg-dr")]
    table = Table("set", *few)
    table.title = "The same by set, mean over logging policies; the least in bold"
    for name in proof.sets:
        errors = [relative_error(proof.cells[name, logging, e] for logging in LOGGINGS) for e in few]
        least = min((e for e in errors if isinstance(e, float)), default=0.0)
        table.add_row(name, *[_percent(e, bold=e == least) for e in errors])
    return table


def _kept(cells: Sequence[Cell]) -> tuple[str, str]:
    answered, logs = sum(len(c.errors) for c in cells), sum(c.logs for c in cells)
    held = f"{100 * sum(c.held for c in cells) / answered:.1f} %" if answered else "not enough data"
    return held, f"{100 * (1 - answered / logs):.1f} %"


def _percent(value: float | NotEnoughData, *, bold: bool = False) -> str:
    if isinstance(value, NotEnoughData):
        return "refused"
    return f"[bold]{100 * value:.1f}[/bold]" if bold else f"{100 * value:.1f}"


def _per_thousand(found: Estimate | NotEnoughData) -> str:
    if isinstance(found, NotEnoughData):
        return "refused"
    return f"{1e3 * found.value:.2f}\n({1e3 * found.low:.2f} to {1e3 * found.high:.2f})"


def _case(case: Case) -> dict[str, Any]:
    return {
        "case": case.name,
        "rows": case.rows,
        "clicks": case.clicks,
        "effective_n": case.overlap.effective_n,
        "on_policy": _answer(case.truth),
        "estimates": {name: _answer(found) for name, found in case.found.items()},
        "trust": case.trust.to_json(),
    }


def _answer(found: Estimate | NotEnoughData) -> dict[str, Any]:
    if isinstance(found, Estimate):
        return asdict(found)
    return {"not_enough_data": found.detail, "figures": dict(found.figures)}
