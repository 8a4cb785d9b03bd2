"""What each action says of itself: from when and until when it is valid, when it may be used, how long it
stops after a touchpoint, how far apart its contacts are. Compiled over all arms at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nba.contact.ledger import Ledger
from nba.contact.situation import DAY, Bools, Codes, Floats, Ints, Situation, refuse
from nba.playbook.compile import Playbook
from nba.playbook.rules import Rule

ACTION_RULES = ("valid_from", "valid_until", "when", "stop_after", "cooldown")
"""In the order in which they are asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionRules:
    """The actions' own rules; what can't refuse is not asked.

    Attributes:
        action: (k,) the action of each arm, -1 for no contact.
        codes: field → (k,) the code under which it refuses.
        valid_from, valid_until: (k,) moments; None where no action has one.
        when: the distinct rules but `true`; `when_of` (k,) which of them an arm has, their number for `true`.
        ages: the feature columns that `stop_after` asks, one for each pair of column and length;
            `stop_after` (s,) the lengths in days; `stopped` (s, k) the arms that each stops.
        cooldown: (actions + 1,) seconds, 0 for none; None where no action has one.
    """

    action: Ints
    codes: Mapping[str, Codes]
    valid_from: Floats | None
    valid_until: Floats | None
    when: tuple[Rule, ...]
    when_of: Ints
    ages: Ints
    stop_after: Floats
    stopped: Bools
    cooldown: Floats | None

    @classmethod
    def of(cls, playbook: Playbook, code: Callable[[str, str], int]) -> ActionRules:
        """`code` gives the refusal code of an action's field."""
        actions, action = playbook.spec.actions, playbook.arms.action
        since = [a.valid_from.timestamp() if a.valid_from else -np.inf for a in actions.values()]
        until = [a.valid_until.timestamp() if a.valid_until else np.inf for a in actions.values()]
        when, when_of = _distinct(playbook.action_rules)
        ages, stop_after, stopped = _stops(playbook)
        cooldown = np.array([*(a.cooldown or 0.0 for a in actions.values()), 0.0])
        return cls(
            action=action,
            codes={
                field: np.array([*(code(name, field) for name in actions), 0], dtype=np.int16)[action]
                for field in ACTION_RULES
            },
            valid_from=np.array([*since, -np.inf])[action] if np.isfinite(since).any() else None,
            valid_until=np.array([*until, np.inf])[action] if np.isfinite(until).any() else None,
            when=when,
            when_of=np.array([*when_of, len(when)])[action],
            ages=ages,
            stop_after=stop_after,
            stopped=stopped,
            cooldown=cooldown if cooldown.any() else None,
        )

    def refuse(self, codes: Codes, at: Situation, moments: Floats, send_at: Floats, timing: Ints) -> None:
        """Refuse in (n, k) `codes`. `moments` are (n, timings), `send_at` the same by arm."""
        if self.valid_from is not None:
            refuse(codes, send_at < self.valid_from, self.codes["valid_from"])
        if self.valid_until is not None:
            refuse(codes, send_at >= self.valid_until, self.codes["valid_until"])
        if self.when:
            fails = np.zeros((len(codes), len(self.when) + 1), dtype=np.bool_)
            for i, rule in enumerate(self.when):
                np.logical_not(rule.holds(at.features), out=fails[:, i])
            refuse(codes, fails[:, self.when_of], self.codes["when"])
        if len(self.ages):
            young = at.features[:, self.ages] < self.stop_after  # never seen, NaN, is not young
            if young.any():
                refuse(codes, young @ self.stopped, self.codes["stop_after"])
        if self.cooldown is not None and at.ledger.at.shape[1]:
            near = self._near(at.ledger, moments, self.cooldown)
            if near is not None:
                refuse(codes, near[:, self.action, timing], self.codes["cooldown"])

    def _near(self, ledger: Ledger, moments: Floats, cooldown: Floats) -> Bools | None:
        """(n, actions + 1, timings) True where a contact with the action is nearer than its cooldown."""
        lengths = cooldown[ledger.action]
        hot = lengths > 0
        if not hot.any():
            return None
        near = np.zeros((len(moments), len(cooldown), moments.shape[1]), dtype=np.bool_)
        for j in np.flatnonzero(hot.any(axis=0)):  # in one column each customer stands once
            rows = np.flatnonzero(hot[:, j])
            gaps = np.abs(moments[rows] - ledger.at[rows, j, None])
            near[rows, ledger.action[rows, j]] |= gaps < lengths[rows, j, None]
        return near


def _distinct(rules: tuple[Rule, ...]) -> tuple[tuple[Rule, ...], list[int]]:
    """The rules by their text, `true` left out; which of them each one is, their number for `true`."""
    known = {rule.text: rule for rule in rules if rule.text != "true"}
    place = {text: i for i, text in enumerate(known)}
    return tuple(known.values()), [place.get(rule.text, len(place)) for rule in rules]


def _stops(playbook: Playbook) -> tuple[Ints, Floats, Bools]:
    """Column and length in days of each distinct `stop_after`, and (s, k) the arms that it stops."""
    by_key: dict[tuple[int, float], list[int]] = {}
    for i, action in enumerate(playbook.spec.actions.values()):
        for type_, seconds in action.stop_after.items():
            column = playbook.schema.index[f"days_since_{type_}"]
            by_key.setdefault((column, seconds / DAY), []).append(i)
    arms = playbook.arms.action
    stopped = np.array([np.isin(arms, actions) for actions in by_key.values()], dtype=np.bool_)
    return (
        np.array([column for column, _ in by_key], dtype=np.int64),
        np.array([days for _, days in by_key], dtype=np.float64),
        stopped.reshape(len(by_key), len(arms)),
    )
