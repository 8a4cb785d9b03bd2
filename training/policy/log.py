"""The decision log as arrays: what learning and evaluation work on.

Held decisions that were never shown are left out, whatever their arm. Features are those logged at
decision time; columns and arms are matched by name where the playbook has changed since. Draws of an arm
that it no longer has are left out, and the odds of the others are those given that such an arm was not drawn.
What was reported as not sent, and what gave way to another contact, keeps its arm: whether that happens hangs
on the arm, so leaving it out would bend what is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.log import touchpoint_frame
from nba.blobs import unpack
from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook, parse
from nba.rewards.reward import rewards
from nba.stores.ports import DecisionRow, Store
from training.policy.catalogue import Catalogue, brought_in

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """n logged decisions over the k arms of a playbook.

    Attributes:
        playbook: of the arms: the one asked for, with the actions that callers brought along; None where
            nothing was brought.
        customer: (n,) integer codes; one per customer.
        decided_at: (n,) epoch seconds, ascending.
        group: (n,) treatment, random_eligible or holdout.
        features: (n, F) as logged, in the playbook's schema order.
        eligible: (n, k); arm: (n,); propensity: (n,); odds: (n, k) of the policy that drew.
        reward: (n,) in currency, NaN where not mature.
    """

    customer: Ints
    decided_at: Floats
    group: NDArray[np.str_]
    features: Floats
    eligible: Bools
    arm: Ints
    propensity: Floats
    odds: Floats
    reward: Floats
    playbook: Playbook | None = None

    def __len__(self) -> int:
        return len(self.arm)

    def where(self, rows: Bools | Ints) -> DecisionLog:
        """The decisions of a mask or of positions."""
        columns = (f.name for f in fields(self) if f.name != "playbook")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def mature(self) -> Bools:
        return ~np.isnan(self.reward)


def read_log(store: Store, playbook: Playbook, *, as_of: float, since: float = float("-inf")) -> DecisionLog:
    """Decisions since `since` with the rewards known at `as_of`.

    Raises:
        InvalidInput: the store has no decisions in that time.
    """
    catalogue = Catalogue()
    reader = _Reader(playbook, store)
    own = [reader.read(catalogue.put_aside(rows)) for rows in store.decisions(since, as_of)]
    playbook = catalogue.extend(playbook)
    own = [_widened(chunk, len(playbook.arms)) for chunk in own if chunk]
    chunks = [*own, *_Reader(playbook, store, catalogue).in_chunks(catalogue.rows)]
    if not chunks:
        raise InvalidInput.of("store", "has no decisions in this time; serve some first, or move --as-of")
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    order = np.argsort(columns["decided_at"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    surrogates = pl.Series("customer", columns.pop("surrogate"))
    known = rewards(
        playbook.spec.objectives,
        customer=surrogates,
        decided_at=columns["decided_at"],
        cost=playbook.arms.cost[columns["arm"]],
        touchpoints=touchpoint_frame(store, playbook, since=float(columns["decided_at"].min()), until=as_of),
        as_of=as_of,
    )
    codes = surrogates.rank("dense").to_numpy().astype(np.int64) - 1
    extended = playbook if catalogue.rows else None
    return DecisionLog(customer=codes, reward=known.reward, playbook=extended, **columns)


def _widened(chunk: Columns, k: int) -> Columns:
    """With columns for the arms that others brought along, refused and without odds here."""
    more = k - chunk["odds"].shape[1]
    if more == 0:
        return chunk
    return {
        **chunk,
        "odds": np.pad(chunk["odds"], ((0, 0), (0, more))),
        "eligible": np.pad(chunk["eligible"], ((0, 0), (0, more))),
    }


class _Reader:
    """Rows to arrays, under the playbook of now and what was brought along."""

    def __init__(self, playbook: Playbook, store: Store, catalogue: Catalogue | None = None) -> None:
        self._playbook = playbook
        self._store = store
        self._catalogue = catalogue
        self._columns: dict[tuple[str, tuple[BroughtAction, ...]], tuple[Ints, Ints]] = {}

    def in_chunks(self, rows: Sequence[DecisionRow], size: int = 10_000) -> Iterator[Columns]:
        chunks = (self.read(rows[start : start + size]) for start in range(0, len(rows), size))
        return (chunk for chunk in chunks if chunk)

    def read(self, rows: Sequence[DecisionRow]) -> Columns:
        arms = self._playbook.arms
        named = [(row, self._name(row)) for row in rows if row.status == "active"]
        shown = [row for row, name in named if name in arms.index]
        if not shown:
            return {}
        odds, codes, features = self._arrays(shown)
        arm = np.array([arms.index[name] for _, name in named if name in arms.index], dtype=np.int64)
        return {
            "surrogate": np.array([row.surrogate for row in shown], dtype=object),
            "decided_at": np.array([row.decided_at for row in shown]),
            "group": np.array([row.group for row in shown]),
            "features": features,
            "eligible": codes,
            "arm": arm,
            "propensity": odds[np.arange(len(arm)), arm],
            "odds": odds,
        }

    def _arrays(self, rows: Sequence[DecisionRow]) -> tuple[Floats, Bools, Floats]:
        n, k, width = len(rows), len(self._playbook.arms), len(self._playbook.schema)
        odds = np.zeros((n, k))
        eligible = np.zeros((n, k), dtype=np.bool_)
        features = np.full((n, width), np.nan)
        for (version, brought), alike in self._alike(rows).items():
            places = np.array(alike)
            arm_to, feature_to = self._mapping(version, brought)
            kept, known = arm_to >= 0, feature_to >= 0
            logged = unpack([rows[i].odds for i in alike], len(arm_to))[:, kept]
            refused = np.array([np.frombuffer(rows[i].eligible, dtype=np.int16) for i in alike])[:, kept]
            odds[np.ix_(places, arm_to[kept])] = logged
            if not kept.all():
                odds[places] /= odds[places].sum(axis=1, keepdims=True)
            eligible[np.ix_(places, arm_to[kept])] = refused == 0
            values = unpack([rows[i].features for i in alike], len(feature_to))[:, known]
            features[np.ix_(places, feature_to[known])] = values
        return odds, eligible, features

    def _alike(
        self, rows: Sequence[DecisionRow]
    ) -> Mapping[tuple[str, tuple[BroughtAction, ...]], list[int]]:
        """The places of the rows that have the same arms and features."""
        alike: dict[tuple[str, tuple[BroughtAction, ...]], list[int]] = {}
        for i, row in enumerate(rows):
            brought = brought_in(row) if self._catalogue is not None else ()
            alike.setdefault((row.playbook, brought), []).append(i)
        return alike

    def _name(self, row: DecisionRow) -> str:
        """The arm drawn, as the table of now has it."""
        if self._catalogue is None:
            return row.arm
        return self._catalogue.renamed(row.arm, brought_in(row))

    def _mapping(self, version: str, brought: tuple[BroughtAction, ...]) -> tuple[Ints, Ints]:
        """Where the arms and features of a decision stand in the playbook of now; -1 for nowhere."""
        if (version, brought) not in self._columns:
            now, then = self._playbook, self._then(version, brought)
            same = {f.name: i for i, f in enumerate(now.schema.features)}
            matches = [
                same[f.name] if f.name in same and now.schema.features[same[f.name]] == f else -1
                for f in then.schema.features
            ]
            names: Sequence[str] = then.arms.names
            if self._catalogue is not None:
                names = [self._catalogue.renamed(name, brought) for name in names]
            arms = [now.arms.index.get(name, -1) for name in names]
            self._columns[version, brought] = (np.array(arms), np.array(matches))
        return self._columns[version, brought]

    def _then(self, version: str, brought: tuple[BroughtAction, ...]) -> Playbook:
        """The playbook that a decision was made under."""
        now = self._playbook
        if version == now.version and not brought:
            return now
        text = self._store.playbook(version)
        if text is None:
            raise InvalidInput.of("playbook", f"the store does not keep {version}")
        return bring(parsed(text, version), brought)


@lru_cache(maxsize=64)
def parsed(text: str, version: str) -> Playbook:
    return parse(text, source=version, kept=True)
