"""Health as the learner asks for it: reports when due, kept and told; bad days of outcomes once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from experiments.tracking import RunRecord, Tracker
from nba.artefacts import Artefacts
from nba.errors import Conflict, NotEnoughData
from nba.stores.ports import Lease, Store
from tests.service.business import DAY, NOON, Business, outcome
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training import quarantine
from training.health.alerts import Alerts
from training.health.examine import examine
from training.health.notes import latest
from training.health.record import record
from training.health.report import HealthReport
from training.health.run import Health, lift
from training.quarantine import Quarantine

WATCHED = TEXT + "\nhealth: {rows: 50, window: 7d, reference: 14d, every: 1d}"
NOWHERE = "http://127.0.0.1:1"


class Told(Alerts):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__(webhook=None, secret=None)
        self.said: list[tuple[str, str]] = []

    def tell(self, event: str, said: str, **fields: Any) -> None:
        self.said.append((event, said))


def _health(business: Business, folder: Path, told: Told | None = None) -> Health:
    return Health(
        store=business.store,
        artefacts=Artefacts(folder),
        playbook=business.live.current.playbook,
        tracker=Tracker(NOWHERE),
        alerts=told or Told(),
    )


def _lease(store: Store) -> Lease:
    lease = store.lease("learn", "a test", time.time(), 60.0)
    assert lease is not None
    return lease


@pytest.fixture(scope="module")
def month() -> Business:
    """Thirty days of forty customers each, and the purchases of day 20 with their sign turned."""
    business = open_shop(text=WATCHED)
    for day in range(30):

        def worth(device: str, action: str, chance: np.random.Generator, day: int = day) -> float:
            return by_taste(device, action, chance) * (-1 if day == 20 else 1)

        trade(business, 40, worth, day=day)
    return business


def test_a_report_is_made_when_it_is_due_and_kept_over_a_restart(month: Business, tmp_path: Path) -> None:
    store, told = month.store, Told()
    health = _health(month, tmp_path, told)
    first = health.due(NOON + 25 * DAY, _lease(store))
    assert first is not None
    assert health.due(NOON + 25.9 * DAY, _lease(store)) is None
    assert _health(month, tmp_path).due(NOON + 25.9 * DAY, _lease(store)) is None
    assert latest(store) == first
    again = _health(month, tmp_path).due(NOON + 26 * DAY, _lease(store))
    assert again is not None
    assert [row.at for row in store.notes("health")] == [NOON + 25 * DAY, NOON + 26 * DAY]
    waiting = [RunRecord.of_bytes(row.body) for row in store.notes("mlflow")]
    assert [run.experiment for run in waiting] == ["drift", "drift"], "MLflow is down: they are sent later"
    steps = {step for name, _, step in waiting[1].metrics if name == "breached"}
    assert steps == {int((NOON + day * DAY) // DAY) for day in (25, 26)}, "the curve is in the later run"


def test_who_has_lost_the_lease_notes_no_report(tmp_path: Path) -> None:
    business = open_shop(text=WATCHED)
    for day in range(14):
        trade(business, 30, by_taste, day=day)
    lost = _lease(business.store)
    business.store.give_back(lost)
    assert business.store.lease("learn", "another", time.time(), 60.0) is not None
    with pytest.raises(Conflict):
        _health(business, tmp_path).due(NOON + 14 * DAY, lost)
    assert latest(business.store) is None


def test_without_enough_decisions_there_is_no_report_and_a_reason(tmp_path: Path) -> None:
    business = open_shop(text=WATCHED)
    trade(business, 30, by_taste)
    assert _health(business, tmp_path).due(NOON + DAY, _lease(business.store)) is None
    with pytest.raises(NotEnoughData):
        examine(business.store, business.live.current.playbook, as_of=NOON + DAY, policy=None)


def test_a_bad_day_is_given_before_it_is_learned_from_and_not_again(tmp_path: Path) -> None:
    business = open_shop(text=WATCHED)
    health = _health(business, tmp_path)
    for day in range(20):
        trade(business, 40, by_taste, day=day)
        assert health.outcomes(NOON + day * DAY + 7_200) == []
    at = NOON + 20 * DAY
    trade(business, 40, lambda *told: -by_taste(*told), day=20)
    (found,) = health.outcomes(at + 7_200)
    assert found.start <= at < found.end, "the day is not over yet"
    quarantine.put(business.store, found, at=at)
    assert health.outcomes(at + 2 * DAY) == []
    assert _health(business, tmp_path).outcomes(at + 2 * DAY) == []


def test_a_look_now_finds_what_looks_every_hour_have_found(month: Business, tmp_path: Path) -> None:
    hourly, found = _health(month, tmp_path), []
    for hour in range(0, 24 * 30, 7):
        found += [q for q in hourly.outcomes(NOON + hour * 3_600) if q not in found]
    (now,) = _health(month, tmp_path).outcomes(NOON + 30 * DAY)
    assert {(q.type, q.start) for q in found} == {(now.type, now.start)}


def test_outcomes_that_are_reported_days_late_are_looked_at_too(tmp_path: Path) -> None:
    business = open_shop(text=WATCHED)
    health = _health(business, tmp_path)
    for day in range(20):
        trade(business, 40, by_taste, day=day)
    assert health.outcomes(NOON + 20 * DAY) == []
    late = (
        outcome("purchase", NOON + 18 * DAY, id=f"late{i}", decision_id=f"c{i}.18", value=-9.0)
        for i in range(40)
    )
    business.report(*late)
    assert [q.type for q in health.outcomes(NOON + 20.1 * DAY)] == ["purchase"]


def test_what_a_person_lifts_stays_lifted(month: Business, tmp_path: Path) -> None:
    store, at = month.store, NOON + 30 * DAY
    (found,) = _health(month, tmp_path).outcomes(at)
    quarantine.put(store, found, at=at)
    assert quarantine.in_force(store) == [found]
    lifted = lift(store, "purchase", found.start + 60, at=at, who="Ann", why="they were refunds")
    assert lifted == [found]
    assert quarantine.in_force(store) == []
    assert _health(month, tmp_path).outcomes(at) == []
    (kept,) = quarantine.known(store)
    assert kept.lifted
    assert "they were refunds" in kept.why


def _report(*breached: str) -> HealthReport:
    from training.health.report import Check

    made = tuple(
        Check(name=name, subject="", value=1.0, threshold=0.5, breached=name in breached, detail=name)
        for name in ("psi", "reward", "calibration", "value_calibration", "starved")
    )
    return HealthReport(as_of=NOON, window=(NOON - DAY, NOON), reference=(0.0, NOON - DAY), checks=made)


def test_only_checks_that_the_playbook_names_retrain(month: Business, tmp_path: Path) -> None:
    health = _health(month, tmp_path)
    assert not health.retrains(_report())
    assert not health.retrains(_report("starved"))
    for name in ("psi", "reward", "calibration", "value_calibration"):
        assert health.retrains(_report(name))


def test_a_report_survives_its_json() -> None:
    report = replace(_report("psi"), unmade=("entropy: too few",))
    assert HealthReport.of_json(orjson.loads(orjson.dumps(report.to_json()))) == report


def test_the_run_of_a_report_has_curve_and_table_and_is_one_however_often_it_is_made(
    month: Business,
) -> None:
    playbook = month.live.current.playbook
    earlier = replace(_report(), as_of=NOON - DAY)
    run = record(_report("psi"), [earlier], playbook)
    assert run.id == record(_report("psi"), [], playbook).id
    assert run.tags["breached"] == "psi"
    assert [step for name, _, step in run.metrics if name == "reward"] == [
        int((NOON - DAY) // DAY),
        int(NOON // DAY),
    ]
    assert run.figures["curve.png"].startswith(b"\x89PNG")
    assert RunRecord.of_bytes(run.to_bytes()).to_bytes() == run.to_bytes()


def test_outcomes_under_quarantine_count_for_no_reward(month: Business) -> None:
    playbook, at = month.live.current.playbook, NOON + 30 * DAY
    bad = Quarantine(
        type="purchase", start=NOON + 20 * DAY, end=NOON + 21 * DAY, why="wrong sign", who="a test"
    )
    quarantine.put(month.store, bad, at=at)
    told = examine(month.store, playbook, as_of=at, policy=None)
    quarantine.put(month.store, replace(bad, lifted=True), at=at)
    believed = examine(month.store, playbook, as_of=at, policy=None)
    rewards = [[c for c in r.checks if c.name == "reward"] for r in (told, believed)]
    assert rewards[0] != rewards[1]
