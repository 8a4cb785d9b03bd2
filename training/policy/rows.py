"""Rows of the decision log to arrays, under the playbook of now.

Columns and arms are matched by name where the playbook has changed since. Draws of an arm that it no longer
has are left out, and the odds of the others are those given that such an arm was not drawn. No features are
left of customers who were erased, so theirs are left out too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.blobs import unpack
from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook, parse
from nba.stores.ports import DecisionRow, Store
from nba.trace import experiments_of
from training.policy.catalogue import Catalogue, brought_in

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = dict[str, NDArray[Any]]


def variant_of(row: DecisionRow) -> str:
    """ "" for most, else the experiments that the decision was part of: `bolder/bold`, joined by commas."""
    told = experiments_of(row)
    return ",".join([f"{experiment}/{variant}" for experiment, variant in told.items()]) if told else ""


def widened(chunk: Columns, k: int) -> Columns:
    """With columns for the arms that others brought along, refused and without odds here."""
    more = k - chunk["odds"].shape[1]
    if more == 0:
        return chunk
    return {
        **chunk,
        "odds": np.pad(chunk["odds"], ((0, 0), (0, more))),
        "eligible": np.pad(chunk["eligible"], ((0, 0), (0, more))),
    }


def joined(chunks: list[Columns]) -> Columns:
    """All chunks as one, by time. Column by column, so that little stands in memory twice."""
    columns = {name: np.concatenate([chunk.pop(name) for chunk in chunks]) for name in list(chunks[0])}
    decided_at = columns["decided_at"]
    if (decided_at[1:] >= decided_at[:-1]).all():
        return columns
    order = np.argsort(decided_at, kind="stable")
    return {name: columns.pop(name)[order] for name in list(columns)}


class Reader:
    """Rows to arrays, under the playbook of now and what was brought along.

    Attributes:
        read: decisions that were shown, so far.
        gone: arm → those of them that drew an arm that the playbook of now doesn't have.
    """

    def __init__(self, playbook: Playbook, store: Store, catalogue: Catalogue | None = None) -> None:
        self._playbook = playbook
        self._store = store
        self._catalogue = catalogue
        self.read, self.gone = 0, Counter[str]()
        self._columns: dict[tuple[str, tuple[BroughtAction, ...]], tuple[Ints, Ints]] = {}

    def in_chunks(self, rows: Sequence[DecisionRow], size: int = 10_000) -> Iterator[Columns]:
        chunks = (self.columns(rows[start : start + size]) for start in range(0, len(rows), size))
        return (chunk for chunk in chunks if chunk)

    def columns(self, rows: Sequence[DecisionRow]) -> Columns:
        """Those that were shown and whose arms there are; {} for none."""
        arms = self._playbook.arms
        active = [row for row in rows if row.status == "active" and not row.erased]
        drawn = [arms.index.get(self._name(row), -1) for row in active]
        self.read += len(active)
        self.gone.update(row.arm for row, place in zip(active, drawn, strict=True) if place < 0)
        shown = [row for row, place in zip(active, drawn, strict=True) if place >= 0]
        if not shown:
            return {}
        odds, codes, features = self._arrays(shown)
        arm = np.array([place for place in drawn if place >= 0], dtype=np.int64)
        return {
            "decision_id": np.array([row.decision_id for row in shown], dtype=object),
            "surrogate": np.array([row.surrogate for row in shown], dtype=object),
            "decided_at": np.array([row.decided_at for row in shown]),
            "group": np.array([row.group for row in shown]),
            "variant": np.array([variant_of(row) for row in shown]),
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
            odds[np.ix_(places, arm_to[kept])] = unpack([rows[i].odds for i in alike], len(arm_to))[:, kept]
            if not kept.all():
                odds[places] /= odds[places].sum(axis=1, keepdims=True)
            refused = np.frombuffer(b"".join([rows[i].eligible for i in alike]), dtype=np.int16)
            refused = refused.reshape(len(alike), len(arm_to))[:, kept]
            eligible[np.ix_(places, arm_to[kept])] = refused == 0
            values = unpack([rows[i].features for i in alike], len(feature_to))[:, known]
            features[np.ix_(places, feature_to[known])] = values
        return odds, eligible, features

    def _alike(
        self, rows: Sequence[DecisionRow]
    ) -> Mapping[tuple[str, tuple[BroughtAction, ...]], list[int]]:
        """The places of the rows that have the same arms and features."""
        if self._catalogue is None and len({row.playbook for row in rows}) == 1:
            return {(rows[0].playbook, ()): list(range(len(rows)))}
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
