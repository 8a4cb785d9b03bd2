"""Health as the learner asks for it: what is new since it last asked, and the report that is due."""

from __future__ import annotations

from dataclasses import replace

from experiments.backlog import Backlog
from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.stores.ports import Lease, Store
from training import quarantine
from training.health import notes
from training.health.alerts import Alerts
from training.health.examine import examine
from training.health.outcome_days import OutcomeDay, midnight, read_days
from training.health.record import record
from training.health.report import HealthReport
from training.health.wrong_outcomes import HISTORY, judged, span
from training.policy.champion import serving_champion
from training.quarantine import Quarantine

_DAY = 86_400.0
_ANEW = 3 * _DAY  # days that are read again at each look: outcomes come late
_PAUSE = 900.0  # seconds of the store's clock between two looks at the outcomes
_AGAIN = 3_600.0  # seconds until a report that was due and could not be made is tried again


class Health:
    """One learner's. It remembers only what can be made anew from the store and its notes."""

    def __init__(
        self, *, store: Store, artefacts: Artefacts, playbook: Playbook, tracker: Tracker, alerts: Alerts
    ) -> None:
        self._store, self._artefacts, self._playbook = store, artefacts, playbook
        self._tracker, self._alerts = tracker, alerts
        self._days: list[OutcomeDay] = []
        self._looked_at = float("-inf")
        self._reports: list[tuple[int, HealthReport]] = []
        self._tried_at = float("-inf")

    def outcomes(self, as_of: float) -> list[Quarantine]:
        """Days of outcomes that can't be right and were never under quarantine, also before they are over.

        Quick: it looks every quarter of an hour of the store's clock, and reads the latest days alone once
        it has read the others. What it gives is to be kept in the store, else it is given again.
        """
        if self._looked_at <= as_of < self._looked_at + _PAUSE:
            return []
        health = self._playbook.spec.health
        since = as_of - health.window - health.reference
        start, until = span(self._store, self._playbook, since - HISTORY, as_of)
        if self._days and as_of >= self._looked_at:
            start = max(start, midnight(self._looked_at - _ANEW, self._playbook))
        kept = [day for day in self._days if since - HISTORY <= day.start < start]
        self._days = kept + read_days(self._store, self._playbook, start, until)
        self._looked_at = as_of
        return judged(self._days, self._playbook, quarantine.known(self._store), as_of=as_of, since=since)

    def due(self, as_of: float, lease: Lease) -> HealthReport | None:
        """Examine where `health.every` has passed since the last report; note it, tell it, send it to MLflow.

        None where none is due, or where there are too few decisions; that is tried again an hour later.

        Raises:
            Conflict: the lease is no longer the caller's.
        """
        after = self._reports[-1][0] if self._reports else 0
        self._reports += notes.reports(self._store, after)
        last = self._reports[-1][1] if self._reports else None
        every = self._playbook.spec.health.every
        if last is not None and last.as_of <= as_of < last.as_of + every:
            return None
        if self._tried_at <= as_of < self._tried_at + min(every, _AGAIN):
            return None
        self._tried_at = as_of
        champion = serving_champion(self._store, self._artefacts, self._playbook)
        try:
            found = examine(self._store, self._playbook, as_of=as_of, policy=champion.policy)
        except NotEnoughData:
            return None
        notes.keep(self._store, found, lease=lease)
        self._alerts.report(found, last)
        run = record(found, [report for _, report in self._reports], self._playbook)
        Backlog(self._store).deliver(self._tracker, run)
        return found

    def retrains(self, report: HealthReport) -> bool:
        """Whether a check that the playbook retrains on is out of bounds.

        `calibration` stands for that of scores and of value alike.
        """
        asked = set(self._playbook.spec.health.retrain)
        if "calibration" in asked:
            asked.add("value_calibration")
        return any(check.name in asked for check in report.breached)


def lift(store: Store, type: str, start: float, *, at: float, who: str, why: str) -> list[Quarantine]:
    """Lift the quarantines of a type that hold at a moment; what was lifted. A note of each stays."""
    found = [q for q in quarantine.in_force(store) if q.type == type and q.start <= start < q.end]
    for q in found:
        quarantine.put(store, replace(q, lifted=True, who=who, why=f"{q.why}; lifted: {why}"), at=at)
    return found
