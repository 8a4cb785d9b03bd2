"""From scores to odds, down the tree {no_contact, action} → channel → timing.

At each node an explorer spreads odds over the eligible children; a child that is itself a node is worth
what its own odds make of the scores below it. Then the ceiling: the arms beside the best get at most so
much together. Then the floor: odds ← (1 − ε)·odds + ε·u, with u uniform over the eligible children at
each node. Knows arms and scores; knows no features and no model.

The children of a level stand as (slots, nodes, n): slot t of a node is its t-th child, so that every step
is one array operation along n, for one customer as for a million. Sums run over the slots in order, so a
row's odds don't depend, in any bit, on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nba.playbook.arms import ArmTable
from nba.playbook.schema import Exploration
from nba.policies.policy import Bools, Floats, Ints

_FEW = 32  # rows from which a pass over whole arrays is faster than a call for every node
_CELLS = 16_000  # numbers at a time: enough to forget the cost of a call, few enough for the cache
_CLOSED = -1e100  # the value of what is not eligible: below every score, and differences stay finite

# ((T, G, n) values, (T, G, n) 1.0 where eligible, (G, n) eligible children, at least 1) → (T, G, n) odds
# that sum to 1 over each node's eligible children. In a node with none they are of no account (its own odds
# are 0), but where values matter they must not make it worth anything.
Explorer = Callable[[Floats, Floats, Floats], Floats]


def first_best(values: Floats) -> Bools:
    """(T, G, n) → (T, G, n): true for the best child of each node; ties: the first."""
    slots = np.arange(len(values))[:, None, None]
    if values.shape[2] < _FEW:
        best: Ints = values.argmax(axis=0)
    else:  # the same, without argmax's copy and its call for every node
        is_best = values == np.maximum.reduce(values, 0)
        best = np.minimum.reduce(np.where(is_best, slots, len(values)), axis=0)
    first: Bools = slots == best
    return first


def greedy(values: Floats, open_: Floats, count: Floats) -> Floats:
    """All odds on the best child."""
    return first_best(values).astype(np.float64)


def uniform(values: Floats, open_: Floats, count: Floats) -> Floats:
    """The same odds for every eligible child."""
    return open_ / count


def epsilon_greedy(epsilon: float) -> Explorer:
    """Greedy with odds 1 − ε, uniform with odds ε, at each node."""

    def explore(values: Floats, open_: Floats, count: Floats) -> Floats:
        return (1.0 - epsilon) * greedy(values, open_, count) + epsilon * (open_ / count)

    return explore


def squarecb(gamma: float, sigma: float) -> Explorer:
    """Inverse gap weighting: pᵢ = 1 / (K + γ·gapᵢ/σ) for i ≠ best, and the best gets the rest.

    Foster & Rakhlin (2020), "Beyond UCB", §3, with gaps in units of σ.
    """
    scale = gamma / max(sigma, 1e-12)

    def explore(values: Floats, open_: Floats, count: Floats) -> Floats:
        odds: Floats = open_ / (count + scale * (np.maximum.reduce(values, 0) - values))
        rest = 1.0 - np.add.reduce(odds, 0)
        odds += first_best(values) * rest
        return odds

    return explore


def softmax(temperature: float, sigma: float) -> Explorer:
    """Boltzmann: pᵢ ∝ exp(vᵢ / (temperature·σ)), with values in units of σ."""
    scale = max(temperature * sigma, 1e-12)

    def explore(values: Floats, open_: Floats, count: Floats) -> Floats:
        # what is not eligible gets exactly 0, unless all is: then the node's value stays that of nothing
        odds: Floats = np.exp((values - np.maximum.reduce(values, 0)) / scale)
        odds /= np.add.reduce(odds, 0)
        return odds

    return explore


def explorer_of(settings: Exploration, sigma: float) -> Explorer:
    """The explorer that a playbook asks for; σ is the scale of the gaps, in currency.

    Thompson sampling is none, since it asks the heads of a model (`nba/policies/thompson.py`).
    """
    match settings.explorer:
        case "squarecb":
            return squarecb(settings.gamma, sigma)
        case "epsilon-greedy":
            return epsilon_greedy(settings.epsilon)
        case "softmax":
            return softmax(settings.temperature, sigma)
        case _:
            return uniform


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The G nodes of one depth over m children; child m and node G − 1 are empty and fill the gaps.

    The empty node also keeps sums in order: numpy sums in pairs where only one number comes out.

    Attributes:
        slots: (T, G) child of each slot of each node.
        place: (m,) where each child stands in (T, G), flat.
        node: (m,) the node of each child.
    """

    slots: Ints
    place: Ints
    node: Ints

    @classmethod
    def of(cls, starts: Ints, children: int) -> Level:
        """Nodes whose first children are `starts`, of so many children, all neighbours."""
        sizes = np.diff(starts, append=children)
        node = np.repeat(np.arange(len(starts)), sizes)
        slot = np.arange(children) - starts[node]
        slots = np.full((int(sizes.max()), len(starts) + 1), children)
        slots[slot, node] = np.arange(children)
        return cls(slots, slot * (len(starts) + 1) + node, node)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The tree of an arm table: its levels from the leaves up; levels that branch nowhere are left out."""

    levels: tuple[Level, ...]

    @classmethod
    def of(cls, arms: ArmTable) -> Tree:
        pairs, actions = arms.channel_starts, arms.action_starts
        levels = [Level.of(pairs, len(arms)), Level.of(np.searchsorted(pairs, actions), len(pairs))]
        root = Level.of(np.zeros(1, dtype=np.int64), len(actions))
        return cls((*(level for level in levels if len(level.slots) > 1), root))

    def odds(
        self, scores: Floats, eligible: Bools, explore: Explorer, floor: float, ceiling: float = 1.0
    ) -> Floats:
        """(n, k) finite scores and eligible arms, arm 0 always → (n, k) odds.

        Rows sum to 1, refused arms have exactly 0, every eligible arm at least floor·u. From the explorer
        all arms but the one of the highest score get at most `ceiling` together.
        """
        odds = np.empty(scores.shape)
        step = max(_CELLS // self.levels[0].slots.size, 8)
        for start in range(0, len(scores), step):
            rows = slice(start, start + step)
            odds[rows] = self._block(scores[rows], eligible[rows], explore, floor, ceiling).T
        return odds

    def settled(self, explored: Floats, best: Ints, eligible: Bools, floor: float, ceiling: float) -> Floats:
        """The ceiling and the floor, on the (n, k) odds of an explorer that has gone its own way."""
        odds = explored.T.copy()
        if ceiling < 1.0:
            _lower(odds, best, ceiling)
        settled: Floats = (1.0 - floor) * odds.T + floor * self.uniform(eligible)
        return settled

    def uniform(self, eligible: Bools) -> Floats:
        """(n, k) → u, (n, k): uniform over the eligible children at each node."""
        return self.odds(np.zeros(eligible.shape), eligible, uniform, 0.0)

    def _block(
        self, scores: Floats, eligible: Bools, explore: Explorer, floor: float, ceiling: float
    ) -> Floats:
        n, k = scores.shape
        open_, values = np.zeros((k + 1, n)), np.full((k + 1, n), _CLOSED)
        open_[:k] = eligible.T
        np.copyto(values[:k], scores.T, where=eligible.T)
        best = values.argmax(axis=0)
        conditional = []
        for level in self.levels:
            o, v = open_.take(level.slots, axis=0), values.take(level.slots, axis=0)
            total = np.add.reduce(o, 0)
            count = np.maximum(total, 1.0)
            both = np.empty((2, *o.shape))
            both[0] = explore(v, o, count)
            np.divide(o, count, out=both[1])
            conditional.append(both.reshape(2, -1, n))
            values = np.add.reduce(both[0] * v, axis=0)
            open_ = np.minimum(total, 1.0)
        explored, even = self._down(conditional)
        if ceiling < 1.0:
            _lower(explored, best, ceiling)
        odds: Floats = (1.0 - floor) * explored + floor * even
        return odds

    def _down(self, conditional: list[Floats]) -> Floats:
        """(2, T·G, n) odds within each node, leaves first → (2, k, n) odds of the leaves."""
        odds = conditional[-1].take(self.levels[-1].place, axis=1)
        for level, below in zip(self.levels[-2::-1], conditional[-2::-1], strict=True):
            odds = below.take(level.place, axis=1) * odds.take(level.node, axis=1)
        return odds


def _lower(odds: Floats, best: Ints, ceiling: float) -> None:
    """Move (k, n) odds to the best arm until the others have at most `ceiling` together."""
    columns = np.arange(odds.shape[1])
    kept = ceiling / np.maximum(1.0 - odds[best, columns], max(ceiling, 1e-300))
    odds *= kept
    odds[best, columns] += 1.0 - kept


def uniform_tree(arms: ArmTable, eligible: Bools) -> Floats:
    """(n, k) eligible arms → u, (n, k), the floor's distribution (invariant 1)."""
    return Tree.of(arms).uniform(eligible)


def levels(odds: Floats, arms: ArmTable, arm: Ints) -> Floats:
    """What the odds of a drawn arm are made of, level by level of the tree.

    Args:
        odds: (n, k); arm: (n,) arms whose odds are above 0.

    Returns:
        (n, 3): the odds of its action (or of silence), of its channel given that, of its timing given both.
        Their product is the arm's odds (1e-12).
    """
    spans, slots = _spans(arms)
    first, end, pair, pair_end = spans.take(arm, axis=1)[:, :, None]
    rows = np.arange(len(arm))
    columns = first + slots
    siblings = odds[rows[:, None], np.minimum(columns, len(arms) - 1)]
    # each row is summed alone, so its bits don't depend on its batch
    of_action = np.add.reduce(siblings * (columns < end), axis=1)
    of_pair = np.add.reduce(siblings * ((columns >= pair) & (columns < pair_end)), axis=1)
    parts: Floats = np.array((of_action, of_pair / of_action, odds[rows, arm] / of_pair))
    return parts.T


@lru_cache(maxsize=64)
def _spans(arms: ArmTable) -> tuple[Ints, Ints]:
    """(4, k) first arm and end of each arm's action, and of its channel there; (T,) slots of the largest."""
    spans = []
    for starts in (arms.action_starts, arms.channel_starts):
        sizes = np.diff(starts, append=len(arms))
        spans += [np.repeat(starts, sizes), np.repeat(starts + sizes, sizes)]
    return np.array(spans), np.arange((spans[1] - spans[0]).max())
