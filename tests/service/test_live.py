"""What serves: swapped whole, kept where the new one is bad, found again after a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nba.artefacts import Artefact, Artefacts, Manifest
from nba.live import LiveSource
from nba.playbook.compile import Playbook, parse
from nba.policies.artefact import seal
from nba.policies.served import ConstantPolicy
from nba.stores.memory import MemoryStore
from nba.stores.ports import Publication
from tests.service.business import OPEN, trained


@dataclass
class Shelf:
    """A store, a folder of artefacts, and whoever watches them."""

    playbook: Playbook
    artefacts: Artefacts
    store: MemoryStore = field(default_factory=MemoryStore)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def watch(self) -> LiveSource:
        return LiveSource(
            playbook=self.playbook,
            store=self.store,
            artefacts=self.artefacts,
            alert=lambda event, fields: self.alerts.append({"event": event, **fields}),
        )

    def publish(self, artefact: Artefact, kind: str = "policy") -> Publication:
        version = self.artefacts.write(artefact)
        name = artefact.manifest.specification
        return self.store.publish(kind=kind, version=version, specification=name, at=0.0, who="t", why="t")

    def constant(self, arm: int) -> Artefact:
        policy = ConstantPolicy.of(self.playbook, arm)
        return seal(policy, self.playbook, data_from=None, data_to=None, rows=0, parameters={})

    def ridge(self) -> Artefact:
        policy = trained(self.playbook)
        return seal(policy, self.playbook, data_from=1.0, data_to=2.0, rows=2_000, parameters={})

    def spoil(self, artefact: Artefact) -> Callable[[], int]:
        file = self.artefacts.path(artefact.version) / "policy.json"
        good = file.read_bytes()
        file.write_bytes(good.replace(b"{", b"[", 1))
        return lambda: file.write_bytes(good)


@pytest.fixture
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder: Path = tmp_path_factory.mktemp("artefacts")
    return Shelf(parse(OPEN), Artefacts(folder))


def test_nothing_published_is_the_fallback_and_it_says_so(shelf: Shelf) -> None:
    source = shelf.watch()
    assert not source.refresh(0.0)
    assert (source.current.policy_name, source.current.policy_publication) == ("uniform@0", None)
    rules = parse(OPEN + "incumbent: [{action: offer, channel: push, timing: now}]\n")
    assert Shelf(rules, shelf.artefacts).watch().current.policy_name == "incumbent@0"


def test_a_publication_is_taken_up_once(shelf: Shelf) -> None:
    source = shelf.watch()
    shelf.publish(shelf.ridge())
    assert source.refresh(0.0)
    assert (source.current.policy_name, source.current.trained_through) == ("ridge@1", 2.0)
    taken = source.current
    assert not source.refresh(1.0)
    assert source.current is taken


def test_bad_bytes_keep_the_last_good_policy_back_off_and_recover(shelf: Shelf) -> None:
    source = shelf.watch()
    shelf.publish(shelf.ridge())
    source.refresh(0.0)
    bad = shelf.constant(1)
    shelf.publish(bad)
    mend = shelf.spoil(bad)
    tries = [second for second in range(200) if _tries(source, float(second))]
    assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert source.current.policy_name == "ridge@1"
    assert {alert["number"] for alert in shelf.alerts} == {2}
    assert shelf.alerts[0]["serving"] == "ridge@1"
    mend()
    assert not source.refresh(200.0), "it waits its pause out"
    assert source.refresh(243.0)
    assert source.current.policy_name == "constant@2"


def _tries(source: LiveSource, now: float) -> bool:
    before = source.failed
    source.refresh(now)
    return source.failed > before


def test_a_new_publication_is_tried_at_once_though_another_was_bad(shelf: Shelf) -> None:
    source = shelf.watch()
    bad = shelf.constant(1)
    shelf.publish(bad)
    shelf.spoil(bad)
    source.refresh(0.0)
    shelf.publish(shelf.constant(2))
    assert source.refresh(0.5)
    assert source.current.policy_name == "constant@2"


def test_a_new_process_that_meets_bad_bytes_takes_what_served_before(shelf: Shelf) -> None:
    shelf.publish(shelf.constant(1))
    shelf.publish(shelf.constant(2))
    bad = shelf.constant(3)
    shelf.publish(bad)
    mend = shelf.spoil(bad)
    source = shelf.watch()
    assert source.refresh(0.0)
    assert (source.current.policy_name, source.failed) == ("constant@2", 1)
    mend()
    assert source.refresh(1.0)
    assert source.current.policy_name == "constant@3"


def test_an_artefact_of_other_features_or_of_no_policy_is_refused(shelf: Shelf) -> None:
    source = shelf.watch()
    other = parse(OPEN.replace("[visit, purchase]", "[visit, purchase, opened]"))
    foreign = Shelf(other, shelf.artefacts).ridge()
    shelf.publish(foreign)
    source.refresh(0.0)
    shelf.publish(Artefact.of(Manifest(kind="scores", specification="x", playbook="", features=""), {}))
    source.refresh(0.0)
    assert (source.current.policy_name, source.failed) == ("uniform@0", 2)


def test_a_missing_artefact_is_told_and_tried_again(shelf: Shelf) -> None:
    source = shelf.watch()
    shelf.store.publish(kind="policy", version="0" * 64, specification="x", at=0, who="t", why="t")
    assert not source.refresh(0.0)
    assert "no artefact" in shelf.alerts[0]["detail"]


def test_bad_scores_leave_the_policy_alone(shelf: Shelf) -> None:
    source = shelf.watch()
    shelf.publish(shelf.ridge())
    shelf.publish(shelf.constant(1), kind="scores")
    assert source.refresh(0.0)
    assert (source.current.policy_name, source.current.scores) == ("ridge@1", None)
    assert [alert["kind"] for alert in shelf.alerts] == ["scores"]
