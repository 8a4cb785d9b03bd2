"""Guardrails while a policy decides: no alarm by chance, however often one looks, an early one where due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nba.playbook.schema import Guardrail
from training.learn.rates import FEWEST, Counted, finding

RAIL = Guardrail.model_validate(
    {"name": "leaving", "count": "unsubscribed", "within": "1d", "most": 0.1, "rise": 0.5}
)


def counted(rate: float, customers: int, seed: list[int], each: int = 3) -> Counted:
    """`each` decisions a customer, who are alike: some leave often, most never do."""
    rng = np.random.default_rng(seed)
    own = rng.beta(0.5, 0.5 / rate - 0.5, customers)
    customer: NDArray[np.int64] = np.repeat(np.arange(customers), each)
    return Counted(customer=customer, count=(rng.random(len(customer)) < own[customer]).astype(np.float64))


def first_alarm(trial: Counted, control: Counted | None) -> int | None:
    """Customers at the first look that raises an alarm; a look after each 25 of them."""
    last = int(trial.customer.max()) + 1
    for customers in range(25, last + 1, 25):
        parts = [
            None
            if c is None
            else Counted(customer=c.customer[c.customer < customers], count=c.count[c.customer < customers])
            for c in (trial, control)
        ]
        assert parts[0] is not None
        beside = None if parts[1] is None else (parts[0], parts[1])
        if finding(RAIL, parts[0], beside, 0.95).broken:
            return customers
    return None


def test_looking_all_the_time_raises_hardly_any_false_alarm() -> None:
    """200 trials of 1,000 customers at 40 looks each, the rate at the very limit of `rise` and below `most`:
    10 alarms are 5 %; more than 20 come by chance once in 600."""
    alarms = sum(
        first_alarm(counted(0.06, 1_000, [1, i]), counted(0.04, 1_000, [2, i])) is not None
        for i in range(200)
    )
    assert alarms <= 20


def test_what_breaks_a_limit_is_found_among_few_customers() -> None:
    """50 trials at four times what is allowed: found among the first 500 customers in nearly all."""
    found = [first_alarm(counted(0.4, 500, [3, i]), None) for i in range(50)]
    assert sum(customers is not None for customers in found) >= 48


def test_everybody_leaving_is_an_alarm_although_nothing_varies() -> None:
    everybody = Counted(customer=np.arange(60), count=np.ones(60))
    assert finding(RAIL, everybody, None, 0.95).broken


def test_nobody_leaving_is_none_and_too_few_say_nothing() -> None:
    nobody = Counted(customer=np.arange(500), count=np.zeros(500))
    assert not finding(RAIL, nobody, (nobody, nobody), 0.95).broken
    few = Counted(customer=np.arange(FEWEST - 1), count=np.ones(FEWEST - 1))
    told = finding(RAIL, few, None, 0.95)
    assert not told.broken
    assert told.rate is None
    assert f"{FEWEST - 1} customers" in told.reason
