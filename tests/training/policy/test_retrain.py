"""Retraining end to end: from decisions served to a policy that serves, or to what was missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.chance import group_of
from nba.errors import NotEnoughData
from nba.playbook.compile import parse
from nba.policies.policy import Policy
from nba.policies.served import ServedPolicy
from tests.service.business import DAY, NOON, Business
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade, whatever
from training.policy.retrain import Retrained, Settings, retrain, serving_champion
from training.policy.show import show

SETTINGS = Settings(folds=2, learners=("ridge",), who="a test")


@dataclass
class Office:
    """A shop with its artefacts and its tracker."""

    business: Business
    artefacts: Artefacts
    tracker: Tracker

    def retrain(self, day: float, text: str = TEXT) -> Retrained:
        as_of = NOON + day * DAY
        return retrain(
            self.business.store, self.artefacts, parse(text), self.tracker, as_of=as_of, settings=SETTINGS
        )

    def aliases(self) -> dict[str, str]:
        """Alias → registered version."""
        client: Any = self.tracker._connected().MlflowClient()
        return {alias: str(v) for alias, v in client.get_registered_model("shop").aliases.items()}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Office]:
    def opened() -> Office:
        folder: Path = tmp_path_factory.mktemp("office")
        return Office(open_shop(), Artefacts(folder / "artefacts"), Tracker(directory=folder))

    return opened


def serves(office: Office) -> Policy:
    return serving_champion(office.business.store, office.artefacts, parse(TEXT)).policy


def test_what_learned_the_taste_serves_and_its_second_training_is_a_refresh(
    office: Callable[[], Office],
) -> None:
    shop = office()
    trade(shop.business, 900, by_taste)
    first = shop.retrain(8)
    assert first.verdict.promoted, first.verdict.reason
    assert (first.specification, first.champion, first.verdict.rule) == ("ridge", "uniform@0", "new")
    assert (first.mature, first.immature) == (first.verdict.decisions, 0)
    assert first.publication is not None
    assert (first.publication.who, first.publication.published_at) == ("a test", NOON + 8 * DAY)
    assert shop.aliases() == {"champion": "1"}
    (run,) = shop.tracker.runs("policy")
    assert run["metrics"]["promoted"] == 1.0
    assert run["tags"]["policy"] == "ridge@1"
    assert run["params"]["champion"] == "uniform@0"
    assert {"candidates.json", "verdict.json", "verdict.txt", "policy"} <= set(
        shop.tracker.files(run["run_id"])
    )
    policy = serves(shop)
    assert isinstance(policy, ServedPolicy)

    shop.business.live.current = replace(shop.business.live.current, policy=policy, policy_name="ridge@1")
    with pytest.raises(NotEnoughData, match="since the champion was trained"):
        shop.retrain(8)
    trade(shop.business, 900, by_taste, day=9)
    second = shop.retrain(17)
    assert (second.champion, second.verdict.rule) == ("ridge@1", "refresh")
    assert second.mature == 2 * second.verdict.decisions, "judged on what came after the champion's training"
    assert shop.aliases()["champion"] == ("2" if second.publication else "1")


def test_where_nothing_makes_a_difference_nothing_is_published(office: Callable[[], Office]) -> None:
    shop = office()
    trade(shop.business, 600, whatever)
    result = shop.retrain(8)
    assert result.publication is None
    assert result.verdict.reason.startswith("a new policy must be better")
    assert not shop.business.store.serving()
    assert shop.aliases() == {"candidate": "1"}
    assert shop.artefacts.read(result.version).manifest.rows < 600, (
        "holdout and random customers train nothing"
    )
    told = json.loads(json.dumps(result.to_json()))
    assert (told["published"], told["verdict"]["promoted"]) == (None, False)
    console = Console(record=True, width=120)
    show(result, console)
    assert "not published" in console.export_text()


def test_too_few_and_immature_decisions_say_how_many_there_are(office: Callable[[], Office]) -> None:
    shop = office()
    trade(shop.business, 400, by_taste)
    with pytest.raises(NotEnoughData) as error:
        shop.retrain(6.9)
    assert error.value.figures["mature"] == 0
    assert error.value.figures["immature"] > 300
    few = office()
    trade(few.business, 150, by_taste)
    with pytest.raises(NotEnoughData, match="too few decisions of the treatment group have mature rewards"):
        few.retrain(8)


def test_what_holdout_and_random_customers_did_trains_nothing(office: Callable[[], Office]) -> None:
    """Their purchases are multiplied by a thousand: the candidate is the same, bit for bit."""
    versions = []
    for factor in (1.0, 1_000.0):
        shop = office()
        groups = _groups(shop, 600)
        bought = iter(range(10_000))

        def worth(device: str, action: str, chance: np.random.Generator, factor: float = factor) -> float:
            group = groups[next(bought)]  # noqa: B023 -- used up within this turn
            return by_taste(device, action, chance) * (1.0 if group == "treatment" else factor)

        trade(shop.business, 600, worth)
        versions.append(shop.retrain(8).version)
    assert versions[0] == versions[1]


def _groups(shop: Office, customers: int) -> list[str]:
    secret, groups = shop.business.store.secret, parse(TEXT).spec.groups
    return [group_of(secret, f"c{i}", groups) for i in range(customers)]


def test_a_champion_of_other_features_gives_way_to_the_fallback(office: Callable[[], Office]) -> None:
    """Its own message says to train again, so training must not stumble over it."""
    shop = office()
    trade(shop.business, 600, by_taste)
    assert shop.retrain(8).publication is not None
    wider = TEXT.replace("[visit, purchase]", "[visit, purchase, opened]")
    assert serving_champion(shop.business.store, shop.artefacts, parse(wider)).name == "uniform@0"
    assert shop.retrain(8, wider).champion == "uniform@0"


def test_with_early_decisions_of_open_windows_train_and_do_not_judge(tmp_path: Path) -> None:
    text = TEXT + "\nlearning: {early: true}"
    business = open_shop(text=text)
    trade(business, 700, by_taste, day=0)
    as_of = trade(business, 400, by_taste, day=8, seed=1) + DAY  # known for a day of seven
    result = retrain(
        business.store,
        Artefacts(tmp_path / "artefacts"),
        parse(text),
        Tracker(directory=tmp_path),
        as_of=as_of,
        settings=SETTINGS,
    )
    manifest = Artefacts(tmp_path / "artefacts").read(result.version).manifest
    assert manifest.data_to == NOON + 8 * DAY
    assert manifest.rows > 700
    assert result.verdict.decisions < 700
    assert result.verdict.promoted, result.verdict.reason
