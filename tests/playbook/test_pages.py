"""The pages on the playbook: every example is read, and the tables have all there is, in its order."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from nba.contact.eligibility import Gatekeeper
from nba.model import ContactRow, Used
from nba.playbook.compile import Playbook, parse
from nba.playbook.document import Document
from nba.playbook.experiment import Analysis, Experiment, Metric, Variant
from nba.playbook.promotion import Guardrail, Health, Learning, Promotion, Ramp
from nba.playbook.reactions import (
    Deliver,
    Jump,
    OnEvent,
    Retries,
    Smtp,
    TicketRule,
    Tickets,
    Trigger,
    Webhook,
)
from nba.playbook.schema import Action, Cap, Catalogue, Exploration, Outcome, PlaybookSpec
from tests.playbook.customers import contact, customer, moment, reasons
from tests.playbook.pages import DOCS, REFERENCE, RULES, SAMPLE, examples


@pytest.mark.parametrize(
    ("page", "heading"), [(name, heading) for name in (RULES, REFERENCE) for heading in examples(name)]
)
def test_every_example_on_the_pages_is_part_of_a_playbook_that_loads(page: str, heading: str) -> None:
    written = Document.parse(examples(page)[heading]).values
    book = parse(json.dumps({**SAMPLE, **written}, default=str))
    assert set(written) <= book.spec.model_fields_set


@pytest.mark.parametrize("name", ["tickets", "triggers"])
def test_every_block_on_the_pages_of_reactions_loads(name: str) -> None:
    blocks = re.findall(
        r"^```yaml\n(.*?)^```", (DOCS / f"{name}.md").read_text(encoding="utf-8"), re.M | re.S
    )
    for block in blocks:
        written = Document.parse(block).values
        book = parse(json.dumps({**SAMPLE, **written}, default=str))
        assert set(written) <= book.spec.model_fields_set
    assert len(blocks) >= 2


def test_no_example_is_overlooked() -> None:
    assert len(examples(RULES)) == 15
    for page in (RULES, REFERENCE):
        assert page.count("```yaml") == len(examples(page))


STRICT = {
    "actions": {
        "offer": {
            "channels": ["email"],
            "timings": ["now"],
            "when": "age > 18",
            "valid_from": "2026-06-01T00:00:00Z",
            "valid_until": "2026-07-01T00:00:00Z",
            "stop_after": {"visit": "2d"},
            "cooldown": "1d",
            "daily": {"contacts": 5},
        },
        "news": {"channels": ["email"], "timings": ["now"]},
    },
    "contact": {
        "caps": [{"max": 1, "within": "7d"}],
        "quiet_hours": {"from": "22:00", "to": "08:00"},
        "stops": [{"name": "busy", "when": "open_tickets > 0"}],
    },
}
NOON = "2026-06-10 12:00"
# What is set right, one after the other; the rule that refuses before each is the next of the table.
MENDS: list[tuple[str, dict[str, Any]]] = [
    ("groups.holdout", {"holdout": False}),
    ("request.actions", {"actions": True}),
    ("request.channels", {"channels": True}),
    ("consent", {"consent": True}),
    ("actions.NAME.valid_from", {"now": "2026-07-10 12:00"}),
    ("actions.NAME.valid_until", {"now": NOON}),
    ("actions.NAME.when", {"attributes": {"age": 30}}),
    ("actions.NAME.stop_after", {"days_since_visit": 2.0}),
    ("actions.NAME.cooldown", {"action": "news", "now": "2026-06-10 23:00"}),
    ("contact.quiet_hours", {"now": NOON}),
    ("contact.stops.NAME", {"open_tickets": 0.0}),
    ("contact.caps[0]", {"action": None}),
    ("actions.NAME.daily", {"used": {}}),
]


def _first_refusal(book: Playbook, about: dict[str, Any]) -> str:
    about = {**about}
    now, action = moment(about.pop("now")), about.pop("action")
    asks = about.pop("actions"), about.pop("channels")
    had: list[ContactRow] = [] if action is None else [contact(book, action, "email", now)]
    asked = customer(book, now, had, **about)
    for allowed, row in zip(asks, (asked.asked_actions, asked.asked_channels), strict=True):
        row[:] = allowed
    return re.sub(r"^(actions|contact\.stops)\.[^.]+", r"\1.NAME", reasons(book, asked)["offer/email/now"])


def test_the_table_of_reasons_has_every_reason_in_the_order_in_which_rules_are_asked() -> None:
    table = RULES[RULES.index("## What the answer says") :]
    told = re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)
    book = parse(json.dumps({**SAMPLE, **STRICT}, default=str))
    about: dict[str, Any] = {
        "holdout": True,
        "actions": False,
        "channels": False,
        "consent": False,
        "now": "2026-05-10 12:00",
        "attributes": {},
        "days_since_visit": 1.0,
        "action": "offer",
        "open_tickets": 1.0,
        "used": {("offer", "2026-06-10"): Used(contacts=5)},
    }
    seen = []
    for _, mend in MENDS:
        seen.append(_first_refusal(book, about))
        about |= mend
    assert seen == told == [reason for reason, _ in MENDS]
    assert _first_refusal(book, about) == ""
    there = (
        re.sub(r"^(actions|contact\.stops)\.[^.]+", r"\1.NAME", r) for r in Gatekeeper(book).reasons if r
    )
    assert set(there) == set(told)


MODELS = (
    *(PlaybookSpec, Outcome, Action, Catalogue, Cap, Exploration, Promotion, Ramp, Guardrail, Learning),
    *(Health, Experiment, Variant, Metric, Analysis),
    *(Tickets, TicketRule, OnEvent, Jump, Trigger, Deliver, Webhook, Retries, Smtp),
)


@pytest.mark.parametrize("model", MODELS)
def test_the_reference_names_every_field(model: type[BaseModel]) -> None:
    missing = [
        name for name in model.model_fields if f"`{name}" not in REFERENCE and f".{name}`" not in REFERENCE
    ]
    assert not [name for name in missing if name != "contact"]
