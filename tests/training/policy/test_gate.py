"""The gate: what may replace what, and what was missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.ope import LoggedBatch
from nba.playbook.schema import Guardrail, Promotion
from training.policy.gate import judge
from training.policy.guards import Guard

RULE = Promotion(level=0.95, margin=0.1, decisions=100)


def logged(n: int, gain: float, seed: int = 0) -> tuple[LoggedBatch, LoggedBatch]:
    """A coin decides between two arms; arm 1 earns `gain` more. The challenger takes it, the champion not."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    reward = 2.0 + gain * arm + rng.normal(size=n)

    def taking(target: int) -> LoggedBatch:
        return LoggedBatch(
            reward=reward,
            arm=arm,
            propensity=np.full(n, 0.5),
            target=np.eye(2)[np.full(n, target)],
            q_hat=np.tile([2.0, 2.0], (n, 1)),
            customer=np.arange(n),
            logging=np.full((n, 2), 0.5),
        )

    return taking(1), taking(0)


def test_a_better_new_policy_is_promoted() -> None:
    verdict = judge(*logged(2_000, 0.5), RULE, refresh=False)
    assert verdict.promoted
    assert (verdict.rule, verdict.threshold, verdict.still_needed) == ("new", 0.0, None)
    assert verdict.difference is not None
    assert verdict.difference.low < 0.5 < verdict.difference.high
    assert set(verdict.challenger) == set(verdict.champion) == {"ips", "snips", "dr"}
    assert "must be better" in verdict.reason


def test_an_equal_policy_is_let_through_as_a_refresh_and_not_as_a_new_one() -> None:
    batches = logged(20_000, 0.0)
    refresh, new = (judge(*batches, RULE, refresh=refresh) for refresh in (True, False))
    assert refresh.promoted
    assert refresh.threshold == pytest.approx(-0.1 * 2.0, rel=0.05)
    assert not new.promoted
    assert "is not above" in new.reason


def test_a_refresh_that_is_worse_by_more_than_the_margin_is_refused() -> None:
    verdict = judge(*logged(20_000, -0.5), RULE, refresh=True)
    assert not verdict.promoted
    assert verdict.still_needed is None, "more data would not mend it"


def test_too_few_decisions_are_named_before_anything_is_estimated() -> None:
    verdict = judge(*logged(60, 5.0), RULE, refresh=False)
    assert not verdict.promoted
    assert (verdict.still_needed, verdict.difference) == (40, None)
    assert "60 mature decisions" in verdict.reason
    assert "asks for 100" in verdict.reason


def test_what_is_still_needed_is_about_what_decides() -> None:
    """With so many more, the same difference and an interval narrower by the root, the lower bound is 0."""
    verdict = judge(*logged(200, 0.2, seed=1), RULE, refresh=False)
    assert not verdict.promoted
    assert verdict.difference is not None
    assert verdict.still_needed is not None
    assert 1 <= verdict.still_needed <= 20_000
    value, half = verdict.difference.value, verdict.difference.value - verdict.difference.low
    total = 200 + verdict.still_needed
    assert value - half * np.sqrt(200 / total) == pytest.approx(0.0, abs=0.02 * half)


def test_a_log_that_cannot_tell_is_said_to_be_so() -> None:
    """The challenger only takes an arm that was never drawn."""
    challenger, champion = logged(500, 0.0)
    wide = {"q_hat": np.full((500, 3), 2.0), "logging": np.tile([0.5, 0.5, 0.0], (500, 1))}

    def over_three(batch: LoggedBatch, target: int) -> LoggedBatch:
        return LoggedBatch(
            reward=batch.reward,
            arm=batch.arm,
            propensity=batch.propensity,
            target=np.eye(3)[np.full(500, target)],
            customer=np.arange(500),
            **wide,
        )

    verdict = judge(over_three(challenger, 2), over_three(champion, 0), RULE, refresh=False)
    assert not verdict.promoted
    assert "can't carry the comparison" in verdict.reason
    assert (verdict.difference, verdict.still_needed) == (None, None)
    assert "ips" not in verdict.challenger


def test_a_later_attempt_must_be_surer_than_the_first() -> None:
    """2,000 decisions of seed 0 in which arm 1 earns .13 more by what is seen: 2.6 standard errors."""
    batches = logged(2_000, 0.085)
    first, tenth = (judge(*batches, RULE, refresh=False, attempt=attempt) for attempt in (1, 10))
    assert first.promoted
    assert not tenth.promoted
    assert tenth.level > first.level > 0.95
    assert "attempt 10" in tenth.reason
    assert judge(*batches, RULE, refresh=True, attempt=10).level == 0.95


def test_many_refreshes_may_not_each_lose_a_margin() -> None:
    """The champion earns .3 less than the policy that was proven; a refresh that is like it is refused."""
    taken, left = logged(20_000, 0.3)
    alone = judge(left, left, RULE, refresh=True)
    beside = judge(left, left, RULE, refresh=True, anchor=taken)
    assert alone.promoted
    assert not beside.promoted
    assert "the last policy that was proven" in beside.reason


def test_where_too_few_customers_make_up_the_difference_the_answer_is_no() -> None:
    """All decisions are of three customers, so n_psi is at most 3."""
    taken, left = (replace(batch, customer=np.arange(2_000) % 3) for batch in logged(2_000, 5.0))
    verdict = judge(taken, left, RULE, refresh=False)
    assert not verdict.promoted
    assert "n_psi" in verdict.reason or "can't carry" in verdict.reason


def rail(**limits: float) -> Guardrail:
    return Guardrail.model_validate({"name": "leaving", "count": "unsubscribed", **limits})


def test_a_guardrail_that_would_break_stops_a_better_policy() -> None:
    """Whoever gets arm 1 unsubscribes three times as often: .3 against .1 a decision; 20,000 of seed 0."""
    taken, left = logged(20_000, 0.5)
    chance = np.random.default_rng(1).random(20_000)
    count = (chance < np.where(taken.arm == 1, 0.3, 0.1)).astype(np.float64)
    for limits, stopped in (
        ({"most": 0.2}, True),
        ({"rise": 1.0}, True),
        ({"most": 0.4, "rise": 3.0}, False),
    ):
        guard = Guard(rail=rail(**limits), count=count)
        verdict = judge(taken, left, RULE, refresh=False, guards=[guard])
        assert verdict.promoted is not stopped, limits
        (checked,) = verdict.guardrails
        assert checked.challenger == pytest.approx(0.3, abs=0.02)
        assert checked.champion == pytest.approx(0.1, abs=0.02)


def test_a_guardrail_on_contacts_needs_no_luck() -> None:
    taken, left = logged(2_000, 0.5)
    contacts = Guardrail.model_validate({"name": "pressure", "count": "contact", "rise": 0.5})
    guard = Guard(rail=contacts, count=(taken.arm != 0).astype(np.float64))
    verdict = judge(taken, left, RULE, refresh=False, guards=[guard])
    assert not verdict.promoted
    assert "pressure would be 1 a decision" in verdict.reason


def test_a_guardrail_that_nobody_can_know_yet_stops_nothing_and_is_told() -> None:
    taken, left = logged(2_000, 0.5)
    guard = Guard(rail=rail(most=0.1), count=np.full(2_000, np.nan))
    verdict = judge(taken, left, RULE, refresh=False, guards=[guard])
    assert verdict.promoted
    assert "not known" in verdict.guardrails[0].reason
