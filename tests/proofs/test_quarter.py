"""Ninety days under `nba learn` with nobody watching: a drift, a bad batch, crashes and an outage.

One world, one seed; everything is a process of its own, over HTTP, on SQLite and a real MLflow server.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.simulate import day_start
from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.errors import CallOperator
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.policies.served import fallback
from nba.standing import ROLLED_BACK
from tests.proofs.quarter import CUSTOMERS, Quarter
from training import quarantine
from training.policy.log import DecisionLog, read_log

DAYS, DRIFT, BAD = 90, 42, 64
OUTAGE, CRASH = (28, 36), 52
Floats = NDArray[np.float64]


@pytest.mark.slow
@pytest.mark.quarter
@pytest.mark.timeout(3_600)
def test_a_quarter_runs_unattended_and_nothing_bad_comes_to_serve(tmp_path: Path) -> None:
    with _lived(tmp_path) as quarter:
        _every_decision_is_there_once_after_the_crash(quarter)
        _the_bad_day_is_under_quarantine_and_no_other_is(quarter)
        _nothing_bad_was_promoted(quarter)
        _every_promotion_has_its_evidence_in_mlflow(quarter)
        _the_loop_ramped_freshened_and_retrained(quarter)
        _regret_falls_also_after_a_drift(quarter)


@contextmanager
def _lived(folder: Path) -> Iterator[Quarter]:
    """All ninety days of it; the programs are still there."""
    quarter = Quarter.of(folder)
    try:
        for day in range(DAYS):
            if day == OUTAGE[0]:
                quarter.mlflow.kill()
            if day == OUTAGE[1]:
                quarter.mlflow.start()
            if day == DRIFT:
                quarter.lives.drift(seed=3)
            if day == BAD:
                quarter.spoiled.add(day)
            if day == CRASH:
                _crash(quarter)
            quarter.live(1)
        quarter.learned()
        yield quarter
    finally:
        quarter.end()


def _crash(quarter: Quarter) -> None:
    """The API and the learner are killed in the middle of a day, and started again; the day goes on."""
    answered: list[int] = []

    def advance(count: int) -> None:
        answered.append(count)
        if sum(answered) >= 50 and quarter.api.runs:
            quarter.learner.end(signal.SIGKILL)
            quarter.api.end(signal.SIGKILL)

    with pytest.raises(CallOperator):
        quarter.live(1, advance)
    for program in (quarter.api, quarter.learner):
        program.start()
    quarter.up("api", "/readyz")


def _regret_falls_also_after_a_drift(quarter: Quarter) -> None:
    """Ten days hold about 10,000 decisions of treatment customers: a standard error near 0.03."""
    regret = dict(quarter.lives.regret)

    def mean(first: int, last: int) -> float:
        return float(np.mean([regret[day] for day in range(first, last)]))

    pilot, learned, drifted, last = mean(0, 10), mean(32, 42), mean(42, 52), mean(80, 90)
    assert learned < 0.9 * pilot
    assert drifted > learned
    assert last < 0.95 * drifted


def _nothing_bad_was_promoted(quarter: Quarter) -> None:
    """Each policy that came to serve is worth what it replaced, less the margin, as the world has it."""
    with closing(quarter.store()) as store:
        book, audit = quarter.folder.load(), store.audit()
        log = read_log(store, book, as_of=store.latest())
    artefacts = Artefacts(quarter.folder.artefacts)
    truth = np.array([quarter.lives.truth[str(id)] for id in log.decision_id])
    order = [quarter.lives.arms[book_arm] for book_arm in _arms(book)]
    served: Policy = fallback(book)
    judged = 0
    for publication in (p for p in audit if p.kind == "policy"):
        before = served
        served = (
            fallback(book) if not publication.version else unseal(artefacts.read(publication.version), book)
        )
        if ROLLED_BACK in publication.evidence:
            continue
        rows = (log.decided_at >= publication.published_at) & (
            log.decided_at < publication.published_at + 7 * 86_400
        )
        if rows.sum() < 300:
            continue
        old, new = (_value(policy, log.where(rows), truth[rows][:, order]) for policy in (before, served))
        assert new >= old - 0.15 * abs(old) - 0.02, publication
        judged += 1
    assert judged >= 3


def _the_bad_day_is_under_quarantine_and_no_other_is(quarter: Quarter) -> None:
    with closing(quarter.store()) as store:
        found = quarantine.in_force(store)
    assert {q.type for q in found} == {"purchase"}
    start, end = day_start(BAD), day_start(BAD + 1)
    assert min(q.start for q in found) >= start - 86_400
    assert max(q.end for q in found) <= end + 86_400
    assert any(q.start <= start + 43_200 < q.end for q in found)


def _every_promotion_has_its_evidence_in_mlflow(quarter: Quarter) -> None:
    """Those made while MLflow was down too: they were sent when it was back."""
    with closing(quarter.store()) as store:
        audit, waiting = store.audit(), store.notes("mlflow")
    assert waiting == []
    during = [p for p in audit if day_start(OUTAGE[0]) < p.published_at < day_start(OUTAGE[1])]
    assert during, "nothing happened in the outage, so it proves nothing"
    tracker = Tracker(f"http://127.0.0.1:{quarter.ports['mlflow']}")
    versions = [run["tags"]["version"] for run in tracker.runs("policy") if "version" in run["tags"]]
    promoted = {p.version for p in audit if p.version and p.kind in ("policy", "ramp")}
    assert promoted <= set(versions)
    assert len(versions) == len(set(versions)), "a run was sent twice"


def _every_decision_is_there_once_after_the_crash(quarter: Quarter) -> None:
    with closing(quarter.store()) as store:
        ids = [row.decision_id for rows in store.draws(float("-inf"), float("inf")) for row in rows]
    assert len(ids) == len(set(ids)) == CUSTOMERS // 7 * DAYS
    assert set(ids) == set(quarter.lives.truth)


def _the_loop_ramped_freshened_and_retrained(quarter: Quarter) -> None:
    told = {step.get("event") for step in quarter.told()}
    assert {"retrained", "ramped", "freshened"} <= told


def _arms(book: Playbook) -> list[tuple[str, str | None, str | None]]:
    names = [name.split("/") for name in book.arms.names]
    return [(n[0], None, None) if len(n) == 1 else (n[0], n[1], n[2]) for n in names]


def _value(policy: Policy, log: DecisionLog, truth: Floats) -> float:
    """The true one-step value of what a policy would have done."""
    return float((policy.choose(log.features, log.eligible).odds * truth).sum(axis=1).mean())
