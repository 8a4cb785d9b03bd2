"""Events and outcomes: taken once, rejected singly, and heard at once."""

from __future__ import annotations

from pathlib import Path

from nba.model import Receipt, Rejection, Reports
from nba.stores.memory import MemoryStore
from nba.stores.open import open_store
from tests.service.business import DAY, NOON, OPEN, Business, consents, event, outcome, request
from tests.service.test_answers import ALWAYS, consented


def live() -> Business:
    return Business.of(OPEN, MemoryStore("live"))


def test_events_too_far_ahead_are_rejected_and_told_the_time() -> None:
    receipt = live().report(
        event("c0", "visit", NOON + 301, id="far"), event("c0", "visit", NOON + 300, id="near")
    )
    assert receipt.accepted == 1
    (rejection,) = receipt.rejected
    assert (rejection.index, rejection.id) == (0, "far")
    assert "2025-06-15T12:00:00Z" in rejection.detail


def test_a_simulation_takes_events_at_their_own_time() -> None:
    business = Business.of(OPEN)
    assert business.report(event("c0", "visit", NOON + 400 * DAY)).accepted == 1
    (rejection,) = business.report(event("c0", "visit", None)).rejected
    assert rejection.detail.startswith("occurred_at")


def test_an_id_counts_once_as_an_event_and_once_as_an_outcome() -> None:
    business = live()
    first = event("c0", "purchase", NOON, id="x", value=5.0)
    changed = event("c0", "purchase", NOON, id="x", value=7.0)
    other = outcome("purchase", NOON, id="x", customer_id="c0", value=5.0)
    assert business.report(first, first, changed, other) == Receipt(accepted=2, duplicates=2, rejected=())
    assert business.report(changed).duplicates == 1
    rows = [row for chunk in business.store.touchpoints(0, 2 * NOON) for row in chunk]
    assert [(row.source, row.value) for row in rows] == [("event", 5.0), ("outcome", 5.0)]
    business.decide("c0", id="d", now=NOON + 1)
    assert business.trace("d")["trace"]["features"]["purchase_total"] == 2.0


def test_a_bad_item_is_rejected_alone_and_makes_no_customer() -> None:
    business = live()
    business.decide("owner", id="d")
    receipt = business.report(
        outcome("purchase", NOON, id="o1", decision_id="unknown"),
        outcome("purchase", NOON, id="o2", decision_id="d", customer_id="thief"),
        event("ghost", "consent", NOON, id="e1", properties={"granted": "yes"}),
        event("ghost", "consent", NOON, id="e2", channel="fax", properties={"granted": True}),
        event("ghost", "profile", NOON, id="e3", properties={"timezone": "Moon/Base"}),
        event("ghost", "profile", NOON, id="e4", properties={"city": "west"}),
        event("ghost", "identify", NOON, id="e5", properties={"kind": "email"}),
        outcome("purchase", NOON, id="o3", decision_id="d", customer_id="owner"),
        outcome("purchase", NOON, id="o4", decision_id="d"),
    )
    assert receipt.accepted == 2
    fields = ["decision_id", "customer_id", "properties.granted", "channel"]
    fields += ["properties.timezone", "properties.city", "properties"]
    assert [r.detail.partition(":")[0] for r in receipt.rejected] == fields
    assert [r.index for r in receipt.rejected] == list(range(7))
    assert sorted(business.store.links().values()) == ["owner"]


def test_rejections_from_the_edge_keep_their_place() -> None:
    business = live()
    edge = Rejection(index=1, id=None, detail="type: is missing")
    result = business.one(
        Reports(items=(event("c0", "visit", NOON), edge, event("c0", "visit", NOON + 999, id="z")))
    )
    assert isinstance(result, Receipt)
    assert [(r.index, r.id) for r in result.rejected] == [(1, None), (2, "z")]
    assert business.one(Reports(items=())) == Receipt(accepted=0, duplicates=0, rejected=())


def test_withdrawn_consent_works_at_once_also_within_a_batch() -> None:
    business = consented(ALWAYS)
    withdrawn = Reports(items=(consents("c0", "push", granted=False, at=NOON),))
    business.service.handle([request("c0", NOON, id="a"), withdrawn, request("c0", NOON, id="b")], NOON)
    assert business.trace("a")["channel"] == "push"
    assert business.trace("b")["action"] == "no_contact"
    assert business.trace("b")["trace"]["refused"]["offer/push/now"] == "consent"


def test_the_latest_word_counts_whatever_the_order_in_which_words_arrive() -> None:
    yes, no = consents("c0", at=NOON - 3), consents("c0", granted=False, at=NOON - 2)
    for order in ((yes, no), (no, yes)):
        business = Business.of(OPEN)
        for report in order:
            business.report(report)
        assert business.decide("c0", NOON)["reason"] == "consent"


def test_a_customer_of_no_known_zone_has_the_playbooks() -> None:
    """18:00 to 21:00 in Tokyo is 09:00 to 12:00 UTC; noon UTC is past it there, and before it in UTC."""
    tokyo = ALWAYS.replace("currency: EUR", "currency: EUR\ntimezone: Asia/Tokyo").replace(
        "channel: push, timing: now", "channel: push, timing: evening"
    )
    business = Business.of(tokyo)
    for customer, zone in (("c0", "UTC"), ("c1", None), ("c2", "UTC")):
        said = event(customer, "profile", NOON - DAY, properties={"timezone": zone})
        business.report(consents(customer), said)
    business.report(event("c2", "profile", NOON, properties={"timezone": None}))
    assert business.decide("c0", NOON)["send_at"] == "2025-06-15T18:00:00Z"
    for unknown in ("c1", "c2"):
        assert business.decide(unknown, NOON)["send_at"] == "2025-06-16T09:00:00Z"


def test_attributes_that_are_not_declared_appear_nowhere_in_the_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/nba.db")
    business = Business.of(OPEN, store)
    secrets = {"name": "Ada-Lovelace-1815", "iban": "NL00SECRET", "age": 33.0, "weird_key_5150": True}
    receipt = business.report(
        event("c0", "profile", NOON, properties=secrets),
        event("c0", "visit", NOON, properties={"page": "/private/Ada-Lovelace-1815"}),
        event("c0", "identify", NOON, properties={"kind": "email", "value": "Ada-Lovelace-1815"}),
        outcome("purchase", NOON, customer_id="c0", properties={"note": "NL00SECRET"}),
        event("c0", "profile", NOON, properties={"timezone": "Ada-Lovelace-1815"}),
        event("c0", "profile", NOON, properties={"city": "Ada-Lovelace-1815"}),
    )
    assert (receipt.accepted, len(receipt.rejected)) == (4, 2)
    assert not any("Lovelace" in r.detail for r in receipt.rejected)
    context = {"phone": "NL00SECRET", "device": "Ada-Lovelace-1815"}
    business.decide("c0", id="d", now=NOON + 1, context=context, explain=True)
    assert business.trace("d")["trace"]["features"]["age"] == 33.0
    store.close()
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        for secret in (b"Lovelace", b"NL00SECRET", b"weird_key_5150"):
            assert secret not in content, file.name
