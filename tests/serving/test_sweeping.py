"""Sweepers on a store that several share: who is due is looked at, once, whoever looks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from nba.artefacts import Artefacts
from nba.cli import build
from nba.errors import Busy, InvalidInput
from nba.live import LiveSource
from nba.playbook.compile import parse
from nba.service import Service
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import Lease, Store
from serving.sweep_figures import SweepFigures
from serving.sweeping import LEASE, Sweeper
from tests.service.business import DAY, HOUR, NOON, OPEN, Business, event
from tests.serving.running import SAMPLE
from tests.stores.contract import SHARED

QUIET = f"{OPEN}\ntriggers:\n  quiet: {{absence: {{of: visit, for: 14d}}, silence: true}}\n"


def sweeper(store: Store, text: str, at: list[float], service: Service | None = None) -> Sweeper:
    live = LiveSource(
        playbook=parse(text), store=store, artefacts=Artefacts(Path("nowhere")), alert=lambda *_: None
    )
    ours = service or Service(store=store, live=live)
    return Sweeper(store=store, service=ours, live=live, clock=lambda: at[0])


def triggered(store: Store) -> int:
    return sum(row.type == "decision.triggered" for row in store.outbox(0))


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest) -> Iterator[tuple[Store, Store]]:
    """One store, opened twice."""
    url = SHARED[request.param](request)
    stores = open_store(url, "request"), open_store(url)
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    from tests.stores.postgres import fresh_database

    with fresh_database() as url:
        yield url


def test_two_sweepers_at_once_set_nothing_off_twice(shared: tuple[Store, Store]) -> None:
    """Without their lease, which is what is left of it while it changes hands."""
    ours = Business.of(QUIET, shared[0])
    ours.report(*(event(f"c-{i}", "visit", NOON) for i in range(40)))
    at = [NOON + 14 * DAY]
    sweepers = [sweeper(store, QUIET, at) for store in shared]
    gate, counts = threading.Barrier(2), list[tuple[int, int]]()

    def sweep(one: Sweeper) -> None:
        gate.wait(30)
        counts.append(one._sweep())

    for one in sweepers:
        one._lease = Lease(name=LEASE, holder=one.holder, token=1, until=1e12)
        one._renew_at = 1e12
    threads = [threading.Thread(target=sweep, args=(one,)) for one in sweepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(counts) == 2
    assert triggered(shared[0]) == 40
    assert shared[0].due(at[0], 100) == []


def test_two_complaints_at_once_open_one_ticket(shared: tuple[Store, Store]) -> None:
    text = OPEN.replace("[visit, purchase]", "[visit, purchase, ticket_opened, ticket_closed]")
    text += "\ntickets: {rules: [{name: complaint, on: {event: complaint}}]}"
    ours = [Business.of(text, store) for store in shared]
    gate = threading.Barrier(2)

    def complain(one: Business, name: str) -> None:
        gate.wait(30)
        for i in range(10):
            one.report(event("c", "complaint", NOON, id=f"{name}-{i}"))

    threads = [
        threading.Thread(target=complain, args=(one, name)) for one, name in zip(ours, "ab", strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    [ticket] = shared[0].tickets()
    assert ticket.version == 20
    assert len(shared[0].ticket_changes(ticket.ticket_id)) == 20


def test_who_does_not_hold_the_lease_looks_at_nobody() -> None:
    store = MemoryStore("request")
    Business.of(QUIET, store).report(event("c", "visit", NOON))
    ours = sweeper(store, QUIET, [NOON + 14 * DAY])
    assert store.lease(LEASE, "another", 0.0, 1e12) is not None
    with pytest.raises(Busy):
        ours.once()
    assert triggered(store) == 0


def test_customers_who_came_by_files_are_found() -> None:
    store = MemoryStore("request")
    Business.of(OPEN, store).report(event("c", "visit", NOON))  # before anything was watched
    assert sweeper(store, QUIET, [NOON + 14 * DAY]).once() == (1, 1)
    assert triggered(store) == 1


def test_a_sweep_is_in_chunks_of_customers_and_ends() -> None:
    store = MemoryStore("request")
    ours = Business.of(QUIET, store)
    ours.report(*(event(f"c-{i}", "visit", NOON) for i in range(900)))
    ours.report(*(event(f"d-{i}", "visit", NOON) for i in range(300)))
    assert sweeper(store, QUIET, [NOON + 14 * DAY]).once() == (1_200, 1_200)


class Scores:
    """A churn score that is told, in place of a trained model."""

    def __init__(self) -> None:
        self.value = 0.1

    def scores(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full((len(features), 1), self.value)


JUMPING = (
    OPEN.replace("[visit, purchase]", "[visit, purchase, ticket_opened, ticket_closed]")
    + """
scores: {churn: {inactivity: 60d, activity: [visit]}}
tickets: {rules: [{name: churn-jump, jump: {score: churn, by: 0.2}, due: 72h}]}
triggers: {at-risk: {when: "churn > 0.6", until: "churn < 0.5", silence: true}}
"""
)


def test_a_jump_in_churn_opens_a_ticket_and_a_crossing_sets_off_its_trigger() -> None:
    store, at, model = MemoryStore("request"), [NOON], Scores()
    ours = sweeper(store, JUMPING, at)
    ours.live.current = replace(ours.live.current, scores=model)  # type: ignore[arg-type]
    seen = []
    for churn in (0.1, 0.25, 0.5, 0.65, 0.55, 0.65, 0.4, 0.7):
        model.value = churn
        at[0] += HOUR
        asked = Business(store, ours.service, ours.live)
        asked.report(event("c", "visit", at[0]))
        seen.append(ours.once())
    assert [fired for _, fired in seen] == [0, 0, 1, 1, 0, 0, 0, 2]
    [ticket] = store.tickets()
    assert (ticket.rule, ticket.reason, ticket.version) == (
        "churn-jump", "churn rose from 0.25 to 0.50", 2,
    )  # fmt: skip
    found = [orjson.loads(row.body)["trigger"] for row in store.outbox(0) if row.type == "decision.triggered"]
    assert found == ["at-risk", "at-risk"]


def test_what_a_sweep_found_is_counted() -> None:
    store, figures = MemoryStore("request"), SweepFigures()
    ours = Business.of(QUIET, store)
    ours.report(event("c", "visit", NOON))
    counting = Service(store=store, live=ours.live, observer=figures)
    one = sweeper(store, QUIET, [NOON + 14 * DAY], counting)
    one.figures = figures
    one.once()
    labels = {"trigger": "quiet", "result": "silent"}
    assert figures.registry.get_sample_value("nba_triggers_total", labels) == 1.0
    assert figures.registry.get_sample_value("nba_looks_total") == 1.0


def test_the_command_sweeps_at_a_moment_of_a_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("serving.logs.configure", lambda: None)
    (tmp_path / "playbook.yaml").write_text(QUIET)
    store = open_store("nba.db", "request")
    Business.of(QUIET, store).report(event("c", "visit", NOON))
    store.close()

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(build(), ["trigger", *arguments], catch_exceptions=False)

    assert "looked at 0 customers; 0 triggers" in run("--once").output
    assert "looked at 1 customers; 1 triggers" in run("--once", "--at", "2025-06-30T12:00:00Z").output
    assert "looked at 0 customers" in run("--once", "--at", "2025-06-30T12:00:00Z").output
    with pytest.raises(InvalidInput, match="--once"):
        run("--at", "2025-06-30T12:00:00Z")


def test_the_sample_has_nothing_that_needs_a_sweep_but_the_jump() -> None:
    store = MemoryStore("live")
    assert sweeper(store, SAMPLE.read_text(), [NOON]).once() == (0, 0)


def test_a_condition_is_watched_from_the_playbooks_first_use_on() -> None:
    """So the first sweep may come later: of customers who came in between nothing was true before."""
    often = f'{OPEN}\ntriggers:\n  often: {{when: "visit_total > 1", silence: true}}\n'
    store = MemoryStore("request")
    Business.of(OPEN, store).report(event("old", "visit", NOON - DAY), event("old", "visit", NOON - DAY))
    Business.of(often, store).report(event("new", "visit", NOON), event("new", "visit", NOON))
    assert sweeper(store, often, [NOON + DAY]).once() == (2, 1)
    [message] = store.outbox(0)
    assert message.surrogate == store.surrogate_of("new")


def test_one_who_can_not_be_looked_at_holds_up_nobody() -> None:
    store, at = MemoryStore("request"), [NOON + 14 * DAY]
    ours = Business.of(QUIET, store)
    ours.report(*(event(f"c-{i}", "visit", NOON) for i in range(8)))
    with store.transaction() as transaction:
        (row,) = transaction.customers(["c-3"]).values()
        row.state = b"no state at all"
        transaction.save_customers([row])
    one = sweeper(store, QUIET, at)
    assert one.once() == (8, 7)
    assert one.once() == (0, 0)
    assert triggered(store) == 7
    at[0] += HOUR
    assert store.due(at[0], 10) == ["c-3"]
