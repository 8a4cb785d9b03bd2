"""Outcomes and events over HTTP, in our own form and as CloudEvents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.serving.running import problem

CLOUD_EVENT = {
    "specversion": "1.0",
    "source": "/shop",
    "type": "visit",
    "datacontenttype": "application/json",
    "traceparent": "an extension attribute",
    "data": {"channel": "web", "value": 1.5, "properties": {"page": "home"}},
}


def event(id: str, **fields: Any) -> dict[str, Any]:
    return {"event_id": id, "customer_id": "reports-1", "type": "visit", **fields}


def cloud(http: httpx.Client, values: object, kind: str = "cloudevents") -> httpx.Response:
    headers = {"content-type": f"application/{kind}+json; charset=utf-8"}
    return http.post("/v1/events", content=json.dumps(values), headers=headers)


def test_events_are_accepted_once(http: httpx.Client) -> None:
    body = {"events": [event("once-1"), event("once-2", channel="email", value=3, properties={"a": None})]}
    first, again = (http.post("/v1/events", json=body) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    assert again.json() == {"accepted": 0, "duplicates": 2, "rejected": []}


def test_a_bad_event_is_rejected_by_place_and_the_others_go_in(http: httpx.Client) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    items = [
        event("good-1"),
        event("bad 1"),
        event("bad-2", occured_at="2026-01-01T00:00:00Z"),
        17,
        event("bad-3", occurred_at="yesterday"),
        event("bad-4", value=True),
        event("bad-5", properties={"nested": {"a": 1}}),
        event("ahead", occurred_at=ahead),
        event("good-2"),
    ]
    receipt = http.post("/v1/events", json={"events": items}).json()
    assert (receipt["accepted"], receipt["duplicates"]) == (2, 0)
    rejected = {item["index"]: item for item in receipt["rejected"]}
    assert list(rejected) == [1, 2, 3, 4, 5, 6, 7]
    ids = [item["id"] for item in rejected.values()]
    assert ids == [None, "bad-2", None, "bad-3", "bad-4", "bad-5", "ahead"]
    assert "occured_at: there is no such field" in rejected[2]["detail"]


def test_an_outcome_names_a_decision_or_a_customer(http: httpx.Client) -> None:
    http.post("/v1/decisions", json={"customer_id": "outcome-1", "decision_id": "outcome-d"})
    items = [
        {"outcome_id": "o-1", "decision_id": "outcome-d", "type": "opened"},
        {"outcome_id": "o-2", "customer_id": "outcome-1", "type": "purchase", "value": 12.5},
        {"outcome_id": "o-3", "type": "purchase"},
        {"outcome_id": "o-4", "decision_id": "never-made", "type": "opened"},
    ]
    receipt = http.post("/v1/outcomes", json={"outcomes": items}).json()
    assert receipt["accepted"] == 2
    assert [(item["index"], item["id"]) for item in receipt["rejected"]] == [(2, "o-3"), (3, "o-4")]


def test_one_cloud_event_is_an_event(http: httpx.Client) -> None:
    now = datetime.now(UTC).isoformat()
    sent = {**CLOUD_EVENT, "id": "ce-1", "subject": "reports-2", "time": now}
    assert cloud(http, sent).json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert cloud(http, sent).json()["duplicates"] == 1


def test_cloud_events_of_two_sources_may_share_an_id(http: httpx.Client) -> None:
    sent = [{**CLOUD_EVENT, "id": "1", "subject": "reports-3", "source": source} for source in ("/a", "/b")]
    assert cloud(http, sent, "cloudevents-batch").json()["accepted"] == 2


def test_cloud_events_come_in_batches(http: httpx.Client) -> None:
    batch = [
        {**CLOUD_EVENT, "id": "ce-2", "subject": "reports-2"},
        {**CLOUD_EVENT, "id": "ce-3"},
        {"specversion": "0.3", "source": "/shop", "type": "visit", "id": "ce-4", "subject": "reports-2"},
    ]
    receipt = cloud(http, batch, "cloudevents-batch").json()
    assert receipt["accepted"] == 1
    assert [(item["index"], item["id"]) for item in receipt["rejected"]] == [(1, "ce-3"), (2, "ce-4")]


def test_a_single_cloud_event_that_is_wrong_is_refused(http: httpx.Client) -> None:
    document = problem(cloud(http, {**CLOUD_EVENT, "id": "ce-5", "data": {"colour": "red"}}), 422)
    assert {error["field"] for error in document["errors"]} == {"subject", "data.colour"}
    problem(cloud(http, [CLOUD_EVENT]), 422)
    problem(cloud(http, CLOUD_EVENT, "cloudevents-batch"), 422)


def test_nothing_to_report_is_fine(http: httpx.Client) -> None:
    nothing = {"accepted": 0, "duplicates": 0, "rejected": []}
    assert http.post("/v1/outcomes", json={"outcomes": []}).json() == nothing


def test_more_than_a_thousand_reports_are_refused_as_a_whole(http: httpx.Client) -> None:
    items = [event(f"many-{i}") for i in range(1_001)]
    document = problem(http.post("/v1/events", json={"events": items}), 422)
    assert document["errors"][0]["field"] == "events"
    assert http.post("/v1/events", json={"events": items[:1_000]}).json()["accepted"] == 1_000
