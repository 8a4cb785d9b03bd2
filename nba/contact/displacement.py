"""Which contacts give way to a more valuable one under the same caps.

Only what is reserved, not yet sent, and of strictly lower priority than the arm's action. An arm displaces
where it fits into every cap once all of these are gone; which of them go is found afterwards, for the arm
that is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nba.contact.caps import CapRule
from nba.contact.situation import Bools, Floats, Ints, Situation
from nba.playbook.compile import Playbook


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Displacement:
    """The priorities of a playbook's arms.

    Attributes:
        priority, timing: (k,) of each arm.
        levels: the distinct priorities of actions, lowest first.
    """

    priority: Ints
    timing: Ints
    levels: tuple[int, ...]

    @classmethod
    def of(cls, playbook: Playbook) -> Displacement | None:
        """None where nothing can ever give way: contacts of actions that are gone count as 0."""
        actions = playbook.spec.actions.values()
        levels = sorted({action.priority for action in actions})
        if levels[-1] <= min(levels[0], 0):
            return None
        priority = np.array([*(action.priority for action in actions), levels[0]])[playbook.arms.action]
        return cls(priority=priority, timing=playbook.arms.timing, levels=tuple(levels))

    def stuck(self, rule: CapRule, at: Situation, moments: Floats, over: Bools) -> Bools:
        """(n, k) where an arm would break the cap also with all that may give way to it gone.

        `over` is (n, timings), where it would break it with everything still there.
        """
        ledger, counted = at.ledger, rule.counts(at.ledger)
        may_go = counted & ledger.unsent(at.now)
        lowest = ledger.priority[may_go].min(initial=self.levels[-1])
        stuck = over[:, self.timing]
        for level in self.levels:
            arms = np.flatnonzero(rule.arms & (self.priority == level))
            if level > lowest and len(arms):
                left = counted & ~(may_go & (ledger.priority < level))
                still = rule.over(ledger.at, left, moments, at.zones)
                stuck[:, arms] = False if still is None else still[:, self.timing[arms]]
        return stuck

    def displaced(
        self, rules: Sequence[CapRule], at: Situation, row: int, arm: int, send_at: float
    ) -> tuple[str, ...]:
        """The decision ids that must go before the arm is sent at `send_at`, in the order in which they go.

        Lowest priority first, then the latest to be sent, then by id; and none that could stay: from the
        other end of this order, each contact stays that fits in with those that stay already.
        """
        one = at.repeated(row, [float(at.now[row])])
        ledger, moment = one.ledger, np.array([[send_at]])
        counted = [rule.counts(ledger) for rule in rules]

        def broken(place: int, gone: Bools) -> bool:
            over = rules[place].over(ledger.at, counted[place] & ~gone, moment, one.zones)
            return over is not None and bool(over[0, 0])

        nothing = np.zeros(ledger.at.shape, dtype=np.bool_)
        refusing = [i for i, rule in enumerate(rules) if rule.arms[arm] and broken(i, nothing)]
        gone = ledger.unsent(one.now) & (ledger.priority < self.priority[arm])
        gone &= np.any([counted[i] for i in refusing], axis=0) if refusing else False
        order = self._order(one, gone)
        for j in reversed(order):
            gone[0, j] = False
            gone[0, j] = any(broken(i, gone) for i in refusing)
        return tuple(ledger.ids[0][j] for j in order if gone[0, j])

    def _order(self, one: Situation, gone: Bools) -> list[int]:
        """The contacts in the order in which they give way."""
        priority, at, ids = one.ledger.priority[0].tolist(), one.ledger.at[0].tolist(), one.ledger.ids[0]
        return sorted(np.flatnonzero(gone[0]).tolist(), key=lambda j: (priority[j], -at[j], ids[j]))
