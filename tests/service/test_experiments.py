"""Experiments in the decision path: who is in one is told so, decided for under its variant, and in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from nba.artefacts import Artefacts
from nba.bulk import decide_file
from nba.chance import group_of
from nba.model import BroughtAction, Command
from nba.playbook.compile import Playbook, parse
from nba.replay import replay
from nba.service import Service
from nba.stores.memory import MemoryStore
from nba.trace import experiments_of
from tests.service.business import (
    DAY,
    NOON,
    OPEN,
    SECRET,
    Business,
    answered,
    playbooks,
    request,
    trained,
)
from tests.service.lawful import sound_odds
from tests.service.stories import stories
from tests.service.test_ladder import Watcher
from tests.service.test_laws import all_breaches, decisions, kept, shown, sizes, told, versions
from tests.service.trials import GROUPS, SOME, opened, trying, with_experiments

CAPPED = (
    OPEN
    + """
experiments:
  - name: caps
    share: 0.8
    variants:
      two: {}
      one: {change: {contact: {caps: [{max: 1, within: 7d}]}}}
"""
)


def test_an_answer_names_the_variant_and_the_log_too() -> None:
    business = opened(CAPPED)
    answers = [business.decide(f"c{i}") for i in range(60)]
    told = Counter(orjson.dumps(answer["experiment"]) for answer in answers)
    assert set(told) == {b"null", b'{"caps":"two"}', b'{"caps":"one"}'}
    rows = {row.decision_id: row for row in decisions(business.store)}
    for answer in answers:
        assert experiments_of(rows[answer["decision_id"]]) == (answer["experiment"] or {})
        trace = business.trace(answer["decision_id"])["trace"]
        assert trace.get("experiments") == answer["experiment"]


def test_who_is_asked_for_again_is_in_the_same_variant_in_another_process_too() -> None:
    first, second = opened(CAPPED), opened(CAPPED)
    for i in range(40):
        found = {
            str(b.decide(f"c{i}", now=NOON + n * DAY)["experiment"]) for b in (first, second) for n in (0, 9)
        }
        assert len(found) == 1


def test_a_changed_cap_is_obeyed_in_its_variant_alone() -> None:
    business = opened(CAPPED)
    business.serve(trained(business.live.current.playbook))
    contacts: Counter[str] = Counter()
    for turn in range(30):
        answers = business.service.handle([request(f"c{i}") for i in range(60)], NOON + turn)
        contacts.update(a["customer_id"] for a in map(answered, answers) if a["channel"])
    variants = {f"c{i}": business.decide(f"c{i}", now=NOON + 100)["experiment"] for i in range(60)}
    most = {
        name: {contacts[c] for c, v in variants.items() if v == told}
        for name, told in (("one", {"caps": "one"}), ("two", {"caps": "two"}), ("none", None))
    }
    assert most == {"one": {1}, "two": {2}, "none": {2}}


def test_the_log_names_the_playbook_of_the_variant_and_the_store_keeps_it() -> None:
    business = opened(CAPPED)
    base = business.live.current.playbook
    for i in range(30):
        answer = business.decide(f"c{i}")
        changed = answer["experiment"] == {"caps": "one"}
        assert (answer["playbook"] != base.version) == changed
        text = business.store.playbook(answer["playbook"])
        assert text is not None
        assert parse(text, kept=True).version == answer["playbook"]


def test_holdout_and_random_eligible_customers_are_in_no_experiment() -> None:
    business = opened(CAPPED.replace(GROUPS, SOME), 200)
    groups = defaultdict(set)
    for i in range(200):
        answer = business.decide(f"c{i}")
        groups[answer["group"]].add(str(answer["experiment"]))
        expected = {"holdout": "no_contact@0", "random_eligible": "uniform@0"}.get(answer["group"])
        assert expected in (None, answer["policy"])
    assert groups["holdout"] == groups["random_eligible"] == {"None"}
    assert len(groups["treatment"]) == 3


@pytest.mark.parametrize("changed", ["uniform", "no_contact", "incumbent"])
def test_a_variant_says_who_decides(changed: str) -> None:
    lines = "\nincumbent: [{action: news, channel: email, timing: now}]\n"
    business = opened(trying({"control": "champion", "new": changed}) + lines)
    business.serve(trained(business.live.current.playbook))
    seen = {(a["experiment"]["e"], a["policy"]) for a in (business.decide(f"c{i}") for i in range(40))}
    assert seen == {("control", "ridge@1"), ("new", f"{changed}@0")}
    rows = decisions(business.store)
    assert all(sound_odds(business.live.current.playbook, row) for row in rows)
    silent = [row for row in rows if row.policy == "no_contact@0"]
    assert all(row.propensity > 0.9 for row in silent if row.action == "no_contact")


def test_a_variants_exploration_is_that_of_its_champion() -> None:
    text = with_experiments(
        {
            "name": "e",
            "variants": {"as-is": {}, "wide": {"change": {"exploration": {"explorer": "uniform"}}}},
        }
    )
    business = opened(text)
    business.serve(trained(business.live.current.playbook))
    best: dict[str, list[float]] = {"as-is": [], "wide": []}
    for i in range(60):
        answer = business.decide(f"c{i}", explain=True)
        best[answer["experiment"]["e"]].append(max(a["odds"] for a in answer["alternatives"]))
        assert answer["policy"] == "ridge@1"
    assert min(best["as-is"]) >= 0.7, "the ceiling"
    assert max(best["wide"]) < 0.4


def test_an_experiment_is_on_between_its_moments_and_after_its_washout() -> None:
    times = {"starts": "2025-06-15T12:00:00Z", "ends": "2025-06-18T12:00:00Z", "washout": "1d"}
    business = opened(with_experiments({"name": "e", **times, "variants": {"a": {}, "b": {}}}))
    noons = [business.decide("c1", now=NOON + day * DAY)["experiment"] is not None for day in range(5)]
    assert NOON == 1_749_988_800.0  # 2025-06-15T12:00:00Z
    assert noons == [False, True, True, False, False]


def test_in_apprentice_mode_the_incumbent_decides_but_where_an_experiment_names_another() -> None:
    text = trying({"control": "champion", "new": "uniform"})
    lines = "\nmode: apprentice\nincumbent: [{action: news, channel: email, timing: now}]\n"
    business = opened(text + lines)
    business.serve(trained(business.live.current.playbook))
    answers = [business.decide(f"c{i}") for i in range(30)]
    assert {(a["experiment"]["e"], a["policy"]) for a in answers} == {
        ("control", "incumbent@0"),
        ("new", "uniform@0"),
    }
    assert all("fallback" not in answer for answer in answers)


def test_brought_actions_are_decided_for_under_the_variant() -> None:
    text = CAPPED.replace("contact:\n", "catalogue: {attributes: {price: 10}}\ncontact:\n", 1)
    business = opened(text)
    brought = (BroughtAction(id="theirs", features=(("price", 4.0),)),)
    seen = defaultdict(list)
    for i in range(40):
        for turn in range(6):
            answer = business.decide(f"c{i}", now=NOON + turn, actions=("theirs",), brought=brought)
            seen[str(answer["experiment"]), f"c{i}"].append(answer["action"])
    most = {told: max(a.count("theirs") for (t, _), a in seen.items() if t == told) for told, _ in seen}
    assert most == {"None": 2, "{'caps': 'two'}": 2, "{'caps': 'one'}": 1}


def test_whoever_measures_is_told_of_each_variant() -> None:
    watcher, store = Watcher(), MemoryStore(secret=SECRET)
    business = Business.of(CAPPED, store)
    service = Service(store=store, live=business.live, observer=watcher)
    answers = [answered(a) for a in service.handle([request(f"c{i}") for i in range(50)], NOON)]
    counts = Counter(a["experiment"]["caps"] for a in answers if a["experiment"])
    assert {(name, variant): n for name, variant, n in watcher.experiments} == {
        ("caps", variant): n for variant, n in counts.items()
    }


def test_without_experiments_or_ramp_nothing_of_it_is_in_the_log() -> None:
    business = opened(OPEN)
    answer = business.decide("c1")
    (row,) = decisions(business.store)
    assert answer["experiment"] is None
    assert experiments_of(row) == {}
    assert {"experiments", "pool"}.isdisjoint(orjson.loads(row.trace))


drawn = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@drawn
@given(playbook=playbooks(trying=True), story=stories(), cut=sizes)
def test_no_decision_in_an_experiment_breaks_a_rule_of_its_variant(
    playbook: Playbook, story: list[Command], cut: list[int]
) -> None:
    store = MemoryStore("request", secret=SECRET)
    results = told(store, playbook, story, cut)
    assert all_breaches(playbook, story, results) == []
    assert all(sound_odds(versions(playbook)[row.playbook], row) for row in decisions(store))


@drawn
@given(playbook=playbooks(trying=True), story=stories(), cut=sizes)
def test_a_batch_with_experiments_decides_as_its_commands_one_at_a_time(
    playbook: Playbook, story: list[Command], cut: list[int]
) -> None:
    one, many = (MemoryStore("request", secret=SECRET) for _ in range(2))
    assert list(map(shown, told(one, playbook, story, [1]))) == list(
        map(shown, told(many, playbook, story, cut))
    )
    assert list(map(kept, decisions(one))) == list(map(kept, decisions(many)))


@settings(drawn, max_examples=6)
@given(playbook=playbooks(trying=True), story=stories(), cut=sizes)
def test_every_decision_in_an_experiment_replays(
    playbook: Playbook, story: list[Command], cut: list[int]
) -> None:
    store = MemoryStore("request", secret=SECRET)
    told(store, playbook, story, cut)
    for row in decisions(store):
        assert replay(row.decision_id, store, Artefacts(Path("nowhere"))).differences == ()


def test_bulk_answers_name_the_variant(tmp_path: Path) -> None:
    business = opened(CAPPED)
    pq.write_table(pa.table({"customer_id": [f"c{i}" for i in range(40)]}), tmp_path / "in.parquet")
    decide_file(business.service, tmp_path / "in.parquet", tmp_path / "out.parquet", now=lambda: NOON)
    told = pq.read_table(tmp_path / "out.parquet").to_pylist()
    alone = [business.decide(f"c{i}", now=NOON + 1)["experiment"] for i in range(40)]
    assert [None if row["experiment"] is None else orjson.loads(row["experiment"]) for row in told] == alone


def test_a_group_is_what_it_is_without_experiments() -> None:
    with_them, without = opened(CAPPED.replace(GROUPS, SOME)), opened(OPEN.replace(GROUPS, SOME))
    groups = with_them.live.current.playbook.spec.groups
    for i in range(60):
        found = {with_them.decide(f"c{i}")["group"], without.decide(f"c{i}")["group"]}
        assert found == {group_of(SECRET, f"c{i}", groups)}
