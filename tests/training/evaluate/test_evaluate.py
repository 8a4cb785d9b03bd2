"""`nba evaluate` on a shop whose truth is known: values, differences, cuts, refusals, MLflow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.ope import Estimate
from experiments.tracking import Tracker
from nba.artefacts import Artefacts
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import parse
from nba.policies.artefact import seal, unseal
from nba.stores.open import open_store
from nba.stores.ports import Publication, Store
from tests.service.business import DAY, NOON, Business
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training.commands.evaluate import evaluate as command
from training.evaluate.contenders import Contender, contenders, usual
from training.evaluate.findings import Evaluation, Settings
from training.evaluate.show import as_json, as_text
from training.evaluate.track import record
from training.evaluate.values import evaluate
from training.policy.learnable import learnable
from training.policy.log import read_log
from training.policy.selection import fit_policy

BOOK = parse(TEXT)
AS_OF = NOON + 20 * DAY
UNIFORM = 1.0 + 10 / 3 - (0.1 + 0.5) / 3  # noise, half of the contacts liked, costs of the channels


def publish(store: Store, artefacts: Artefacts, day: float) -> Publication:
    """A ridge trained on what was decided before a day."""
    log = read_log(store, BOOK, as_of=NOON + day * DAY)
    own = log.where(log.mature & (log.group == "treatment"))
    artefact = seal(
        fit_policy(BOOK, own, "ridge", seed=0),
        BOOK,
        data_from=float(own.decided_at[0]),
        data_to=float(own.decided_at[-1]),
        rows=len(own),
        parameters={},
    )
    version = artefacts.write(artefact)
    return store.publish(
        kind="policy", version=version, specification="ridge", at=NOON, who="a test", why="a test"
    )


def two_weeks(store: Store | None, folder: Path) -> tuple[Business, Artefacts]:
    """900 decisions by the uniform fallback, a champion trained on them, then 900 by the champion."""
    shop, artefacts = open_shop(store), Artefacts(folder / "artefacts")
    trade(shop, 900, by_taste)
    published = publish(shop.store, artefacts, 8)
    policy = unseal(artefacts.read(published.version), BOOK)
    shop.live.current = replace(shop.live.current, policy=policy, policy_name=published.name)
    trade(shop, 900, by_taste, day=9)
    return shop, artefacts


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Business, Artefacts]:
    return two_weeks(None, tmp_path_factory.mktemp("shop"))


def run(shop: tuple[Business, Artefacts], *names: str, **settings: Any) -> Evaluation:
    business, artefacts = shop
    asked = contenders(names or usual(BOOK), business.store, artefacts, BOOK)
    read = learnable(business.store, BOOK, AS_OF)
    return evaluate(BOOK, read.log, asked, Settings(**settings), as_of=AS_OF, immature=read.immature)


def estimated(found: Evaluation, policy: str, estimator: str = "dr") -> Estimate:
    (valued,) = (v for v in found.valued if v.contender.name == policy)
    one = valued.found[estimator]
    assert isinstance(one, Estimate), one
    return one


def test_every_estimator_finds_what_uniform_and_silence_are_worth(shop: tuple[Business, Artefacts]) -> None:
    """About 1,440 decisions; 99.99 % intervals miss one of ten truths once in 1,000 draws."""
    found = run(shop, "uniform", "no_contact", "logging", level=0.9999)
    for name in found.settings.estimators:
        uniform, silence = estimated(found, "uniform", name), estimated(found, "no_contact", name)
        assert uniform.low < UNIFORM < uniform.high, name
        assert silence.low < 1.0 < silence.high, name
    logged = estimated(found, "logging", "ips")
    read = learnable(shop[0].store, BOOK, AS_OF).log
    assert logged.value == pytest.approx(float(read.reward[read.group == "treatment"].mean()))


def test_a_policy_is_judged_on_decisions_later_than_its_training_alone(
    shop: tuple[Business, Artefacts],
) -> None:
    found = run(shop, "champion", "uniform", against="uniform")
    champion, uniform = found.valued
    assert champion.contender.policy == "ridge@1"
    assert champion.since is not None
    assert champion.since > champion.contender.trained_through
    assert 2 * champion.rows == uniform.rows == found.mature
    (compared,) = found.compared
    assert (compared.name, compared.against, compared.rows) == ("champion", "uniform", champion.rows)
    gain = compared.found["dr"]
    assert isinstance(gain, Estimate)
    assert gain.low > 0, "the champion knows the taste"
    assert estimated(found, "champion").value > 8


def test_a_policy_with_no_later_decision_says_why_it_has_no_value(shop: tuple[Business, Artefacts]) -> None:
    business, artefacts = shop
    read = learnable(business.store, BOOK, NOON + 8 * DAY)
    asked = contenders(["champion", "uniform"], business.store, artefacts, BOOK)
    found = evaluate(
        BOOK, read.log, asked, Settings(against="uniform"), as_of=NOON + 8 * DAY, immature=read.immature
    )
    champion = found.valued[0]
    assert (champion.rows, champion.trust) == (0, None)
    assert all(isinstance(one, NotEnoughData) for one in champion.found.values())
    text = as_text(found)
    assert "no estimate of champion: ridge@1 was trained on decisions until 2025-06-15" in text
    assert "none later has a mature reward" in text
    assert json.loads(json.dumps(as_json(found)))["policies"][0]["since"] is None
    assert "values.png" in record(found).figures, "uniform has a value"


def test_names_are_those_of_the_audit_and_wrong_ones_are_told(shop: tuple[Business, Artefacts]) -> None:
    business, artefacts = shop
    named, champion = contenders(["ridge@1", "champion"], business.store, artefacts, BOOK)
    assert (named.policy, named.trained_through) == (champion.policy, champion.trained_through)
    assert usual(BOOK) == ("champion", "uniform", "no_contact")
    for name, detail in (
        ("ridge@7", "near are ridge@1"),
        ("challenger", "no challenger now"),
        ("incumbent", "no incumbent rules"),
    ):
        with pytest.raises(InvalidInput, match=detail):
            contenders([name], business.store, artefacts, BOOK)


def test_random_eligible_customers_are_a_log_of_their_own(shop: tuple[Business, Artefacts]) -> None:
    clean, whole = run(shop, "uniform", group="random_eligible"), run(shop, "uniform", group="all")
    treated = run(shop, "uniform")
    assert 0 < clean.mature < treated.mature
    assert whole.mature == clean.mature + treated.mature
    shown = clean.valued[0].overlap
    assert shown is not None
    assert shown.max_weight == pytest.approx(1), "they are decided for uniformly already"


def test_what_is_not_known_is_refused_by_name(shop: tuple[Business, Artefacts]) -> None:
    for settings, field in (
        ({"group": "holdout"}, "group"),
        ({"embedding": "timing"}, "alike"),
        ({"against": "uniform"}, "against"),
    ):
        with pytest.raises(InvalidInput) as error:
            run(shop, "no_contact", **settings)
        assert error.value.errors[0].field == field
    business, artefacts = shop
    read = learnable(business.store, BOOK, NOON + 3 * DAY)
    asked = contenders(["uniform"], business.store, artefacts, BOOK)
    with pytest.raises(NotEnoughData, match="no decision of the group treatment has a mature reward"):
        evaluate(BOOK, read.log, asked, Settings(), as_of=NOON + 3 * DAY, immature=read.immature)


def test_a_log_with_wrong_odds_is_not_believed(shop: tuple[Business, Artefacts]) -> None:
    """What the log says of two arms is swapped."""
    log = learnable(shop[0].store, BOOK, AS_OF).log
    later = log.where(log.decided_at > NOON + 5 * DAY)
    swapped = np.where(later.eligible.all(axis=1)[:, None], later.odds[:, [0, 2, 1]], later.odds)
    rows = np.arange(len(later))
    wrong = replace(later, odds=swapped, propensity=swapped[rows, later.arm])
    asked = [Contender(name="uniform", policy="uniform", trained_through=float("-inf"), odds=_even)]
    found = evaluate(BOOK, wrong, asked, Settings(), as_of=AS_OF)
    told = found.valued[0].trust
    assert told is not None
    assert told.belief == "don't believe"
    assert "Arms were not drawn as often as their odds say" in told.to_text()


def _even(log: Any) -> Any:
    return log.eligible / log.eligible.sum(axis=1, keepdims=True)


def test_the_command_prints_writes_and_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "playbook.yaml").write_text(TEXT, encoding="utf-8")
    url = f"sqlite:///{tmp_path}/nba.db"
    store = open_store(url, "request")
    two_weeks(store, tmp_path)
    store.close()
    file = tmp_path / "out.json"
    command(store=url, as_of="2025-07-01T12:00:00Z", against="uniform", json_file=file)
    printed = capsys.readouterr().out
    assert "champion (ridge@1)" in printed
    assert "Paired differences" in printed
    assert "uniform: believe" in printed
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [policy["name"] for policy in written["policies"]] == ["champion", "uniform", "no_contact"]
    assert written["differences"][0]["estimates"]["dr"]["low"] > 0
    (kept,) = Tracker().runs("evaluation")
    assert kept["run_id"] == written["run_id"]
    assert kept["params"]["policies"] == "ridge@1,uniform,no_contact"
    assert kept["metrics"]["champion.dr.value"] == written["policies"][0]["estimates"]["dr"]["value"]
    assert "champion_minus_uniform.dr.low" in kept["metrics"]
    assert {"report.txt", "values.png", "weights", "estimates.json", "evaluation.json"} <= set(
        Tracker().files(kept["run_id"])
    )
    with pytest.raises(InvalidInput, match="there is no estimator 'doctor'; there are ips"):
        command(store=url, estimator=["doctor"])
    with pytest.raises(InvalidInput, match="request clock"):
        command(store=url)


def test_who_has_declared_a_clip_is_not_told_to_declare_one(shop: tuple[Business, Artefacts]) -> None:
    """Few customers decide what silence is worth here, with the clip and without."""
    said = as_text(run(shop, "no_contact"))
    assert "declare objectives.clip" in said
    clipped = parse(TEXT.replace("{window: 7d, outcomes", "{window: 7d, clip: [-5, 100], outcomes"))
    business, artefacts = shop
    asked = contenders(["no_contact"], business.store, artefacts, clipped)
    log = learnable(business.store, clipped, AS_OF).log
    bounded = as_text(evaluate(clipped, log, asked, Settings(), as_of=AS_OF))
    assert "customers make up the spread" in bounded
    assert "objectives.clip" not in bounded
    assert "wait for more rewarded customers" in bounded
