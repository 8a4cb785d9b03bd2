"""What customers say comes of their true state, on random numbers that are not the world's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from experiments.simulate import State, World, answers, complaints, day_start, history, reviews
from experiments.simulate.calendar import DAY
from experiments.simulate.day import day_draws
from experiments.simulate.voice import UNHAPPY, draws_of

SEED = 5


def asked(world: World, state: State, days: int = 40) -> pl.DataFrame:
    """All that is answered on so many days that each begin in `state`."""
    return pl.concat([answers(world, state, day, SEED) for day in range(days)])


def unhappy(said: pl.DataFrame) -> tuple[float, int]:
    """The share of detractors, and of how many answers."""
    scores = said.filter(pl.col("type") == "nps")["value"].to_numpy()
    return float((scores <= UNHAPPY).mean()), len(scores)


def test_a_customer_says_the_same_in_a_larger_population() -> None:
    small, large = World.create(SEED, 300), World.create(SEED, 900)
    among = asked(large, large.initial())
    theirs = among.filter(pl.col("customer_id") < "c-00300")
    assert len(theirs) > 50
    assert_frame_equal(asked(small, small.initial()), theirs)


def test_no_number_that_is_drawn_for_it_is_one_of_the_worlds() -> None:
    everybody = np.arange(500)
    for day in (-3, 0, 3):
        nature = np.concatenate(list(day_draws(SEED, day, 500, everybody).values()))
        assert not np.intersect1d(nature, np.concatenate(list(draws_of(SEED, day, 500).values()))).size


def test_who_is_tired_or_waits_for_help_is_a_detractor_more_often_and_says_why() -> None:
    """About 950 answers a group; a share that is in truth the same would differ by .15 once in a billion."""
    world = World.create(SEED, 4_000)
    calm = world.initial()
    tired = replace(calm, fatigue=np.full(world.customers, 3.0))
    waiting = replace(calm, ticket=np.ones(world.customers, dtype=np.bool_))
    shares = {
        name: unhappy(asked(world, s)) for name, s in (("calm", calm), ("tired", tired), ("waits", waiting))
    }
    assert min(answered for _, answered in shares.values()) > 800
    assert shares["tired"][0] > shares["calm"][0] + 0.15
    assert shares["waits"][0] > shares["calm"][0] + 0.15
    words = asked(world, waiting).drop_nulls("text")["text"].str.join(" ").item().lower()
    assert words.count("help desk") > asked(world, calm).drop_nulls("text")["text"].str.join(
        " "
    ).item().count("help desk")


def test_an_answer_is_whole_on_the_scale_within_its_day_and_of_the_living() -> None:
    world = World.create(SEED, 2_000)
    alive = np.arange(world.customers) % 2 == 0
    said = answers(world, replace(world.initial(), alive=alive), 3, SEED)
    scores = said.filter(pl.col("type") == "nps")["value"]
    assert len(scores)
    assert set(scores) <= set(range(11))
    assert said["occurred_at"].is_sorted()
    seconds = said["occurred_at"].dt.epoch("us") / 1e6 - day_start(3)
    assert seconds.is_between(0, DAY, closed="left").all()
    assert all(int(customer[2:]) % 2 == 0 for customer in said["customer_id"])
    assert said.filter(pl.col("type") == "comment")["text"].str.len_chars().min() > 10


def test_each_ticket_of_the_world_opens_with_one_complaint_at_its_moment() -> None:
    world = World.create(SEED, 1_000)
    touchpoints = history(world, 20, SEED).touchpoints
    opened = touchpoints.filter(pl.col("type") == "ticket_opened")
    said = complaints(opened, world.customers, -1, SEED)
    assert len(said) == len(opened) > 20
    assert_frame_equal(said.select("customer_id", "occurred_at"), opened.select("customer_id", "occurred_at"))
    assert (said["type"] == "complaint").all()
    assert said["event_id"].is_unique().all()
    assert said["text"].str.len_chars().min() > 10


@pytest.mark.parametrize("seed", [1, 2])
def test_reviews_are_enough_to_learn_each_theme_and_sentiment_from(seed: int) -> None:
    texts = reviews(1_500, seed).unique("text")
    assert texts["theme"].value_counts()["count"].min() >= 100
    assert texts["rating"].is_between(1, 5).all()
    groups = [(texts["rating"] <= 2).sum(), (texts["rating"] == 3).sum(), (texts["rating"] >= 4).sum()]
    assert min(groups) >= 100
