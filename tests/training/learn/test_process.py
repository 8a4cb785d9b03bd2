"""The process: what it waits for with nothing to do, who stands by, and pauses after what went wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from experiments.tracking import Tracker
from nba import cli
from nba.errors import Busy
from tests.service.business import DAY, NOON
from tests.training.learn.shop import Learning
from tests.training.policy.shop import by_taste
from training.learn import patience
from training.learn.loop import Loop
from training.learn.patience import Patience
from training.learn.process import LEASE, Process


def process(shop: Learning, at: float, **values: Any) -> Process:
    return Process(store=shop.store, loop=shop.loop, clock=lambda: at, tell=shop.steps.append, **values)


@pytest.fixture
def shop(tmp_path: Path, tracker: Tracker) -> Learning:
    return Learning.of(tmp_path, tracker)


def test_once_says_what_it_waits_for(shop: Learning) -> None:
    shop.trade(100, by_taste, day=0)
    treated = sum(row.group == "treatment" for rows in shop.store.draws(0.0, 1e12) for row in rows)
    process(shop, NOON + DAY).once()
    (step,) = shop.steps
    assert step.event == "nothing_due"
    assert "mature decisions of treatment customers: 0 of 300" in step.said
    assert f"{treated} more are not mature yet, the next at 2025-06-22T12:00:00Z" in step.said
    assert (step.fields["needed"], step.fields["open"]) == (300, treated)


def test_once_says_when_the_next_retraining_is_due(shop: Learning) -> None:
    shop.trade(900, by_taste, day=0)
    process(shop, NOON + 8 * DAY).once()
    assert shop.events()[-1] == "retrained"
    shop.trade(100, by_taste, day=9)
    shop.loop.told = 0
    process(shop, NOON + 20 * DAY).once()
    said = shop.steps[-1].said
    treated = shop.steps[-1].fields["since_update"]
    assert 60 < treated < 100
    assert f"newly mature decisions: {treated} of 200" in said
    assert "the next full retraining is due at 2025-09-21T12:00:00Z with 200 newly mature" in said
    assert "no decision has an open reward window" in said


def test_a_store_in_which_nothing_has_happened_is_told(shop: Learning) -> None:
    process(shop, float("-inf")).once()
    assert [step.said for step in shop.steps] == [
        "nothing has happened in this store yet; it waits for decisions"
    ]


def test_another_learners_lease_is_worth_a_retry(shop: Learning) -> None:
    assert shop.store.lease(LEASE, "another", time.time(), 60.0) is not None
    with pytest.raises(Busy, match="another learner holds the lease") as caught:
        process(shop, NOON).once()
    assert cli._exit_code(caught.value) == cli.EXIT_RETRYABLE
    assert shop.steps == []


def test_a_learner_that_stands_by_says_so_once(shop: Learning) -> None:
    assert shop.store.lease(LEASE, "another", time.time(), 60.0) is not None
    standby = process(shop, NOON)
    for _ in range(3):
        assert standby._leased() is None
    assert shop.events() == ["waiting"]
    assert "stands by" in shop.steps[0].said


def test_what_goes_wrong_is_tried_again_with_pauses_that_double(
    shop: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(loop: Loop, as_of: float, lease: object) -> bool:
        loop.begins()
        raise MemoryError

    ours = process(shop, NOON)
    lease = ours._leased()
    assert lease is not None
    monkeypatch.setattr(Loop, "learn", fails)
    for _ in range(4):
        ours._learn_or_tell(NOON, lease)
    failed = [step for step in shop.steps if step.event == "learning_failed"]
    assert [step.fields["again_in"] for step in failed] == [5.0, 10.0, 20.0, 40.0]
    assert "tried again in 40 seconds" in failed[-1].said
    assert ours._again_at > time.monotonic() + 30
    monkeypatch.setattr(Loop, "learn", lambda self, as_of, lease: False)
    ours._learn_or_tell(NOON, lease)
    assert Patience(shop.store).left() == 0.0
    assert ours._patience.failures == 0


def test_a_pause_is_no_shorter_than_the_attempt_and_no_longer_than_an_hour(shop: Learning) -> None:
    ours = Patience(shop.store)
    assert ours.failed(took=300.0) == 300.0
    for _ in range(40):
        longest = ours.failed(took=1e6)
    assert longest == patience.LONGEST


def test_a_process_that_died_of_a_retraining_is_known_of_by_the_next(shop: Learning) -> None:
    """What the operating system kills says nothing: the attempt stands in the store until it has ended."""
    lease = shop.lease()
    for died in (1, 2, 3):
        doomed = Patience(shop.store)
        doomed.left()
        doomed.begins(lease)
        assert Patience(shop.store).left() == pytest.approx(5.0 * 2 ** (died - 1), abs=2.0)
    shop.store.give_back(lease)
    anew = process(shop, NOON)
    assert anew._leased() is not None
    assert shop.events() == ["lease_taken", "learning_failed"]
    assert shop.steps[-1].fields["in_a_row"] == 3
    assert anew._again_at > time.monotonic() + 10


def test_a_process_that_is_told_to_end_in_the_middle_has_not_failed(shop: Learning) -> None:
    ours = process(shop, NOON)
    lease = ours._leased()
    assert lease is not None
    ours._patience.begins(lease)
    ours._end()
    assert Patience(shop.store).left() == 0.0
