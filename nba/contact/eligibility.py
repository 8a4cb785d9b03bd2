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
from nba.playbook.scalars import Purpose
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
        """The first moment at which a cap, cooldown, validity or quiet hours lift and an arm is eligible.

        As far as is known now: features and contacts stay as they are. None where an arm is eligible
        already, or where nothing that refuses lifts with time.
        """
        refused = verdict.codes[row, 1:]
        if not refused.all() or not self._passes[refused].any():
            return None
        now, zone = float(at.now[row]), at.zones[row]
        turns = {now, *(turn for turn in self._turns(at.ledger, row) if turn > now)}
        turns |= {m for turn in turns if (m := self.timetable.opens(turn, zone)) is not None}
        moments = sorted(turns - {now})
        if not moments:
            return None
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
        np.copyto(codes, self._code[reason], where=(codes == ELIGIBLE) & where)

    def _refuse_by_action(self, codes: Codes, at: Situation, send_at: Floats) -> None:
        """By what each action says of itself, in the order of `_ACTION_RULES`."""
        holds = np.array([rule.holds(at.features) for rule in self.playbook.action_rules]).T
        action = self.playbook.arms.action
        refused = (send_at < self._valid[0], send_at >= self._valid[1], ~holds[:, action])
        for field, where in zip(_ACTION_RULES, (*refused, self._cooling(at.ledger, send_at)), strict=True):
            np.copyto(codes, self._action_codes[field], where=(codes == ELIGIBLE) & where)

    @cached_property
    def _action_codes(self) -> dict[str, Codes]:
        """Field → (k,) the code by which each arm's action refuses for it; 0 for no contact."""
        names = self.playbook.spec.actions
        by_action = {f: [self._code[f"actions.{name}.{f}"] for name in names] for f in _ACTION_RULES}
        action = self.playbook.arms.action
        return {f: np.array([*codes, 0], dtype=np.int16)[action] for f, codes in by_action.items()}

    @cached_property
    def _valid(self) -> tuple[Floats, Floats]:
        """(k,) each: the moments from which and until which an arm is valid."""
        actions = self.playbook.spec.actions.values()
        since = [a.valid_from.timestamp() if a.valid_from else -np.inf for a in actions]
        until = [a.valid_until.timestamp() if a.valid_until else np.inf for a in actions]
        action = self.playbook.arms.action
        return np.array([*since, -np.inf])[action], np.array([*until, np.inf])[action]

    def _cooling(self, ledger: Ledger, send_at: Floats) -> Bools:
        """(n, k) True where a contact with the same action is nearer than its cooldown."""
        near = np.zeros(send_at.shape, dtype=np.bool_)
        for i, action in enumerate(self.playbook.spec.actions.values()):
            if action.cooldown is not None:
                arms = slice(*np.searchsorted(self.playbook.arms.action, [i, i + 1]))
                same = np.where(ledger.action == i, ledger.at, np.nan)
                gaps = np.abs(send_at[:, arms, None] - same[:, None, :])
                near[:, arms] = (gaps < action.cooldown).any(axis=2)
        return near

    def _refuse_by_stop(self, codes: Codes, at: Situation) -> None:
        stops = zip(self.playbook.spec.contact.stops, self.playbook.stop_rules, strict=True)
        for (stop, rule), concerned in zip(stops, self._stopped, strict=True):
            where = rule.may_hold(at.features)[:, None] & concerned
            self._refuse(codes, f"contact.stops.{stop.name}", where)

    @cached_property
    def _stopped(self) -> tuple[Bools, ...]:
        """(k,) a stop: the arms that it concerns."""
        return tuple(self._of(stop.purposes) for stop in self.playbook.spec.contact.stops)

    def _refuse_by_cap(self, codes: Codes, at: Situation, moments: Floats) -> None:
        arms = self.playbook.arms
        for i, (cap, concerned) in enumerate(zip(self.playbook.spec.contact.caps, self._capped, strict=True)):
            over = breaks_cap(at.ledger, moments, cap, self._cap_channel(cap))
            if over.any():
                self._refuse(codes, f"contact.caps[{i}]", over[:, arms.timing] & concerned)

    @cached_property
    def _capped(self) -> tuple[Bools, ...]:
        """(k,) a cap: the arms that it concerns."""
        caps, channel = self.playbook.spec.contact.caps, self.playbook.arms.channel
        return tuple(
            self._of(cap.purposes) & (np.True_ if cap.channel is None else channel == self._cap_channel(cap))
            for cap in caps
        )

    def _of(self, purposes: Sequence[Purpose]) -> Bools:
        """(k,) True for the arms of these purposes."""
        return np.isin(self._purpose, [PURPOSES.index(purpose) for purpose in purposes])

    def _cap_channel(self, cap: Cap) -> int | None:
        return None if cap.channel is None else self.playbook.arms.channels.index(cap.channel)


_ACTION_RULES = ("valid_from", "valid_until", "when", "cooldown")
_LIFTS = re.compile(r"^contact\.(quiet_hours|caps\[\d+\])$|^actions\..*\.(valid_from|cooldown)$")
