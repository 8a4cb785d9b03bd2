"""Mixtures: odds are the weighted sum, and the parts are told apart from what they are told about."""

from __future__ import annotations

import numpy as np
import pytest

from nba.artefacts import Artefact
from nba.errors import CorruptArtefact, InvalidInput
from nba.playbook.compile import Playbook
from nba.policies.artefact import seal, unseal
from nba.policies.explore import uniform_tree
from nba.policies.mixture import MixturePolicy
from nba.policies.policy import Policy
from nba.policies.served import IncumbentPolicy, LearnedModel, ServedPolicy, UniformPolicy
from tests.policies.shop import shop
from tests.policies.world import World


@pytest.fixture
def parts(playbook: Playbook, models: dict[str, LearnedModel]) -> tuple[Policy, ...]:
    learned = ServedPolicy.of(models["ridge"], playbook.spec.exploration)
    return UniformPolicy.of(playbook), learned, IncumbentPolicy.of(playbook)


def test_odds_are_the_weighted_sum_and_scores_those_of_the_first_learned_part(
    playbook: Playbook, parts: tuple[Policy, ...], world: World
) -> None:
    choice = MixturePolicy.of(playbook, parts, (0.2, 0.5, 0.3)).choose(world.features, world.eligible)
    own = [part.choose(world.features, world.eligible) for part in parts]
    expected = 0.2 * own[0].odds + 0.5 * own[1].odds + 0.3 * own[2].odds
    assert choice.odds == pytest.approx(expected, abs=1e-15)
    assert np.array_equal(choice.scores, own[1].scores)
    assert np.array_equal(choice.best, own[1].best)


def test_a_mixture_of_parts_that_only_keep_the_floor_keeps_it_to_the_last_bit(
    playbook: Playbook, world: World
) -> None:
    thirds = (0.1, 0.2, 0.7)
    mixture = MixturePolicy.of(playbook, [IncumbentPolicy.of(playbook)] * 3, thirds)
    odds = mixture.choose(world.features, world.eligible).odds
    assert (odds >= 0.05 * uniform_tree(playbook.arms, world.eligible)).all()
    assert np.abs(odds.sum(axis=1) - 1).max() <= 1e-9


@pytest.mark.parametrize("weights", [(0.5, 0.4), (0.5, 0.3, 0.3), (1.2, -0.1, -0.1), (np.nan, 0.5, 0.5), ()])
def test_weights_that_are_none_are_refused(
    weights: tuple[float, ...], playbook: Playbook, parts: tuple[Policy, ...]
) -> None:
    with pytest.raises(InvalidInput, match="weights"):
        MixturePolicy.of(playbook, parts, weights)


def test_a_mixture_is_read_back_with_mixtures_inside(
    playbook: Playbook, parts: tuple[Policy, ...], world: World
) -> None:
    inner = MixturePolicy.of(playbook, parts, (0.2, 0.5, 0.3))
    outer = MixturePolicy.of(playbook, (parts[2], inner), (0.25, 0.75))
    artefact = seal(outer, playbook, data_from=None, data_to=None, rows=0, parameters={})
    again = unseal(artefact, playbook)
    assert artefact.manifest.specification == again.specification == "mixture"
    before, after = (p.choose(world.features, world.eligible) for p in (outer, again))
    assert np.array_equal(before.odds, after.odds)


def test_a_part_is_fitted_to_a_playbook_that_moved_on(
    playbook: Playbook, parts: tuple[Policy, ...], world: World
) -> None:
    mixture = MixturePolicy.of(playbook, parts, (0.2, 0.5, 0.3))
    artefact = seal(mixture, playbook, data_from=None, data_to=None, rows=0, parameters={})
    moved = shop(survey="  survey: {category: research, channels: [email], timings: [evening]}")
    kept = [playbook.arms.index[name] for name in moved.arms.names]
    choice = unseal(artefact, moved).choose(world.features, world.eligible[:, kept])
    assert choice.odds.sum(axis=1) == pytest.approx(np.ones(len(choice.odds)), abs=1e-9)


def test_a_part_that_is_damaged_is_found(playbook: Playbook, parts: tuple[Policy, ...]) -> None:
    mixture = MixturePolicy.of(playbook, parts, (0.2, 0.5, 0.3))
    artefact = seal(mixture, playbook, data_from=None, data_to=None, rows=0, parameters={})
    files = {**artefact.files, "1.weights.npy": artefact.files["1.weights.npy"][:-40]}
    with pytest.raises(CorruptArtefact, match="can't be read"):
        unseal(Artefact.of(artefact.manifest, files), playbook)


def test_only_a_mixture_with_a_learned_part_has_a_model(
    playbook: Playbook, parts: tuple[Policy, ...], models: dict[str, LearnedModel]
) -> None:
    assert MixturePolicy.of(playbook, parts, (0.2, 0.5, 0.3)).model is models["ridge"]
    inside = MixturePolicy.of(playbook, parts, (0.2, 0.5, 0.3))
    assert MixturePolicy.of(playbook, (parts[2], inside), (0.5, 0.5)).model is models["ridge"]
    assert not hasattr(MixturePolicy.of(playbook, parts[:1], (1.0,)), "model")
