"""What counts for a customer, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.report.customers import read_cohort
from nba.errors import InvalidInput
from nba.stores.ports import DecisionRow, TouchpointRow
from tests.experiments.report.business import (
    DAY,
    END,
    PLAYBOOK,
    SILENCE,
    TEXT,
    bought,
    decided,
    filled,
    memory,
    shop,
)


def customer(
    decisions: list[DecisionRow], touchpoints: list[TouchpointRow], **period: float
) -> dict[str, Any]:
    """The only customer's figures."""
    store = filled(memory(), decisions, touchpoints)
    return read_cohort(store, PLAYBOOK, **{"as_of": END, **period}).customers.row(0, named=True)


def test_a_customer_earns_from_entry_to_as_of_and_pays_for_contacts_in_that_time() -> None:
    figures = customer(
        [decided("d-1", "c", DAY), decided("d-2", "c", 2 * DAY), decided("d-3", "c", 3 * DAY, SILENCE)],
        [
            bought("before", "c", DAY - 1, 100.0),
            bought("at-entry", "c", DAY, 8.0),
            bought("later", "c", 9 * DAY, 4.0),
            bought("at-the-end", "c", END, 1_000.0),
            bought("worth-nothing", "c", 2 * DAY, 7.0, type="visit"),
            bought("bad", "c", 2 * DAY, 7.0, type="complaint"),
            bought("somebody-else", "x", 2 * DAY, 7.0),
        ],
    )
    assert figures["earned"] == 4.0 + 2.0 - 10.0
    assert figures["before"] == 50.0
    assert (figures["decisions"], figures["contacts"], figures["cost"]) == (3, 2, 2.0)


def test_what_is_reported_as_event_and_as_outcome_counts_once() -> None:
    twice = [bought("p", "c", 2 * DAY, 8.0), bought("p", "c", 2 * DAY, 8.0, source="outcome")]
    assert customer([decided("d", "c", DAY)], twice)["earned"] == 4.0


def test_a_decision_that_was_held_and_never_shown_neither_counts_nor_costs() -> None:
    held = decided("d-0", "c", DAY, status="held", activated_at=None)
    figures = customer([held, decided("d-1", "c", 3 * DAY)], [bought("p", "c", 2 * DAY, 8.0)])
    assert figures["entered_at"] == 3 * DAY
    assert (figures["decisions"], figures["cost"], figures["earned"]) == (1, 1.0, 0.0)


def test_who_entered_before_since_still_counts_but_only_with_what_came_after() -> None:
    store = filled(
        memory(),
        [
            decided("d-1", "stays-away", DAY),
            decided("d-2", "comes-back", DAY),
            decided("d-3", "comes-back", 9 * DAY),
        ],
        [
            bought("p-0", "comes-back", DAY / 2, 2.0),
            bought("p-1", "comes-back", 2 * DAY, 40.0),
            bought("p-2", "comes-back", 9 * DAY, 8.0),
        ],
    )
    cohort = read_cohort(store, PLAYBOOK, since=8 * DAY, as_of=END)
    figures = {row["customer"]: row for row in cohort.customers.iter_rows(named=True)}
    assert (figures["stays-away"]["decisions"], figures["stays-away"]["earned"]) == (0, 0.0)
    back = figures["comes-back"]
    assert (back["decisions"], back["cost"], back["earned"], back["before"]) == (1, 1.0, 4.0, 1.0)
    assert cohort.since == 8 * DAY


def test_a_contact_costs_what_the_playbook_of_its_decision_said() -> None:
    dearer = shop(TEXT.replace("cost: 0.75", "cost: 2.75"))
    store = filled(
        memory(), [decided("d-1", "c", DAY), decided("d-2", "c", 2 * DAY, playbook=dearer.version)]
    )
    cohort = read_cohort(store, dearer, as_of=END)
    assert cohort.customers["cost"].to_list() == [1.0 + 3.0]


def test_a_moved_customer_counts_in_the_first_group_and_shares_are_those_at_entry() -> None:
    later = shop(TEXT.replace("holdout: 0.2", "holdout: 0.5"))
    store = filled(
        memory(),
        [
            decided("d-1", "old", DAY),
            decided("d-2", "old", 9 * DAY, SILENCE, "holdout", playbook=later.version),
            decided("d-3", "new", 9 * DAY, SILENCE, "holdout", playbook=later.version),
        ],
    )
    cohort = read_cohort(store, later, as_of=END)
    assert cohort.customers.select("customer", "group").rows() == [("old", "treatment"), ("new", "holdout")]
    assert cohort.moved == 1
    assert cohort.expected == pytest.approx({"holdout": 0.7, "random_eligible": 0.4, "treatment": 0.9})


def test_contacts_with_an_open_reward_window_are_counted() -> None:
    days = (1, 22.9, 23.1, 29)
    store = filled(
        memory(), [decided(f"d-{d}", "c", d * DAY) for d in days] + [decided("s", "c", 29 * DAY, SILENCE)]
    )
    assert read_cohort(store, PLAYBOOK, as_of=END).recent == 2


def test_a_store_without_shown_decisions_is_refused() -> None:
    store = filled(memory(), [decided("d", "c", DAY, status="held", activated_at=None)])
    with pytest.raises(InvalidInput, match=r"has no decisions that were shown .*held and never shown: 1\)"):
        read_cohort(store, PLAYBOOK, as_of=END)


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidInput, match="since"):
        read_cohort(memory(), PLAYBOOK, since=END, as_of=END)


def test_a_decision_under_a_playbook_that_the_store_lacks_is_refused_not_priced_by_guess() -> None:
    store = filled(memory(), [decided("d", "c", DAY, playbook="shop@lost")])
    with pytest.raises(InvalidInput, match="shop@lost"):
        read_cohort(store, PLAYBOOK, as_of=END)
