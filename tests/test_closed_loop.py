"""Figures on tickets: what is open counts as far as it is known, and no further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from nba.cli import build
from nba.journey.closed_loop import Share, by_rule, figures, settled_within, won_back
from nba.playbook.feedback import Feedback, Scale
from nba.stores.open import open_store
from nba.tickets import TicketRow
from tests.service.business import HOUR, NOON, Business, event
from tests.service.test_tickets import TICKETS, moving, of
from tests.stores.test_contract_reactions import ticket


def lasting(hours: float | None, **values: Any) -> TicketRow:
    """Opened at 0 and due after 24 hours; settled after so many."""
    closed = {} if hours is None else {"status": "closed", "closed_at": hours * HOUR}
    return ticket("t", opened_at=0.0, due_at=24 * HOUR, **{**closed, **values})


def test_in_time_counts_what_is_known_and_leaves_out_what_is_not_yet() -> None:
    rows = [lasting(2), lasting(30), lasting(None), lasting(None)]
    early = figures(rows, 20 * HOUR)
    late = figures(rows, 25 * HOUR)
    assert (early.in_time, early.overdue, early.unsettled) == (Share(part=1, whole=2), 0, 2)
    assert (late.in_time, late.overdue) == (Share(part=1, whole=4), 2)


def test_an_open_ticket_has_taken_at_least_as_long_as_it_is_open() -> None:
    """Half of two quick ones and two slow ones: without the slow ones it would be an hour."""
    rows = [lasting(1), lasting(3), lasting(None), lasting(None)]
    assert settled_within(rows, 50 * HOUR, 0.5) == 3 * HOUR
    assert settled_within(rows, 50 * HOUR, 0.9) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(0.05, 1))
def test_of_settled_tickets_it_is_the_quantile(hours: list[float], share: float) -> None:
    found = settled_within([lasting(h) for h in hours], 1e9, share)
    assert found is not None
    times = sorted(hours)
    assert sum(t * HOUR <= found for t in times) >= share * len(times) - 1e-6
    assert sum(t * HOUR < found for t in times) < share * len(times) + 1e-6


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],  # the last: Newcombe (1998)
)
def test_a_share_has_the_interval_of_wilson(part: int, whole: int, low: float, high: float) -> None:
    share = Share(part=part, whole=whole)
    assert (share.low, share.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_nothing_is_no_share() -> None:
    nothing = Share(part=0, whole=0)
    assert (nothing.value, nothing.low, nothing.high) == (None, None, None)


def test_won_back_is_who_is_no_detractor_in_the_next_answer() -> None:
    rows = [ticket(f"t-{s}", surrogate=s, opened_at=10.0) for s in "abcd"]
    rows.append(ticket("t-e", surrogate="e", event_type="complaint", opened_at=10.0))
    answers = [
        ("a", 10.0, 3.0), ("a", 20.0, 7.0), ("a", 30.0, 2.0),
        ("b", 30.0, 9.0), ("b", 20.0, 6.0),
        ("c", 5.0, 10.0),
        ("e", 20.0, 10.0), ("f", 20.0, 10.0),
    ]  # fmt: skip
    assert won_back(rows, answers, Feedback().nps, {}) == Share(part=1, whole=2)
    strict = Scale(lowest=0, highest=10, unhappy=7, happy=9)
    assert won_back(rows, answers, strict, {}) == Share(part=0, whole=2)


def test_who_answers_again_under_another_of_their_ids_was_won_back() -> None:
    """Answers are read under the person, tickets stand under the customer."""
    rows, people = [ticket("t", surrogate="web", opened_at=10.0)], {"web": "app", "app": "app"}
    assert won_back(rows, [("app", 20.0, 9.0)], Feedback().nps, people) == Share(part=1, whole=1)


def test_rules_stand_by_themselves() -> None:
    rows = [lasting(1, rule="b"), lasting(2, rule="a"), lasting(3, rule="a"), lasting(1, rule="")]
    assert {rule: one.tickets for rule, one in by_rule(rows, 1e9).items()} == {"": 1, "a": 2, "b": 1}


def test_the_command_tells_it_of_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("nba.db", "request")
    ours = Business.of(TICKETS, store)
    for customer in "abc":
        ours.report(event(customer, "nps", NOON, value=2.0))
    ours.one(moving(of(ours, "a")[0], NOON + 2 * HOUR, status="closed"))
    ours.report(event("a", "nps", NOON + 30 * HOUR, value=9.0))
    store.close()
    result = CliRunner().invoke(build(), ["journey", "tickets", "--json", "out.json"], catch_exceptions=False)
    assert "1 of 1 detractors who answered again were won back" in result.output
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["rules"]["detractor"]["in_time"]["part"] == 1
    assert told["rules"]["all"] == told["rules"]["detractor"]
    assert (told["rules"]["all"]["open"], told["rules"]["all"]["overdue"]) == (2, 2)
