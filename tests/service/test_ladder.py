"""Who decides when the champion can't, who looks on, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pytest

from nba.playbook.compile import Playbook
from nba.policies.policy import Bools, Choice, Floats
from nba.policies.served import ConstantPolicy
from nba.service import Service
from nba.stores.memory import MemoryStore
from tests.service.business import NOON, OPEN, Business, consents, trained
from tests.service.test_answers import ALWAYS


@dataclass
class Watcher:
    """An observer that remembers."""

    fallbacks: list[str] = field(default_factory=list)
    experiments: list[tuple[str, str, int]] = field(default_factory=list)
    shadows: list[tuple[str, bool]] = field(default_factory=list)
    decided_: list[Mapping[str, Any]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    activations: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    stages: set[str] = field(default_factory=set)

    def stage(self, name: Literal["fetch", "decide", "record", "commit"], seconds: float) -> None:
        assert seconds >= 0
        self.stages.add(name)

    def rounds(self, count: int) -> None:
        assert count >= 1

    def decided(self, **told: Any) -> None:
        self.decided_.append(told)

    def shadow(self, name: str, agrees: bool) -> None:
        self.shadows.append((name, agrees))

    def policy_failed(self, name: str, error: Exception) -> None:
        self.failed.append((name, type(error).__name__))

    def fallback(self, reason: str, decisions: int) -> None:
        self.fallbacks += [reason] * decisions

    def experiment(self, name: str, variant: str, decisions: int) -> None:
        self.experiments.append((name, variant, decisions))

    def activation(self, action: str, event: Literal["held", "activated"]) -> None:
        self.activations.append((action, event))

    def identity(self, outcome: Literal["linked", "refused"]) -> None: ...

    def ignored_features(self, count: int) -> None:
        self.ignored += count


@dataclass(frozen=True)
class Broken:
    """A policy that fails, or gives odds that are none."""

    how: str
    specification: str = "ridge"

    def choose(self, features: Floats, eligible: Bools) -> Choice:
        if self.how == "raises":
            raise FloatingPointError("underflow")
        odds = np.full(eligible.shape, np.nan if self.how == "nan" else 0.3)
        zeros = np.zeros(eligible.shape)
        return Choice(odds=odds, scores=zeros, values=zeros, best=np.zeros(len(odds), dtype=np.int64))

    def under(self, playbook: Playbook) -> Broken:
        return self


def shop(text: str) -> tuple[Business, Watcher]:
    business, watcher = Business.of(text, MemoryStore("request", secret=b"k" * 32)), Watcher()
    observed = Service(store=business.store, live=business.live, observer=watcher)
    business = replace(business, service=observed)
    business.report(*(consents(f"c{i}") for i in range(20)))
    return business, watcher


def test_with_nothing_trained_the_answer_says_so() -> None:
    business, watcher = shop(ALWAYS)
    answer = business.decide("c0", NOON)
    assert (answer["policy"], answer["fallback"]) == ("incumbent@0", "untrained")
    assert watcher.fallbacks == ["untrained"]


@pytest.mark.parametrize("how", ["raises", "nan", "sums to something else"])
@pytest.mark.parametrize(("text", "rung"), [(ALWAYS, "incumbent@0"), (OPEN, "uniform@0")])
def test_where_the_champion_fails_the_next_rung_decides_and_says_why(how: str, text: str, rung: str) -> None:
    business, watcher = shop(text)
    live = business.live.current
    business.live.current = replace(live, policy=Broken(how), policy_name="ridge@3", fallback=None)
    answer = business.decide("c0", NOON)
    assert (answer["policy"], answer["fallback"]) == (rung, "failed")
    assert business.trace(answer["decision_id"])["trace"]["policy"] == rung
    assert watcher.fallbacks == ["failed"]
    assert watcher.failed == [("ridge@3", "FloatingPointError" if how == "raises" else "Unsound")]


def test_a_champion_is_no_fallback() -> None:
    business, watcher = shop(OPEN)
    policy = trained(business.live.current.playbook)
    business.live.current = replace(
        business.live.current, policy=policy, policy_name="ridge@1", fallback=None
    )
    assert "fallback" not in business.decide("c0", NOON)
    assert watcher.fallbacks == []


def test_a_challenger_looks_on_and_changes_nothing() -> None:
    business, watcher = shop(ALWAYS)
    alone, _ = shop(ALWAYS)
    playbook = business.live.current.playbook
    arms = playbook.arms
    business.live.current = replace(
        business.live.current,
        challenger=ConstantPolicy.of(playbook, arms.find("news", "email", "now")),
        challenger_name="constant@4",
    )
    answer = business.decide("c0", NOON, id="d")
    assert answer == alone.decide("c0", NOON, id="d")
    watching = business.trace("d")["trace"]["watching"]["constant@4"]
    assert watching == {"best": "news/email/now", "odds": 0.0}
    assert watcher.shadows == [("constant@4", False)]


def test_a_challenger_that_fails_stops_nobody() -> None:
    business, watcher = shop(ALWAYS)
    business.live.current = replace(
        business.live.current, challenger=Broken("raises"), challenger_name="ridge@4"
    )
    assert business.decide("c0", NOON)["action"] == "offer"
    assert (watcher.shadows, watcher.failed) == ([], [("ridge@4", "FloatingPointError")])


def test_an_apprentice_answers_with_the_incumbent_and_is_compared_with_it() -> None:
    text = ALWAYS + "mode: apprentice\n"
    business, watcher = shop(text)
    playbook = business.live.current.playbook
    number = business.store.publish(
        kind="policy", version="0" * 64, specification="constant", at=0.0, who="t", why="t"
    )
    business.live.current = replace(
        business.live.current,
        policy=ConstantPolicy.of(playbook, playbook.arms.find("offer", "push", "now")),
        policy_name="constant@1",
        policy_publication=number,
        fallback=None,
    )
    answer = business.decide("c0", NOON)
    assert (answer["action"], answer["policy"]) == ("offer", "incumbent@0")
    assert "fallback" not in answer
    assert watcher.shadows == [("constant@1", True)]


def test_the_observer_hears_of_every_decision() -> None:
    business, watcher = shop(OPEN)
    business.decide("c0", NOON, activate=False)
    told = watcher.decided_[0]
    assert told["entropies"][0] > 0
    ((kind, decisions),) = told["kinds"].items()
    assert (kind[0], decisions) == ("treatment", 1)
    assert told["refused"] == {}
    assert watcher.activations[0][1] == "held"
    assert watcher.stages == {"fetch", "decide", "record", "commit"}
