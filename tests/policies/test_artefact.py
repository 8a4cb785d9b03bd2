"""Policies as bytes: the same back, refused when damaged, fitted to a playbook that moved on."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest

from nba.artefacts import Artefact, Artefacts, Manifest
from nba.errors import CorruptArtefact, SchemaMismatch
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal, unseal
from nba.policies.explore import uniform_tree
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, LearnedModel, ServedPolicy, UniformPolicy
from tests.policies.shop import TEXT, shop
from tests.policies.world import World

LEARNED = ("ridge", "vowpal", "boosted")


def sealed(policy: Policy, playbook: Playbook) -> Artefact:
    return seal(policy, playbook, data_from=0.0, data_to=1.0, rows=6_000, parameters={"λ": 3})


def served(models: dict[str, LearnedModel], name: str, playbook: Playbook) -> ServedPolicy:
    return ServedPolicy.of(models[name], playbook.spec.exploration)


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_policy_comes_back_from_disk_bit_for_bit(
    name: str, tmp_path: Path, playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    policy = served(models, name, playbook)
    store = Artefacts(tmp_path)
    again = unseal(store.read(store.write(sealed(policy, playbook))), playbook)
    before = policy.choose(world.features, world.eligible)
    after = again.choose(world.features, world.eligible)
    assert again.specification == name
    assert np.array_equal(before.odds, after.odds)
    assert np.array_equal(before.scores, after.scores)


@pytest.mark.parametrize("name", LEARNED)
def test_the_same_policy_is_the_same_bytes(
    name: str, playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    policy = served(models, name, playbook)
    assert sealed(policy, playbook).version == sealed(policy, playbook).version
    again = unseal(sealed(policy, playbook), playbook)
    assert sealed(again, playbook).version == sealed(policy, playbook).version


def test_simple_policies_come_back(playbook: Playbook, world: World) -> None:
    arm = playbook.arms.find("survey", "email", "evening")
    for policy in (
        ConstantPolicy.of(playbook, arm),
        UniformPolicy.of(playbook),
        IncumbentPolicy.of(playbook),
    ):
        again = unseal(sealed(policy, playbook), playbook)
        assert again.specification == policy.specification
        expected = policy.choose(world.features, world.eligible)
        assert np.array_equal(again.choose(world.features, world.eligible).odds, expected.odds)


@pytest.mark.parametrize("name", LEARNED)
def test_weights_that_moved_are_found_by_the_test_vectors(
    name: str, playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    artefact = sealed(served(models, name, playbook), playbook)
    files = dict(artefact.files)
    if name == "boosted":
        files["effect.txt"] = re.sub(rb"(leaf_value=-?0\.)\d", rb"\g<1>9", files["effect.txt"], count=1)
    else:
        weights = np.load(io.BytesIO(files["weights.npy"]))
        np.save(moved := io.BytesIO(), weights * 1.001)
        files["weights.npy"] = moved.getvalue()
    with pytest.raises(CorruptArtefact):
        unseal(Artefact.of(artefact.manifest, files), playbook)


def test_trees_of_other_columns_are_corrupt(playbook: Playbook, models: dict[str, LearnedModel]) -> None:
    artefact = sealed(served(models, "boosted", playbook), playbook)
    files = {**artefact.files, "effect.txt": artefact.files["base.txt"]}
    with pytest.raises(CorruptArtefact, match="other columns"):
        unseal(Artefact.of(artefact.manifest, files), playbook)


def test_bytes_that_do_not_match_the_manifest_reach_no_library(
    playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    artefact = sealed(served(models, "boosted", playbook), playbook)
    damaged = {**artefact.files, "effect.txt": artefact.files["effect.txt"][:-1_000]}
    with pytest.raises(CorruptArtefact, match="match its manifest"):
        unseal(Artefact(manifest=artefact.manifest, files=damaged), playbook)


@pytest.mark.parametrize("lost", ["policy.json", "weights.npy", "encoder.low.npy", "vectors.odds.npy"])
def test_missing_and_cut_files_are_corrupt(
    lost: str, playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    artefact = sealed(served(models, "ridge", playbook), playbook)
    without = {name: data for name, data in artefact.files.items() if name != lost}
    cut = {**artefact.files, lost: artefact.files[lost][:-40]}
    for files in (without, cut):
        with pytest.raises(CorruptArtefact, match="can't be read"):
            unseal(Artefact.of(artefact.manifest, files), playbook)


def test_a_policy_over_other_features_is_refused_in_plain_words(
    playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    artefact = sealed(served(models, "ridge", playbook), playbook)
    moved = shop(basket="  basket_size: number", text=TEXT.replace("basket > 50", "basket_size > 50"))
    with pytest.raises(SchemaMismatch, match="train again"):
        unseal(artefact, moved)


def test_scores_are_no_policy(playbook: Playbook) -> None:
    manifest = Manifest(kind="scores", specification="churn", playbook="x", features="y")
    with pytest.raises(CorruptArtefact, match="no policy"):
        unseal(Artefact.of(manifest, {}), playbook)


def test_a_linear_policy_is_fitted_to_a_playbook_that_lost_a_timing(
    playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    artefact = sealed(served(models, "ridge", playbook), playbook)
    moved = shop(survey="  survey: {category: research, channels: [email], timings: [evening]}")
    policy = unseal(artefact, moved)
    kept = [playbook.arms.index[name] for name in moved.arms.names]
    expected = models["ridge"].scores(world.features)[:, kept]
    choice = policy.choose(world.features, world.eligible[:, kept])
    assert len(kept) == len(playbook.arms) - 1
    assert choice.scores == pytest.approx(expected, abs=1e-9)


def test_a_boosted_policy_is_refused_where_the_arms_changed(
    playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    artefact = sealed(served(models, "boosted", playbook), playbook)
    moved = shop(survey="  survey: {category: research, channels: [email], timings: [evening]}")
    with pytest.raises(SchemaMismatch, match="train again"):
        unseal(artefact, moved)


def test_an_attribute_that_changed_its_scale_is_refused(
    playbook: Playbook, models: dict[str, LearnedModel]
) -> None:
    artefact = sealed(served(models, "vowpal", playbook), playbook)
    moved = shop(text=TEXT.replace("discount: 0.5", "discount: 0.9"))
    with pytest.raises(SchemaMismatch, match="other features than in training"):
        unseal(artefact, moved)


def test_a_constant_policy_whose_arm_is_gone_is_refused(playbook: Playbook) -> None:
    arm = playbook.arms.find("survey", "email", "now")
    artefact = sealed(ConstantPolicy.of(playbook, arm), playbook)
    moved = shop(survey="  survey: {category: research, channels: [email], timings: [evening]}")
    with pytest.raises(SchemaMismatch, match="no arm survey/email/now"):
        unseal(artefact, moved)


@pytest.mark.parametrize("name", ["ridge", "boosted"])
def test_the_floor_is_that_of_the_playbook_in_force(
    name: str, playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    artefact = sealed(ServedPolicy.greedy(models[name], floor=0.0), playbook)
    moved = shop(exploration="exploration: {explorer: epsilon-greedy, epsilon: 0, ceiling: 0.4, floor: 0.4}")
    odds = unseal(artefact, moved).choose(world.features, world.eligible).odds
    assert (odds >= 0.4 * uniform_tree(moved.arms, world.eligible)).all()
    assert odds.max(axis=1) == pytest.approx(np.full(len(odds), 0.6), abs=0.4)


def test_a_policy_of_before_there_were_levers_still_serves(
    playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    policy = served(models, "ridge", playbook)
    artefact = sealed(policy, playbook)
    files = {n: d for n, d in artefact.files.items() if n not in ("arms.lever.npy", "arms.priority.npy")}
    again = unseal(Artefact.of(artefact.manifest, files), playbook)
    expected = policy.choose(world.features, world.eligible).odds
    assert np.array_equal(again.choose(world.features, world.eligible).odds, expected)
