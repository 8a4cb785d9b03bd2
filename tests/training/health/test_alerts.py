"""Alerts reach a real server, signed; they are tried again, and never raise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import start_http_server

from nba.errors import InvalidInput
from training.health import metrics
from training.health.alerts import Alerts, serve_metrics
from training.health.report import Check, HealthReport
from training.health.webhook import TRIES, Webhook, signature


@dataclass
class Receiver:
    """Answers with these codes in turn, then with 204; keeps what it got."""

    codes: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, Any], str | None, bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((json.loads(body), self.headers["Nba-Signature"], body))
            self.send_response(kept.codes.pop(0) if kept.codes else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def _report(*subjects: str, at: float = 86_400.0) -> HealthReport:
    checks = tuple(
        Check(
            name="psi", subject=s, value=0.5, threshold=0.25, breached=True, detail=f"{s} is spread otherwise"
        )
        for s in subjects
    )
    return HealthReport(as_of=at, window=(1.0, 2.0), reference=(0.0, 1.0), checks=checks)


def test_what_is_posted_is_signed_with_the_secret(receiver: Receiver) -> None:
    Alerts(webhook=receiver.url, secret="salt").tell(
        "rolled_back", "linear@7 was rolled back", policy="linear@7"
    )
    ((told, signed, body),) = receiver.got
    assert signed == signature(body, "salt")
    assert signed != signature(body, "other")
    assert (told["event"], told["said"]) == ("rolled_back", "linear@7 was rolled back")
    assert told["fields"] == {"policy": "linear@7"}


def test_without_a_secret_nothing_is_signed_and_what_needs_nobody_is_not_posted(receiver: Receiver) -> None:
    alerts = Alerts(webhook=receiver.url, secret=None)
    alerts.tell("freshened", "linear@8 serves")
    assert receiver.got == []
    alerts.tell("quarantined", "purchase on 2026-03-04")
    assert receiver.got[0][1] is None


def test_a_webhook_that_fails_is_tried_again_under_the_same_id(receiver: Receiver) -> None:
    receiver.codes = [500, 503]
    assert Webhook(receiver.url, None, sleep=lambda _: None).post("health_alert", "x", {}) is None
    assert [told["id"] for told, _, _ in receiver.got] == [receiver.got[0][0]["id"]] * 3


def test_one_that_is_down_is_given_up_told_in_the_log_and_then_tried_less(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.codes = [500] * 50
    webhook = Webhook(receiver.url, None, sleep=lambda _: None)
    assert webhook.post("health_alert", "x", {}) == "it answered 500"
    assert len(receiver.got) == TRIES
    webhook.post("health_alert", "y", {})
    assert len(receiver.got) == TRIES + 1
    dead = Webhook("http://127.0.0.1:1/?token=abc", None, sleep=lambda _: None)
    assert "abc" not in str(dead.post("health_alert", "x", {}))


def test_an_address_that_is_none_is_refused_at_once() -> None:
    for address in ("file:///etc/passwd", "example", "http://"):
        with pytest.raises(InvalidInput):
            Alerts(webhook=address, secret=None)


def test_every_event_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    Alerts(webhook=None, secret=None).tell("freshened", "linear@8 serves", rows=12)
    told = json.loads(capsys.readouterr().err)
    assert told.pop("timestamp")
    assert told == {"event": "freshened", "level": "info", "rows": 12, "said": "linear@8 serves"}


def test_an_alert_tells_what_is_new_and_not_what_lasts(receiver: Receiver) -> None:
    alerts = Alerts(webhook=receiver.url, secret=None)
    alerts.report(_report("device"), None)
    alerts.report(_report("device"), _report("device"))
    alerts.report(_report("device", "age"), _report("device"))
    assert [told["said"] for told, _, _ in receiver.got] == [
        "device is spread otherwise",
        "age is spread otherwise",
    ]
    assert receiver.got[1][0]["fields"]["lasting"] == 1


def test_metrics_tell_the_latest_report_and_count_what_was_done() -> None:
    Alerts(webhook=None, secret=None).report(_report("device"), None)
    metrics.set_report(_report("age"))
    server, thread = start_http_server(0, addr="127.0.0.1", registry=metrics.REGISTRY)
    try:
        with urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        thread.join()
    assert 'nba_health_value{check="psi",subject="age"} 0.5' in text
    assert 'subject="device"' not in text
    assert 'nba_health_breached{check="psi"} 1.0' in text
    assert 'nba_learn_steps_total{event="health_alert"}' in text


def test_a_port_for_metrics_that_is_taken_is_named_by_its_option() -> None:
    port = serve_metrics(0)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5.0) as answer:
        assert b"nba_" in answer.read()
    with pytest.raises(InvalidInput, match=f"metrics-port: {port} can't be served on: .*in use"):
        serve_metrics(port)
