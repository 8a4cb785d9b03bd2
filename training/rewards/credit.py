"""What outcomes are credited to, by action, channel and timing: a store's contacts and outcomes, added up.

Lift against the holdout stands first, being the one effect here; the rest are views of what came after what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from experiments.log import told
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.playbook.schema import Objectives
from nba.rewards.attribution import UNIT, Model, attribute, check_half_life
from nba.rewards.outcomes import Outcomes
from nba.rewards.paths import Paths, paths
from nba.rewards.removal import by_removal
from nba.rewards.shapley import by_shapley, distinct
from nba.stores.ports import Store
from training.rewards.decisions import decisions, sent
from training.rewards.lift import Lift, lift, said

View = Model | Literal["markov", "shapley"]
Ints = NDArray[np.int64]
_WHOLE: Mapping[View, Callable[[Paths, Ints, int], Ints]] = {"markov": by_removal, "shapley": by_shapley}

NO_EFFECT = (
    "This says what came after what. It is no measure of effect: who would have bought anyway is credited "
    "too. What contacts bring is in `nba experiment report`."
)
BY = ("action", "channel", "timing")
ORGANIC = "organic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a table: contacts, outcomes that they have a share in, worth in millionths."""

    name: str
    contacts: int
    outcomes: int
    worth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Tables by action, channel and timing; the lines of each, organic among them, add up to `total`.

    Attributes:
        lift: what contacts brought against the holdout, or why that is not known.
    """

    model: View
    currency: str
    total: int
    tables: Mapping[str, tuple[Line, ...]]
    lift: Lift | NotEnoughData


def attribution(
    store: Store,
    playbook: Playbook,
    *,
    as_of: float,
    model: View,
    half_life: float,
    progress: Callable[[int], None] = lambda read: None,
) -> Attribution:
    """Credit all objectives' worth since the first decision to the contacts that were sent before.

    Raises:
        InvalidInput: there are no decisions before `as_of`, or `half_life` is nothing.
    """
    check_half_life(half_life)
    log = decisions(store, as_of=as_of, progress=progress)
    heard = told(store, playbook, since=float(log["decided_at"][0]), until=as_of)
    contacts = log.filter(sent(store, heard))
    customers = pl.concat([contacts["customer"], heard.frame["customer"]])
    objectives = playbook.spec.objectives
    known = Outcomes.of(objectives, customers, heard.frame, as_of)
    if model == "markov" or model == "shapley":
        total, tables = _as_a_whole(objectives, known, contacts, as_of, model)
    else:
        total, tables = _each(objectives, known, contacts, model, half_life)
    brought = lift(store, playbook, as_of=as_of, progress=progress)
    return Attribution(model=model, currency=playbook.spec.currency, total=total, tables=tables, lift=brought)


Tables = dict[str, tuple[Line, ...]]


def _each(
    objectives: Objectives, known: Outcomes, contacts: pl.DataFrame, model: Model, half_life: float
) -> tuple[int, Tables]:
    """Total and tables of the models that credit one contact at a time."""
    credit = attribute(objectives, known, contacts["decided_at"].to_numpy(), model, half_life)
    credited = contacts.select(BY).with_columns(
        worth=pl.Series(credit.contacts, dtype=pl.Int64), outcomes=pl.Series(credit.outcomes, dtype=pl.Int64)
    )
    organic = Line(name=ORGANIC, contacts=0, outcomes=credit.organic_outcomes, worth=credit.organic)
    return credit.total, {by: (*_lines(credited, by), organic) for by in BY}


def _as_a_whole(
    objectives: Objectives, known: Outcomes, contacts: pl.DataFrame, as_of: float, view: View
) -> tuple[int, Tables]:
    """Total and tables of the views that credit channels as a whole: gains and losses each by themselves."""
    at = contacts["decided_at"].to_numpy()
    ways = [paths(objectives, known, at, as_of=as_of, gains=gains) for gains in (True, False)]
    organic = Line(
        name=ORGANIC,
        contacts=0,
        outcomes=sum(way.organic_outcomes for way in ways),
        worth=sum(way.organic for way in ways),
    )
    total = organic.worth + sum(int(way.worth.sum()) for way in ways)
    return total, {by: (*_whole(ways, contacts[by], view), organic) for by in BY}


def _whole(ways: Sequence[Paths], names: pl.Series, view: View) -> list[Line]:
    known = names.unique().sort()
    label = names.replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy()
    worth = sum((_WHOLE[view](way, label, len(known)) for way in ways), np.zeros(len(known), dtype=np.int64))
    shared = sum((_on(way, label, len(known)) for way in ways), np.zeros(len(known), dtype=np.int64))
    counts = np.bincount(label, minlength=len(known))
    lines = [
        Line(name=name, contacts=int(counts[i]), outcomes=int(shared[i]), worth=int(worth[i]))
        for i, name in enumerate(known)
    ]
    return sorted(lines, key=lambda line: (-line.worth, line.name))


def _on(way: Paths, label: Ints, labels: int) -> Ints:
    """(k,) the outcomes on whose paths each label stands."""
    path, on = distinct(way, label, labels)
    return np.bincount(on[way.reached[path]], minlength=labels).astype(np.int64)


def _lines(credited: pl.DataFrame, by: str) -> list[Line]:
    sums = (
        credited.group_by(by)
        .agg(contacts=pl.len(), outcomes=pl.col("outcomes").sum(), worth=pl.col("worth").sum())
        .sort("worth", by, descending=[True, False])
    )
    return [
        Line(name=name, contacts=contacts, outcomes=outcomes, worth=worth)
        for name, contacts, outcomes, worth in sums.select(by, "contacts", "outcomes", "worth").iter_rows()
    ]


def show(found: Attribution, console: Console) -> None:
    """Print the lift, then one table each, and what it is not."""
    console.print(said(found.lift, found.currency), markup=False, highlight=False, soft_wrap=True)
    for by, lines in found.tables.items():
        table = Table(
            by, "contacts", "outcomes", f"worth, {found.currency}", "share", title=f"{found.model}, by {by}"
        )
        for line in lines:
            share = f"{line.worth / found.total:.1%}" if found.total > 0 else ""
            table.add_row(line.name, f"{line.contacts:,}", f"{line.outcomes:,}", _money(line.worth), share)
        table.add_row("total", "", "", _money(found.total), "", style="bold")
        console.print(table)
    console.print(
        f"{found.model} is a secondary view. {NO_EFFECT}", markup=False, highlight=False, soft_wrap=True
    )


def as_json(found: Attribution) -> dict[str, Any]:
    """Worth in the currency; `_millionths` are the same as whole numbers, which add up exactly."""
    brought = found.lift
    missing = isinstance(brought, NotEnoughData)
    return {
        "lift": {"missing": str(brought)} if isinstance(brought, NotEnoughData) else asdict(brought),
        "causal": {"lift": not missing, found.model: False},
        "model": found.model,
        "currency": found.currency,
        "total": found.total * UNIT,
        "total_millionths": found.total,
        "note": NO_EFFECT,
        **{
            f"by_{by}": [
                {
                    by: line.name,
                    "contacts": line.contacts,
                    "outcomes": line.outcomes,
                    "worth": line.worth * UNIT,
                    "worth_millionths": line.worth,
                }
                for line in lines
            ]
            for by, lines in found.tables.items()
        },
    }


def _money(millionths: int) -> str:
    return f"{millionths * UNIT:,.2f}"
