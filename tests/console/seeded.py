"""A small store with a bit of everything, and a served console on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from nba.playbook.compile import Playbook, parse
from nba.stores.memory import MemoryStore
from serving.console.users import Users
from tests.serving.running import SAMPLE, SECRET, served, wiring

NAME, PASSWORD = "ada", "correct horse"
_EXPERIMENT = """
experiments:
  - name: bolder
    starts: 2026-01-01T00:00:00Z
    variants:
      control: {weight: 1}
      bold: {weight: 1, change: {exploration: {ceiling: 0.5}}}
"""
_GUARDRAILS = """  guardrails:
    - {name: leaving, count: unsubscribed, within: 1d, most: 0.02, rise: 0.5}
"""
SCRIPT = "<script>alert('x')</script><b>bold</b>"
MOVED = "age is spread otherwise than before: its population stability index is 0.40"
GATE = (
    "a new policy must be better: the difference is +0.2 (-0.1 to +0.5), at level 0.9750 (attempt 2), its "
    "lower bound is not above +0"
)
STEADY = "the mean reward of treatment is 1.2, before 1.1: up by 1.0 standard errors"
MOMENT = 1_790_000_000.0
DAY = 86_400.0
WEEKS = 4


def book() -> Playbook:
    """The sample, with surveys among its touchpoints and an experiment."""
    text = SAMPLE.read_text(encoding="utf-8")
    text = text.replace("ticket_closed]", "ticket_closed, nps, csat, comment]")
    text = text.replace("  # guardrails:", _GUARDRAILS + "  # guardrails:")
    return parse(text + _EXPERIMENT)


def seeded() -> MemoryStore:
    """A store on the request clock with a health report and an attempt at promotion; `told` lives in it."""
    store = MemoryStore("request", secret=SECRET)
    store.note("health", MOMENT, orjson.dumps(_health()))
    store.note("attempt", MOMENT, orjson.dumps(_attempt()))
    return store


def told(http: httpx.Client, customers: int = 40, weeks: int = WEEKS) -> None:
    """Live some weeks through the API."""
    for week in range(weeks):
        at = MOMENT + week * 7 * DAY
        for i in range(customers):
            _one(http, f"c-{i}", week, at + 60.0 * i, i)


def _one(http: httpx.Client, customer: str, week: int, at: float, i: int) -> None:
    def event(type: str, after: float, **more: Any) -> dict[str, Any]:
        moment = _iso(at + after)
        return {
            "event_id": f"{customer}-{week}-{type}",
            "customer_id": customer,
            "type": type,
            "occurred_at": moment,
            **more,
        }

    events = [event("visit", 0.0, channel="web")]
    if week == 0:
        granted = {"purpose": "marketing", "granted": i % 4 != 0}
        events.append(event("consent", 1.0, properties=granted))
    assert http.post("/v1/events", json={"events": events}).json()["rejected"] == []
    body = {"customer_id": customer, "decision_id": f"d-{customer}-{week}", "at": _iso(at + 2.0)}
    assert http.post("/v1/decisions", json=body).status_code == 201
    after = (
        [event("nps", 3_600.0, value=float((i * 7 + week) % 11), channel=("email", "web")[i % 4 == 0])]
        if i % 2 == 0
        else []
    )
    if i % 5 == 0:
        after.append(event("purchase", 7_200.0, value=12.5))
    if i == 1:
        after.append(event("comment", 7_300.0, properties={"text": SCRIPT}))
    if after:
        assert http.post("/v1/events", json={"events": after}).json()["rejected"] == []


def _iso(at: float) -> str:
    from nba.model import timestamp

    return str(timestamp(at))


def _health() -> dict[str, Any]:
    check = {"name": "psi", "subject": "age", "value": 0.4, "threshold": 0.25, "detail": MOVED}
    fine = {"name": "reward", "subject": "treatment", "value": 1.0, "threshold": 4.0, "detail": STEADY}
    checks = [{**check, "breached": True}, {**fine, "breached": False}]
    spans = {"window": [MOMENT - DAY, MOMENT], "reference": [MOMENT - 8 * DAY, MOMENT - DAY]}
    counts = {
        "decisions": 40,
        "before": 200,
        "unmade": ["calibration: takes 200 decisions with an eligible arm"],
        "as_of": MOMENT,
    }
    return {**spans, **counts, "checks": checks, "breached": checks[:1]}


def _attempt() -> dict[str, Any]:
    difference = {"value": 0.2, "low": -0.1, "high": 0.5}
    return {
        "specification": "ridge",
        "promoted": False,
        "reason": GATE,
        "against": "uniform@0",
        "rule": "new",
        "difference": difference,
    }


@contextmanager
def console(folder: Path, store: MemoryStore | None = None) -> Iterator[httpx.Client]:
    """A server whose users are in `folder` (see `users`)."""
    with served(wiring(folder, store=store or seeded(), playbook=book(), clock="request")) as http:
        yield http


def users(folder: Path) -> Path:
    """A file with one user, quick to check."""
    path = folder / "users.json"
    Users().having(NAME, PASSWORD).write(path)
    return path


def token(page: str) -> str:
    found = re.search(r'name="token" value="([^"]*)"', page)
    assert found is not None
    return found.group(1)


def log_in(http: httpx.Client, password: str = PASSWORD, name: str = NAME, **more: str) -> httpx.Response:
    """Fill in the form as a browser would."""
    form = token(http.get("/console/login").text)
    return http.post("/console/login", data={"token": form, "name": name, "password": password, **more})
