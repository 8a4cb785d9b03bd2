"""Which arms are eligible, and for the rest the one rule that refuses them.

Rules are asked in a fixed order, and the first that refuses an arm gives its reason:

    groups.holdout, request.actions, request.channels, consent,
    actions.X.valid_from, valid_until, when, stop_after, cooldown,
    contact.quiet_hours, contact.stops.Y, contact.caps[i], actions.X.daily

Arm 0, `no_contact`, is always eligible. What is not known counts as no. Each kind of rule has its own
module; here they are put in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nba.contact.actions import ACTION_RULES, ActionRules
from nba.contact.caps import PURPOSES, CapRule, cap_rules
from nba.contact.displacement import Displacement
from nba.contact.limits import DailyLimits
from nba.contact.pools import Pool
from nba.contact.retry import LIFTING, turns
from nba.contact.situation import DAY, ELIGIBLE, Bools, Codes, Floats, Ints, refuse
from nba.contact.situation import Situation as Situation
from nba.contact.situation import Verdict as Verdict
from nba.contact.timing import Timetable
from nba.model import Used
from nba.playbook.compile import Playbook

_FIELDS = (*ACTION_RULES, "daily")
_FIRST = ("", "groups.holdout", "request.actions", "request.channels", "consent", "contact.quiet_hours")
_HOLDOUT, _ACTIONS, _CHANNELS, _CONSENT, _QUIET = range(1, len(_FIRST))
_PERIOD = {"day": 2 * DAY, "week": 8 * DAY, "month": 32 * DAY}  # with a day to spare for clocks that change


@dataclass(frozen=True, eq=False)
class Gatekeeper:
    """The playbook's contact rules, compiled; of its daily limits a pool's part, where experiments run."""

    playbook: Playbook
    pool: Pool | None = None

    @cached_property
    def timetable(self) -> Timetable:
        return Timetable.of(self.playbook.spec)

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Code → the rule that refuses, as a path into the playbook where it is one of its rules."""
        spec = self.playbook.spec
        return (
            *_FIRST,
            *(f"contact.stops.{stop.name}" for stop in spec.contact.stops),
            *(f"contact.caps[{i}]" for i in range(len(spec.contact.caps))),
            *(f"actions.{name}.{field}" for name in spec.actions for field in _FIELDS),
        )

    @cached_property
    def reach(self) -> float:
        """How many seconds back a contact can matter to a cap or a cooldown; 0 where none can."""
        spec = self.playbook.spec
        caps = [_PERIOD[cap.per] if cap.per else cap.within for cap in spec.contact.caps]
        cooldowns = [action.cooldown for action in spec.actions.values()]
        return max((length for length in (*caps, *cooldowns) if length is not None), default=0.0)

    def judge(self, at: Situation) -> Verdict:
        """Every arm of every customer: eligible, or the first rule that refuses it."""
        timing = self.playbook.arms.timing
        moments = self.timetable.send_at(at.now, at.zones)
        send_at = moments[:, timing]
        send_at[:, 0] = np.nan
        codes = np.zeros(send_at.shape, dtype=np.int16)
        self._refuse_by_request(codes, at)
        self._own_rules.refuse(codes, at, moments, send_at, timing)
        never = np.isnan(moments)
        if never.any():
            refuse(codes, never[:, timing], _QUIET)
        self._refuse_by_stop(codes, at)
        displacing = np.zeros(send_at.shape, dtype=np.bool_)
        self._refuse_by_cap(codes, displacing, at, moments)
        self._refuse_by_day(codes, at, moments)
        displacing &= codes == ELIGIBLE
        codes[:, 0] = ELIGIBLE
        return Verdict(codes=codes, send_at=send_at, displacing=displacing)

    def displaced(self, at: Situation, row: int, arm: int, verdict: Verdict) -> tuple[str, ...]:
        """The decisions whose contacts must give way if this arm is drawn, in the order in which they do.

        Lowest priority first, then the latest to be sent, then by id; none that could stay. Empty where
        the arm displaces nothing.
        """
        if self._displacement is None or not verdict.displacing[row, arm]:
            return ()
        send_at = float(verdict.send_at[row, arm])
        return self._displacement.displaced(self._caps, at, row, arm, send_at)

    def limit_keys(self, now: Floats, zones: Sequence[str]) -> list[tuple[str, str]]:
        """Every (action, day) that decisions of these moments could use up, sorted."""
        return [] if self._limits is None else self._limits.keys(self.timetable.send_at(now, zones))

    def day_of(self, send_at: float, action: str) -> str | None:
        """The day of the playbook's time zone on which a contact counts, `2026-11-22`, with its pool,
        `2026-11-22@bolder.bold`, where it has one; None where the action has no daily limit."""
        return None if self._limits is None else self._limits.day_of(send_at, action)

    def room(self, used: Mapping[tuple[str, str], Used], keys: Sequence[tuple[str, str]]) -> int | None:
        """How many decisions may be made together so that no limit that has room left is overdrawn.

        At least 1; each is taken as the dearest of its action's arms that still fits. None where no limit
        among `keys` can be overdrawn.
        """
        return None if self._limits is None else self._limits.room(used, keys)

    def together(self, at: Situation, keys: Sequence[tuple[str, str]]) -> int:
        """How many of the first of these customers may be decided for together, at least 1.

        So many can't overdraw a daily limit among `keys`, whatever they draw: it hangs on what is eligible
        and not on the arms drawn.
        """
        room = self.room(at.used, keys)
        if self._limits is None or room is None or room >= len(at.now):
            return len(at.now)
        return self._limits.together(self.judge(at).eligible, at.used, keys)

    def retry_at(self, at: Situation, row: int, verdict: Verdict) -> float | None:
        """The first moment at which a rule lifts and an arm is eligible.

        As far as is known now: features, but for days since something, contacts and limits stay as they
        are. None where an arm is eligible already, or where nothing that refuses lifts with time.
        """
        refused = verdict.codes[row, 1:]
        if not refused.all() or not self._lifts[refused].any():
            return None
        moments = turns(self.timetable, self._own_rules, self._caps, self._limits, at, row)
        if not moments:
            return None
        later = self.judge(at.repeated(row, moments, self._ages)).eligible[:, 1:].any(axis=1)
        return moments[int(later.argmax())] if later.any() else None

    def _refuse_by_request(self, codes: Codes, at: Situation) -> None:
        arms = self.playbook.arms
        if at.holdout.any():
            refuse(codes, at.holdout[:, None], _HOLDOUT)
        if not at.asked_actions.all():
            refuse(codes, ~at.asked_actions[:, arms.action], _ACTIONS)
        if not at.asked_channels.all():
            refuse(codes, ~at.asked_channels[:, arms.channel], _CHANNELS)
        if not at.consent.all():
            given = at.consent.reshape(len(codes), -1)[:, self._consent]
            refuse(codes, ~given & self._needs_consent, _CONSENT)

    def _refuse_by_stop(self, codes: Codes, at: Situation) -> None:
        for i, (rule, concerned) in enumerate(zip(self.playbook.stop_rules, self._stopped, strict=True)):
            stops = rule.may_hold(at.features)
            if stops.any():
                refuse(codes, stops[:, None] & concerned, len(_FIRST) + i)

    def _refuse_by_cap(self, codes: Codes, displacing: Bools, at: Situation, moments: Floats) -> None:
        """Refuse what breaks a cap, and mark in `displacing` what does not break it where others give way."""
        ledger = at.ledger
        for rule in self._caps:
            if ledger.at.shape[1] < rule.cap.max:  # too few for it whoever they are
                continue
            over = rule.over(ledger.at, rule.counts(ledger), moments, at.zones)
            if over is None or not over.any():
                continue
            where = over[:, self.playbook.arms.timing] & rule.arms
            if self._displacement is not None:
                stuck = self._displacement.stuck(rule, at, moments, over)
                displacing |= where & ~stuck
                where &= stuck
            refuse(codes, where, len(_FIRST) + len(self._stopped) + rule.place)

    def _refuse_by_day(self, codes: Codes, at: Situation, moments: Floats) -> None:
        refused = None if self._limits is None else self._limits.refused(moments, at.used)
        if refused is not None:
            refuse(codes, refused, self._daily)

    def _code(self, action: str, field: str) -> int:
        spec = self.playbook.spec
        before = len(_FIRST) + len(spec.contact.stops) + len(spec.contact.caps)
        return before + self._place[action] * len(_FIELDS) + _FIELDS.index(field)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.playbook.spec.actions)}

    @cached_property
    def _own_rules(self) -> ActionRules:
        return ActionRules.of(self.playbook, self._code)

    @cached_property
    def _caps(self) -> tuple[CapRule, ...]:
        return cap_rules(self.playbook)

    @cached_property
    def _displacement(self) -> Displacement | None:
        return Displacement.of(self.playbook) if self._caps else None

    @cached_property
    def _limits(self) -> DailyLimits | None:
        return DailyLimits.of(self.playbook, self.pool)

    @cached_property
    def _daily(self) -> Codes:
        """(k,) the code of each arm's daily limit; 0 for no contact."""
        codes = [self._code(name, "daily") for name in self.playbook.spec.actions]
        return np.array([*codes, 0], dtype=np.int16)[self.playbook.arms.action]

    @cached_property
    def _purpose(self) -> Ints:
        """(k,) purpose of each arm's action; -1 for no contact."""
        purposes = [PURPOSES.index(a.purpose) for a in self.playbook.spec.actions.values()]
        return np.array([*purposes, -1])[self.playbook.arms.action]

    @cached_property
    def _consent(self) -> Ints:
        """(k,) where each arm's consent stands in (purposes · channels)."""
        arms = self.playbook.arms
        return self._purpose * len(arms.channels) + arms.channel

    @cached_property
    def _needs_consent(self) -> Bools:
        needs = np.array([c.consent for c in self.playbook.spec.channels.values()])
        return needs[self.playbook.arms.channel]

    @cached_property
    def _stopped(self) -> tuple[Bools, ...]:
        """(k,) a stop: the arms that it concerns."""
        return tuple(
            np.isin(self._purpose, [PURPOSES.index(purpose) for purpose in stop.purposes])
            for stop in self.playbook.spec.contact.stops
        )

    @cached_property
    def _lifts(self) -> Bools:
        """(codes,) True for the rules that lift with time."""
        spec = self.playbook.spec
        caps, stops = len(spec.contact.caps), len(spec.contact.stops)
        own = [field in LIFTING for field in _FIELDS] * len(spec.actions)
        first = [code == _QUIET for code in range(len(_FIRST))]
        return np.array([*first, *([False] * stops), *([True] * caps), *own])

    @cached_property
    def _ages(self) -> list[int]:
        """The feature columns that count days since something."""
        features = enumerate(self.playbook.schema.features)
        return [i for i, f in features if f.group == "state" and f.name.startswith("days_since_")]
