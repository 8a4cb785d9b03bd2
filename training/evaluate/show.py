"""An evaluation as tables for a terminal, as text for a file, and as JSON for a program."""

from __future__ import annotations

import io
import math
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.ope import Diagnostics, Estimate
from nba.errors import NotEnoughData
from nba.record import timestamp
from training.evaluate.findings import Compared, Evaluation, Found, Valued


def show(found: Evaluation, console: Console) -> None:
    """Print values, differences, then whether to believe them."""
    settings = found.settings
    console.print(
        f"{found.playbook} at {timestamp(found.as_of)}: {found.mature:,} mature decisions of the group"
        f" {settings.group} ({found.immature:,} are not mature yet); {found.currency} per decision,"
        f" {100 * settings.level:g} % intervals",
        highlight=False,
        soft_wrap=True,
    )
    for line in found.left_out.said():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(_values(found))
    if found.compared:
        console.print(_differences(found))
    for line in reasons(found):
        console.print(line, highlight=False, soft_wrap=True)
    for valued in found.valued:
        if valued.trust is not None:
            console.print(valued.trust.to_text(), end="", highlight=False, markup=False, soft_wrap=True)


def as_text(found: Evaluation) -> str:
    console = Console(file=io.StringIO(), width=160, no_color=True, force_terminal=False)
    with console.capture() as capture:
        show(found, console)
    return capture.get()


def reasons(found: Evaluation) -> list[str]:
    """Why there is no estimate where there is none, each reason once."""
    lines: dict[str, None] = {}
    for who, one in [(v.contender.name, v.found) for v in found.valued] + [
        (f"{c.name} against {c.against}", c.found) for c in found.compared
    ]:
        for refusal in one.values():
            if isinstance(refusal, NotEnoughData):
                lines[f"no estimate of {who}: {refusal.detail}"] = None
    return list(lines)


def estimate_rows(found: Evaluation) -> list[dict[str, Any]]:
    """One row a policy and estimator, figures as they are; text where there is none. For MLflow's table."""
    return [
        {
            "policy": valued.contender.name,
            "version": valued.contender.policy,
            "estimator": name,
            "value": one.value if isinstance(one, Estimate) else "",
            "low": one.low if isinstance(one, Estimate) else "",
            "high": one.high if isinstance(one, Estimate) else "",
            "effective_n": one.effective_n if isinstance(one, Estimate) else "",
            "refused": "" if isinstance(one, Estimate) else one.detail,
        }
        for valued in found.valued
        for name, one in valued.found.items()
    ]


def difference_rows(found: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "policy": compared.name,
            "against": compared.against,
            "estimator": name,
            "value": one.value if isinstance(one, Estimate) else "",
            "low": one.low if isinstance(one, Estimate) else "",
            "high": one.high if isinstance(one, Estimate) else "",
            "refused": "" if isinstance(one, Estimate) else one.detail,
        }
        for compared in found.compared
        for name, one in compared.found.items()
    ]


def as_json(found: Evaluation) -> dict[str, Any]:
    """All figures, unrounded. Where there is no estimate there is `not_enough_data` with its figures."""
    return {
        "playbook": found.playbook,
        "currency": found.currency,
        "as_of": timestamp(found.as_of),
        "settings": asdict(found.settings),
        "mature_decisions": found.mature,
        "immature_decisions": found.immature,
        "left_out": found.left_out.to_json(),
        "policies": [_policy(found, valued) for valued in found.valued],
        "differences": [
            {"name": c.name, "against": c.against, "rows": c.rows, "estimates": _estimates(c.found)}
            for c in found.compared
        ],
    }


def overlap_figures(shown: Diagnostics) -> dict[str, Any]:
    """The diagnostics as JSON has them; whom a heavy row belongs to stays here."""
    values = asdict(shown)
    values["calibration"] = shown.calibration.tolist()
    values["heaviest"] = [
        {"row": heavy.row, "weight": heavy.weight, "share": heavy.share} for heavy in shown.heaviest
    ]
    return values


def _policy(found: Evaluation, valued: Valued) -> dict[str, Any]:
    cut = valued.contender.trained_through
    return {
        "name": valued.contender.name,
        "policy": valued.contender.policy,
        "trained_through": None if math.isinf(cut) else timestamp(cut),
        "rows": valued.rows,
        "since": None if valued.since is None else timestamp(valued.since),
        "until": None if valued.until is None else timestamp(valued.until),
        "estimates": _estimates(valued.found),
        "overlap": None if valued.overlap is None else overlap_figures(valued.overlap),
        "trust": None if valued.trust is None else valued.trust.to_json(),
    }


def _estimates(found: Found) -> dict[str, Any]:
    return {
        name: asdict(one)
        if isinstance(one, Estimate)
        else {"not_enough_data": one.detail, "figures": dict(one.figures)}
        for name, one in found.items()
    }


def _values(found: Evaluation) -> Table:
    table = Table("policy", "rows", "since", *found.settings.estimators, "effective n", "believe it?")
    table.title = "Off-policy value per decision"
    for place in (0, 2):
        table.columns[place].no_wrap = True
    for valued in found.valued:
        since = "" if valued.since is None else str(timestamp(valued.since))[:10]
        effective = "" if valued.overlap is None else f"{valued.overlap.effective_n:,.0f}"
        belief = "" if valued.trust is None else valued.trust.belief
        cells = [_cell(one) for one in valued.found.values()]
        table.add_row(_name(valued), f"{valued.rows:,}", since, *cells, effective, belief)
    return table


def _differences(found: Evaluation) -> Table:
    table = Table("difference", "rows", *found.settings.estimators)
    table.title = "Paired differences"
    for c in found.compared:
        table.add_row(_pair(c), f"{c.rows:,}", *[_cell(one, signed=True) for one in c.found.values()])
    return table


def _name(valued: Valued) -> str:
    asked, policy = valued.contender.name, valued.contender.policy
    return asked if asked == policy else f"{asked} ({policy})"


def _pair(compared: Compared) -> str:
    return f"{compared.name} − {compared.against}"


def _cell(one: Estimate | NotEnoughData, *, signed: bool = False) -> str:
    if isinstance(one, NotEnoughData):
        return "not enough data"
    sign = "+" if signed else ""
    return f"{one.value:{sign}.3f}\n{one.low:{sign}.3f} to {one.high:{sign}.3f}"
