"""A daily limit under an experiment: each variant has its part, and nothing goes beyond the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from nba.contact.pools import pool_of
from nba.stores.open import open_store
from tests.service.business import (
    DAY,
    NOON,
    OPEN,
    Business,
    answered,
    consents,
    outcome,
    request,
)
from tests.service.trials import GROUPS, opened, with_experiments

LIMITED = (
    OPEN.replace("timings: [now], category: news}", "timings: [now], category: news, daily: {contacts: 21}}")
    .replace("  offer: {channels: [email, push], timings: [now, evening]}\n", "")
    .replace(GROUPS, "groups: {holdout: 0, random_eligible: 0.2}")
)
LIMITED = LIMITED.replace("explorer: squarecb, gamma: 20, floor: 0.05", "floor: 0")
SPLIT = with_experiments(
    {"name": "e", "share": 0.5, "variants": {"a": {"weight": 2}, "b": {}}},
    text=LIMITED + "\nincumbent: [{action: news, channel: email, timing: now}]",
)


def cell(answer: Mapping[str, Any]) -> str:
    return "others" if answer["experiment"] is None else f"e.{answer['experiment']['e']}"


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/nba.db"


def test_a_limit_is_shared_out_exactly_whoever_asks_first(url: str) -> None:
    """21 contacts a day: of all who are acted upon 4/15 are in a, 2/15 in b, 9/15 in neither."""
    with closing(open_store(url)) as store:
        business = opened(SPLIT, 400, store)
        asked = [request(f"c{i}") for i in range(400)]
        answers = [
            answered(a)
            for start in range(0, 400, 50)
            for a in business.service.handle(asked[start : start + 50], NOON + start)
        ]
        sent = Counter(cell(a) for a in answers if a["channel"])
        assert sent == {"e.a": 5, "e.b": 2, "others": 12}
        for day in range(1, 7):
            again = [
                answered(a)
                for a in business.service.handle([request(f"c{i}") for i in range(400)], NOON + day * DAY)
            ]
            assert Counter(cell(a) for a in again if a["channel"]) == sent, "each day has its own"
            answers += again
        # 84 contacts to others, of whom a fifth or more are random: a false alarm in a hundred million
        assert {a["group"] for a in answers if cell(a) == "others" and a["channel"]} == {
            "treatment",
            "random_eligible",
        }


def test_a_limit_is_shared_out_exactly_under_concurrency(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nba.db"
    with closing(open_store(url)) as store:
        opened(SPLIT, 200, store)
        answers: list[Mapping[str, Any]] = []

        def ask(worker: int) -> None:
            with closing(open_store(url)) as ours:
                business = Business.of(SPLIT, ours)
                for start in range(worker * 10, 200, 40):
                    batch = [request(f"c{i}", id=f"w-{i}") for i in range(start, start + 10)]
                    answers.extend(answered(a) for a in business.service.handle(batch, NOON))

        threads = [Thread(target=ask, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 200
    assert Counter(cell(a) for a in answers if a["channel"]) == {"e.a": 5, "e.b": 2, "others": 12}


def test_what_was_not_sent_is_given_back_to_its_own_pool() -> None:
    business = opened(SPLIT, 200)
    answers = [business.decide(f"c{i}") for i in range(200)]
    sent = [a for a in answers if a["channel"] and cell(a) == "e.b"]
    assert len(sent) == 2
    unsent = outcome("not_sent", None, decision_id=sent[0]["decision_id"])
    assert business.report(unsent).accepted == 1
    business.report(*(consents(f"n{i}") for i in range(80)))
    more = [business.decide(f"n{i}") for i in range(80)]
    assert Counter(cell(a) for a in more if a["channel"]) == {"e.b": 1}


def test_an_experiment_that_starts_within_a_day_takes_nothing_beyond_the_limit() -> None:
    text = SPLIT.replace('"name":"e"', '"name":"e","starts":"2025-06-15T13:00:00Z"')
    assert text != SPLIT
    business = opened(text, 400)
    before = [business.decide(f"c{i}") for i in range(100)]
    assert Counter(cell(a) for a in before if a["channel"]) == {"others": 21}
    after = [business.decide(f"c{i}", now=NOON + 7_200) for i in range(100, 200)]
    assert Counter(cell(a) for a in after if a["channel"]) == {}
    assert {cell(a) for a in after} == {"e.a", "e.b", "others"}


def test_what_is_left_of_a_day_goes_to_who_comes_first_whatever_their_variants() -> None:
    text = SPLIT.replace('"name":"e"', '"name":"e","starts":"2025-06-15T13:00:00Z"')
    for turn in range(6):
        one, many = opened(text, 80), opened(text, 80)
        batch = [request(f"c{(i + turn) % 30}", id=f"left-{i}") for i in range(30)]
        for business in (one, many):
            sent = [a for a in (business.decide(f"c{i}") for i in range(40, 80)) if a["channel"]]
            assert len(sent) == 21
            for answer in sent[:2]:
                business.report(outcome("not_sent", None, decision_id=answer["decision_id"]))
        alone = [answered(one.one(command, NOON + 7_200)) for command in batch]
        together = [answered(answer) for answer in many.service.handle(batch, NOON + 7_200)]
        assert [a["channel"] for a in alone] == [a["channel"] for a in together]
        assert [a["channel"] is not None for a in together] == [True] * 2 + [False] * 28


def test_the_pool_of_a_decision_is_in_its_trace() -> None:
    business = opened(SPLIT, 5)
    answer = business.decide("c0")
    trace = business.trace(answer["decision_id"])["trace"]
    playbook = business.live.current.playbook
    pool = pool_of(playbook, playbook.spec.experiments, tuple((answer["experiment"] or {}).items()))
    assert pool is not None
    assert trace["pool"]["own"] == {name: daily.model_dump() for name, daily in pool.own.items()}
