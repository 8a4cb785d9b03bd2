"""Where each counter lives in a row of feature state, compiled from the playbook's feature schema.

A state row is one float64 vector of three parts, each with its own way of merging:

    sums    decayed counters, then plain totals: decay to a common time, then add
    times   epoch seconds or NEVER, all merged by maximum; the first touchpoint's is kept negated;
            the last column is the reference time, to which the sums are decayed
    rings   one daily bucket per UTC day and slot `day mod days`: clear what is too old, then add

What a feature is called and in which order features come is declared in `nba/playbook/declaration.py`;
that this module agrees with it is checked whenever a layout is compiled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.playbook.declaration import CONTACT, HALF_LIVES, FeatureSchema, Window, identifier

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
ACTIVITY_HALF_LIFE = 90
MEASURES = ("count", "value")
PER_GROUP = len(MEASURES) * len(HALF_LIVES)
NEVER = -1e15  # stands for the time of what has not happened: before all times, yet finite


@dataclass(frozen=True)
class Layout:
    """The columns of a state row.

    Attributes:
        types: touchpoint types; a type's code is its index here. Likewise channels and actions.
        windows: the exact windows; equal (type, measure) share a ring.
    """

    types: tuple[str, ...]
    channels: tuple[str, ...]
    actions: tuple[str, ...]
    windows: tuple[Window, ...]

    @classmethod
    def of(cls, schema: FeatureSchema) -> Layout:
        """Compile. Raises ValueError where this module and the declaration have come apart."""
        layout = cls(schema.types, schema.channels, schema.actions, schema.windows)
        if layout.feature_names != schema.state_names:
            raise ValueError("the declared state features are not those that the feature state computes")
        return layout

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The name of every column of a state row, unique, the same in any layout that has it."""
        groups = [*(f"type {t}" for t in self.types), *(f"channel {c}" for c in self.channels)]
        sums = [f"{g} {m} {h}" for g in groups for m in MEASURES for h in HALF_LIVES]
        sums += [f"hour {h}" for h in range(24)] + [f"weekday {d}" for d in range(7)]
        sums += [f"total {t}" for t in self.types]
        times = [f"last type {t}" for t in self.types] + [f"last action {a}" for a in self.actions]
        times += ["first", "reference"]
        rings = [f"ring {t} {m} {s}/{self.days}" for t, m in self.rings for s in range(self.days)]
        return (*sums, *times, *rings)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The features that a state gives, in the order in which `States.read` gives them."""
        counted = [*self.types, *(f"via_{identifier(c)}" for c in self.channels)]
        names = [f"{t}_{m}_hl{h}" for t in counted for m in MEASURES for h in HALF_LIVES]
        names += [f"days_since_{name}" for name in (*self.types, *map(identifier, self.actions))]
        names += ["tenure_days"]
        names += [f"hour_{h:02d}_share" for h in range(24)] + [f"weekday_{d}_share" for d in range(7)]
        names += [f"{t}_total" for t in self.types]
        return (*names, "open_tickets", *(w.name for w in self.windows))

    @cached_property
    def decayed(self) -> int:
        """How many columns are decayed counters of types and channels; the hours follow them."""
        return PER_GROUP * (len(self.types) + len(self.channels))

    @cached_property
    def totals(self) -> int:
        """The first column of the plain totals, one per type."""
        return self.decayed + 24 + 7

    @cached_property
    def times(self) -> int:
        """The first column of the times: last of each type, last of each action, first, reference."""
        return self.totals + len(self.types)

    @cached_property
    def first(self) -> int:
        return self.times + len(self.types) + len(self.actions)

    @cached_property
    def reference(self) -> int:
        return self.first + 1

    @cached_property
    def buckets(self) -> int:
        """The first column of the rings."""
        return self.reference + 1

    @cached_property
    def rings(self) -> tuple[tuple[str, str], ...]:
        """The (type, measure) that have a ring, in the order of their rings."""
        return tuple(sorted({(w.type, w.measure) for w in self.windows}))

    @cached_property
    def ring_types(self) -> Codes:
        """(rings,) the code of each ring's type."""
        return np.array([self.types.index(t) for t, _ in self.rings], dtype=np.int64)

    @cached_property
    def ring_values(self) -> NDArray[np.bool_]:
        """(rings,) whether a ring adds up values; else it counts."""
        return np.array([measure == "value" for _, measure in self.rings], dtype=np.bool_)

    @cached_property
    def days(self) -> int:
        """The length of every ring: the longest window."""
        return max((w.days for w in self.windows), default=0)

    @cached_property
    def width(self) -> int:
        return self.buckets + len(self.rings) * self.days

    @cached_property
    def half_lives(self) -> Codes:
        """(sums,) for each summed column, which of `HALF_LIVES` it decays by; one past them: none."""
        groups = np.tile(np.arange(len(HALF_LIVES)), self.decayed // len(HALF_LIVES))
        activity = np.full(24 + 7, HALF_LIVES.index(ACTIVITY_HALF_LIFE))
        return np.concatenate([groups, activity, np.full(len(self.types), len(HALF_LIVES))]).astype(np.int64)

    @cached_property
    def empty(self) -> Array:
        """(width,) the state of a customer of whom nothing is known."""
        row = np.zeros(self.width)
        row[self.times : self.buckets] = NEVER
        return row

    @cached_property
    def contact(self) -> int:
        """The code of the type `contact`, or -1."""
        return self.types.index(CONTACT) if CONTACT in self.types else -1

    @cached_property
    def tickets(self) -> tuple[int, int] | None:
        """The columns of the totals of opened and closed tickets, where the playbook knows both."""
        if not {"ticket_opened", "ticket_closed"} <= set(self.types):
            return None
        opened, closed = self.types.index("ticket_opened"), self.types.index("ticket_closed")
        return self.totals + opened, self.totals + closed

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits, the same wherever a state row means the same."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Layout:
        fields: dict[str, Any] = json.loads(text)
        windows = tuple(Window(**w) for w in fields.pop("windows"))
        return cls(**{name: tuple(values) for name, values in fields.items()}, windows=windows)
