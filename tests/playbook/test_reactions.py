"""Tickets, triggers and delivery in the playbook: what is wrong is told with its line, and old names stay."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from nba.errors import InvalidPlaybook
from nba.playbook.compile import parse
from nba.playbook.reactions import OnEvent

SAMPLE = files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8")
BARE = SAMPLE[: SAMPLE.index("# What opens a ticket")] + SAMPLE[SAMPLE.index("# How the policy explores") :]
TRIGGERS = """
triggers:
  gone: {absence: {of: visit, for: 14d}, actions: [win-back], channels: [email]}
  risk: {when: "churn > 0.6", until: "churn < 0.5"}
  sorry: {on: {event: complaint, channel: email}, when: "purchase_count_30d > 1"}
deliver:
  webhooks:
    hook: {url: HOOK_URL, secret: HOOK_SECRET, types: ["ticket.*", decision.triggered]}
"""


def test_a_playbook_without_these_sections_has_the_name_that_it_had() -> None:
    """Decisions of stores from before name it."""
    assert parse(BARE).version == "coffee@fb64c8b19d78"


def test_triggers_change_the_name_and_their_rules_make_windows() -> None:
    book = parse(BARE + TRIGGERS)
    assert book.version != parse(BARE).version
    assert set(book.trigger_rules) == {"risk", "sorry"}
    assert set(book.until_rules) == {"risk"}
    assert "purchase_count_30d" in book.schema.index


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("of: visit", "of: vist", "triggers.gone.absence.of", "did you mean 'visit'?"),
        ("[win-back]", "[winback]", "triggers.gone.actions[0]", "did you mean 'win-back'?"),
        ("channels: [email]}", "channels: [emial]}", "triggers.gone.channels[0]", "did you mean 'email'?"),
        ("event: complaint", "event: complain", "triggers.sorry.on.event", "did you mean 'complaint'?"),
        ("channel: email}", "channel: mail}", "triggers.sorry.on.channel", "there is no channel"),
        ("churn > 0.6", "chrun > 0.6", "triggers.risk.when", "did you mean 'churn'?"),
        ("churn < 0.5", "churn <", "triggers.risk.until", "is not an expression"),
        ("{absence: {of: visit, for: 14d}, ", "{", "triggers.gone", "needs on"),
        ("for: 14d}", "for: 14d}, when: true", "triggers.gone", "neither on nor when"),
        (
            '{when: "churn > 0.6", until',
            "{absence: {of: visit, for: 1d}, until",
            "triggers.risk",
            "until goes",
        ),
        (
            "url: HOOK_URL",
            "url: https://x.example",
            "deliver.webhooks.hook.url",
            "variable of the environment",
        ),
        ("decision.triggered]", "decision.made]", "deliver.webhooks.hook.types", "is no type of message"),
    ],
)
def test_a_wrong_field_is_told_with_its_line_and_the_mend(old: str, new: str, field: str, says: str) -> None:
    text = BARE + TRIGGERS
    assert old in text
    with pytest.raises(InvalidPlaybook) as raised:
        parse(text.replace(old, new))
    [error] = raised.value.errors
    assert (error.field, says in error.detail) == (field, True), error
    assert error.line is not None
    assert error.line > BARE.count("\n")


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("{name: a, on: {event: npss}}", "tickets.rules[0].on.event"),
        ("{name: a}", "tickets.rules[0]"),
        ("{name: a, on: {event: nps}, jump: {score: churn, by: 0.1}}", "tickets.rules[0]"),
        ("{name: a, jump: {score: chrun, by: 0.1}}", "tickets.rules[0].jump.score"),
        ("{name: a, jump: {score: churn, by: 0}}", "tickets.rules[0].jump.by"),
        ("{name: a, on: {event: nps, at_least: 5, at_most: 3}}", "tickets.rules[0].on"),
        ("{name: a, on: {event: nps}, due: soon}", "tickets.rules[0].due"),
        ("{name: a, on: {event: nps}}, {name: a, on: {event: ces}}", "tickets.rules[1].name"),
    ],
)
def test_a_wrong_ticket_rule_is_told(rule: str, field: str) -> None:
    with pytest.raises(InvalidPlaybook) as raised:
        parse(f"{BARE}\ntickets: {{rules: [{rule}]}}")
    assert [error.field for error in raised.value.errors] == [field]


def test_tickets_need_the_touchpoints_by_which_rules_know_of_them() -> None:
    text = SAMPLE.replace("complaint, ticket_opened, ticket_closed]", "complaint]")
    with pytest.raises(InvalidPlaybook) as raised:
        parse(text)
    assert {error.field for error in raised.value.errors} == {"touchpoints"}


@pytest.mark.parametrize(
    ("on", "met"),
    [
        ({}, True),
        ({"at_most": 6}, True),
        ({"at_most": 5.9}, False),
        ({"at_least": 6}, True),
        ({"at_least": 6.1}, False),
        ({"channel": "email"}, True),
        ({"channel": "sms"}, False),
        ({"within": "1h"}, True),
        ({"within": "59m"}, False),
    ],
)
def test_bounds_are_met_at_their_ends(on: dict[str, Any], met: bool) -> None:
    rule = OnEvent.model_validate({"event": "nps", **on})
    assert rule.meets("nps", "email", 6.0, age=3_600.0) == met
    assert not rule.meets("ces", "email", 6.0, age=0.0)
