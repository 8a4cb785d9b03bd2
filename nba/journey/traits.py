"""What segments are told apart by: recency, frequency, value and behaviour, out of the feature state.

Each trait is a sum, the least, or a share of state features, in the unit in which a person reads it. They
follow from the playbook alone, so that a model knows whether it was made for the features of today.

    how         value
    least       min over the columns; not known where all are not
    sum         Σ over
    share       Σ over / Σ by; not known where Σ by is 0

Attributes and scores are left out: a segment is what a customer does, not who they are, and must not move
when a model is trained again. Parts of the day are by UTC, as the state keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nba.playbook.compile import Playbook
from nba.playbook.declaration import identifier

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Group = Literal["recency", "frequency", "value", "behaviour"]
How = Literal["least", "sum", "share"]
GROUPS: tuple[Group, ...] = ("recency", "frequency", "value", "behaviour")
PARTS = {"night": range(0, 6), "morning": range(6, 12), "afternoon": range(12, 18), "evening": range(18, 24)}
LAST_SEEN = "last_seen"
_LENGTH = 90  # days: the half-life by which what a customer does is counted
_BOOKKEEPING = ("ticket_opened", "ticket_closed", "stage_changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One thing by which customers differ.

    Attributes:
        name: for programs; `said`: for people, as `said unit`.
        over, by: names of state features.
        seen: those whose sum says how well a share is known: of how many touchpoints it is one.
        bent: whether log1p, of either sign, is taken before it is compared: for what is skewed.
    """

    name: str
    group: Group
    said: str
    unit: str
    how: How
    over: tuple[str, ...]
    by: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    bent: bool = False


def traits_of(playbook: Playbook) -> tuple[Trait, ...]:
    """The traits of a playbook's customers, in a fixed order."""
    types = own_types(playbook)
    return (
        *_recency(playbook, types),
        *_frequency(playbook, types),
        *_value(playbook),
        *_habits(playbook, types),
    )


def fingerprint(traits: Sequence[Trait]) -> str:
    """Twelve hex digits, the same wherever the traits mean the same."""
    return hashlib.sha256(json.dumps([asdict(t) for t in traits]).encode()).hexdigest()[:12]


def own_types(playbook: Playbook) -> tuple[str, ...]:
    """Touchpoint types that are the customer's own doing: no contacts of ours, no tickets."""
    return tuple(t for t in playbook.spec.touchpoints if t not in _BOOKKEEPING)


def valued_types(playbook: Playbook) -> tuple[str, ...]:
    """Touchpoint types that bring in money: outcomes that are worth their own amount."""
    outcomes = playbook.spec.objectives.outcomes
    return tuple(t for t in own_types(playbook) if t in outcomes and outcomes[t].value == "amount")


def _recency(playbook: Playbook, types: Sequence[str]) -> Iterator[Trait]:
    def days(name: str, said: str, of: Iterable[str]) -> Trait:
        over = tuple(f"days_since_{t}" for t in of)
        return Trait(
            name=name, group="recency", said=said, unit="days ago", how="least", over=over, bent=True
        )

    yield days(LAST_SEEN, "last seen", types)
    for t in valued_types(playbook):
        yield days(f"last_{t}", f"last {_plain(t)}", [t])
    yield Trait(
        name="tenure",
        group="recency",
        said="first seen",
        unit="days ago",
        how="least",
        over=("tenure_days",),
        bent=True,
    )


def _frequency(playbook: Playbook, types: Sequence[str]) -> Iterator[Trait]:
    def count(name: str, said: str, over: Iterable[str]) -> Trait:
        return Trait(name=name, group="frequency", said=said, unit="", how="sum", over=tuple(over), bent=True)

    yield count("activity", "touchpoints lately", (f"{t}_count_hl{_LENGTH}" for t in types))
    for t in valued_types(playbook):
        yield count(f"{t}_count", f"{_many(t)} lately", [f"{t}_count_hl{_LENGTH}"])
        yield count(f"{t}_total", f"{_many(t)} in all", [f"{t}_total"])


def _value(playbook: Playbook) -> Iterator[Trait]:
    valued, unit = valued_types(playbook), playbook.spec.currency
    if not valued:
        return
    value = tuple(f"{t}_value_hl{_LENGTH}" for t in valued)
    count = tuple(f"{t}_count_hl{_LENGTH}" for t in valued)
    yield Trait(name="value", group="value", said="worth lately", unit=unit, how="sum", over=value, bent=True)
    yield Trait(
        name="value_each",
        group="value",
        said=f"worth of a {_plain(valued[0]) if len(valued) == 1 else 'purchase'}",
        unit=unit,
        how="share",
        over=value,
        by=count,
        seen=count,
        bent=True,
    )


def _habits(playbook: Playbook, types: Sequence[str]) -> Iterator[Trait]:
    counts = {t: f"{t}_count_hl{_LENGTH}" for t in types}

    def share(name: str, said: str, over: Iterable[str], by: Iterable[str]) -> Trait:
        return Trait(
            name=name,
            group="behaviour",
            said=said,
            unit="share",
            how="share",
            over=tuple(over),
            by=tuple(by),
            seen=tuple(counts.values()),
        )

    if len(types) > 1:
        for t in types:
            yield share(f"share_{t}", f"of touchpoints are {_many(t)}", [counts[t]], counts.values())
    channels = {c: f"via_{identifier(c)}_count_hl{_LENGTH}" for c in playbook.spec.channels}
    if len(channels) > 1:
        for c, column in channels.items():
            yield share(
                f"via_{identifier(c)}", f"of touchpoints come by {_plain(c)}", [column], channels.values()
            )
    hours = [f"hour_{h:02d}_share" for h in range(24)]
    for part, of in PARTS.items():
        said = "of activity is at night" if part == "night" else f"of activity is in the {part}"
        yield share(part, said, [hours[h] for h in of], hours)
    days = [f"weekday_{d}_share" for d in range(7)]
    yield share("weekend", "of activity is at weekends", days[5:], days)


def _many(type: str) -> str:
    """The plural of a noun; what says that something happened, such as `opened`, has none."""
    plain = _plain(type)
    return plain if plain.endswith(("ed", "s")) else f"{plain}s"


def _plain(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


@dataclass(frozen=True, eq=False)
class Measure:
    """Reads traits off feature rows. A row does not depend on the others, in any bit.

    Attributes:
        index: feature name → column of the rows.
    """

    traits: tuple[Trait, ...]
    index: dict[str, int]

    def values(self, features: Floats) -> tuple[Floats, Floats]:
        """(n, F) → the traits (n, d) in their own units, NaN where not known; and (n, d) what shares are
        shares of, which says how well each is known: NaN for all else."""
        n, d = len(features), len(self.traits)
        values, weights = np.full((d, n), np.nan), np.full((d, n), np.nan)
        plan, columns = self._plan, features.T
        if len(plan.least):
            values[plan.least] = np.fmin.reduceat(columns[plan.least_columns], plan.least_starts, axis=0)
        part = columns[plan.sum_columns]
        part[np.isnan(part)] = 0.0
        sums = np.add.reduceat(part, plan.sum_starts, axis=0)  # column after column, whatever n is
        values[plan.sums] = sums[plan.sums_of]
        whole = sums[plan.by]
        shares = np.full(whole.shape, np.nan)
        np.divide(sums[plan.over], whole, out=shares, where=whole > 0)
        values[plan.shares] = shares
        weights[plan.shares] = np.where(whole > 0, sums[plan.seen], 0.0)
        return np.ascontiguousarray(values.T), np.ascontiguousarray(weights.T)

    @cached_property
    def _plan(self) -> _Plan:
        least = [i for i, trait in enumerate(self.traits) if trait.how == "least"]
        sums = [i for i, trait in enumerate(self.traits) if trait.how == "sum"]
        shares = [i for i, trait in enumerate(self.traits) if trait.how == "share"]
        groups: dict[tuple[str, ...], int] = {}

        def places(of: Iterable[tuple[str, ...]]) -> Ints:
            return np.array([groups.setdefault(names, len(groups)) for names in of], dtype=np.int64)

        return _Plan(
            least=least,
            least_columns=self._columns(self.traits[i].over for i in least),
            least_starts=_starts([self.traits[i].over for i in least]),
            sums=sums,
            sums_of=places(self.traits[i].over for i in sums),
            shares=shares,
            over=places(self.traits[i].over for i in shares),
            by=places(self.traits[i].by for i in shares),
            seen=places(self.traits[i].seen for i in shares),
            sum_columns=self._columns(groups),
            sum_starts=_starts(list(groups)),
        )

    def _columns(self, groups: Iterable[tuple[str, ...]]) -> Ints:
        return np.array([self.index[name] for names in groups for name in names], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Which traits are what, and the columns that are added up, each group of columns once."""

    least: list[int]
    least_columns: Ints
    least_starts: Ints
    sums: list[int]
    sums_of: Ints
    shares: list[int]
    over: Ints
    by: Ints
    seen: Ints
    sum_columns: Ints
    sum_starts: Ints


def _starts(groups: Sequence[tuple[str, ...]]) -> Ints:
    """Where each group begins when they stand one after the other."""
    return np.concatenate([[0], np.cumsum([len(names) for names in groups])[:-1]]).astype(np.int64)
