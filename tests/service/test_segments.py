"""Segments at decision time: assigned from the features, asked for by rules, told in answer and trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from nba.artefacts import Artefact, Artefacts
from nba.journey.segments import Scaling, Segment, asked_for, seal_segments
from nba.journey.traits import traits_of
from nba.live import LiveSource
from nba.model import Report, Reports
from nba.playbook.compile import Playbook, parse
from nba.replay import replay
from nba.service import Service
from nba.stores.memory import MemoryStore
from tests.service.business import DAY, NOON, OPEN, SECRET, answered, request

RULES = OPEN.replace(
    "timings: [now], category: news}",
    "timings: [now], category: news, when: \"segment == 'lapsing regulars'\"}",
).replace("contact:\n", "contact:\n  stops: [{name: rich, when: \"segment == 'big spenders'\"}]\n")
SEGMENTS = (Segment(id="s1", name="lapsing regulars"), Segment(id="s3", name="fresh faces"))


def by_recency(playbook: Playbook, segments: tuple[Segment, ...] = SEGMENTS) -> Artefact:
    """The first segment was last seen around 60 days ago, the second today; nothing else counts."""
    traits = traits_of(playbook)
    d = len(traits)
    weight = np.zeros(d)
    weight[0] = 1.0
    scaling = Scaling(
        traits=traits,
        centre=np.zeros(d),
        spread=np.full(d, 2.0),
        weight=weight,
        fill=np.zeros(d),
        prior=np.zeros(d),
        pull=np.zeros(d),
    )
    centroids = np.zeros((len(segments), d))
    centroids[0, 0] = np.log1p(60.0) / 2
    probes = np.random.default_rng(0).random((8, d))
    return seal_segments(
        scaling,
        centroids,
        segments,
        playbook,
        (probes, probes),
        data_to=NOON,
        rows=9,
        parameters={"following": 4},
    )


@dataclass
class Shop:
    """A service whose published artefacts are real."""

    playbook: Playbook
    folder: Path
    store: MemoryStore = field(default_factory=lambda: MemoryStore("request", secret=SECRET))
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.artefacts = Artefacts(self.folder)
        self.reopen(self.playbook)

    def reopen(self, playbook: Playbook) -> None:
        """As after a restart under another playbook."""
        self.live = LiveSource(
            playbook=playbook,
            store=self.store,
            artefacts=self.artefacts,
            alert=lambda event, fields: self.alerts.append({"event": event, **fields}),
        )
        self.service = Service(store=self.store, live=self.live)
        self.live.refresh(NOON)

    def publish(self, artefact: Artefact) -> int:
        version = self.artefacts.write(artefact)
        told = self.store.publish(
            kind="segments", version=version, specification="segments", at=NOON, who="t", why="t"
        )
        self.live.refresh(NOON + told.number * 1_000)
        return told.number

    def visit(self, customer: str, days_ago: float) -> None:

        report = Report(
            source="event",
            id=f"{customer}-{days_ago}",
            type="visit",
            customer_id=customer,
            occurred_at=NOON - days_ago * DAY,
        )
        consent = Report(
            source="event",
            id=f"{customer}-consent",
            type="consent",
            customer_id=customer,
            occurred_at=NOON - days_ago * DAY,
            properties={"granted": True},
        )
        self.service.handle([Reports(items=(report, consent))], NOON)

    def decide(self, customer: str, **asked: Any) -> dict[str, Any]:
        return dict(answered(self.service.handle([request(customer, NOON, **asked)], NOON)[0]))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(parse(RULES), tmp_path)
    shop.visit("old", 60)
    shop.visit("new", 1)
    return shop


def test_a_rule_holds_for_the_segment_that_it_names_and_for_no_other(shop: Shop) -> None:
    shop.publish(by_recency(shop.playbook))
    old, new = shop.decide("old", explain=True), shop.decide("new", explain=True)
    assert (old["segment"], new["segment"]) == ("lapsing regulars", "fresh faces")
    assert "news/email/now" not in old["refused"]
    assert new["refused"]["news/email/now"] == "actions.news.when"


def test_without_a_model_the_segment_is_unknown_so_rules_that_allow_dont_and_rules_that_forbid_do(
    shop: Shop,
) -> None:
    told = shop.decide("old", explain=True)
    assert "segment" not in told
    assert told["refused"]["news/email/now"] == "actions.news.when"
    assert told["refused"]["offer/push/now"] == "contact.stops.rich"


def test_the_trace_names_segment_and_model_and_replay_makes_it_again(shop: Shop) -> None:

    number = shop.publish(by_recency(shop.playbook))
    told = shop.decide("old")
    trace = orjson.loads(shop.service.decision(told["decision_id"]))["trace"]
    assert trace["segment"] == {"id": "s1", "name": "lapsing regulars", "model": number}
    assert trace["features"]["segment"] == "lapsing regulars"
    fresh = orjson.loads(shop.service.decision(shop.decide("new")["decision_id"]))["trace"]
    assert (fresh["segment"]["name"], fresh["features"]["segment"]) == ("fresh faces", "(another)")
    assert replay(told["decision_id"], shop.store, shop.artefacts).faithful


def test_who_was_never_seen_is_in_no_segment(shop: Shop) -> None:
    shop.publish(by_recency(shop.playbook))
    told = shop.decide("stranger", explain=True)
    assert told["segment"] is None
    assert told["refused"]["offer/push/now"] == "consent"


def test_a_stop_on_a_segment_leaves_alone_who_is_in_none(shop: Shop) -> None:
    """A customer who has consented and done nothing yet is not in the segment that the stop names."""
    shop.publish(by_recency(shop.playbook))
    consent = Report(
        source="event",
        id="k",
        type="consent",
        customer_id="newcomer",
        occurred_at=NOON - DAY,
        properties={"granted": True},
    )
    shop.service.handle([Reports(items=(consent,))], NOON)
    told = shop.decide("newcomer", explain=True)
    assert told["segment"] is None
    assert "contact.stops.rich" not in told["refused"].values()
    assert told["refused"]["news/email/now"] == "actions.news.when", "nor is it one that a rule allows"
    trace = orjson.loads(shop.service.decision(told["decision_id"]))["trace"]
    assert trace["features"]["segment"] == "(another)"


def test_one_is_assigned_what_it_is_assigned_among_many(shop: Shop) -> None:
    shop.publish(by_recency(shop.playbook))
    for i in range(40):
        shop.visit(f"c{i}", 2.0 * i)
    together = shop.service.handle([request(f"c{i}", NOON) for i in range(40)], NOON)
    alone = [shop.decide(f"c{i}")["segment"] for i in range(40)]
    assert [answered(result)["segment"] for result in together] == alone
    assert set(alone) == {"lapsing regulars", "fresh faces"}


def test_a_model_older_than_its_features_is_not_used_the_last_good_stays_and_all_are_told(shop: Shop) -> None:
    shop.publish(by_recency(shop.playbook))
    older = parse(
        RULES.replace("touchpoints: [visit, purchase]", "touchpoints: [visit]")
        .replace("outcomes: {purchase: {value: amount}}", "outcomes: {visit: {value: 1}}")
        .replace("purchase_total", "visit_total")
    )
    shop.publish(by_recency(older))
    live = shop.live.current
    assert live.segments_publication is not None
    assert live.segments_publication.number == 1
    assert "older than their features" in live.refused["segments"]
    assert shop.alerts[-1]["event"] == "artefact_refused"
    assert shop.decide("old")["segment"] == "lapsing regulars"
    shop.reopen(shop.playbook)
    assert shop.live.current.segments_publication == live.segments_publication, "also after a restart"
    shop.publish(by_recency(shop.playbook, SEGMENTS[::-1]))
    assert shop.live.current.refused == {}


def test_rules_that_ask_for_a_segment_that_is_not_there_are_told_once(shop: Shop) -> None:
    shop.publish(by_recency(shop.playbook))
    (told,) = [alert for alert in shop.alerts if alert["event"] == "segment_unknown"]
    assert told["asked"] == ["big spenders"]
    assert asked_for(shop.playbook) == ("big spenders", "lapsing regulars")


def test_taking_segments_back_makes_them_unknown_again(shop: Shop) -> None:
    shop.publish(by_recency(shop.playbook))
    shop.store.publish(kind="segments", version="", specification="", at=NOON, who="t", why="t")
    shop.live.refresh(NOON + 1e6)
    assert "segment" not in shop.decide("old")


def test_a_playbook_without_such_rules_is_as_it_was_and_still_tells_segments(tmp_path: Path) -> None:
    shop = Shop(parse(OPEN), tmp_path)
    assert "segment" not in shop.playbook.schema.index
    shop.visit("old", 60)
    shop.publish(by_recency(shop.playbook))
    assert shop.decide("old")["segment"] == "lapsing regulars"
