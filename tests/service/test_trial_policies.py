"""Which policy decides for a variant or a ramp, and what happens where it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nba.artefacts import Artefacts
from nba.live import LiveSource
from nba.playbook.compile import Playbook, parse
from nba.policies.artefact import seal
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy
from nba.replay import replay
from nba.service import Service
from nba.stores.memory import MemoryStore
from nba.stores.ports import Publication
from tests.service.business import (
    DAY,
    NOON,
    OPEN,
    SECRET,
    Business,
    answered,
    consents,
    request,
    trained,
)
from tests.service.test_ladder import Watcher
from tests.service.test_laws import decisions
from tests.service.trials import GROUPS, SOME, trying, with_experiments


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
