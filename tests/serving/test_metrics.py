"""What Prometheus is told: nothing is lost by tallying, and nothing counts that was not stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from structlog.testing import capture_logs

from nba.errors import StoreUnavailable
from nba.observer import Observer
from nba.stores.memory import MemoryStore, MemoryTransaction
from serving.alerts import Alerts
from serving.metrics import Metrics
from serving.tally import Distribution, Tally
from tests.serving.running import consented, lines, sample, served, value, wiring

BUCKETS = (0.0, 0.1, 1.0)


def test_many_values_at_once_make_the_histogram_that_each_alone_makes() -> None:
    values = [-1.0, 0.0, 0.05, 0.1, 0.100001, 1.0, 7.0, 0.05]
    together, alone = CollectorRegistry(), CollectorRegistry()
    Distribution("d", "d", buckets=BUCKETS, registry=together).observe_all(values)
    each = Histogram("d", "d", buckets=BUCKETS, registry=alone)
    for one in values:
        each.observe(one)
    names = [("d_bucket", {"le": le}) for le in ("0.0", "0.1", "1.0", "+Inf")]
    for name, labels in [*names, ("d_count", {}), ("d_sum", {})]:
        said = together.get_sample_value(name, labels)
        assert said == pytest.approx(alone.get_sample_value(name, labels))
        assert said is not None


def test_what_is_flushed_counts_once_and_what_is_dropped_never() -> None:
    registry, tally = CollectorRegistry(), Tally()
    counter = Counter("c", "c", registry=registry)
    tally.count(counter, 3)
    tally.flush()
    tally.flush()
    tally.count(counter, 5)
    tally.drop()
    tally.flush()
    assert registry.get_sample_value("c_total") == 3


def test_metrics_are_an_observer() -> None:
    observer: Observer = Metrics(Alerts())
    observer.rounds(1)


def test_requests_decisions_and_commits_are_counted(http: httpx.Client) -> None:
    before = lines(http)
    for _ in range(2):
        http.post("/v1/decisions", json={"customer_id": "metrics-1", "decision_id": "metrics-d"})
    http.get("/no/such/path")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "metrics-1" not in answer.text
    page = answer.text.splitlines()

    def grown(name: str, **labels: str) -> float:
        return value(page, name, **labels) - value(before, name, **labels)

    assert grown("nba_http_requests_total", route="/v1/decisions", method="POST", status="201") == 1
    assert grown("nba_http_requests_total", route="/v1/decisions", method="POST", status="200") == 1
    assert grown("nba_http_requests_total", route="none", status="404") == 1
    assert grown("nba_http_seconds_count", route="/v1/decisions") == 2
    assert grown("nba_decisions_total", contact="no") == grown("nba_decisions_total") == 1
    assert grown("nba_odds_entropy_count") == 1
    assert grown("nba_odds_entropy_bucket", le="0.0") == 1
    assert grown("nba_refusals_total", rule="consent") == len(sample().arms) - 1
    assert grown("nba_fallbacks_total", reason="untrained") == 1
    for stage in ("edge", "wait", "handle", "fetch", "decide", "record", "commit"):
        assert grown("nba_stage_seconds_count", stage=stage) >= 1, stage
    for name in ("nba_commit_size_count", "nba_rounds_count"):
        assert grown(name) == 2
    assert value(page, "nba_policy_info", policy="uniform@0") == 1
    assert any(line.startswith("nba_commands_waiting ") for line in page)
    assert value(page, "nba_store_down") == 0


def test_activation_is_counted_by_action_and_brought_ones_are_one(http: httpx.Client) -> None:
    """Ids that callers make up must not become labels without end."""
    consented(http, "metrics-2")
    before = lines(http)
    for i in range(30):
        asked = {"customer_id": "metrics-2", "decision_id": f"metrics-held-{i}", "activate": False}
        http.post("/v1/decisions", json={**asked, "actions": ["bogo-10", {"id": f"own-{i}"}]})
    http.post("/v1/decisions/metrics-held-0/activate")
    page = lines(http)
    held = value(page, "nba_held_total", event="held") - value(before, "nba_held_total", event="held")
    shown = value(page, "nba_held_total", event="activated")
    assert (held, shown - value(before, "nba_held_total", event="activated")) == (30, 1)
    assert not any("own-" in line for line in page)


class Failing(MemoryStore):
    """Takes everything and then can't commit while `down`."""

    down = False

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        with super().transaction() as transaction:
            yield transaction
            if self.down:
                raise StoreUnavailable("the disk is full")


def test_what_was_not_stored_does_not_count_and_the_store_is_told_to_be_down(tmp_path: Path) -> None:
    store = Failing()
    with served(wiring(tmp_path, store=store)) as http, capture_logs() as logs:
        http.post("/v1/decisions", json={"customer_id": "m-1"})
        store.down = True
        assert http.post("/v1/decisions", json={"customer_id": "m-1"}).status_code == 503
        page = lines(http)
        assert value(page, "nba_decisions_total") == 1
        assert value(page, "nba_store_errors_total") == 1
        assert value(page, "nba_store_down") == 1
    assert [line for line in logs if line["event"] == "store_down"]
    assert "m-1" not in str(logs)


def test_an_alert_is_told_once_until_it_is_over() -> None:
    alerts = Alerts()
    with capture_logs() as logs:
        for _ in range(3):
            alerts.on("disk_low", free_bytes=1)
        alerts.on("fallback", "untrained")
        alerts.on("fallback", "refused")
        alerts.off("disk_low")
        alerts.off("disk_low")
        alerts.on("disk_low", free_bytes=2)
    assert [line["event"] for line in logs] == [
        "disk_low",
        "fallback",
        "fallback",
        "disk_low_over",
        "disk_low",
    ]
