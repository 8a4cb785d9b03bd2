"""Deciding over HTTP: one, many, held, repeated, traced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from tests.serving.running import consented, problem

FIELDS = {
    "decision_id", "customer_id", "decided_at", "action", "channel", "timing", "send_at", "purpose",
    "propensity", "expected_value", "explored", "group", "policy", "playbook", "stage", "scores",
    "experiment",
}  # fmt: skip


def decide(http: httpx.Client, **asked: Any) -> httpx.Response:
    return http.post("/v1/decisions", json=asked)


def test_a_decision_has_every_field_of_the_contract(http: httpx.Client) -> None:
    answer = decide(http, customer_id="fields-1", context={"device": "ios"})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) >= FIELDS
    assert answer.json()["decided_at"].endswith("Z")


def test_a_repeat_answers_the_same_bytes_with_200(http: httpx.Client) -> None:
    asked = {"customer_id": "repeat-1", "decision_id": "repeat-d", "context": {"device": "web"}}
    first, again = decide(http, **asked), decide(http, **asked)
    spelled_out = decide(http, **asked, activate=True, explain=False, actions=None)
    assert (first.status_code, again.status_code, spelled_out.status_code) == (201, 200, 200)
    assert first.content == again.content == spelled_out.content
    assert "nba-expired" not in again.headers


def test_the_id_of_another_request_is_a_conflict_that_names_the_difference(http: httpx.Client) -> None:
    own = {"id": "their-own", "features": {"price": 9.5}}
    decide(http, customer_id="conflict-1", decision_id="conflict-d", actions=[own])
    others: dict[str, dict[str, Any]] = {
        "customer_id": {"customer_id": "conflict-2"},
        "explain": {"explain": True},
        "activate": {"activate": False},
        "context": {"context": {"device": "ios"}},
        "channels": {"channels": ["email"]},
        "actions": {"actions": [{"id": "their-own", "features": {"price": 9.6}}]},
    }
    for field, other in others.items():
        asked = {"customer_id": "conflict-1", "decision_id": "conflict-d", "actions": [own], **other}
        document = problem(decide(http, **asked), 409)
        assert document["type"] == "/problems/conflict"
        assert [name for name in others if name in document["detail"]] == [field]


def test_a_repeat_whose_moment_has_passed_says_so(http: httpx.Client) -> None:
    """Over 20 customers; that none of them gets a contact at once has odds of about one in a million."""
    passed = set()
    for i in range(20):
        consented(http, f"expired-{i}")
        asked = {"customer_id": f"expired-{i}", "decision_id": f"expired-d-{i}"}
        first, again = decide(http, **asked), decide(http, **asked)
        moment = first.json()["send_at"]
        over = moment is not None and datetime.fromisoformat(moment) < datetime.now(UTC)
        passed.add(over)
        assert again.content == first.content
        assert "nba-expired" not in first.headers
        assert again.headers.get("nba-expired") == ("true" if over else None)
    assert True in passed


def test_an_id_is_made_up_where_none_is_given(http: httpx.Client) -> None:
    ids = {decide(http, customer_id="made-up-1").json()["decision_id"] for _ in range(3)}
    assert len(ids) == 3


def test_get_gives_the_answer_and_its_trace(http: httpx.Client) -> None:
    answer = decide(http, customer_id="trace-1", decision_id="trace-d").json()
    traced = http.get("/v1/decisions/trace-d").json()
    assert "funnel" in traced.pop("trace")
    assert traced == answer


def test_an_unknown_decision_is_not_found(http: httpx.Client) -> None:
    problem(http.get("/v1/decisions/nobody-asked"), 404)
    problem(http.post("/v1/decisions/nobody-asked/activate"), 404)
    problem(http.get("/v1/decisions/not%20an%20id"), 422)


def test_a_held_decision_is_activated_once_or_twice_alike(http: httpx.Client) -> None:
    decide(http, customer_id="held-1", decision_id="held-d", activate=False)
    for _ in range(2):
        answer = http.post("/v1/decisions/held-d/activate")
        assert (answer.status_code, answer.content) == (204, b"")


def test_no_consent_is_no_contact_and_the_rule_is_named(http: httpx.Client) -> None:
    answer = decide(http, customer_id="nobody-knows").json()
    assert (answer["action"], answer["channel"], answer["propensity"]) == ("no_contact", None, 1.0)
    assert answer["reason"]


def test_undeclared_context_is_dropped_and_named(http: httpx.Client) -> None:
    answer = decide(http, customer_id="ignored-1", context={"device": "ios", "shoe_size": 44}).json()
    assert answer["ignored"] == ["shoe_size"]


def test_a_server_on_the_live_clock_refuses_a_moment(http: httpx.Client) -> None:
    document = problem(decide(http, customer_id="clock-1", at="2026-11-21T18:00:00Z"), 422)
    assert [error["field"] for error in document["errors"]] == ["at"]


def test_a_simulation_needs_a_moment(simulation: httpx.Client) -> None:
    document = problem(decide(simulation, customer_id="clock-1"), 422)
    assert [error["field"] for error in document["errors"]] == ["at"]
    answer = decide(simulation, customer_id="clock-1", at="2026-11-21T19:00:00+01:00")
    assert answer.json()["decided_at"] == "2026-11-21T18:00:00Z"
    problem(decide(simulation, customer_id="clock-1", at="2026-11-20T18:00:00Z"), 409)


def test_unknown_actions_and_channels_are_named(http: httpx.Client) -> None:
    document = problem(decide(http, customer_id="own-2", actions=["nope"], channels=["fax"]), 422)
    assert {error["field"].split("[")[0] for error in document["errors"]} == {"actions", "channels"}


def test_a_batch_answers_in_order_with_problems_per_item(http: httpx.Client) -> None:
    items = [
        {"customer_id": "batch-1", "decision_id": "batch-a"},
        {"customer_id": "not an id"},
        {"customer_id": "batch-2", "actions": ["nope"]},
        "no object",
        {"customer_id": "batch-2", "decision_id": "batch-b"},
    ]
    answer = http.post("/v1/decisions:batch", json={"decisions": items})
    assert answer.status_code == 200
    answers = answer.json()["answers"]
    assert [a.get("status", "decided") for a in answers] == ["decided", 422, 422, 422, "decided"]
    assert [answers[0]["decision_id"], answers[4]["decision_id"]] == ["batch-a", "batch-b"]
    assert answers[1]["errors"][0]["field"] == "customer_id"
    assert http.get("/v1/decisions/batch-b").json()["customer_id"] == "batch-2"


def test_a_thousand_go_in_one_batch_and_no_more(http: httpx.Client) -> None:
    items = [{"customer_id": f"thousand-{i}"} for i in range(1_001)]
    answers = http.post("/v1/decisions:batch", json={"decisions": items[:1_000]}).json()["answers"]
    assert [a["customer_id"] for a in answers] == [item["customer_id"] for item in items[:1_000]]
    document = problem(http.post("/v1/decisions:batch", json={"decisions": items}), 422)
    assert document["errors"][0]["field"] == "decisions"


def test_three_contacts_a_week_and_then_the_cap_is_named(http: httpx.Client) -> None:
    consented(http, "capped-1")
    asked = [decide(http, customer_id="capped-1").json() for _ in range(60)]
    contacts = [answer for answer in asked if answer["channel"] is not None]
    assert len(contacts) <= 3
    if asked[0]["group"] != "holdout":
        assert len(contacts) == 3
        assert "cap" in asked[-1]["reason"]
        assert asked[-1]["retry_at"] is not None
