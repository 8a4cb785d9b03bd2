"""Invariants 1, 2 and 4 over drawn playbooks and stories, through the whole service."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nba.chance import group_of
from nba.model import Activated, Activation, Answer, Command, DecisionRequest, Report, Reports, Result
from nba.playbook.compile import Playbook, parse
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import DecisionRow, Store
from tests.service.business import (
    NOON,
    OPEN,
    SECRET,
    Business,
    answered,
    consents,
    playbooks,
    request,
    trained,
)
from tests.service.lawful import HELD, Contact, Person, breaches, overdrawn, sound_odds
from tests.service.stories import in_batches, stories

drawn = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sizes = st.lists(st.integers(1, 12), min_size=1, max_size=4)


def told(store: Store, playbook: Playbook, commands: Sequence[Command], cut: Sequence[int]) -> list[Result]:
    business = Business.of(playbook, store)
    return [r for batch in in_batches(commands, cut) for r in business.service.handle(batch, NOON)]


def decisions(store: Store) -> list[DecisionRow]:
    return [row for rows in store.decisions(float("-inf"), float("inf")) for row in rows]


def all_breaches(
    playbook: Playbook, commands: Sequence[Command], results: Sequence[Result], secret: bytes = SECRET
) -> list[str]:
    """Tell the story to the naive rules: every rule that a decision breaks."""
    people: dict[str, Person] = defaultdict(Person)
    held: dict[str, tuple[Person, Contact]] = {}
    broken: list[str] = []
    for command, result in zip(commands, results, strict=True):
        if isinstance(command, DecisionRequest) and isinstance(result, Answer):
            answer, person = answered(result), people[command.customer_id]
            book = versions(playbook)[answer["playbook"]]
            assert command.at is not None
            person.decided.add(command.decision_id)
            if group_of(secret, command.customer_id, playbook.spec.groups) == "holdout":
                assert (answer["action"], answer["propensity"]) == ("no_contact", 1.0)
            if answer["action"] == "no_contact":
                continue
            broken += breaches(book, person, answer, command.at)
            if command.channels is not None and answer["channel"] not in command.channels:
                broken.append("request.channels")
            send_at = datetime.fromisoformat(answer["send_at"]).timestamp()
            contact = Contact(
                command.decision_id, answer["action"], answer["channel"], answer["purpose"], send_at
            )
            everybody = [c for p in people.values() for c in p.contacts]
            same = book.spec.actions[contact.action].daily == playbook.spec.actions[contact.action].daily
            if same and overdrawn(playbook, everybody, contact, command.at):
                broken.append("daily")
            person.contacts.append(contact)
            if not command.activate:
                contact.until = command.at + HELD
                held[command.decision_id] = (person, contact)
        elif isinstance(command, Activation) and isinstance(result, Activated):
            if command.decision_id in held:
                held[command.decision_id][1].until = None
        elif isinstance(command, Reports):
            for item in command.items:
                assert isinstance(item, Report)
                _hear(people, item)
    return broken


def versions(playbook: Playbook) -> dict[str, Playbook]:
    """The playbook and what its variants make of it, by the names that decisions have."""
    return {one.version: one for one in (playbook, *playbook.variations.values())}


def _hear(people: dict[str, Person], item: Report) -> None:
    if item.type == "not_sent":
        for person in people.values():
            person.contacts = [c for c in person.contacts if c.id != item.decision_id]
    if item.type == "purchase":
        assert item.occurred_at is not None
        for person in people.values():
            if any(c == item.decision_id for c in person.decided):
                person.latest["purchase"] = item.occurred_at
    if item.type == "consent":
        said, at = item.properties, item.occurred_at
        known = people[str(item.customer_id)]
        before = known.consents.get((str(said["purpose"]), item.channel))
        assert at is not None
        if before is None or (at, not said["granted"]) > (before[0], not before[1]):
            known.hears(str(said["purpose"]), item.channel, bool(said["granted"]), at)
    if item.type == "profile":
        zone = item.properties["timezone"]
        people[str(item.customer_id)].timezone = None if zone is None else str(zone)


@drawn
@given(playbook=playbooks(), story=stories(), cut=sizes)
def test_no_decision_breaks_consent_cap_cooldown_quiet_hours_or_validity(
    playbook: Playbook, story: list[Command], cut: list[int]
) -> None:
    store = MemoryStore("request", secret=SECRET)
    results = told(store, playbook, story, cut)
    assert all_breaches(playbook, story, results) == []
    assert all(sound_odds(playbook, row) for row in decisions(store))


@drawn
@given(playbook=playbooks(), story=stories(), cut=sizes)
def test_a_batch_decides_as_its_commands_one_at_a_time(
    playbook: Playbook, story: list[Command], cut: list[int]
) -> None:
    one, many = (MemoryStore("request", secret=SECRET) for _ in range(2))
    assert list(map(shown, told(one, playbook, story, [1]))) == list(
        map(shown, told(many, playbook, story, cut))
    )
    assert list(map(kept, decisions(one))) == list(map(kept, decisions(many)))


def shown(result: Result) -> object:
    """What the caller is told, bit for bit; an error by what it says."""
    return (type(result).__name__, str(result)) if isinstance(result, Exception) else result


def kept(row: DecisionRow) -> tuple[object, ...]:
    """A log row without the surrogate, which is random, and without what was used up of daily limits.

    Those who are decided for together see what was used up before all of them, which opens and shuts the
    same arms: no more are taken together than leave every limit room.
    """
    fields = (f for f in DecisionRow.__dataclass_fields__ if f not in ("surrogate", "trace"))
    trace = {name: value for name, value in orjson.loads(row.trace).items() if name != "used"}
    return (*(getattr(row, f) for f in fields), orjson.dumps(trace))


@settings(max_examples=8, deadline=None)
@given(playbook=playbooks(), story=stories(), cut=sizes)
def test_sqlite_decides_as_memory_does(
    tmp_path_factory: pytest.TempPathFactory, playbook: Playbook, story: list[Command], cut: list[int]
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/nba.db"
    disk = open_store(url, "request")
    memory = MemoryStore("request", secret=disk.secret)
    try:
        results = told(disk, playbook, story, cut)
        assert list(map(shown, results)) == list(map(shown, told(memory, playbook, story, cut)))
        assert list(map(kept, decisions(disk))) == list(map(kept, decisions(memory)))
        assert all_breaches(playbook, story, results, disk.secret) == []
    finally:
        disk.close()


def bulk(cut: int) -> list[bytes]:
    """400 customers, three decisions each, in batches of `cut`: the answers."""
    playbook = parse(OPEN)
    business = Business.of(playbook, MemoryStore("request", secret=SECRET))
    business.serve(trained(playbook))
    business.report(*(consents(f"b{i}") for i in range(400)))
    commands = [
        request(f"b{i}", NOON + turn, id=f"b{i}-{turn}", context={"device": "ios", "basket": float(i % 7)})
        for turn in range(3)
        for i in range(400)
    ]
    results = [r for batch in in_batches(commands, [cut]) for r in business.service.handle(batch, NOON)]
    assert all(sound_odds(playbook, row) for row in decisions(business.store))
    return [result.body for result in results if isinstance(result, Answer)]


def test_a_learned_policy_decides_the_same_in_bulk_and_one_at_a_time() -> None:
    one, many = bulk(1), bulk(1_200)
    assert len(one) == 1_200
    assert one == many
    answers = [orjson.loads(body) for body in one]
    contacts = Counter(a["customer_id"] for a in answers if a["action"] != "no_contact")
    assert max(contacts.values()) == 2, "the cap"
    explored = np.mean([answer["explored"] for answer in answers])
    assert 0 < explored < 1


def test_another_process_decides_the_same() -> None:
    script = "from tests.service.test_laws import bulk; import hashlib;"
    script += "print(hashlib.sha256(b''.join(bulk(50))).hexdigest())"
    root = Path(__file__).parents[2]
    runs = [
        subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.strip() == hashlib.sha256(b"".join(bulk(50))).hexdigest()


def test_bodies_are_json_of_finite_numbers() -> None:
    for body in bulk(400)[:50]:
        json.loads(body, parse_constant=lambda text: pytest.fail(f"{text} in an answer"))
