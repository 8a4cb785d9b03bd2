"""From an event over HTTP to a receiver: what the orchestrator is told, and that it is what was logged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from nba.playbook.compile import parse
from nba.playbook.reactions import Webhook
from nba.stores.memory import MemoryStore
from serving.delivery.courier import Courier
from serving.delivery.figures import Figures
from serving.delivery.webhook import WebhookTarget
from tests.serving.delivery.receiver import SECRET, receiving
from tests.serving.running import SAMPLE, consented, served, wiring
from tests.serving.running import SECRET as STORE_SECRET

PLAYBOOK = (
    SAMPLE.read_text()
    + """
triggers:
  thanks: {on: {event: purchase, at_least: 50}, silence: true}
"""
)


def test_an_event_reaches_the_orchestrator_as_the_decision_that_was_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    store = MemoryStore("live", secret=STORE_SECRET)
    with receiving() as receiver, served(wiring(tmp_path, store=store, playbook=parse(PLAYBOOK))) as http:
        consented(http, "c-1")
        events: list[dict[str, Any]] = [
            {"event_id": "p-1", "customer_id": "c-1", "type": "purchase", "value": 60.0},
            {"event_id": "k-1", "customer_id": "c-1", "type": "complaint", "properties": {"text": "<i>"}},
        ]
        for _ in range(2):  # a repeat changes nothing
            for event in events:
                http.post("/v1/events", json={"events": [event]})
        target = WebhookTarget(
            "webhook.a",
            Webhook(url="URL", secret="SECRET"),
            url=receiver.url,
            secret=SECRET,
            playbook="coffee",
        )
        asyncio.run(Courier(target, store, figures=Figures()).step())
        triggered, *rest = receiver.taken
        logged = http.get(f"/v1/decisions/{triggered['data']['decision_id']}").json()
    assert (triggered["type"], triggered["subject"], triggered["data"]["trigger"]) == (
        "decision.triggered", "c-1", "thanks",
    )  # fmt: skip
    told = triggered["data"]["decision"]
    assert told == {name: logged[name] for name in told}
    assert set(logged) - set(told) == {"customer_id", "trace"}
    assert [event["type"] for event in rest][-1] == "ticket.opened"
    assert rest[-1]["data"]["ticket"]["rule"] == "complaint"
    assert "<i>" not in str(rest)  # the words stay with the touchpoint
    assert receiver.forged == 0
