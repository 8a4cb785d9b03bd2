"""What holds after whatever was done to what serves, and after a crash in the midst of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from nba.errors import InvalidInput
from nba.promotion import named, promote, rollback, standing, withdraw
from tests import strategies as strategies
from tests.promotion.desk import BY, Desk, Died

ORIGINS = 4  # policies that were published as challengers at first
Act = Callable[[Desk], object]


def _promoted(origin: int, share: float) -> Act:
    return lambda desk: promote(desk.store, named(desk.store, f"ridge@{origin}"), **BY, share=share)


def _back(to: str | None) -> Act:
    return lambda desk: rollback(desk.store, **BY, to=to)


def _looking(version: str) -> Act:
    return lambda desk: desk.challenger(version)


def _withdrawn(desk: Desk) -> object:
    return withdraw(desk.store, "ramp", **BY)


ORIGIN = st.integers(1, ORIGINS)
ACTS = st.one_of(
    st.builds(_promoted, ORIGIN, st.sampled_from([1.0, 1.0, 0.05, 0.25])),
    st.builds(_back, st.sampled_from([None, None, None, "fallback"])),
    st.builds(_back, ORIGIN.map(lambda origin: f"ridge@{origin}")),
    st.builds(_looking, st.sampled_from("xyz")),
    st.just(_withdrawn),
)


def _prepared(acts: list[Act]) -> Desk:
    """A desk where all this was done; what may not be done was refused."""
    desk = Desk()
    for version in range(ORIGINS):
        desk.challenger(f"v{version}")
    for act in acts:
        with suppress(InvalidInput):
            act(desk)
    return desk


def _finished(desk: Desk, act: Act) -> tuple[object, ...]:
    with suppress(InvalidInput):
        act(desk)
    return desk.state()


@given(st.lists(ACTS, max_size=15))
def test_rollbacks_end_at_the_fallback_and_meet_no_policy_twice(acts: list[Act]) -> None:
    desk = _prepared(acts)
    if standing(desk.store).ramp is not None:
        withdraw(desk.store, "ramp", **BY)
    met = [standing(desk.store).name]
    while standing(desk.store).champion is not None:
        rollback(desk.store, **BY)
        met.append(standing(desk.store).name)
    assert len(set(met)) == len(met)


@given(st.lists(ACTS, max_size=15))
def test_former_champions_are_each_told_once_and_the_present_one_is_not_among_them(acts: list[Act]) -> None:
    now = standing(_prepared(acts).store)
    origins = [p.origin for p in now.earlier]
    assert len(set(origins)) == len(origins)
    assert now.champion is None or now.champion.origin not in origins
    assert [p.number for p in now.earlier] == sorted((p.number for p in now.earlier), reverse=True)


@given(st.lists(ACTS, max_size=15))
def test_a_champion_is_on_no_ramp_and_the_name_of_a_policy_is_that_of_one_artefact(acts: list[Act]) -> None:
    desk = _prepared(acts)
    now = standing(desk.store)
    assert now.ramp == now.tried
    versions: dict[str, set[str]] = {}
    for publication in desk.store.audit():
        versions.setdefault(publication.name, set()).add(publication.version)
    assert all(len(found) == 1 for found in versions.values())


@given(st.lists(ACTS, max_size=15), st.builds(_promoted, ORIGIN, st.just(1.0)), st.integers(0, 2))
def test_a_promotion_that_died_on_the_way_serves_before_or_after_and_is_finished_by_another(
    acts: list[Act], act: Act, left: int
) -> None:
    whole, broken = _prepared(acts), _prepared(acts)
    before, after = whole.state(), _finished(whole, act)
    broken.store.left = left
    with suppress(Died):
        _finished(broken, act)
    broken.store.left = None
    assert broken.state()[0] in (before[0], after[0])
    assert _finished(broken, act) == after


@given(
    st.lists(ACTS, max_size=15),
    st.sampled_from(["fallback", *(f"ridge@{origin}" for origin in range(1, ORIGINS + 1))]),
    st.integers(0, 1),
)
def test_a_rollback_to_a_name_that_died_on_the_way_is_finished_by_another(
    acts: list[Act], to: str, left: int
) -> None:
    whole, broken = _prepared(acts), _prepared(acts)
    before, after = whole.state(), _finished(whole, _back(to))
    broken.store.left = left
    with suppress(Died):
        _finished(broken, _back(to))
    broken.store.left = None
    assert broken.state()[0] in (before[0], after[0])
    assert broken.state()[1] in (before[1], after[1])
    assert _finished(broken, _back(to)) == after


@given(st.lists(ACTS, max_size=15))
def test_a_rollback_without_a_name_is_one_entry(acts: list[Act]) -> None:
    """Repeating it is another rollback, so it must never stop half way."""
    desk = _prepared(acts)
    before = len(desk.store.audit())
    with suppress(InvalidInput):
        rollback(desk.store, **BY)
    assert len(desk.store.audit()) - before <= 1
