"""Experiments in the decision path: who is in one is told so, decided for under its variant, and in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from nba.artefacts import Artefacts
from nba.bulk import decide_file
from nba.chance import group_of
from nba.contact.pools import pool_of
from nba.live import LiveSource
from nba.model import BroughtAction, Command
from nba.playbook.compile import Playbook, parse
from nba.policies.artefact import seal
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy
from nba.replay import replay
from nba.service import Service
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from nba.stores.ports import Publication, Store
from nba.trace import experiments_of
from tests.service.business import (
    DAY,
    NOON,
    OPEN,
    SECRET,
    Business,
    answered,
    consents,
    outcome,
    playbooks,
    request,
    trained,
)
from tests.service.lawful import sound_odds
from tests.service.stories import stories
from tests.service.test_ladder import Watcher
from tests.service.test_laws import all_breaches, decisions, kept, shown, sizes, told, versions

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
GROUPS = "groups: {holdout: 0, random_eligible: 0}"
SOME = "groups: {holdout: 0.2, random_eligible: 0.2}"


def opened(text: str, customers: int = 60, store: Store | None = None) -> Business:
    """A shop whose customers all agreed to be written to."""
    business = Business.of(text, store or MemoryStore("live", secret=SECRET))
    business.report(*(consents(f"c{i}") for i in range(customers)), now=NOON - 2 * DAY)
    return business


def with_experiments(*experiments: Mapping[str, Any], text: str = OPEN) -> str:
    return f"{text}\nexperiments: {orjson.dumps(experiments).decode()}\n"


def trying(who: Mapping[str, str], name: str = "e") -> str:
    return with_experiments({"name": name, "variants": {v: {"policy": p} for v, p in who.items()}})


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


# Limits


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


# Laws

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


# Published policies


class Shelf:
    """A shop on a store with artefacts, where policies are published and taken up."""

    def __init__(self, text: str, folder: Path, customers: int = 60) -> None:
        self.playbook, self.artefacts = parse(text), Artefacts(folder)
        self.store = MemoryStore(secret=SECRET)
        self.alerts: list[dict[str, Any]] = []
        self.live = LiveSource(
            playbook=self.playbook,
            store=self.store,
            artefacts=self.artefacts,
            alert=lambda event, fields: self.alerts.append({"event": event, **fields}),
        )
        self.business = Business(self.store, Service(store=self.store, live=self.live), self.live)
        self.business.report(*(consents(f"c{i}") for i in range(customers)), now=NOON - 2 * DAY)

    def publish(
        self,
        policy: Policy | None,
        kind: str = "policy",
        at: float = NOON,
        book: Playbook | None = None,
        **more: Any,
    ) -> Publication:
        version, specification = "", "fallback"
        if policy is not None:
            artefact = seal(
                policy, book or self.playbook, data_from=1.0, data_to=2.0, rows=2_000, parameters={}
            )
            version, specification = self.artefacts.write(artefact), policy.specification
        published = self.store.publish(
            kind=kind, version=version, specification=specification, at=at, who="t", why="t", **more
        )
        self.live.refresh(at)
        return published

    def spoil(self, publication: Publication) -> None:
        (self.artefacts.path(publication.version) / "policy.json").write_bytes(b"[")

    def answers(self, customers: int = 60, now: float = NOON) -> list[Mapping[str, Any]]:
        return [self.business.decide(f"c{i}", now=now) for i in range(customers)]

    def replayed(self, most: int = 30) -> bool:
        """Whether logged decisions, taken evenly, come out the same."""
        logged = decisions(self.store)
        rows = logged[:: max(1, len(logged) // most)]
        return bool(rows) and all(
            replay(row.decision_id, self.store, self.artefacts).differences == () for row in rows
        )


def policies(answers: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(a["experiment"]["e"], a["policy"]) for a in answers}


OWN = trying({"control": "champion", "new": "own"})


def test_a_variant_of_its_own_policy_has_the_champion_until_there_is_one(tmp_path: Path) -> None:
    shelf = Shelf(OWN, tmp_path)
    shelf.publish(trained(shelf.playbook))
    assert policies(shelf.answers()) == {("control", "ridge@1"), ("new", "ridge@1")}
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1), kind="variant.e.new")
    assert policies(shelf.answers()) == {("control", "ridge@1"), ("new", "constant@2")}
    shelf.publish(None, kind="variant.e.new", share=0.0)
    assert policies(shelf.answers()) == {("control", "ridge@1"), ("new", "ridge@1")}
    assert shelf.replayed()


def test_in_apprentice_mode_a_variants_own_policy_decides_for_it_and_replays(tmp_path: Path) -> None:
    lines = "\nmode: apprentice\nincumbent: [{action: news, channel: email, timing: now}]\n"
    shelf = Shelf(OWN + lines, tmp_path)
    shelf.publish(trained(shelf.playbook))
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1), kind="variant.e.new")
    shelf.publish(ConstantPolicy.of(shelf.playbook, 2), kind="ramp", share=1.0)
    assert policies(shelf.answers()) == {("control", "incumbent@0"), ("new", "constant@2")}
    assert shelf.replayed()


def test_a_bad_policy_of_a_variant_keeps_the_last_good_one_and_is_told(tmp_path: Path) -> None:
    shelf = Shelf(OWN, tmp_path)
    shelf.publish(trained(shelf.playbook))
    bad = ConstantPolicy.of(shelf.playbook, 2)
    version = shelf.artefacts.write(
        seal(bad, shelf.playbook, data_from=None, data_to=None, rows=0, parameters={})
    )
    (shelf.artefacts.path(version) / "policy.json").write_bytes(b"[")
    for number, good in ((2, "ridge@1"), (4, "constant@3")):
        shelf.store.publish(
            kind="variant.e.new", version=version, specification="constant", at=NOON, who="t", why="t"
        )
        shelf.live.refresh(NOON + 1_000 * number)
        assert policies(shelf.answers()) == {("control", "ridge@1"), ("new", good)}
        assert (shelf.alerts[-1]["kind"], shelf.alerts[-1]["number"]) == ("variant.e.new", number)
        if number == 2:
            shelf.publish(ConstantPolicy.of(shelf.playbook, 1), kind="variant.e.new")
    again = LiveSource(
        playbook=shelf.playbook, store=shelf.store, artefacts=shelf.artefacts, alert=lambda *_: None
    )
    again.refresh(NOON)
    assert again.current.trials["variant.e.new"].publication.number == 3, "a new process finds it"


def test_a_published_policy_decides_where_a_variant_names_it(tmp_path: Path) -> None:
    shelf = Shelf(trying({"control": "champion", "new": "ridge@1"}), tmp_path)
    first = shelf.publish(trained(shelf.playbook))
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1))
    assert policies(shelf.answers()) == {("control", "constant@2"), ("new", "ridge@1")}
    assert shelf.replayed()
    again = Shelf(trying({"control": "champion", "new": "ridge@1"}), tmp_path)
    again.store, again.live._store = shelf.store, shelf.store
    shelf.spoil(first)
    again.live.refresh(NOON)
    business = Business(shelf.store, Service(store=shelf.store, live=again.live), again.live)
    told = [business.decide(f"c{i}") for i in range(60)]
    assert policies(told) == {("control", "constant@2"), ("new", "constant@2")}
    assert {(a["experiment"]["e"], a.get("fallback")) for a in told} == {
        ("control", None),
        ("new", "refused"),
    }
    assert again.alerts[0]["name"] == "ridge@1"


def test_a_policy_that_was_never_published_is_told_and_waited_for(tmp_path: Path) -> None:
    shelf = Shelf(trying({"control": "champion", "new": "constant@1"}), tmp_path)
    shelf.live.refresh(NOON)
    assert "never published" in shelf.alerts[0]["detail"]
    assert policies(shelf.answers()) == {("control", "uniform@0"), ("new", "uniform@0")}
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1), at=NOON + 60)
    assert policies(shelf.answers(now=NOON + 61)) == {("control", "constant@1"), ("new", "constant@1")}


def test_a_champion_that_can_not_serve_under_a_change_leaves_it_to_the_rules_and_is_told() -> None:
    change = {"exploration": {"explorer": "thompson"}}
    watcher, store = Watcher(), MemoryStore(secret=SECRET)
    business = Business.of(
        with_experiments({"name": "e", "variants": {"control": {}, "new": {"change": change}}}), store
    )
    business.serve(trained(business.live.current.playbook))
    service = Service(store=store, live=business.live, observer=watcher)
    answers = [answered(a) for a in service.handle([request(f"c{i}") for i in range(40)], NOON)]
    assert policies(answers) == {("control", "ridge@1"), ("new", "uniform@0")}
    assert {a.get("fallback") for a in answers if a["experiment"]["e"] == "new"} == {"refused"}
    assert watcher.failed == [("ridge@1", "SchemaMismatch")]


CHANGING = with_experiments(
    {
        "name": "e",
        "share": 0.7,
        "variants": {
            "control": {},
            "new": {"change": {"exploration": {"explorer": "softmax"}, "actions": {"offer": {"lever": 2.0}}}},
        },
    },
    {"name": "q", "layer": "rules", "variants": {"a": {}, "b": {"change": {"contact": {"caps": []}}}}},
)


def test_decisions_of_a_learned_policy_in_variants_replay_in_every_bit(tmp_path: Path) -> None:
    shelf = Shelf(CHANGING.replace(GROUPS, SOME), tmp_path)
    shelf.publish(trained(shelf.playbook))
    shelf.publish(trained(shelf.playbook, 1), kind="ramp", share=0.5)
    answers = [
        shelf.business.decide(f"c{i}", now=NOON + turn, explain=turn > 0, actions=asked)
        for i in range(60)
        for turn, asked in enumerate((None, ("news",)))
    ]
    assert len({a["playbook"] for a in answers}) == 4
    assert {a["policy"] for a in answers} == {"ridge@1", "uniform@0", "no_contact@0"}, (
        "all are in q, none in the ramp"
    )
    assert shelf.replayed()
    some = next(a for a in answers if len({a["playbook"], shelf.playbook.version}) == 2)
    assert shelf.business.trace(some["decision_id"])["trace"]["contributions"]


# The ramp


def test_a_ramp_decides_for_its_share_of_treatment_customers(tmp_path: Path) -> None:
    shelf = Shelf(OPEN.replace(GROUPS, SOME), tmp_path, 300)
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1))
    ramp = shelf.publish(trained(shelf.playbook), kind="ramp", share=0.25)
    small = shelf.answers(300)
    by_group = {g: Counter(a["policy"] for a in small if a["group"] == g) for g in ("treatment", "holdout")}
    assert set(by_group["holdout"]) == {"no_contact@0"}
    assert set(by_group["treatment"]) == {"constant@1", "ridge@2"}
    assert 0.15 < by_group["treatment"]["ridge@2"] / by_group["treatment"].total() < 0.35
    shelf.publish(trained(shelf.playbook), kind="ramp", share=0.6, origin=ramp.origin)
    large = shelf.answers(300)
    was, now = ({a["customer_id"] for a in some if a["policy"] == "ridge@2"} for some in (small, large))
    assert was < now, "growing it keeps those who were in"
    assert shelf.replayed()


def test_what_was_ramped_up_serves_under_its_first_name(tmp_path: Path) -> None:
    shelf = Shelf(OPEN, tmp_path)
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1))
    ramp = shelf.publish(trained(shelf.playbook), kind="ramp", share=0.5)
    shelf.publish(trained(shelf.playbook), origin=ramp.origin)
    shelf.publish(None, kind="ramp", share=0.0, origin=ramp.origin)
    assert shelf.live.current.ramp is None
    assert {a["policy"] for a in shelf.answers()} == {"ridge@2"}
    assert shelf.replayed()


def test_a_withdrawn_or_bad_ramp_leaves_everybody_to_the_champion(tmp_path: Path) -> None:
    shelf = Shelf(OPEN, tmp_path)
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1))
    shelf.publish(trained(shelf.playbook), kind="ramp", share=1.0)
    assert {a["policy"] for a in shelf.answers()} == {"ridge@2"}
    shelf.publish(None, kind="ramp", share=0.0)
    assert {a["policy"] for a in shelf.answers()} == {"constant@1"}
    shelf.store.publish(
        kind="ramp", version="0" * 64, specification="x", at=NOON, who="t", why="t", share=0.5
    )
    shelf.live.refresh(NOON)
    assert shelf.alerts[-1]["kind"] == "ramp"
    assert {a["policy"] for a in shelf.answers()} == {"constant@1"}


def test_customers_of_an_experiment_are_in_no_ramp(tmp_path: Path) -> None:
    shelf = Shelf(with_experiments({"name": "e", "share": 0.5, "variants": {"a": {}, "b": {}}}), tmp_path)
    shelf.publish(ConstantPolicy.of(shelf.playbook, 1))
    shelf.publish(trained(shelf.playbook), kind="ramp", share=1.0)
    seen = {(a["experiment"] is None, a["policy"]) for a in shelf.answers()}
    assert seen == {(False, "constant@1"), (True, "ridge@2")}


def test_taking_back_all_that_was_trained_puts_the_fallback_there_once(tmp_path: Path) -> None:
    shelf = Shelf(OPEN, tmp_path)
    shelf.publish(trained(shelf.playbook))
    shelf.publish(None)
    assert {(a["policy"], a["fallback"]) for a in shelf.answers(5)} == {("uniform@0", "untrained")}
    live = shelf.live.current
    assert not shelf.live.refresh(NOON)
    assert shelf.live.current is live
    bad = shelf.store.publish(kind="policy", version="0" * 64, specification="x", at=NOON, who="t", why="t")
    again = LiveSource(
        playbook=shelf.playbook, store=shelf.store, artefacts=shelf.artefacts, alert=lambda *_: None
    )
    again.refresh(NOON)
    assert bad.number == 3
    assert again.current.policy_name == "uniform@0", "what was taken back does not come again"


def test_the_same_bytes_under_another_number_are_not_read_again(tmp_path: Path) -> None:
    shelf = Shelf(OPEN, tmp_path)
    first = shelf.publish(trained(shelf.playbook))
    policy = shelf.live.current.policy
    shelf.spoil(first)
    shelf.store.publish(
        kind="policy", version=first.version, specification="ridge", at=NOON, who="t", why="t", origin=1
    )
    assert shelf.live.refresh(NOON)
    assert shelf.live.current.policy is policy
    assert shelf.live.current.policy_name == "ridge@1"
    assert not shelf.alerts


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
