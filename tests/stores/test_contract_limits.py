"""What every store promises of contacts that give way, of daily limits and of the outbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from nba.stores.ports import Store, Used
from tests.stores.contract import contact, decision, message

BOGO = ("bogo", "2026-11-22")
CALL = ("call", "2026-11-22")


def test_a_contact_comes_back_as_it_was_written(store: Store) -> None:
    rows = [
        contact("a", send_at=1.0, category="", cost=0.1 + 0.2, day="2026-11-22"),
        contact("b", send_at=2.0, category="offers", status="held", expires_at=9.5),
    ]
    with store.transaction() as transaction:
        transaction.append_contacts(rows)
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == rows


def test_released_contacts_count_no_longer_and_are_told_once_as_they_were(store: Store) -> None:
    reserved = contact("r", day="2026-11-22", cost=2.0)
    held = contact("h", status="held", expires_at=9.0)
    with store.transaction() as transaction:
        transaction.append_contacts([reserved, held, contact("other"), contact("done", status="lapsed")])
        assert transaction.release(["r", "unknown", "h", "r", "done"], "displaced") == [reserved, held]
        assert transaction.release(["r", "h"], "released") == []
        assert transaction.release([], "released") == []
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == [contact("other")]
        assert transaction.release(["h", "r"], "released") == []


def test_held_contacts_under_a_limit_lapse_once_their_time_is_over(store: Store) -> None:
    limited = {"status": "held", "day": "2026-11-22"}
    rows = [
        contact("late", expires_at=9.0, **limited),
        contact("b", expires_at=5.0, **limited),
        contact("a", expires_at=5.0, **limited),
        contact("early", expires_at=4.0, **limited),
        contact("unlimited", status="held", expires_at=4.0),
        contact("sent", day="2026-11-22"),
    ]
    with store.transaction() as transaction:
        transaction.append_contacts(rows)
        assert transaction.lapse(3.999) == []
    with store.transaction() as transaction:
        assert transaction.lapse(5.0) == [rows[3], rows[2], rows[1]]
        assert transaction.lapse(5.0) == []
    with store.transaction() as transaction:
        left = [row.decision_id for row in transaction.contacts(["s-1"], 0.0)]
        assert left == ["late", "sent", "unlimited"]
        assert transaction.lapse(100.0) == [rows[0]]


def test_what_was_shown_or_given_up_does_not_lapse(store: Store) -> None:
    limited = {"status": "held", "day": "2026-11-22", "expires_at": 5.0}
    with store.transaction() as transaction:
        transaction.append_decisions([decision("shown", status="held", activated_at=None)])
        transaction.append_contacts([contact("shown", **limited), contact("given-up", **limited)])
    with store.transaction() as transaction:
        transaction.activate("shown", at=4.0)
        transaction.release(["given-up"], "released")
        assert transaction.lapse(9.0) == []
    with store.transaction() as transaction:
        assert transaction.lapse(9.0) == []
        assert transaction.contacts(["s-1"], 0.0) == [contact("shown", status="shown", day="2026-11-22")]


def test_a_lapsed_contact_counts_again_once_it_is_shown_after_all(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_decisions([decision("d-1", status="held", activated_at=None)])
        held = contact("d-1", status="held", day="2026-11-22", expires_at=5.0)
        transaction.append_contacts([held])
        assert transaction.lapse(9.0) == [held]
    with store.transaction() as transaction:
        transaction.activate("d-1", at=10.0)
    with store.transaction() as transaction:
        assert transaction.contacts(["s-1"], 0.0) == [contact("d-1", status="shown", day="2026-11-22")]


def test_what_an_abandoned_transaction_lapsed_lapses_in_the_next(store: Store) -> None:
    held = contact("d-1", status="held", day="2026-11-22", expires_at=5.0)
    with store.transaction() as transaction:
        transaction.append_contacts([held])
    try:
        with store.transaction() as transaction:
            assert transaction.lapse(9.0) == [held]
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with store.transaction() as transaction:
        assert transaction.lapse(9.0) == [held]


def test_what_is_used_up_adds_up_and_can_be_given_back(store: Store) -> None:
    with store.transaction() as transaction:
        assert transaction.used([BOGO, CALL, BOGO]) == {BOGO: Used(), CALL: Used()}
        transaction.use({BOGO: Used(contacts=2, spend=0.5), CALL: Used(contacts=1, spend=7.25)})
        transaction.use({BOGO: Used(contacts=1, spend=0.25)})
        assert transaction.used([BOGO]) == {BOGO: Used(contacts=3, spend=0.75)}
        transaction.use({})
    with store.transaction() as transaction:
        transaction.use({CALL: Used(contacts=-1, spend=-7.25)})
        tomorrow = ("bogo", "2026-11-23")
        found = transaction.used([tomorrow, CALL, BOGO])
        assert found == {tomorrow: Used(), CALL: Used(), BOGO: Used(contacts=3, spend=0.75)}
        assert list(found) == [tomorrow, CALL, BOGO]
        assert transaction.used([]) == {}


def test_eight_threads_never_overdraw_a_limit_of_fifty(store: Store) -> None:
    def work(_: int) -> int:
        taken = 0
        for _ in range(20):
            with store.transaction() as transaction:
                if transaction.used([CALL, BOGO])[BOGO].contacts < 50:
                    transaction.use({BOGO: Used(contacts=1, spend=1.0)})
                    taken += 1
        return taken

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 50
    with store.transaction() as transaction:
        assert transaction.used([BOGO]) == {BOGO: Used(contacts=50, spend=50.0)}


def test_messages_are_numbered_in_order_and_read_from_a_number_on(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_outbox([message("a"), message("b", at=61.5, body=b"\x00{}")])
        transaction.append_outbox([message("c")])
    with store.transaction() as transaction:
        transaction.append_outbox([])
        transaction.append_outbox([message("d")])
    found = store.outbox(0)
    numbers = [row.number for row in found]
    assert numbers[0] >= 1
    assert numbers == sorted(set(numbers))
    wanted = [message("a"), message("b", at=61.5, body=b"\x00{}"), message("c"), message("d")]
    assert found == [
        message(row.id, number=number, at=row.at, body=row.body)
        for number, row in zip(numbers, wanted, strict=True)
    ]
    assert store.outbox(numbers[1]) == found[2:]
    assert store.outbox(numbers[0], limit=2) == found[1:3]
    assert store.outbox(numbers[3]) == []


def test_messages_appear_with_their_transaction(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append_outbox([message("a")])
        assert store.outbox(0) == []
    assert [row.id for row in store.outbox(0)] == ["a"]


def test_a_reader_that_goes_on_after_the_last_number_misses_no_message(store: Store) -> None:
    """Eight writers at once: a number must not appear after a larger one has been read."""

    def write(writer: int) -> None:
        for i in range(15):
            with store.transaction() as transaction:
                transaction.append_outbox([message(f"{writer}-{i}-{part}") for part in range(2)])

    read: list[str] = []
    last = 0
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, writer) for writer in range(8)]
        while True:
            over = all(writer.done() for writer in writers)
            for row in store.outbox(last, limit=7):
                read.append(row.id)
                last = row.number
            if over and not store.outbox(last):
                break
    for writer_done in writers:
        writer_done.result()
    assert len(read) == len(set(read)) == 8 * 15 * 2
