"""Planted kinds of customers are found, named by what was planted, and keep their ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nba.errors import CorruptArtefact, InvalidInput, NotEnoughData, SchemaMismatch
from nba.journey.segments import Segment, read_segments, unseal_segments
from nba.journey.traits import traits_of
from nba.playbook.compile import parse
from tests.training.segments.planted import AS_OF, KINDS, PLAYBOOK, events, planted, written
from training.segments.choose import choose
from training.segments.match import match
from training.segments.name import renamed
from training.segments.run import Before, Found, Settings, as_json, find, seal, table

NO_NAMES = Settings(most=5, names={})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = written(tmp_path_factory.mktemp("planted") / "history", events(75))
    return find(planted(), folder, AS_OF, NO_NAMES)


def kinds(found: Found) -> dict[str, str]:
    """Planted kind → the id of the segment that most of its customers are in."""
    frame = table(found)
    kind = frame["customer_id"].str.split("-").list.first()
    most = {k: Counter(frame.filter(kind == k)["segment_id"]).most_common(1)[0] for k in KINDS}
    assert all(count >= 70 for _, count in most.values()), most
    return {k: id for k, (id, _) in most.items()}


def before_of(found: Found) -> Before:
    artefact = seal(planted(), found)
    model = read_segments(artefact, planted())
    following = artefact.manifest.parameters["following"]
    return Before(model=model.comparable(planted()), segments=model.segments, following=following)


def test_four_planted_kinds_are_found_and_the_number_is_said_to_be_sound(found: Found) -> None:
    assert found.choice.k == 4
    assert found.choice.sound
    assert "4 segments: two fits on different customers agree by 1.00" in found.choice.said
    assert len(set(kinds(found).values())) == 4


def test_names_say_what_was_planted(found: Found) -> None:
    named = {s.id: s.name for s in found.segments}
    assert {kind: named[id] for kind, id in kinds(found).items()} == {
        "big": "active big-basket regulars",
        "thrifty": "active regulars",
        "lapsing": "lapsing regulars",
        "new": "new lookers",
    }
    assert found.unknown == ()


def test_personas_are_described_by_what_was_planted(found: Found) -> None:
    ids = kinds(found)
    persona = {s.id: p for s, p in zip(found.segments, found.personas, strict=True)}
    lapsing, big, new = (persona[ids[kind]] for kind in ("lapsing", "big", "new"))
    assert any("last seen more than" in rule for rule in lapsing.rule) or any(
        "last purchase more than" in rule for rule in lapsing.rule
    )
    assert min(p.catches for p in persona.values()) > 0.8
    assert {d.trait for d in big.differences} & {"value", "value_each"}
    assert all(d.n_inside + d.n_outside <= 300 and d.n_inside > 0 for d in big.differences)
    assert big.channel is not None
    assert big.part_of_day is not None
    assert (big.channel.name, big.part_of_day.name) == ("app", "evening")
    assert lapsing.silent is not None
    assert lapsing.silent.value < 0.2
    assert new.worth is not None
    assert big.worth is not None
    assert new.worth.value == 0.0
    assert big.worth.low > 500
    assert sum(p.size for p in persona.values()) == 300


def test_ids_and_names_stay_when_rows_are_permuted_and_a_tenth_of_the_events_is_missing(
    found: Found, tmp_path: Path
) -> None:
    again = find(
        planted(),
        written(tmp_path / "history", events(75, seed=7, noise=0.1, order=3)),
        AS_OF,
        replace(NO_NAMES, seed=11),
        before_of(found),
    )
    assert kinds(again) == kinds(found)
    assert {s.id: s.name for s in again.segments} == {s.id: s.name for s in found.segments}
    assert min(again.matched.overlap) > 0.9
    assert again.matched.moved is not None
    assert again.matched.moved < 0.03


def test_a_chosen_name_stays_over_refits_and_a_wrong_one_is_refused(found: Found, tmp_path: Path) -> None:
    folder = written(tmp_path / "history", events(60, seed=2))
    id = kinds(found)["new"]
    chosen = replace(NO_NAMES, names={id: "fresh faces"})
    named = find(planted(), folder, AS_OF, chosen, before_of(found))
    again = find(planted(), folder, AS_OF, NO_NAMES, before_of(named))
    assert {s.id: s.name for s in again.segments}[id] == "fresh faces"
    for wanted, why in (({"s99": "x"}, "s99"), ({"s1": "b"}, "two"), ({"s1": "<b>"}, "letters")):
        with pytest.raises(InvalidInput, match=why):
            renamed(["s1", "s2"], ["a", "b"], wanted)


def test_rules_that_ask_for_a_segment_which_is_not_there_are_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "history", events(60))
    book = parse(PLAYBOOK.replace("'lapsing regulars'", "'lapsing regulrs'"))
    assert "lapsing regulrs" in find(book, folder, AS_OF, NO_NAMES).unknown


def test_the_sealed_model_places_customers_as_the_search_did_and_the_json_is_finite(found: Found) -> None:
    model = unseal_segments(seal(planted(), found), planted())
    people = found.cohort
    np.testing.assert_array_equal(model.place(people.values, people.seen), found.place)
    one_by_one = [
        int(model.place(people.values[i : i + 1], people.seen[i : i + 1])[0]) for i in range(0, 300, 37)
    ]
    assert one_by_one == found.place[::37].tolist()
    assert as_json(planted(), found)["changes"] == {"gone": [], "moved": None}


def test_a_model_older_than_its_features_is_refused_and_still_tells_who_was_who(found: Found) -> None:
    artefact = seal(planted(), found)
    newer = parse(PLAYBOOK.replace("[visit, opened, purchase]\nobj", "[visit, opened, purchase, call]\nobj"))
    assert traits_of(newer) != traits_of(planted())
    with pytest.raises(SchemaMismatch, match="older than their features"):
        unseal_segments(artefact, newer)
    old = read_segments(artefact, newer).comparable(newer)
    assert old is not None
    assert old.segments == found.segments
    renamed = parse(PLAYBOOK.replace("'lapsing regulars'", "'new lookers'"))
    assert unseal_segments(artefact, renamed).segments == found.segments, "rules make no model old"


@pytest.mark.parametrize("file", ["segments.json", "scaling.npy", "centroids.npy", "answers.npy"])
def test_damaged_files_are_corrupt_not_a_crash(found: Found, file: str) -> None:
    artefact = seal(planted(), found)
    damaged = replace(artefact, files={**artefact.files, file: artefact.files[file][:-40]})
    with pytest.raises(CorruptArtefact):
        read_segments(damaged, planted())


def test_one_blob_is_told_to_be_unsound() -> None:
    """600 points of one normal law in 6 dimensions: k-means finds cuts, and other points other ones."""
    choice = choose(np.random.default_rng(0).normal(size=(600, 6)), most=5, least=0.02)
    assert not choice.sound
    assert choice.said.startswith("no number of segments is sound")


def test_a_floor_on_size_rules_out_slivers() -> None:
    rng = np.random.default_rng(0)
    Z = np.concatenate(
        [rng.normal(0, 0.1, (500, 2)), rng.normal(3, 0.1, (480, 2)), rng.normal(9, 0.1, (5, 2))]
    )
    choice = choose(Z, most=3, least=0.02)
    assert not choice.sound or choice.k == 2
    assert all(c.smallest < 0.02 for c in choice.candidates if c.k == 3)


def test_too_few_customers_are_named_with_their_number() -> None:
    with pytest.raises(NotEnoughData) as caught:
        choose(np.zeros((30, 2)), most=3, least=0.02)
    assert caught.value.figures == {"customers": 30, "needed": 200}
    with pytest.raises(NotEnoughData, match="differ"):
        choose(np.zeros((300, 2)), most=3, least=0.02)


# Matching


FORMER = (Segment(id="s1", name="a"), Segment(id="s2", name="b"), Segment(id="s4", name="c"))


def test_a_split_segment_leaves_its_id_to_the_larger_part_and_gone_ids_never_come_back() -> None:
    before = np.repeat([0, 1, 2], [100, 100, 10])
    place = np.concatenate([np.repeat([2, 0], [60, 40]), np.repeat(1, 100), np.repeat(1, 10)])
    matched = match(place, 3, before, FORMER, 5)
    assert matched.ids == ("s5", "s2", "s1")
    assert matched.names == (None, "b", "a")
    assert [s.id for s in matched.gone] == ["s4"]
    assert matched.moved == pytest.approx(50 / 210)
    assert matched.following == 6


def test_any_numbering_of_the_same_clusters_gives_the_same_ids() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(0, 3, 300)
    for _ in range(5):
        new = rng.permutation(3)
        matched = match(new[before], 3, before, FORMER, 5)
        assert [matched.ids[new[i]] for i in range(3)] == ["s1", "s2", "s4"]
        assert matched.moved == 0.0


def test_without_a_model_before_ids_count_from_one() -> None:
    matched = match(np.array([0, 1, 1]), 2, np.full(3, -1), (), 1)
    assert (matched.ids, matched.moved, matched.following) == (("s1", "s2"), None, 3)
