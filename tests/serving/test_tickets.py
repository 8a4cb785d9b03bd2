"""Tickets over HTTP: what a desk does with them, and what is refused."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.serving.running import consented, lines, problem, value


def reported(http: httpx.Client, customer: str, type: str, **fields: Any) -> None:
    event = {"event_id": f"{type}-{customer}", "customer_id": customer, "type": type, **fields}
    assert http.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1


def of(http: httpx.Client, customer: str, **asked: Any) -> list[dict[str, Any]]:
    answer = http.get("/v1/tickets", params={"customer_id": customer, **asked})
    assert answer.status_code == 200, answer.text
    tickets: list[dict[str, Any]] = answer.json()["tickets"]
    return tickets


def opened(http: httpx.Client, customer: str, **asked: Any) -> dict[str, Any]:
    answer = http.post("/v1/tickets", json={"customer_id": customer, "reason": "called", **asked})
    assert answer.status_code == 201, answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


def test_a_complaint_stops_selling_at_once_and_settling_it_starts_it_again(http: httpx.Client) -> None:
    consented(http, "angry")
    reported(http, "angry", "complaint", properties={"text": "<script>alert(1)</script>"})
    since = time.monotonic()
    stopped = http.post("/v1/decisions", json={"customer_id": "angry"}).json()
    assert time.monotonic() - since < 1.0
    assert (stopped["action"], stopped.get("reason")) == ("no_contact", "contact.stops.open-ticket")
    [ticket] = of(http, "angry", status="open")
    assert (ticket["rule"], ticket["customer_id"], ticket["reason"]) == ("complaint", "angry", "complaint")
    moved = http.patch(
        f"/v1/tickets/{ticket['ticket_id']}",
        json={"version": 1, "status": "resolved", "note": '<b>called</b>\n"sorry"', "who": "ada"},
    )
    assert moved.status_code == 200
    assert moved.headers["content-type"] == "application/json"
    last = moved.json()["history"][-1]
    assert (last["who"], last["what"], last["note"]) == (
        "ada", {"status": "resolved"}, "<b>called</b>\n\"sorry\"",
    )  # fmt: skip
    assert "reason" not in http.post("/v1/decisions", json={"customer_id": "angry"}).json()


def test_each_change_is_in_the_outbox(http: httpx.Client) -> None:
    ticket = opened(http, "told")
    http.patch(f"/v1/tickets/{ticket['ticket_id']}", json={"version": 1, "owner": "ada"})
    found = [
        m
        for m in http.get("/v1/outbox?limit=1000").json()["messages"]
        if m["data"].get("ticket", {}).get("ticket_id") == ticket["ticket_id"]
    ]
    assert [(m["type"], m["customer_id"], m["decision_id"]) for m in found] == [
        ("ticket.opened", "told", None),
        ("ticket.changed", "told", None),
    ]
    assert found[1]["data"]["change"]["what"] == {"owner": "ada"}


def test_a_page_leads_to_the_next(http: httpx.Client) -> None:
    names = [opened(http, "paged", ticket_id=f"paged-{i}")["ticket_id"] for i in range(5)]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = http.get("/v1/tickets", params={"customer_id": "paged", "limit": 2, **after}).json()
        seen += [ticket["ticket_id"] for ticket in page["tickets"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == names
    assert of(http, "paged", status="closed") == []
    assert of(http, "nobody-has-this-id") == []


def test_what_is_repeated_opens_no_second_one(http: httpx.Client) -> None:
    first = opened(http, "twice", ticket_id="twice-1")
    again = http.post(
        "/v1/tickets", json={"customer_id": "twice", "reason": "called", "ticket_id": "twice-1"}
    )
    assert (again.status_code, again.json()) == (200, first)
    other = {"customer_id": "other", "reason": "called", "ticket_id": "twice-1"}
    problem(http.post("/v1/tickets", json=other), 409)


def test_a_change_to_an_old_version_or_by_no_way_there_is_is_a_conflict(http: httpx.Client) -> None:
    path = f"/v1/tickets/{opened(http, 'moved')['ticket_id']}"
    assert http.patch(path, json={"version": 1, "status": "closed"}).status_code == 200
    assert "version 2" in problem(http.patch(path, json={"version": 1, "owner": "x"}), 409)["detail"]
    told = problem(http.patch(path, json={"version": 2, "status": "open"}), 409)["detail"]
    assert told == "a ticket that is closed can't become open; open another one"
    assert http.get(path).json()["version"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"version": 1, "status": "done"}, "status"),
        ({"version": 1, "status": None}, "status"),
        ({"version": 1}, "body"),
        ({"status": "closed"}, "version"),
        ({"version": 0, "note": "x"}, "version"),
        ({"version": 1, "note": "x\x00"}, "note"),
        ({"version": 1, "note": "x" * 4_001}, "note"),
        ({"version": 1, "due_at": "tomorrow"}, "due_at"),
        ({"version": 1, "priority": 3}, "priority"),
        ({"version": 1, "note": "x", "at": "2026-01-01T00:00:00Z"}, "at"),
    ],
)
def test_a_wrong_change_names_the_field(http: httpx.Client, body: dict[str, Any], field: str) -> None:
    if not of(http, "wrong"):
        opened(http, "wrong", ticket_id="wrong-1")
    told = problem(http.patch("/v1/tickets/wrong-1", json=body), 422)
    assert [error["field"] for error in told["errors"]] == [field]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=%C2%B2", "limit"),
        ("customer_id=a%20b", "customer_id"),
        ("page=2", "page"),
        ("status=open&status=closed", "query"),
    ],
)
def test_a_wrong_question_names_the_parameter(http: httpx.Client, query: str, field: str) -> None:
    told = problem(http.get(f"/v1/tickets?{query}"), 422)
    assert [error["field"] for error in told["errors"]] == [field]


def test_a_ticket_that_is_not_there_is_a_404(http: httpx.Client) -> None:
    problem(http.get("/v1/tickets/nope"), 404)
    problem(http.patch("/v1/tickets/nope", json={"version": 1, "note": "x"}), 404)
    problem(http.get("/v1/tickets?after=nope"), 404)


def test_a_survey_score_of_eleven_is_rejected_and_the_others_go_in(http: httpx.Client) -> None:
    scores = [{"event_id": f"s-{i}", "customer_id": "s", "type": "nps", "value": i} for i in (11, 10)]
    receipt = http.post("/v1/events", json={"events": scores}).json()
    assert (receipt["accepted"], receipt["rejected"][0]["detail"]) == (
        1,
        "value: an answer of type nps is a whole number from 0 to 10; feedback.nps in the playbook says so",
    )  # fmt: skip


def test_metrics_count_tickets_by_rule(http: httpx.Client) -> None:
    def counted() -> float:
        return value(lines(http), "nba_tickets_total", rule="detractor", event="opened")

    before = counted()
    reported(http, "measured", "nps", value=2)
    assert counted() == before + 1
