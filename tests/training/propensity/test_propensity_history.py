"""From the history to labelled moments, to trained scores, to the artefact that serves them."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nba.artefacts import Artefact, Artefacts
from nba.errors import CorruptArtefact, NotEnoughData
from nba.features import history
from nba.features.offline import snapshot
from nba.features.rows import assemble
from nba.journey.scores import NEXT_STAGE, ScoreModels, unseal_scores
from nba.playbook.compile import Playbook, parse
from tests.training.propensity.conftest import PLAYBOOK, START
from training.propensity.dataset import Dataset, Grid, dataset, feature_rows
from training.propensity.fit import Settings
from training.propensity.scores import Trained, seal, train_scores

DAY = 86_400.0
END = (START + timedelta(days=120)).timestamp()
QUICK = Settings(learning_rate=0.2, most_trees=60, patience=10)


@pytest.fixture(scope="module")
def data(shop: Playbook, shop_history: Path) -> Dataset:
    return dataset(shop, shop_history, END, Grid(every=3 * DAY), seed=1)


@pytest.fixture(scope="module")
def trained(shop: Playbook, data: Dataset) -> Trained:
    return train_scores(shop, data, QUICK, seed=1)


@pytest.fixture(scope="module")
def artefact(shop: Playbook, trained: Trained, data: Dataset) -> Artefact:
    return seal(shop, trained, data)


def events_of(folder: Path) -> pl.DataFrame:
    return history.scan(folder).collect()


def test_labels_are_what_a_plain_count_of_the_history_says(shop_history: Path, data: Dataset) -> None:
    events = events_of(shop_history)
    seconds = events["occurred_at"].dt.epoch("us") / 1e6
    last = float(seconds.max())  # type: ignore[arg-type]
    rows = np.random.default_rng(0).choice(len(data.at), 300, replace=False)
    for row in rows:
        at, own = data.at[row], events["customer_id"] == data.customer[row]
        purchases = seconds.filter(own & (events["type"] == "purchase")).to_numpy()
        activity = seconds.filter(own & events["type"].is_in(["visit", "purchase"])).to_numpy()
        bought = int(((purchases > at) & (purchases <= at + 7 * DAY)).any())
        assert data.labels["propensity_purchase"][row] == (bought if at + 7 * DAY <= last else -1)
        asked = ((activity < at) & (activity >= at - 21 * DAY)).any() and at + 21 * DAY <= last
        gone = int(not ((activity > at) & (activity <= at + 21 * DAY)).any())
        assert data.labels["churn"][row] == (gone if asked else -1)
    assert {-1, 0, 1} == set(data.labels["churn"][rows])


def test_features_of_a_moment_are_those_that_serving_would_assemble(
    shop: Playbook, shop_history: Path, data: Dataset
) -> None:
    events = events_of(shop_history)
    for row in range(0, len(data.at), 997):
        at = datetime.fromtimestamp(data.at[row], UTC)
        before = events.filter(pl.col("customer_id") == data.customer[row], pl.col("occurred_at") < at)
        profile = json.loads(before.filter(pl.col("type") == "profile")["properties"][-1])
        _, states = snapshot(before, shop.schema)
        served = assemble(
            shop,
            states=states,
            now=data.at[row : row + 1],
            zones=[shop.spec.timezone],
            attributes=[profile],
            context=[{}],
            scores=None,
        )
        stage = shop.schema.index["stage"]
        np.testing.assert_allclose(np.delete(data.X[row], stage), np.delete(served[0], stage), rtol=1e-9)


def test_an_event_after_a_moment_changes_none_of_its_features(shop: Playbook, shop_history: Path) -> None:
    events = events_of(shop_history).sort("occurred_at")
    at = START + timedelta(days=60)
    moments = pl.DataFrame({"customer_id": events["customer_id"].unique(maintain_order=True)}).with_columns(
        pl.lit(at).cast(pl.Datetime("us", "UTC")).alias("at")
    )
    whole = feature_rows(shop, events, moments)
    past = feature_rows(shop, events.filter(pl.col("occurred_at") < at), moments)
    np.testing.assert_array_equal(whole, past)


def test_an_attribute_keeps_its_value_until_a_later_profile_names_it() -> None:
    playbook = parse(PLAYBOOK)
    profile = ['{"member": true, "plan": "gold", "timezone": "Asia/Tokyo", "income": 9}', '{"plan": "basic"}']
    events = pl.DataFrame(
        {
            "event_id": ["a", "b"],
            "customer_id": ["c", "c"],
            "type": ["profile", "profile"],
            "channel": [None, None],
            "action": [None, None],
            "occurred_at": [START, START + timedelta(days=2)],
            "value": [0.0, 0.0],
            "properties": profile,
        },
        schema=history.COLUMNS,
    )
    at = [START, START + timedelta(days=1), START + timedelta(days=3)]
    moments = pl.DataFrame(
        {"customer_id": ["c"] * 3, "at": at}, schema_overrides={"at": pl.Datetime("us", "UTC")}
    )
    X = feature_rows(playbook, events, moments)
    columns = [playbook.schema.index[name] for name in ("member", "plan", "hour")]
    np.testing.assert_array_equal(X[:, columns], [[np.nan, np.nan, 1], [1, 1, 9], [1, 0, 9]])


def test_nothing_after_as_of_reaches_the_data(shop: Playbook, shop_history: Path, tmp_path: Path) -> None:
    as_of = START + timedelta(days=80)
    history.append(tmp_path, events_of(shop_history).filter(pl.col("occurred_at") <= as_of), "past")
    cut = dataset(shop, shop_history, as_of.timestamp(), Grid(every=5 * DAY), seed=2)
    past = dataset(shop, tmp_path, END, Grid(every=5 * DAY), seed=2)
    np.testing.assert_array_equal(cut.X, past.X)
    np.testing.assert_array_equal(cut.later, past.later)
    assert all(np.array_equal(cut.labels[name], past.labels[name]) for name in cut.labels)


def test_a_cap_on_the_moments_holds_and_spreads_over_the_customers(
    shop: Playbook, shop_history: Path
) -> None:
    few = dataset(shop, shop_history, END, Grid(every=3 * DAY, most=500), seed=1)
    assert 450 < len(few.at) <= 500
    assert len(set(few.customer)) > 200


def test_a_history_shorter_than_every_horizon_is_not_enough_data(shop: Playbook, shop_history: Path) -> None:
    with pytest.raises(NotEnoughData):
        dataset(shop, shop_history, (START + timedelta(days=6)).timestamp())


def test_every_score_and_the_next_stage_are_trained_and_beat_their_base_rates(trained: Trained) -> None:
    assert set(trained.fitted) == {"propensity_purchase", "churn", NEXT_STAGE}
    assert not trained.skipped
    for name, fitted in trained.fitted.items():
        assert fitted.metrics["log_loss"] < fitted.metrics["base_log_loss"] - 0.01, name
        assert fitted.parameters["split"] == "time"
    assert trained.fitted["propensity_purchase"].metrics["roc_auc"] > 0.7


def test_models_read_neither_context_nor_scores_nor_stage(shop: Playbook, trained: Trained) -> None:
    refused = {f.name for f in shop.schema.features if f.group in ("context", "score", "stage")}
    for fitted in trained.fitted.values():
        assert not refused & set(fitted.model.features)


def test_stored_scores_answer_as_trained_row_by_row_and_in_bulk(
    shop: Playbook, data: Dataset, trained: Trained, artefact: Artefact, tmp_path: Path
) -> None:
    stored = Artefacts(tmp_path)
    models = unseal_scores(stored.read(stored.write(artefact)), shop.schema)
    X = data.X[:200]
    fresh = ScoreModels([f.model for f in trained.fitted.values()], shop.schema)
    np.testing.assert_array_equal(models.scores(X), fresh.scores(X))
    alone = np.vstack([np.hstack([models.scores(row[None]), models.next_stage(row[None])]) for row in X])
    np.testing.assert_array_equal(alone, np.hstack([models.scores(X), models.next_stage(X)]))
    np.testing.assert_allclose(models.next_stage(X).sum(axis=1), 1.0, atol=1e-12)
    assert models.scores(X[:0]).shape == (0, 2)


def test_a_score_without_a_model_is_not_known_rather_than_zero(
    shop: Playbook, data: Dataset, trained: Trained
) -> None:
    models = ScoreModels([trained.fitted["churn"].model], shop.schema)
    assert np.isnan(models.scores(data.X[:5])[:, 0]).all()
    assert not np.isnan(models.scores(data.X[:5])[:, 1]).any()
    assert np.isnan(models.next_stage(data.X[:5])).all()


def test_scores_of_other_features_or_other_answers_or_broken_bytes_are_refused(
    shop: Playbook, artefact: Artefact
) -> None:
    other = parse(PLAYBOOK.replace("touchpoints: [visit, purchase]", "touchpoints: [visit, purchase, call]"))
    with pytest.raises(CorruptArtefact, match="other features"):
        unseal_scores(artefact, other.schema)
    policy = dataclasses.replace(artefact, manifest=dataclasses.replace(artefact.manifest, kind="policy"))
    with pytest.raises(CorruptArtefact, match="kind"):
        unseal_scores(policy, shop.schema)
    described = json.loads(artefact.files["models.json"])
    described[0]["calibration"]["x"] = [described[0]["calibration"]["x"][0] * 1.01]
    swapped = {**artefact.files, "churn.txt": artefact.files["propensity_purchase.txt"]}
    for files, why in (
        ({**artefact.files, "models.json": json.dumps(described).encode()}, "reproduce"),
        (swapped, "reproduce"),
        ({**artefact.files, "models.json": b"[{}]"}, "can't be read"),
        ({**artefact.files, "churn.txt": b"tree"}, "can't be read"),
        ({**artefact.files, "probes.npy": b"x"}, "can't be read"),
        ({k: v for k, v in artefact.files.items() if k != "answers.npy"}, "can't be read"),
    ):
        with pytest.raises(CorruptArtefact, match=why):
            unseal_scores(dataclasses.replace(artefact, files=files), shop.schema)


def test_the_artefact_holds_no_row_of_the_data(data: Dataset, artefact: Artefact) -> None:
    probes = np.load(BytesIO(artefact.files["probes.npy"]))
    rows = {row.tobytes() for row in data.X}
    assert not any(row.tobytes() in rows for row in probes)
    assert not any(b"c17" in file for file in artefact.files.values())
    assert artefact.manifest.data_from == data.at.min()
    assert data.at.max() < artefact.manifest.data_to == data.until <= END
    assert artefact.manifest.rows == len(data.at)
