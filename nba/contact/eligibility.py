"""Which arms are eligible, and for the rest the one rule that refuses them.

Rules are asked in a fixed order, from what the caller asked for down to the caps, and the first that
refuses an arm gives its reason. Arm 0, `no_contact`, is always eligible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nba.contact.caps import PURPOSES, Ledger, breaks_cap, free_again
from nba.contact.timing import Timetable
from nba.playbook.compile import Playbook
from nba.playbook.schema import Cap

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int16]
ELIGIBLE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the rules look at, for n customers.

    Attributes:
        now: (n,) epoch seconds.
        zones: n time zone names.
        features: (n, F) in schema order.
        consent: (n, purposes, channels) True where granted.
        ledger: the customers' contacts.
        asked_actions, asked_channels: (n, actions), (n, channels) True where the request allows them.
        holdout: (n,) True for customers never acted upon.
    """

    now: Floats
    zones: Sequence[str]
    features: Floats
    consent: Bools
    ledger: Ledger
    asked_actions: Bools
    asked_channels: Bools
    holdout: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """(n, k) refusal codes, 0 where eligible; (n, k) when each arm would be sent, NaN for none."""

    codes: Codes
    send_at: Floats

    @property
    def eligible(self) -> Bools:
        return np.equal(self.codes, ELIGIBLE)


@dataclass(frozen=True, eq=False)
class Gatekeeper:
    """The playbook's contact rules, compiled."""

    playbook: Playbook

    @cached_property
    def timetable(self) -> Timetable:
        return Timetable.of(self.playbook.spec)

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Code → the rule that refuses, as a path into the playbook where it is one of its rules."""
        spec = self.playbook.spec
        return (
            "",
            "groups.holdout",
            "request.actions",
            "request.channels",
            "consent",
            "contact.quiet_hours",
            *(f"contact.stops.{stop.name}" for stop in spec.contact.stops),
            *(f"contact.caps[{i}]" for i in range(len(spec.contact.caps))),
            *(f"actions.{name}.{field}" for name in spec.actions for field in _ACTION_RULES),
        )

    @cached_property
    def _code(self) -> dict[str, int]:
        return {reason: code for code, reason in enumerate(self.reasons)}

    @cached_property
    def _purpose(self) -> NDArray[np.int64]:
        """(k,) purpose of each arm's action; -1 for no contact."""
        purposes = [PURPOSES.index(a.purpose) for a in self.playbook.spec.actions.values()]
        return np.array([-1 if a < 0 else purposes[a] for a in self.playbook.arms.action])

    def judge(self, at: Situation) -> Verdict:
        """Every arm of every customer: eligible, or the first rule that refuses it."""
        arms = self.playbook.arms
        moments = self.timetable.send_at(at.now, at.zones)
        send_at = moments[:, arms.timing]
        send_at[:, 0] = np.nan
        codes = np.zeros(send_at.shape, dtype=np.int16)
        self._refuse(codes, "groups.holdout", at.holdout[:, None])
        self._refuse(codes, "request.actions", ~at.asked_actions[:, arms.action])
        self._refuse(codes, "request.channels", ~at.asked_channels[:, arms.channel])
        self._refuse(codes, "consent", ~at.consent[:, self._purpose, arms.channel] & self._needs_consent)
        self._refuse_by_action(codes, at, send_at)
        self._refuse(codes, "contact.quiet_hours", np.isnan(send_at))
        self._refuse_by_stop(codes, at)
        self._refuse_by_cap(codes, at, moments)
        codes[:, 0] = ELIGIBLE
        return Verdict(codes=codes, send_at=send_at)

    def retry_at(self, at: Situation, row: int, verdict: Verdict) -> float | None:
        """When the first arm that is refused for a time only, becomes eligible by that rule."""
        moments: list[float] = []
        now = float(at.now[row])
        for code in np.unique(verdict.codes[row][1:]):
            moment = self._lifted(self.reasons[code], at, row, now)
            if moment is not None and moment > now:
                moments.append(moment)
        return min(moments, default=None)

    @cached_property
    def _needs_consent(self) -> Bools:
        needs = np.array([c.consent for c in self.playbook.spec.channels.values()])
        return needs[self.playbook.arms.channel]

    def _refuse(self, codes: Codes, reason: str, where: Bools) -> None:
        codes[(codes == ELIGIBLE) & where] = self._code[reason]

    def _refuse_by_action(self, codes: Codes, at: Situation, send_at: Floats) -> None:
        for i, (name, action) in enumerate(self.playbook.spec.actions.items()):
            arms = slice(*np.searchsorted(self.playbook.arms.action, [i, i + 1]))
            view, when = codes[:, arms], send_at[:, arms]
            if action.valid_from is not None:
                self._refuse(view, f"actions.{name}.valid_from", when < action.valid_from.timestamp())
            if action.valid_until is not None:
                self._refuse(view, f"actions.{name}.valid_until", when >= action.valid_until.timestamp())
            holds = self.playbook.action_rules[i].holds(at.features)
            self._refuse(view, f"actions.{name}.when", ~holds[:, None])
            if action.cooldown is not None:
                cooling = self._cooling(at.ledger, i, when, action.cooldown)
                self._refuse(view, f"actions.{name}.cooldown", cooling)

    def _cooling(self, ledger: Ledger, action: int, send_at: Floats, cooldown: float) -> Bools:
        same = np.where(ledger.action == action, ledger.at, np.nan)
        gaps = np.abs(send_at[:, :, None] - same[:, None, :])
        near: Bools = (gaps < cooldown).any(axis=2)
        return near

    def _refuse_by_stop(self, codes: Codes, at: Situation) -> None:
        for stop, rule in zip(self.playbook.spec.contact.stops, self.playbook.stop_rules, strict=True):
            concerned = np.isin(self._purpose, [PURPOSES.index(p) for p in stop.purposes])
            stopped = rule.may_hold(at.features)
            self._refuse(codes, f"contact.stops.{stop.name}", stopped[:, None] & concerned)

    def _refuse_by_cap(self, codes: Codes, at: Situation, moments: Floats) -> None:
        for i, cap in enumerate(self.playbook.spec.contact.caps):
            channel = self._cap_channel(cap)
            concerned: Bools = np.isin(self._purpose, [PURPOSES.index(p) for p in cap.purposes])
            if channel is not None:
                concerned = np.logical_and(concerned, self.playbook.arms.channel == channel)
            over = breaks_cap(at.ledger, moments, cap, channel)[:, self.playbook.arms.timing]
            self._refuse(codes, f"contact.caps[{i}]", over & concerned)

    def _cap_channel(self, cap: Cap) -> int | None:
        return None if cap.channel is None else self.playbook.arms.channels.index(cap.channel)

    def _lifted(self, reason: str, at: Situation, row: int, now: float) -> float | None:
        spec = self.playbook.spec
        if reason == "contact.quiet_hours":
            return self.timetable.quiet_until(now, at.zones[row])
        if reason.startswith("contact.caps["):
            cap = spec.contact.caps[int(reason[len("contact.caps[") : -1])]
            return free_again(at.ledger, row, now, cap, self._cap_channel(cap))
        section, _, rest = reason.partition(".")
        name, _, field = rest.rpartition(".")
        if section != "actions":
            return None
        action = spec.actions[name]
        if field == "valid_from" and action.valid_from is not None:
            return action.valid_from.timestamp()
        if field == "cooldown" and action.cooldown is not None:
            mine = at.ledger.action[row] == list(spec.actions).index(name)
            return float(at.ledger.at[row][mine].max()) + action.cooldown
        return None


_ACTION_RULES = ("valid_from", "valid_until", "when", "cooldown")
