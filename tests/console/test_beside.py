"""The console beside the engine: no decision waits for a page, and pages share what they read."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from serving.console.cache import Cache
from serving.console.desk import Ask, Desk, Shown
from serving.console.pages import segments
from serving.console.turns import Turns
from tests.console.seeded import MOMENT, _iso, log_in


def test_a_decision_does_not_wait_for_pages_that_take_long(
    closed_console: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, done = threading.Semaphore(0), threading.Event()

    def slow(desk: Desk, ask: Ask) -> Shown:
        entered.release()
        assert done.wait(20)
        return Shown(goto="/console")

    log_in(closed_console)
    monkeypatch.setattr(segments, "show", slow)
    with ThreadPoolExecutor(3) as readers:
        pages = [readers.submit(closed_console.get, "/console/segments") for _ in range(3)]
        assert entered.acquire(timeout=10)
        assert entered.acquire(timeout=10)
        body = {"customer_id": "ada", "at": _iso(MOMENT)}
        assert closed_console.post("/v1/decisions", json=body).status_code == 201
        assert closed_console.get("/console/static/console.css").status_code == 200
        done.set()
        assert {page.result().status_code for page in pages} == {303}


def test_a_value_is_kept_until_it_is_too_old() -> None:
    now = [0.0]
    cache, made = Cache(lambda: now[0]), iter(range(9))
    assert cache.fetch("a", 5.0, lambda: next(made)).value == 0
    now[0] = 4.9
    kept = cache.fetch("a", 5.0, lambda: next(made))
    assert (kept.value, kept.at) == (0, 0.0)
    now[0] = 5.0
    assert cache.fetch("a", 5.0, lambda: next(made)).value == 1
    assert cache.fetch("b", 5.0, lambda: next(made)).value == 2


def test_of_many_who_ask_one_makes_and_an_error_is_not_kept() -> None:
    cache = Cache(lambda: 0.0)
    started, go, made = threading.Event(), threading.Event(), []

    def slow() -> int:
        started.set()
        assert go.wait(10)
        made.append(1)
        return 7

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(cache.fetch, "a", 9.0, slow) for _ in range(4)]
        assert started.wait(10)
        go.set()
        assert [one.result().value for one in asked] == [7] * 4
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        cache.fetch("b", 9.0, lambda: 1 // 0)
    assert cache.fetch("b", 9.0, lambda: 3).value == 3


def test_the_cache_forgets_the_oldest() -> None:
    cache, made = Cache(lambda: 0.0), []
    for i in range(70):
        cache.fetch(i, 9.0, lambda i=i: made.append(i))
    cache.fetch(69, 9.0, lambda: made.append(-1))
    cache.fetch(0, 9.0, lambda: made.append(0))
    assert made == [*range(70), 0]


def test_turns_are_short_inside_and_as_they_were_after() -> None:
    before, turns = sys.getswitchinterval(), Turns()
    try:
        sys.setswitchinterval(0.02)
        with turns:
            with turns:
                assert sys.getswitchinterval() < 0.001
            assert sys.getswitchinterval() < 0.001
        assert sys.getswitchinterval() == pytest.approx(0.02)
    finally:
        sys.setswitchinterval(before)
