"""A million random decisions over twenty random playbooks, and not one that breaks a rule.

Nothing here is about chance: a rule is broken or it is not. Seeds only choose what is tried.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.contact.checker import violations
from tests.contact.crowd import NEVER, Crowd, lawlessly, simulate
from tests.contact.random_business import HOUR

CUSTOMERS, ROUNDS, PLAYBOOKS = 2_000, 25, 20


def run(seed: int) -> Crowd:
    return simulate(seed, customers=CUSTOMERS, rounds=ROUNDS)


@pytest.mark.parametrize("seed", [12, 13])
def test_fifty_thousand_random_decisions_break_no_rule(seed: int) -> None:
    """Under two playbooks in which the valuable often displaces the less valuable."""
    crowd = run(seed)
    assert violations(crowd) == {}
    assert (crowd.gone != NEVER).sum() > 100


@pytest.mark.slow
def test_a_million_random_decisions_break_no_rule() -> None:
    contacts = displaced = 0
    for seed in range(PLAYBOOKS):
        crowd = run(seed)
        assert violations(crowd) == {}, seed
        contacts += int((crowd.arm > 0).sum())
        displaced += int((crowd.gone != NEVER).sum())
    assert CUSTOMERS * ROUNDS * PLAYBOOKS == 1_000_000
    assert contacts > 300_000
    assert displaced > 3_000


def test_of_decisions_that_heed_no_rule_the_check_finds_every_kind_of_breach() -> None:
    """Forty playbooks with 100 customers each, from seed 0 on."""
    found: set[str] = set()
    for seed in range(40):
        crowd = simulate(seed, customers=100, rounds=12, draw=lawlessly)
        found |= {rule.split("[")[0] for rule in violations(crowd)}
    assert found >= {
        "holdout", "consent", "valid_from", "valid_until", "when", "stop_after", "stops", "cooldown", "caps",
        "daily.contacts", "daily.spend",
    }  # fmt: skip


def test_the_check_finds_contacts_that_go_out_at_the_wrong_moment() -> None:
    crowd = simulate(4, customers=100, rounds=12)
    assert crowd.playbook.spec.contact.quiet_hours is not None
    assert violations(crowd) == {}
    late = violations(replace(crowd, send_at=crowd.send_at + 7 * HOUR))
    assert {"timing", "quiet_hours"} <= set(late)


def test_the_check_finds_contacts_that_gave_way_to_what_may_not_displace_them() -> None:
    crowd = simulate(13, customers=100, rounds=12)
    assert violations(crowd) == {}
    contacted = (crowd.arm > 0) & np.roll(crowd.arm > 0, -1, axis=1)
    contacted[:, -1] = False
    gone = np.where(contacted, np.arange(12) + 1, NEVER)
    found = violations(replace(crowd, gone=gone))
    assert {
        "displaced a held contact", "displaced what was sent", "displaced its equal", "displaced without need"
    } <= set(found)  # fmt: skip
