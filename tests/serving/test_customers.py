"""One view of a customer over all identities, caps that hold across them, and erasure, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from nba.playbook.compile import Playbook, parse
from nba.playbook.document import Document
from nba.stores.open import open_store
from tests.serving.running import SAMPLE, consented, lines, problem, sample, served, value, wiring
from tests.stores.postgres import fresh_database


def event(customer: str, type: str, **fields: Any) -> dict[str, Any]:
    made = f"{type}-{customer}-{fields.pop('n', 0)}"
    return {"event_id": made, "customer_id": customer, "type": type, **fields}


def identify(customer: str, kind: str, value: str, n: int = 0) -> dict[str, Any]:
    return event(customer, "identify", properties={"kind": kind, "value": value}, n=n)


def sent(http: httpx.Client, *events: dict[str, Any]) -> dict[str, Any]:
    answer = http.post("/v1/events", json={"events": list(events)})
    assert answer.status_code == 202
    receipt: dict[str, Any] = answer.json()
    return receipt


def test_the_view_adds_up_all_that_is_known_of_a_person(http: httpx.Client) -> None:
    consented(http, "ann")
    assert sent(
        http,
        event("ann", "visit", channel="web"),
        event("ann-phone", "purchase", value=9.5),
        event("ann-phone", "nps", value=3),
        event("ann", "complaint", properties={"text": "<script>alert(1)</script> slow"}),
        identify("ann", "email_hash", "9f86d081"),
        identify("ann-phone", "email_hash", "9f86d081"),
    ) == {"accepted": 6, "duplicates": 0, "rejected": []}
    made = http.post("/v1/decisions", json={"customer_id": "ann-phone"}).json()
    for name in ("ann", "ann-phone"):
        seen = http.get(f"/v1/customers/{name}").json()
        assert seen["customer_ids"] == ["ann", "ann-phone"]
        assert seen["consents"][0] | {"at": ""} == {
            "purpose": "marketing",
            "channel": None,
            "granted": True,
            "at": "",
        }
        assert {t["type"] for t in seen["touchpoints"]} == {
            "visit", "purchase", "nps", "complaint", "identify", "consent", "stage_changed", "ticket_opened",
        }  # fmt: skip
        counted = {a["type"]: (a["count"], a["last_at"] is not None) for a in seen["activity"]}
        assert counted["visit"] == counted["purchase"] == counted["complaint"] == (1, True)
        assert {(f["type"], f["value"], f["text"]) for f in seen["feedback"]} == {
            ("nps", 3.0, None),
            ("complaint", 0.0, "<script>alert(1)</script> slow"),
        }
        assert [d["decision_id"] for d in seen["decisions"]] == [made["decision_id"]]
        assert seen["decisions"][0]["propensity"] == made["propensity"]
        assert [i["kind"] for i in seen["identities"]] == ["email_hash", "email_hash"]
        assert seen["stage"] == made["stage"]
    assert "9f86d081" not in http.get("/v1/customers/ann").text


def test_only_attributes_that_the_playbook_lists_are_told(http: httpx.Client) -> None:
    listed = sorted(sample().spec.attributes)
    assert sent(http, event("atty", "profile", properties={"shoe_size": 44, "timezone": "Asia/Tokyo"}))
    told = http.get("/v1/customers/atty").json()["attributes"]
    assert told == {"timezone": "Asia/Tokyo"}
    assert set(told) <= {*listed, "timezone"}


def test_unknown_and_impossible_customers_are_problems(http: httpx.Client) -> None:
    problem(http.get("/v1/customers/nobody-knows"), 404)
    problem(http.delete("/v1/customers/nobody-knows"), 404)
    problem(http.get("/v1/customers/no%20id"), 422)
    problem(http.delete("/v1/customers/ann?who="), 422)
    problem(http.delete("/v1/customers/ann?why=x"), 422)
    refused = http.put("/v1/customers/ann")
    problem(refused, 405)
    assert refused.headers["allow"] == "DELETE, GET, HEAD"


def test_erasing_answers_once_and_then_says_that_it_is_gone(http: httpx.Client) -> None:
    consented(http, "eve")
    sent(http, identify("eve", "crm_id", "77"), identify("eve-2", "crm_id", "77"))
    made = http.post("/v1/decisions", json={"customer_id": "eve", "decision_id": "eves"})
    assert made.status_code == 201
    done = http.delete("/v1/customers/eve-2?who=ada")
    assert (done.status_code, done.content) == (204, b"")
    for again in (
        http.delete("/v1/customers/eve"),
        http.get("/v1/customers/eve"),
        http.get("/v1/customers/eve-2"),
        http.get("/v1/decisions/eves"),
        http.post("/v1/decisions/eves/activate"),
        http.post("/v1/decisions", json={"customer_id": "eve", "decision_id": "eves"}),
    ):
        assert problem(again, 410)["type"] == "/problems/gone"
    batch = http.post(
        "/v1/decisions:batch", json={"decisions": [{"customer_id": "eve", "decision_id": "eves"}]}
    )
    assert [item["status"] for item in batch.json()["answers"]] == [410]
    assert sent(http, event("eve", "visit"))["accepted"] == 1
    assert http.get("/v1/customers/eve").json()["customer_ids"] == ["eve"]


def test_bad_identities_are_rejected_one_by_one(http: httpx.Client) -> None:
    big = "x" * 100_000
    receipt = sent(
        http,
        identify("bad", "email_hash", big),
        event("bad", "identify", properties={"kind": "k" * 65, "value": "v"}, n=1),
        event("bad", "identify", properties={"kind": "email_hash"}, n=2),
        event("bad", "identify", properties={"kind": 3, "value": "v"}, n=3),
        event("bad", "visit", occurred_at="2019-05-01T12:00:00Z", n=4),
        event("bad", "visit", occurred_at="2199-05-01T12:00:00Z", n=5),
        event("bad", "comment", properties={"text": big}, n=6),
    )
    assert receipt["accepted"] == 2
    assert [(r["index"], r["detail"].split(":")[0]) for r in receipt["rejected"]] == [
        (1, "properties.kind"),
        (2, "properties"),
        (3, "properties"),
        (5, "occurred_at"),
        (6, "properties.text"),
    ]
    assert big not in http.get("/metrics").text


def test_a_chain_that_grows_too_long_is_refused_and_counted(http: httpx.Client) -> None:
    most = sample().spec.identities.most
    events = [identify(f"chain{i}", "device", f"{i - j}", n=j) for i in range(most + 5) for j in (0, 1)]
    assert sent(http, *events)["accepted"] == len(events)
    assert len(http.get("/v1/customers/chain0").json()["customer_ids"]) <= most
    assert value(lines(http), "nba_identities_total", outcome="refused") >= 1


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql"])
def test_a_cap_of_three_a_week_holds_over_all_identities_under_sixty_four_parallel_requests(
    kind: str, tmp_path: Path
) -> None:
    if kind == "postgresql":
        with fresh_database() as url:
            _hammered(url, tmp_path)
    else:
        _hammered("memory:" if kind == "memory" else f"sqlite:///{tmp_path / 'nba.db'}", tmp_path)


def _hammered(url: str, folder: Path) -> None:
    """Eight identities, 64 requests at once, on two servers where the store can be shared."""
    names = [f"id{i}" for i in range(8)]
    with closing(open_store(url)) as one, closing(open_store(url)) as other:
        stores = (one, one) if url == "memory:" else (one, other)
        with (
            served(wiring(folder, store=stores[0], playbook=_nobody_held_out())) as left,
            served(wiring(folder, store=stores[1], playbook=_nobody_held_out())) as right,
        ):
            consented(left, "id0")
            sent(left, *(identify(name, "email_hash", "same") for name in names[:7]))
            sent(right, identify("id7", "email_hash", "same"))

            def ask(i: int) -> httpx.Response:
                http = (left, right)[i % 2]
                return http.post("/v1/decisions", json={"customer_id": names[i % 8]})

            with ThreadPoolExecutor(64) as pool:
                answers = list(pool.map(ask, range(192)))
            assert {answer.status_code for answer in answers} == {201}
            contacts = sum(answer.json()["action"] != "no_contact" for answer in answers)
            assert contacts == 3
            assert left.get("/v1/customers/id5").json()["customer_ids"] == names


def _nobody_held_out() -> Playbook:
    spec = Document.parse(SAMPLE.read_text()).values
    return parse(yaml.safe_dump({**spec, "groups": {"holdout": 0, "random_eligible": 0}}, sort_keys=False))


def test_a_cloud_event_links_and_a_late_event_under_either_id_is_the_persons(http: httpx.Client) -> None:
    for name in ("ce-1", "ce-2"):
        body = {
            "specversion": "1.0",
            "id": name,
            "source": "/crm",
            "type": "identify",
            "subject": name,
            "data": {"properties": {"kind": "loyalty", "value": "4711"}},
        }
        headers = {"content-type": "application/cloudevents+json"}
        assert http.post("/v1/events", json=body, headers=headers).status_code == 202
    late = event("ce-2", "purchase", occurred_at="2019-05-01T12:00:00Z", value=4.0)
    assert sent(http, late)["accepted"] == 1
    seen = http.get("/v1/customers/ce-1").json()
    assert seen["customer_ids"] == ["ce-1", "ce-2"]
    assert ("purchase", "ce-2", 4.0) in {
        (t["type"], t["customer_id"], t["value"]) for t in seen["touchpoints"]
    }
