"""Survey answers and comments as events: off the scale and too long are rejected, text stays text."""

from __future__ import annotations

import json

import pytest

from nba.playbook.feedback import LONGEST_TEXT
from nba.stores.memory import MemoryStore
from tests.service.business import NOON, OPEN, Business, event, outcome

LISTED = OPEN.replace("touchpoints: [visit, purchase]", "touchpoints: [visit, purchase, nps, comment]")
SCRIPT = "<script>alert('x')</script><b>slow</b> {{7*7}}"


def live(playbook: str = OPEN) -> Business:
    return Business.of(playbook, MemoryStore("live"))


@pytest.mark.parametrize(
    ("type", "value"),
    [("nps", 11.0), ("nps", -1.0), ("nps", 7.5), ("csat", 0.0), ("csat", 6.0), ("ces", 8.0), ("ces", 0.0)],
)
def test_an_answer_off_its_scale_is_rejected_and_names_the_field(type: str, value: float) -> None:
    business = live()
    receipt = business.report(
        event("c0", type, NOON, value=value, id="e"), event("c0", type, NOON, value=5.0)
    )
    assert (receipt.accepted, [(r.index, r.id) for r in receipt.rejected]) == (1, [(0, "e")])
    assert receipt.rejected[0].detail.startswith(f"value: an answer of type {type} is a whole number from ")


def test_an_answer_told_as_an_outcome_is_held_to_the_same_scale() -> None:
    receipt = live().report(outcome("nps", NOON, customer_id="c0", value=11.0))
    assert receipt.accepted == 0
    assert "feedback.nps in the playbook" in receipt.rejected[0].detail


def test_the_playbook_sets_the_scales() -> None:
    halves = OPEN + "feedback: {csat: {lowest: 0, highest: 5, unhappy: 2, happy: 4, whole: false}}\n"
    receipt = live(halves).report(
        event("c0", "csat", NOON, value=4.5), event("c0", "csat", NOON, value=0.0), event("c0", "nps", NOON)
    )
    assert receipt.accepted == 3


def test_a_comment_of_100_kb_is_refused_with_the_limit_and_leaves_nothing() -> None:
    business = live()
    receipt = business.report(
        event("ghost", "comment", NOON, id="long", properties={"text": "ü" * 50_000}),
        event("ghost", "review", NOON, id="number", properties={"text": 5}),
    )
    long, number = receipt.rejected
    assert long.detail == "properties.text: has 100,000 bytes; at most 65,536 are taken"
    assert number.detail == "properties.text: must be text"
    assert not business.store.links()
    fits = event("c0", "comment", NOON, properties={"text": "u" * LONGEST_TEXT})
    assert business.report(fits).accepted == 1


def test_markup_in_a_comment_is_kept_as_the_text_that_it_is() -> None:
    business = live()
    business.report(event("c0", "comment", NOON, properties={"text": SCRIPT, "card": "4111"}))
    ((row,),) = business.store.touchpoints(0, 2 * NOON)
    assert json.loads(row.properties or "") == {"text": SCRIPT}


def test_feedback_is_a_touchpoint_where_the_playbook_lists_it_and_its_text_reaches_no_feature() -> None:
    business = live(LISTED)
    business.report(
        event("c0", "nps", NOON - 60, value=3.0),
        event("c0", "comment", NOON - 60, properties={"text": "marker-of-mine"}),
        event("c0", "csat", NOON - 60, value=2.0),
    )
    business.decide("c0", id="d", now=NOON)
    trace = business.trace("d")
    assert trace["trace"]["features"]["comment_total"] == 1.0
    assert trace["trace"]["features"]["nps_total"] == 1.0
    assert "marker-of-mine" not in json.dumps(trace)
    assert not any(name.startswith("csat") for name in trace["trace"]["features"])
