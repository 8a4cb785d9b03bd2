"""A courier and a real receiver that fails, hangs, closes and comes back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.playbook.reactions import Retries, Webhook
from nba.stores.memory import MemoryStore
from nba.stores.persons import ErasedRow
from nba.stores.ports import DeliveryRow, OutboxRow, Store
from serving.delivery.courier import BATCH, Courier, pause
from serving.delivery.figures import Figures
from serving.delivery.message import Failure, signature
from serving.delivery.webhook import WebhookTarget
from tests.serving.delivery.receiver import SECRET, Receiver, receiving


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


class Clock:
    """Stands still until it is moved; the timeouts of the courier are real."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Desk:
    """A store with messages, and couriers on it."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or MemoryStore()
        self.clock = Clock()

    def tell(self, *names: str, type: str = "ticket.opened", customer: str = "c-1", age: float = 0.0) -> None:
        with self.store.transaction() as transaction:
            surrogate = transaction.customers([customer])[customer].surrogate
            transaction.append_outbox(
                [
                    OutboxRow(
                        id=name,
                        type=type,
                        surrogate=surrogate,
                        decision_id="",
                        at=self.clock.now - age,
                        body=b'{"ticket":{"note":"<b>"}}',
                    )
                    for name in names
                ]
            )

    def courier(
        self, receiver: Receiver, name: str = "a", tries: int = 3, timeout: float = 10.0, **asked: Any
    ) -> Courier:
        webhook = Webhook(url="URL", secret="SECRET", **asked)
        limits = {"tries": tries, "timeout": timeout, "longest": 64.0}
        webhook = webhook.model_copy(update={"retries": Retries().model_copy(update=limits)})
        target = WebhookTarget(
            f"webhook.{name}", webhook, url=receiver.url, secret=SECRET, playbook="coffee", clock=self.clock
        )
        return Courier(target, self.store, figures=Figures(), clock=self.clock, chance=lambda: 0.5)

    def run(self, courier: Courier, until: float = 0.0) -> int:
        """Step until nothing is due, moving the clock on by a second up to `until` seconds."""

        async def steps() -> int:
            done, end = 0, self.clock.now + until
            while True:
                done += (some := await courier.step())
                if not some:
                    if self.clock.now >= end:
                        return done
                    self.clock.now += 1.0

        return asyncio.run(steps())

    def dead(self) -> list[int]:
        return [row.number for row in self.store.deliveries(status="dead")]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_messages_come_in_order_as_signed_cloud_events(desk: Desk, receiver: Receiver) -> None:
    desk.tell("m-1", "m-2", "m-3")
    desk.run(desk.courier(receiver))
    assert receiver.ids == ["m-1", "m-2", "m-3"]
    assert receiver.forged == 0
    event = receiver.taken[0]
    assert {k: event[k] for k in ("specversion", "id", "source", "type", "subject", "key")} == {
        "specversion": "1.0",
        "id": "m-1",
        "source": "/nba/coffee",
        "type": "ticket.opened",
        "subject": "c-1",
        "key": "m-1",
    }
    assert event["data"] == {"ticket": {"note": "<b>"}}


def test_a_signature_of_another_body_or_moment_or_secret_is_told(receiver: Receiver) -> None:
    good = signature(b"{}", "5", SECRET)
    others = {signature(b"{} ", "5", SECRET), signature(b"{}", "6", SECRET), signature(b"{}", "5", "x" * 16)}
    assert good not in others
    assert len(others) == 3


@pytest.mark.parametrize("mood", ["fails", "hangs", "closes", "drips", "redirects", "busy"])
def test_a_target_that_is_down_gets_all_of_it_in_order_when_it_is_back(
    desk: Desk, receiver: Receiver, mood: Any
) -> None:
    courier = desk.courier(receiver, tries=9, timeout=1.0 if mood in ("hangs", "drips") else 10.0)
    receiver.mood = mood
    desk.tell("m-1", "m-2", "m-3")
    assert desk.run(courier) == 1  # the others are not even tried
    assert receiver.taken == []
    receiver.mood = "takes"
    desk.run(courier, until=4)
    assert receiver.ids == ["m-1", "m-2", "m-3"]
    assert desk.store.deliveries() == []


def test_a_target_that_answers_after_its_timeout_has_failed(desk: Desk, receiver: Receiver) -> None:
    receiver.delay = 0.6
    desk.tell("m-1")
    desk.run(desk.courier(receiver, timeout=0.3))
    [row] = desk.store.deliveries()
    assert (row.tries, row.status, row.reason) == (1, "waiting", "no answer in 0.3 s")


def test_a_port_where_nobody_listens_is_a_target_that_is_down(desk: Desk) -> None:
    with receiving() as gone:
        pass
    desk.tell("m-1")
    desk.run(desk.courier(gone))
    [row] = desk.store.deliveries()
    assert (row.tries, "hidden" in row.reason) == (1, False)


def test_one_bad_message_holds_up_nobody(desk: Desk, receiver: Receiver) -> None:
    receiver.moods = {"m-2": "refuses"}
    desk.tell("m-1", "m-2", "m-3")
    desk.run(desk.courier(receiver))
    assert receiver.ids == ["m-1", "m-3"]


def test_after_so_many_tries_it_is_a_dead_letter_and_can_be_sent_again(
    desk: Desk, receiver: Receiver
) -> None:
    courier = desk.courier(receiver, tries=3)
    receiver.moods = {"m-1": "refuses"}
    desk.tell("m-1", "m-2")
    desk.run(courier, until=10)
    assert len([e for e in receiver.asked if e["id"] == "m-1"]) == 3
    assert desk.dead() == [1]
    receiver.moods = {}
    desk.run(courier, until=100)
    assert receiver.ids == ["m-2"]  # not by itself
    assert desk.store.revive("webhook.a", [1], desk.clock.now) == 1
    desk.run(courier)
    assert receiver.ids == ["m-2", "m-1"]
    assert desk.store.deliveries() == []


def test_the_pause_grows_while_a_target_is_down(desk: Desk, receiver: Receiver) -> None:
    courier = desk.courier(receiver, tries=6)
    receiver.mood = "fails"
    desk.tell("m-1", "m-2")
    start, times = desk.clock.now, []
    while len(receiver.asked) < 8:
        before = len(receiver.asked)
        asyncio.run(courier.step())
        times += [desk.clock.now - start] * (len(receiver.asked) - before)
        desk.clock.now += 1.0
    gaps = [round(b - a) for a, b in pairwise(times)]
    assert gaps[:5] == [1, 2, 4, 8, 16]
    assert min(gaps[5:]) >= 32  # the next message finds the target as it is
    assert desk.dead() == [1]


def test_a_slow_target_holds_up_no_other(desk: Desk, receiver: Receiver) -> None:
    desk.tell(*(f"m-{i}" for i in range(5)))
    receiver.mood = "hangs"
    with receiving() as quick:
        slow, fast = desk.courier(receiver, "slow", timeout=60.0), desk.courier(quick, "fast")

        async def both() -> bool:
            held = asyncio.create_task(slow.step())
            await fast.step()
            still = not held.done()
            held.cancel()
            await asyncio.gather(held, return_exceptions=True)
            return still

        assert asyncio.run(both())  # the fast one is through while the slow one still hangs
        assert len(quick.taken) == 5
    assert desk.store.deliveries("webhook.fast") == []


def test_types_that_a_target_does_not_want_are_passed_over(desk: Desk, receiver: Receiver) -> None:
    desk.tell("m-1", type="decision.displaced")
    desk.tell("m-2", type="ticket.changed")
    desk.tell("m-3", type="contact.decided")
    desk.run(desk.courier(receiver, types=["ticket.*"]))
    assert receiver.ids == ["m-2"]
    assert desk.store.delivered("webhook.a") == 3


def test_a_new_target_begins_with_the_last_day(desk: Desk, receiver: Receiver) -> None:
    desk.tell("old", age=90_000.0)
    desk.tell("new", age=80_000.0)
    desk.run(desk.courier(receiver))
    assert receiver.ids == ["new"]


def test_another_courier_goes_on_where_the_first_one_was(desk: Desk, receiver: Receiver) -> None:
    desk.tell(*(f"m-{i}" for i in range(BATCH + 5)))
    asyncio.run(desk.courier(receiver).step())
    desk.run(desk.courier(receiver))
    assert receiver.ids == [f"m-{i}" for i in range(BATCH + 5)]


def test_several_on_their_way_at_a_time_all_arrive(desk: Desk, receiver: Receiver) -> None:
    receiver.moods = {"m-7": "refuses"}
    desk.tell(*(f"m-{i}" for i in range(10)), type="ticket.opened")
    desk.run(desk.courier(receiver, parallel=4))
    assert sorted(receiver.ids) == sorted(f"m-{i}" for i in range(10) if i != 7)


def test_of_an_erased_customer_nothing_is_told_but_that_contacts_are_called_off(
    desk: Desk, receiver: Receiver
) -> None:
    about: dict[str, Any] = {"surrogate": "gone", "at": desk.clock.now, "body": b"{}"}
    with desk.store.transaction() as transaction:
        transaction.append_outbox(
            [
                OutboxRow(id="m-1", type="ticket.opened", decision_id="", **about),
                OutboxRow(id="m-2", type="decision.erased", decision_id="d-7", **about),
            ]
        )
    desk.run(desk.courier(receiver))
    [event] = receiver.taken
    assert (event["id"], event["data"]) == ("m-2", {"decision_id": "d-7"})
    assert "subject" not in event
    assert desk.store.delivered("webhook.a") == 2


class Erasing:
    """A target whose customer is erased while the first message is on its way."""

    name, parallel, since, retries = "erasing", 1, 86_400.0, Retries()

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sent: list[tuple[str, str | None]] = []

    def wants(self, row: OutboxRow) -> bool:
        return True

    def not_before(self, row: OutboxRow) -> float | None:
        return None

    async def send(self, row: OutboxRow, customer_id: str | None) -> Failure | None:
        self.sent.append((row.id, customer_id))
        if len(self.sent) == 1:
            with self.desk.store.transaction() as transaction:
                transaction.customers([], ["c-1"])
                gone = ErasedRow(surrogate=row.surrogate, digest="d", at=self.desk.clock.now, who="ada")
                transaction.erase([gone], lambda trace: trace)
        return None

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("waiting", [False, True])
def test_nothing_more_is_told_of_who_is_erased_while_others_are_sent(desk: Desk, waiting: bool) -> None:
    desk.tell("m-1", "m-2")
    desk.tell("m-3", customer="c-2")
    target = Erasing(desk)
    if waiting:
        late = [
            DeliveryRow(target="erasing", number=n, tries=1, due_at=0.0, status="waiting", reason="", at=0.0)
            for n in (1, 2, 3)
        ]
        desk.store.settle_deliveries("erasing", through=3, keep=late, drop=())
    desk.run(Courier(target, desk.store, figures=Figures(), clock=desk.clock))
    assert target.sent == [("m-1", "c-1"), ("m-3", "c-2")]


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["takes", "fails", "refuses", "closes"]), min_size=1, max_size=8))
def test_whatever_a_target_does_every_message_is_taken_or_a_dead_letter(moods: list[Any]) -> None:
    desk, chance = Desk(), random.Random(str(moods))
    with receiving() as receiver:
        courier = desk.courier(receiver, tries=2)
        told = []
        for i, mood in enumerate(moods):
            receiver.mood = mood
            desk.tell(f"m-{i}")
            told.append(f"m-{i}")
            desk.run(courier)
            desk.clock.now += chance.choice([0.0, 1.0, 40.0])
        receiver.mood = "takes"
        desk.run(courier, until=200)
        dead = [row.id for row in desk.store.messages(desk.dead())]
        assert sorted({*receiver.ids, *dead}) == sorted(told)
        assert not set(receiver.ids) & set(dead)


@given(st.integers(1, 1_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_longer_than_a_fifth_above_the_longest(failures: int, chance: float) -> None:
    retries = Retries(pause="1s", longest="10m")
    length = pause(failures, retries, chance)
    assert 0.8 <= length <= 720.0
    assert length <= 1.2 * 2.0 ** min(failures - 1, 60)
