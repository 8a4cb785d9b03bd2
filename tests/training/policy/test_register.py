"""What a judged candidate leaves in MLflow, as a value, and once sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.ope import LoggedBatch, diagnostics
from experiments.tracking import RunRecord, Tracker, align
from nba.artefacts import Artefacts
from nba.playbook.compile import Playbook, parse
from nba.policies.artefact import seal
from nba.promotion import standing
from nba.rewards.reward import reward_version
from nba.stores.memory import MemoryStore
from tests.service.business import DAY, NOON
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training.policy.card import LIMITS, card, markdown, weaknesses
from training.policy.champion import serving_champion
from training.policy.crossing import cross_choose
from training.policy.figures import reliability
from training.policy.gate import judge
from training.policy.log import DecisionLog, read_log
from training.policy.register import Judged, feature_importance, log_fingerprint, register
from training.policy.selection import best_constant, fit_policy

PLAYBOOK = parse(TEXT)
AS_OF = NOON + 8 * DAY


@pytest.fixture(scope="module")
def log() -> DecisionLog:
    shop = open_shop()
    trade(shop, 600, by_taste)
    log = read_log(shop.store, PLAYBOOK, as_of=AS_OF)
    return log.where((log.group != "holdout") & log.mature)


def judged_of(log: DecisionLog, specification: str, folder: Path, playbook: Playbook = PLAYBOOK) -> Judged:
    own = log.where(log.group == "treatment")
    chosen = cross_choose(
        playbook, log, folds=2, seed=0, learners=(specification,), trains=log.group == "treatment"
    )
    champion = serving_champion(MemoryStore("request", secret=bytes(32)), Artefacts(folder), playbook)
    q_hat, target = chosen.crossed.q_hat, chosen.served[specification]
    batch = LoggedBatch(
        reward=log.reward,
        arm=log.arm,
        propensity=log.propensity,
        target=target,
        q_hat=q_hat,
        customer=log.customer,
        logging=log.odds,
    )
    opponent = replace(batch, target=champion.policy.choose(log.features, log.eligible).odds)
    artefact = seal(
        fit_policy(playbook, own, specification, seed=0, constant=best_constant(own)),
        playbook,
        data_from=float(own.decided_at[0]),
        data_to=float(own.decided_at[-1]),
        rows=len(own),
        parameters={"seed": 0},
    )
    return Judged(
        playbook=playbook,
        as_of=AS_OF,
        champion=champion,
        specification=specification,
        chosen=chosen,
        artefact=artefact,
        verdict=judge(batch, opponent, playbook.spec.promotion, refresh=False),
        batch=batch,
        trained=own,
        regret=(3.0, 2.0),
    )


@pytest.fixture(scope="module")
def judged(log: DecisionLog, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judged_of(log, "ridge", tmp_path_factory.mktemp("artefacts"))


@pytest.fixture(scope="module")
def record(judged: Judged) -> RunRecord:
    return register(judged)


def test_the_run_is_the_same_value_each_time_it_is_composed(judged: Judged, record: RunRecord) -> None:
    assert register(judged) == record
    assert RunRecord.of_bytes(record.to_bytes()).id == record.id
    assert register(replace(judged, as_of=AS_OF + 1)).id != record.id


def test_the_run_says_what_was_learned_from_what_and_how_it_was_judged(
    judged: Judged, record: RunRecord
) -> None:
    own = judged.trained
    assert own is not None
    figures = {name: value for name, value, _ in record.metrics}
    assert (record.experiment, record.started_at) == ("policy", AS_OF)
    assert record.params["rows"] == str(len(own))
    assert record.params["data_fingerprint"] == record.tags["data"] == log_fingerprint(own)
    assert record.tags["reward"] == reward_version(PLAYBOOK)
    assert record.tags["version"] == judged.artefact.version
    assert "policy" not in record.tags
    difference = judged.verdict.difference
    assert difference is not None
    assert figures["difference.low"] == difference.low
    assert figures["difference.n_psi"] == difference.n_psi
    assert [(value, step) for name, value, step in record.metrics if name == "regret"] == [(3.0, 1), (2.0, 2)]
    assert set(record.figures) == {
        "values.png",
        "weights.png",
        "reliability.png",
        "importance.png",
        "regret.png",
    }
    assert all(data.startswith(b"\x89PNG") for data in record.figures.values())
    assert set(record.tables) >= {"candidates.json", "estimates.json", "arms.json", "reliability.json"}
    assert sum(row["drawn"] for row in record.tables["arms.json"]) == len(judged.batch.reward)


def test_the_card_has_every_part_and_reads_as_text(judged: Judged, record: RunRecord) -> None:
    told = record.dicts["card.json"]
    assert set(told) >= {"training", "reward", "evaluation", "guardrails", "limits", "weaknesses", "playbook"}
    assert told["evaluation"]["difference"]["n_psi"] > 0
    text = record.texts["card.md"]
    for part in ("Learned from", "Judged", "Guardrails", "Limits", "Weaknesses", LIMITS[0]):
        assert part in text
    assert judged.verdict.reason[1:] in text


def test_the_card_warns_of_what_the_figures_show(judged: Judged) -> None:
    sound = diagnostics(judged.batch)
    bad = replace(
        sound,
        n_psi=3.0,
        effective_n=2.0,
        max_weight=900.0,
        mean_weight=0.5,
        unsupported=(1,),
        unsupported_share=0.25,
    )
    bins = [{"expected": 1.0, "earned": 9.0, "stderr": 0.1}]
    said = "\n".join(weaknesses(replace(judged, as_of=AS_OF + 90 * DAY), bad, bins))
    for warning in (
        "only 2 speak for it",
        "3.0 customers make up the variance of the IPS value",
        "One decision counts 900 times",
        "mean is 0.50",
        f"never shows ({PLAYBOOK.arms.names[1]})",
        "25.0% of its odds",
        "expects 1 it would have earned 9",
        "days old",
    ):
        assert warning in said
    assert "mean is" not in "\n".join(weaknesses(judged, replace(sound, mean_weight=1.0), []))
    assert "None of the checks found one." in markdown(
        {**card(judged, sound, [], "d" * 64), "weaknesses": []}, "EUR"
    )


def test_what_it_expects_is_set_beside_what_it_would_have_earned(judged: Judged) -> None:
    """Its bins hold every decision, and their mean is the doubly robust value."""
    bins = reliability(judged.batch)
    assert sum(b["rows"] for b in bins) == len(judged.batch.reward)
    mean = sum(b["rows"] * b["earned"] for b in bins) / len(judged.batch.reward)
    assert mean == pytest.approx(judged.verdict.challenger["dr"].value)
    assert [b["expected"] for b in bins] == sorted(b["expected"] for b in bins)


@pytest.mark.parametrize("specification", ["ridge", "boosted"])
def test_the_feature_that_decides_taste_weighs_and_what_never_varies_does_not(
    log: DecisionLog, tmp_path: Path, specification: str
) -> None:
    found = feature_importance(judged_of(log, specification, tmp_path))
    assert list(found) == sorted(found, key=lambda name: -found[name])
    assert set(found) == set(PLAYBOOK.schema.names)
    assert found["device"] > 0


def test_a_policy_without_a_model_has_no_importance_and_registers_all_the_same(
    judged: Judged, log: DecisionLog
) -> None:
    own = judged.trained
    assert own is not None
    constant = fit_policy(PLAYBOOK, own, "constant", seed=0, constant=1)
    plain = seal(constant, PLAYBOOK, data_from=None, data_to=None, rows=0, parameters={})
    record = register(replace(judged, artefact=plain, specification="constant", trained=None, regret=()))
    assert set(record.figures) == {"values.png", "weights.png", "reliability.png"}
    assert record.tags["data"] == ""
    assert "from the beginning to the beginning" in record.texts["card.md"]


def test_the_fingerprint_of_a_log_changes_with_one_reward(log: DecisionLog) -> None:
    changed = log.reward.copy()
    changed[0] = np.nextafter(changed[0], np.inf)
    assert log_fingerprint(replace(log, reward=changed)) != log_fingerprint(log)
    assert log_fingerprint(log.where(np.arange(len(log)))) == log_fingerprint(log)


def test_every_decision_leads_to_the_run_that_made_its_policy(
    judged: Judged, record: RunRecord, tmp_path: Path
) -> None:
    """Named by the publication, or by `align` where it was published after the run was sent."""
    store, tracker = MemoryStore("request", secret=bytes(32)), Tracker(directory=tmp_path)
    run_id = tracker.send(record)
    published = store.publish(
        kind="policy", version=judged.artefact.version, specification="ridge", at=AS_OF, who="t", why="t"
    )
    assert register(judged, published).tags["policy"] == published.name == "ridge@1"
    assert align(tracker, "shop", standing(store)) == {"champion": 1}
    assert tracker.run_of(published.name) == tracker.run_of("ridge@1", "shop") == run_id
    assert tracker.versions("shop")[0].tags["policy"] == "ridge@1"
