"""Same seed, same world, same events: however customers are cut into parts."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from experiments.simulate import TOUCHPOINTS, Arm, Response, State, World, day_start, history, read_commerce
from experiments.simulate.calendar import DAY, local_hours, timing_of
from nba.errors import InvalidInput

DAYS, SEED = 20, 5


def run(world: World, seed: int, parts: int, order: int = 1) -> tuple[State, list[pl.DataFrame]]:
    """Twenty days with an arm for every customer, the population taken in `parts` parts."""
    state, days = world.initial(), []
    for day in range(DAYS):
        arm = (np.arange(world.customers) * 7 + day) % len(world.arms)
        frames = []
        for rows in np.array_split(np.arange(world.customers), parts)[::order]:
            state, response = world.respond(state, rows[::order], day, arm[rows[::order]], seed)
            frames.append(response.touchpoints())
        days.append(pl.concat(frames).sort("occurred_at", "event_id"))
    return state, days


def assert_same_state(one: State, other: State) -> None:
    for field in fields(State):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize(("parts", "order"), [(1, 1), (3, 1), (50, -1)])
def test_events_are_the_same_in_any_cut_of_the_customers(parts: int, order: int) -> None:
    world = World.create(SEED, 100)
    state, days = run(world, 11, 1)
    cut_state, cut_days = run(World.create(SEED, 100), 11, parts, order)
    assert sum(len(day) for day in days) > 300
    for one, other in zip(days, cut_days, strict=True):
        assert_frame_equal(one, other, check_exact=True)
    assert_same_state(state, cut_state)


def test_a_customer_is_the_same_in_a_larger_population() -> None:
    small, large = World.create(SEED, 40), World.create(SEED, 900)
    assert_frame_equal(small.profiles(), large.profiles().head(40), check_exact=True)
    np.testing.assert_array_equal(small.traits.taste, large.traits.taste[:40])
    arm, rows = np.arange(40) % len(small.arms), np.arange(40)
    _, alone = small.respond(small.initial(), rows, 0, arm, 3)
    _, among = large.respond(large.initial(), rows, 0, arm, 3)
    assert_frame_equal(alone.touchpoints(), among.touchpoints(), check_exact=True)


def test_another_seed_gives_other_people_and_other_events() -> None:
    world = World.create(SEED, 100)
    assert not np.array_equal(world.traits.taste, World.create(SEED + 1, 100).traits.taste)
    assert [len(day) for day in run(world, 11, 1)[1]] != [len(day) for day in run(world, 12, 1)[1]]


def test_a_state_that_was_passed_in_is_not_changed() -> None:
    world = World.create(SEED, 200)
    state = world.initial()
    before = state.take(np.arange(200))
    after, _ = world.step(state, 0, np.arange(200) % len(world.arms), 1)
    assert_same_state(state, before)
    assert after.fatigue.sum() > 0


def test_only_the_customers_asked_for_move() -> None:
    world = World.create(SEED, 100)
    rows = np.array([9, 3, 77])
    after, _ = world.respond(world.initial(), rows, 0, np.array([4, 5, 6]), 1)
    others = np.setdiff1d(np.arange(100), rows)
    assert_same_state(after.take(others), world.initial().take(others))
    assert after.fatigue[rows].sum() > 0


def test_arm_0_is_no_contact_and_the_others_are_the_playbooks_product() -> None:
    commerce = read_commerce()
    assert commerce.arms[0] == Arm("no_contact", None, None)
    assert len(commerce.arms) == len(set(commerce.arms)) == 31
    bogo = commerce.arm("bogo", "email", "evening")
    assert commerce.cost[bogo] == pytest.approx(0.30 + 0.02)
    assert commerce.discount[commerce.action[bogo]] == pytest.approx(0.40)
    assert commerce.timings[commerce.timing[bogo]] == "evening"


def test_events_lie_within_their_day_carry_unique_ids_and_add_up_to_the_reward() -> None:
    world = World.create(SEED, 3000)
    arm = np.arange(3000) % len(world.arms)
    state, total = world.initial(), np.zeros(3000)
    frames = []
    for day in range(7):
        state, response = world.step(state, day, arm, 2)
        frame = response.touchpoints()
        seconds = frame["occurred_at"].dt.epoch("us").to_numpy() / 1e6
        assert seconds.min() >= day_start(day)
        assert seconds.max() < day_start(day) + DAY
        frames.append(frame)
        total += response.reward() + world.commerce.cost[arm] * response.delivered
    events = pl.concat(frames)
    assert dict(events.schema) == dict(TOUCHPOINTS)
    assert events["event_id"].is_unique().all()
    assert set(events["type"]) == {
        "visit", "opened", "purchase", "unsubscribed", "ticket_opened", "ticket_closed"
    }  # fmt: skip
    opened, gone = (len(events.filter(type=kind)) for kind in ("opened", "unsubscribed"))
    amount = events["value"].to_numpy().sum()
    assert total.sum() == pytest.approx(amount + 0.05 * opened - 4 * gone)


def prompted(response: Response) -> pl.DataFrame:
    frame = response.touchpoints().filter(pl.col("channel").is_not_null())
    opened = frame.filter(type="opened").select("customer_id", opened_at="occurred_at")
    return frame.filter(pl.col("type").is_in(["visit", "purchase"])).join(opened, "customer_id", how="left")


def test_what_a_contact_prompts_comes_after_its_opening_in_the_arms_own_hours() -> None:
    """Through a year, so with both changes of the clock."""
    world = World.create(SEED, 600)
    state = world.initial()
    arm = 1 + np.arange(600) % (len(world.arms) - 1)
    caused = 0
    for day in range(0, 365, 4):
        _, response = world.step(state, day, arm, 2)
        frame = prompted(response)
        assert (frame["occurred_at"] >= frame["opened_at"]).all()
        caused += len(frame)
        opened = response.happenings[1]
        slack = 3 * 3600.0  # opening follows sending by up to two hours
        hours = local_hours(opened.at[opened.happened], world.commerce.timezone)
        timing = world.commerce.timing[arm[opened.happened]]
        for index, window in enumerate(world.commerce.windows):
            if window is not None:
                inside = hours[timing == index]
                assert inside.min() >= window[0]
                assert inside.max() < window[1] + slack / 3600
    assert caused > 1000


def test_a_moment_belongs_to_the_timing_whose_local_window_holds_it() -> None:
    commerce = read_commerce()
    noon = np.array([day_start(0), day_start(200)])  # winter is UTC+1, summer UTC+2
    shift = 3600.0 * np.array([[20.0, 19.0], [22.5, 21.5], [5.5, 4.5]])  # 9:00, 11:30, 18:30 local
    found = [commerce.timings[index] for index in timing_of(commerce, (noon + shift).ravel())]
    assert found == ["morning", "morning", "now", "now", "evening", "evening"]


def test_an_arm_sent_outside_its_window_is_opened_as_its_hour_deserves() -> None:
    """The draws are shared, so the better-liked hour is opened by a superset of customers."""
    world = World.create(SEED, 2000)
    arm = np.full(2000, world.commerce.arm("brew_guide", "email", "morning"))
    rows = np.arange(2000)
    opened = {}
    for name, hour in (("evening", 6.0), ("morning", 20.0)):
        sent = np.full(2000, day_start(0) + hour * 3600)
        _, response = world.respond(world.initial(), rows, 0, arm, 1, sent)
        opened[name] = response.happened("opened")
    evening, morning = (world.traits.daypart[:, world.commerce.timings.index(t)] for t in opened)
    assert not (opened["evening"] & ~opened["morning"] & (morning > evening)).any()
    assert not (opened["morning"] & ~opened["evening"] & (evening > morning)).any()
    assert (opened["evening"] != opened["morning"]).sum() > 50


def test_silence_needs_no_send_time() -> None:
    world = World.create(SEED, 50)
    rows, arm = np.arange(50), np.zeros(50, dtype=np.int64)
    _, timed = world.respond(world.initial(), rows, 0, arm, 1, np.full(50, np.nan))
    _, plain = world.step(world.initial(), 0, arm, 1)
    assert_frame_equal(timed.touchpoints(), plain.touchpoints())


@pytest.mark.parametrize(
    ("rows", "arm", "sent", "field"),
    [
        ([0, 0], [1, 1], None, "customers"),
        ([0, 50], [1, 1], None, "customers"),
        ([0], [1, 1], None, "customers"),
        ([0, 1], [1, 99], None, "arm"),
        ([0, 1], [1, -1], None, "arm"),
        ([0, 1], [1, 1], [day_start(0), day_start(1)], "sent_at"),
        ([0, 1], [1, 1], [day_start(0), np.nan], "sent_at"),
    ],
)
def test_a_response_that_makes_no_sense_names_the_wrong_field(
    rows: list[int], arm: list[int], sent: list[float] | None, field: str
) -> None:
    world = World.create(SEED, 50)
    moments = None if sent is None else np.array(sent)
    with pytest.raises(InvalidInput) as refused:
        world.respond(world.initial(), np.array(rows), 0, np.array(arm), 1, moments)
    assert refused.value.errors[0].field == field


def test_history_ends_where_day_0_starts_and_lists_its_contacts_with_their_odds() -> None:
    world = World.create(SEED, 500)
    past = history(world, 60, seed=1)
    again = history(world, 60, seed=1)
    assert_frame_equal(past.touchpoints, again.touchpoints, check_exact=True)
    assert_same_state(past.state, again.state)
    seconds = past.touchpoints["occurred_at"].dt.epoch("us") / 1e6
    assert seconds.is_between(day_start(-60), day_start(0), closed="left").all()
    contacts = past.contacts
    expected = 500 * 60 / 21  # binomial: six standard deviations, a false alarm once in 500 million
    assert abs(len(contacts) - expected) < 6 * expected**0.5
    consents = world.consents(world.initial()).filter("granted").group_by("customer_id").len()
    everything = consents.filter(pl.col("len") == 3)["customer_id"]
    full = contacts.filter(pl.col("customer_id").is_in(everything.implode()))
    assert full["propensity"].min() == pytest.approx(1 / 21 / 30)


def test_profiles_consents_and_contexts_have_a_row_where_one_is_due() -> None:
    world = World.create(SEED, 4000)
    assert world.profiles().columns == ["customer_id", "age", "member", "region", "timezone"]
    assert world.profiles().height == world.contexts().height == 4000
    assert set(world.contexts()["device"]) == {"ios", "android", "web"}
    consents = world.consents(world.initial())
    assert consents.height == 4000 * 3
    shares = consents.group_by("channel").agg(pl.col("granted").mean()).sort("channel")
    assert shares["channel"].to_list() == ["email", "push", "sms"]
    for share, due in zip(shares["granted"], (0.95, 0.88, 0.85), strict=True):
        assert abs(share - due) < 6 * (due * (1 - due) / 4000) ** 0.5  # six standard deviations
