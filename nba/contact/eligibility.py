"""Which arms are eligible, and for the rest the one rule that refuses them.

Rules are asked in a fixed order, from what the caller asked for down to the caps, and the first that
refuses an arm gives its reason. Arm 0, `no_contact`, is always eligible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nba.contact.caps import PURPOSES, Ledger, breaks_cap
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

    def repeated(self, row: int, moments: Sequence[float]) -> Situation:
        """One customer at several moments, everything else as it is."""
        rows = np.full(len(moments), row)
        return replace(
            self,
            now=np.array(moments, dtype=np.float64),
            zones=[self.zones[row]] * len(moments),
            features=self.features[rows],
            consent=self.consent[rows],
            ledger=self.ledger.rows(rows),
            asked_actions=self.asked_actions[rows],
            asked_channels=self.asked_channels[rows],
            holdout=self.holdout[rows],
        )


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
        """When the first arm becomes eligible if nothing but time passes.

        None where an arm is eligible now, or where no rule that refuses lifts with time. Features stay as
        they are, and so do the customer's contacts.
        """
        refused = verdict.codes[row, 1:]
        if not refused.all() or not self._passes[refused].any():
            return None
        now, zone = float(at.now[row]), at.zones[row]
        turns = [now, *(turn for turn in self._turns(at.ledger, row) if turn > now)]
        moments = sorted({m for turn in turns for m in self.timetable.reopenings(turn, now, zone)})
        later = self.judge(at.repeated(row, moments)).eligible[:, 1:].any(axis=1)
        return moments[int(later.argmax())] if later.any() else None

    def _turns(self, ledger: Ledger, row: int) -> set[float]:
        """The moments at which caps, cooldowns and validity may lift."""
        spec = self.playbook.spec
        contacts = [
            (float(at), int(action))
            for at, action in zip(ledger.at[row], ledger.action[row], strict=True)
            if not np.isnan(at)
        ]
        turns = {at + cap.within for at, _ in contacts for cap in spec.contact.caps}
        for i, action in enumerate(spec.actions.values()):
            if action.cooldown is not None:
                turns |= {at + action.cooldown for at, of in contacts if of == i}
            if action.valid_from is not None:
                turns.add(action.valid_from.timestamp())
        return turns

    @cached_property
    def _passes(self) -> Bools:
        """(codes,) True for the rules that lift with time."""
        return np.array([_LIFTS.search(reason) is not None for reason in self.reasons])

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


_ACTION_RULES = ("valid_from", "valid_until", "when", "cooldown")
_LIFTS = re.compile(r"^contact\.(quiet_hours|caps\[\d+\])$|^actions\..*\.(valid_from|cooldown)$")
