"""The arrays against the reference: every arm of random customers under random playbooks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.contact.zones import day_name, local_day
from nba.model import ContactRow, Used
from nba.playbook.compile import Playbook
from tests.contact.random_business import CATEGORIES, DAY, HOUR, STARTS, ZONES, random_playbook
from tests.contact.reference import Person, judge

CONTACTS = 6  # the reference looks at every set of those that may go


def random_person(rng: Random, playbook: Playbook, start: float) -> Person:
    spec, now = playbook.spec, start + rng.choice([0.0, rng.uniform(0, 6 * DAY), rng.randint(0, 400) * 900.0])
    channels = list(spec.channels)
    consents = {(p, c) for p in PURPOSES for c in channels if rng.random() < 0.8}
    return Person(
        now=now,
        zone=rng.choice(ZONES),
        age=rng.choice([math.nan, 12.0, 40.0, 40.0, 60.0]),
        days_since_visit=rng.choice([math.nan, rng.uniform(0, 3), 30.0]),
        consents=frozenset(consents),
        contacts=tuple(_contact(rng, playbook, now, i) for i in range(rng.randint(0, CONTACTS))),
        actions=frozenset(a for a in spec.actions if rng.random() < 0.95),
        channels=frozenset(c for c in channels if rng.random() < 0.95),
        holdout=rng.random() < 0.03,
    )


def _contact(rng: Random, playbook: Playbook, now: float, number: int) -> ContactRow:
    """Of the past week and the next days, now and then of an action, channel or category that is gone."""
    name = rng.choice([*playbook.spec.actions, "gone"])
    action = playbook.spec.actions.get(name)
    return ContactRow(
        decision_id=f"d{rng.randint(0, 9)}-{number}",
        surrogate="s",
        action=name,
        channel=rng.choice(["a", "b", "c", "fax"]),
        purpose=rng.choice(PURPOSES) if action is None else action.purpose,
        category=rng.choice([*CATEGORIES, "gone"]) if action is None else action.category,
        send_at=now
        + rng.choice([-7 * DAY, rng.uniform(-8, 0) * DAY, rng.randint(-9, 50) * HOUR, rng.random() * DAY]),
        status=rng.choice(["reserved", "reserved", "reserved", "held"]),
    )


def random_usage(rng: Random, playbook: Playbook, now: float) -> dict[tuple[str, str], Used]:
    today = local_day(int(now), playbook.spec.timezone)
    limited = {name: a.daily for name, a in playbook.spec.actions.items() if a.daily is not None}
    return {
        (name, day_name(today + ahead)): Used(
            contacts=max(0, (daily.contacts or 0) - rng.randint(0, 2)),
            spend=max(0.0, (daily.spend or 0.0) - rng.choice([0.0, 0.1, 0.25, 0.3, 0.6])),
        )
        for name, daily in limited.items()
        for ahead in range(-1, 3)
        if rng.random() < 0.7
    }


def situation_of(playbook: Playbook, people: Sequence[Person]) -> Situation:
    arms, schema = playbook.arms, playbook.schema
    features = np.zeros((len(people), len(schema)))
    features[:, schema.index["age"]] = [p.age for p in people]
    features[:, schema.index["days_since_visit"]] = [p.days_since_visit for p in people]
    return Situation(
        now=np.array([p.now for p in people]),
        zones=[p.zone for p in people],
        features=features,
        consent=np.array([[[(u, c) in p.consents for c in arms.channels] for u in PURPOSES] for p in people]),
        ledger=Ledger.of(playbook, [p.contacts for p in people]),
        asked_actions=np.array([[name in p.actions for name in arms.actions] for p in people]),
        asked_channels=np.array([[name in p.channels for name in arms.channels] for p in people]),
        holdout=np.array([p.holdout for p in people]),
        used=people[0].used,
    )


def random_people(seed: int) -> tuple[Playbook, list[Person]]:
    rng = Random(seed)
    start = rng.choice(STARTS)
    playbook = random_playbook(rng, start)
    people = [random_person(rng, playbook, start) for _ in range(4)]
    used = random_usage(rng, playbook, people[0].now)
    return playbook, [Person(**{**vars(p), "used": used}) for p in people]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_eligibility_reasons_moments_and_displaced_contacts_are_those_of_the_rules_texts(seed: int) -> None:
    playbook, people = random_people(seed)
    gate, asked = Gatekeeper(playbook), situation_of(playbook, people)
    verdict = gate.judge(asked)
    assert verdict.eligible[:, 0].all()
    assert not verdict.displacing[:, 0].any()
    for row, person in enumerate(people):
        expected = judge(playbook, person)
        for arm, name in enumerate(playbook.arms.names[1:], start=1):
            finding, send_at = expected[name], float(verdict.send_at[row, arm])
            assert gate.reasons[verdict.codes[row, arm]] == finding.reason, (name, row)
            assert (None if math.isnan(send_at) else send_at) == finding.send_at
            gone = gate.displaced(asked, row, arm, verdict)
            assert frozenset(gone) == finding.gone, (name, row)
            assert len(gone) == len(finding.gone)
            assert bool(verdict.displacing[row, arm]) == bool(finding.gone)


def test_random_people_meet_every_rule_and_displace_each_other() -> None:
    """What makes the test above worth something: 100 seeds, from 0 on, bring every kind of refusal."""
    met: set[str] = set()
    displacing = 0
    for seed in range(100):
        playbook, people = random_people(seed)
        gate = Gatekeeper(playbook)
        verdict = gate.judge(situation_of(playbook, people))
        kinds = {gate.reasons[code].split("[")[0] for code in np.unique(verdict.codes)}
        met |= {kind if kind.startswith("contact") else kind.rpartition(".")[2] for kind in kinds}
        displacing += int(verdict.displacing.sum())
    assert met == {
        "", "holdout", "actions", "channels", "consent", "valid_from", "valid_until", "when", "stop_after",
        "cooldown", "contact.quiet_hours", "contact.stops.young", "contact.caps", "daily",
    }  # fmt: skip
    assert displacing > 20
