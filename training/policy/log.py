"""The decision log as arrays: what learning and evaluation work on.

Held decisions that were never shown are left out, whatever their arm. Features are those logged at
decision time; columns and arms are matched by name where the playbook has changed since. Draws of an arm
that it no longer has are left out, and the odds of the others are those given that such an arm was not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.log import touchpoint_frame
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook, parse
from nba.rewards.reward import rewards
from nba.stores.ports import DecisionRow, Store

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """n logged decisions over the k arms of the playbook.

    Attributes:
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

    def __len__(self) -> int:
        return len(self.arm)

    def where(self, rows: Bools | Ints) -> DecisionLog:
        """The decisions of a mask or of positions."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def mature(self) -> Bools:
        return ~np.isnan(self.reward)


def read_log(store: Store, playbook: Playbook, *, as_of: float, since: float = float("-inf")) -> DecisionLog:
    """Decisions since `since` with the rewards known at `as_of`.

    Raises:
        InvalidInput: the store has no decisions in that time.
    """
    reader = _Reader(playbook, store)
    chunks = [reader.read(rows) for rows in store.decisions(since, as_of)]
    chunks = [chunk for chunk in chunks if chunk]
    if not chunks:
        raise InvalidInput.of("store", "has no decisions in this time; serve some first, or move --as-of")
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
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
    return DecisionLog(customer=codes, reward=known.reward, **columns)


class _Reader:
    """Rows to arrays, under the playbook of now."""

    def __init__(self, playbook: Playbook, store: Store) -> None:
        self._playbook = playbook
        self._store = store
        self._columns: dict[str, tuple[Ints, Ints]] = {}

    def read(self, rows: Sequence[DecisionRow]) -> dict[str, NDArray[np.generic]]:
        arms = self._playbook.arms
        shown = [row for row in rows if row.status == "active" and row.arm in arms.index]
        if not shown:
            return {}
        odds, codes, features = self._arrays(shown)
        arm = np.array([arms.index[row.arm] for row in shown], dtype=np.int64)
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
        for i, row in enumerate(rows):
            arm_to, feature_to = self._mapping(row.playbook)
            logged = np.frombuffer(row.odds, dtype=np.float64)
            refused = np.frombuffer(row.eligible, dtype=np.int16)
            values = np.frombuffer(row.features, dtype=np.float64)
            kept, known = arm_to >= 0, feature_to >= 0
            odds[i, arm_to[kept]] = logged[kept]
            if not kept.all():
                odds[i] /= odds[i].sum()
            eligible[i, arm_to[kept]] = refused[kept] == 0
            features[i, feature_to[known]] = values[known]
        return odds, eligible, features

    def _mapping(self, version: str) -> tuple[Ints, Ints]:
        """Where the arms and features of an earlier playbook stand in this one; -1 for nowhere."""
        if version not in self._columns:
            now, then = self._playbook, self._playbook
            if version != now.version:
                text = self._store.playbook(version)
                if text is None:
                    raise InvalidInput.of("playbook", f"the store does not keep {version}")
                then = parse(text, source=version)
            same = {f.name: i for i, f in enumerate(now.schema.features)}
            matches = [
                same[f.name] if f.name in same and now.schema.features[same[f.name]] == f else -1
                for f in then.schema.features
            ]
            arms = [now.arms.index.get(name, -1) for name in then.arms.names]
            self._columns[version] = (np.array(arms), np.array(matches))
        return self._columns[version]
