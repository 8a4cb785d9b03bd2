"""The policy that is valued in the world is the one that the service serves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest

from experiments.simulate import PLAYBOOK, Moment, Response, World, customer_ids, history
from nba.artefacts import Artefacts
from nba.features import history as files
from nba.live import Live, LiveSource
from nba.model import DecisionRequest, Report, Reports
from nba.playbook.compile import Playbook, parse
from nba.policies.batch import TrainingBatch
from nba.policies.learners import LEARNERS
from nba.policies.policy import Policy
from nba.policies.served import IncumbentPolicy, ServedPolicy
from nba.service import Service
from nba.stores.memory import MemoryStore
from training.apply import apply_history
from training.demo.deployed import Deployed, Floats, Ground, Ints, as_served
from training.demo.past import contexts, past, revocations

CUSTOMERS, DAYS = 60, 40
IDS = customer_ids(np.arange(CUSTOMERS)).to_list()


def everybody_treated() -> Playbook:
    text = PLAYBOOK.read_text(encoding="utf-8")
    return parse(text.replace("holdout: 0.05, random_eligible: 0.05", "holdout: 0, random_eligible: 0"))


def ridge(playbook: Playbook, ground: Ground, moment: Moment) -> Policy:
    """A learned policy that looks at every feature; what it learned is noise."""
    features, _ = Deployed(ground, lambda *_: np.empty(0)).situation(moment)
    rng = np.random.default_rng(3)
    n = 20 * len(features)
    batch = TrainingBatch(
        features=np.tile(features, (20, 1)),
        arm=rng.integers(len(playbook.arms), size=n),
        reward=rng.normal(size=n),
        propensity=np.full(n, 0.1),
    )
    model = LEARNERS["ridge"].fit(playbook, batch, 0, {"strength": 100.0, "bins": 1})
    return ServedPolicy.of(model, playbook.spec.exploration)


class Served:
    """The real service over a store in memory, told the same as the policy in the world."""

    def __init__(self, folder: Path, playbook: Playbook, policy: Policy, record: pl.DataFrame) -> None:
        self._world = World.create(5, CUSTOMERS)
        self._playbook = playbook
        files.append(folder / "history", record, "record")
        store = MemoryStore("request")
        apply_history(store, playbook, folder / "history")
        artefacts = Artefacts(folder / "artefacts")
        live = LiveSource(
            playbook=playbook, store=store, artefacts=artefacts, alert=lambda event, fields: None
        )
        live.current = Live(
            playbook=playbook,
            policy=policy,
            policy_name="test@1",
            policy_publication=None,
            scores=None,
            scores_publication=None,
            trained_through=None,
        )
        self._service = Service(store=store, live=live)

    def decide(self, day: int, at: float) -> tuple[Floats, Ints]:
        """(n, k) odds over the playbook's arms, and (n,) the arms drawn."""
        requests = [
            DecisionRequest(
                customer_id=customer,
                decision_id=f"{customer}.{day}",
                digest=b"",
                context=context,
                at=at,
            )
            for customer, context in zip(IDS, contexts(self._world), strict=True)
        ]
        self._service.handle(requests, now=at)
        traced = [orjson.loads(self._service.decision(r.decision_id)) for r in requests]
        arms = self._playbook.arms
        odds = np.zeros((CUSTOMERS, len(arms)))
        for row, decision in enumerate(traced):
            for alternative in decision["trace"]["alternatives"]:
                odds[row, arms.index[alternative["arm"]]] = alternative["odds"]
        return odds, np.array([arms.find(d["action"], d["channel"], d["timing"]) for d in traced])

    def hear(self, response: Response) -> None:
        rows = pl.concat(
            [response.touchpoints(), revocations(response.touchpoints())], how="diagonal_relaxed"
        )
        reports = tuple(
            Report(
                source="event",
                id=row["event_id"],
                type=row["type"],
                customer_id=row["customer_id"],
                channel=row["channel"],
                occurred_at=row["occurred_at"].timestamp(),
                value=row["value"] or 0.0,
                properties=orjson.loads(row["properties"] or "{}"),
            )
            for row in rows.iter_rows(named=True)
        )
        receipt = self._service.handle([Reports(items=reports)], now=0.0)[0]
        assert not getattr(receipt, "rejected", ("no receipt",))


@pytest.mark.parametrize("learned", [False, True], ids=["incumbent", "ridge"])
def test_in_the_world_a_policy_has_the_odds_that_the_service_logs(tmp_path: Path, learned: bool) -> None:
    playbook, world = everybody_treated(), World.create(5, CUSTOMERS)
    lived = history(world, DAYS, 5, rate=1 / 5)
    record = past(world, lived, DAYS)
    ground = Ground.of(world, playbook, record, None)
    state, since = lived.state, list[Response]()
    first = Moment(world=world, day=0, state=state, eligible=world.eligible(state))
    policy = ridge(playbook, ground, first) if learned else IncumbentPolicy.of(playbook)
    deployed, served = Deployed(ground, as_served(policy)), Served(tmp_path, playbook, policy, record)
    contacts = 0
    for day in range(15):
        arm = np.zeros(CUSTOMERS, dtype=np.int64)
        if day % 2 == 0:  # often enough for the cap of three a week to bind
            eligible = world.eligible(state)
            moment = Moment(world=world, day=day, state=state, eligible=eligible, since=tuple(since))
            odds, arm = served.decide(day, moment.at)
            np.testing.assert_allclose(deployed(moment), odds, rtol=0, atol=1e-9)
            since, contacts = [], contacts + int((arm > 0).sum())
        state, response = world.step(state, day, arm, seed=8)
        served.hear(response)
        since.append(response)
    assert contacts > CUSTOMERS


def test_the_record_tells_of_contacts_profiles_and_every_consent_taken_back() -> None:
    world = World.create(5, 400)
    lived = history(world, 60, 5, rate=0.5)
    record = past(world, lived, 60)
    assert record["event_id"].is_unique().all()
    assert record["occurred_at"].is_sorted()
    assert (record["type"] == "contact").sum() == len(lived.contacts)
    assert (record["type"] == "profile").sum() == 400
    latest = record.filter(pl.col("type") == "consent").group_by("customer_id", "channel").last()
    said = latest.select("customer_id", "channel", pl.col("properties").str.json_path_match("$.granted"))
    now = world.consents(lived.state).with_columns(pl.col("granted").cast(pl.String))
    both = said.join(now, on=["customer_id", "channel"])
    assert len(both) == 400 * len(world.commerce.channels)
    assert (both["properties"] == both["granted"]).all()
    assert (now["granted"] == "false").sum() > (~world.initial().granted).sum()  # some did unsubscribe
    assert (record["occurred_at"] < datetime(2026, 1, 5, 12, tzinfo=UTC)).all()
