"""What came of decisions in each bin of time after them, as sums that add. `delay.py` estimates from them.

A decision counts in the bins that it has lived through whole, also while its window is open (censored at the
right).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nba.errors import InvalidInput
from nba.playbook.schema import Objectives
from nba.rewards.arrivals import Arrivals, arrivals
from nba.rewards.outcomes import Outcomes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BINS = 96


def edges(window: float) -> Floats:
    """(BINS + 1,) seconds; bins are narrow at first, since most outcomes come soon."""
    found: Floats = window * (np.arange(BINS + 1) / BINS) ** 2
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DelaySums:
    """Sums over decisions, by kind: 0 is silence, 1 a contact. b is BINS, t how many outcome types there are.

    What came is net of the contact's cost and bounded by caps and clip.

    Attributes:
        window: seconds.
        lived: (2, b) decisions that lived through each bin.
        waiting: (2, t, b) those of them that had no outcome of the type before it.
        first: (2, t, b) those of them whose first one fell into it.
        worth: (2, t + 1, b) what came in the bin by type, in currency; at last what the clip did to it.
        squares: (2, b) of what came in the bin, all types together.
        before, before_squares: (2, b) what had come before the bin, and its square.
        cross: (2, b) what had come before the bin times what came in it.
    """

    window: float
    types: tuple[str, ...]
    lived: Floats
    waiting: Floats
    first: Floats
    worth: Floats
    squares: Floats
    before: Floats
    before_squares: Floats
    cross: Floats

    @classmethod
    def of(
        cls,
        objectives: Objectives,
        known: Outcomes,
        *,
        decided_at: Floats,
        cost: Floats,
        contact: Bools,
        as_of: float,
    ) -> DelaySums:
        """Over decisions (n,) of the deciders of `known`, which holds all outcomes before `as_of`."""
        whole = np.searchsorted(edges(objectives.window), as_of - decided_at, side="right") - 1
        start = (0.0 if objectives.clip is None else float(np.clip(0.0, *objectives.clip))) - cost
        past = _Past(
            window=objectives.window,
            types=known.types,
            kind=contact.astype(np.int64),
            whole=np.clip(whole, 0, BINS).astype(np.int64),
            start=start,
        )
        parts = (past.with_arrivals(part) for part in arrivals(objectives, known, decided_at))
        return sum(parts, start=past.without_arrivals())

    def __add__(self, other: DelaySums) -> DelaySums:
        if (self.window, self.types) != (other.window, other.types):
            raise InvalidInput.of("objectives", "sums over other windows or outcome types do not add")
        sums = (f.name for f in fields(self) if f.name not in ("window", "types"))
        return DelaySums(
            window=self.window,
            types=self.types,
            **{name: getattr(self, name) + getattr(other, name) for name in sums},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Past:
    """n decisions: kind, whole bins lived through, what each starts from before any outcome."""

    window: float
    types: tuple[str, ...]
    kind: Ints
    whole: Ints
    start: Floats

    def without_arrivals(self) -> DelaySums:
        """The sums if nothing had come."""
        lived, t = self._while_living(np.ones(len(self.kind))), len(self.types)
        return DelaySums(
            window=self.window,
            types=self.types,
            lived=lived,
            waiting=np.repeat(lived[:, None, :], t, axis=1),
            first=np.zeros((2, t, BINS)),
            worth=np.zeros((2, t + 1, BINS)),
            squares=np.zeros((2, BINS)),
            before=self._while_living(self.start),
            before_squares=self._while_living(np.square(self.start)),
            cross=np.zeros((2, BINS)),
        )

    def with_arrivals(self, all: Arrivals) -> DelaySums:
        """What arrivals add to that."""
        bin = np.searchsorted(edges(self.window), all.after, side="right") - 1
        seen = bin < self.whole[all.decision]
        decision, type, bin = all.decision[seen], all.type[seen], bin[seen]
        worth, cut, kind, t = all.worth[seen], all.cut[seen], self.kind[decision], len(self.types)
        _, firsts = np.unique(decision * t + type, return_index=True)
        first = decision[firsts], bin[firsts], type[firsts]
        own, at, amount, before = self._by_bin(decision, bin, worth + cut)
        after = before + amount
        by_type = _summed((kind, type, bin), (2, t, BINS), worth)
        return DelaySums(
            window=self.window,
            types=self.types,
            lived=np.zeros((2, BINS)),
            waiting=-self._from_then_on(*first[:2], np.ones(len(firsts)), first[2], t),
            first=_summed((kind[firsts], type[firsts], bin[firsts]), (2, t, BINS)),
            worth=np.concatenate([by_type, _summed((kind, bin), (2, BINS), cut)[:, None]], axis=1),
            squares=_summed((self.kind[own], at), (2, BINS), np.square(amount)),
            before=self._from_then_on(own, at, amount)[:, 0],
            before_squares=self._from_then_on(own, at, np.square(after) - np.square(before))[:, 0],
            cross=_summed((self.kind[own], at), (2, BINS), before * amount),
        )

    def _by_bin(self, decision: Ints, bin: Ints, worth: Floats) -> tuple[Ints, Ints, Floats, Floats]:
        """Each (decision, bin) in which something came: both, what came, and what had come before."""
        together, which = np.unique(decision * BINS + bin, return_inverse=True)
        amount = np.bincount(which, weights=worth, minlength=len(together)).astype(np.float64)
        own, at = np.divmod(together, BINS)
        so_far = np.cumsum(amount) - amount
        begins = np.flatnonzero(np.diff(own, prepend=-1))
        earlier = np.repeat(so_far[begins], np.diff(begins, append=len(own)))
        return own, at, amount, self.start[own] + so_far - earlier

    def _while_living(self, values: Floats) -> Floats:
        """(n,) values → (2, b) sums over the decisions that lived through each bin."""
        lasting = _summed((self.kind, self.whole), (2, BINS + 1), values)
        return lasting[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]

    def _from_then_on(
        self, decision: Ints, bin: Ints, change: Floats, type: Ints | None = None, types: int = 1
    ) -> Floats:
        """(2, types, b) sums of changes over the bins after `bin` that the decision lived through."""
        place = self.kind[decision], np.zeros_like(bin) if type is None else type
        shape = (2, types, BINS + 1)
        steps = _summed((*place, bin + 1), shape, change)
        steps -= _summed((*place, self.whole[decision]), shape, change)
        return steps.cumsum(axis=2)[:, :, :BINS]


def _summed(at: tuple[Ints, ...], shape: tuple[int, ...], weights: Floats | None = None) -> Floats:
    """An array of `shape` in which each place has the sum of what falls there; counts without weights."""
    flat = np.bincount(np.ravel_multi_index(at, shape), weights, minlength=int(np.prod(shape)))
    return flat.astype(np.float64).reshape(shape)
