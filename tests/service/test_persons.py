"""Customer ids that claim the same identity are one person, exactly, in any order, and it can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nba.artefacts import Artefacts
from nba.errors import NotFound
from nba.features.state import States
from nba.model import Answer, Command, DecisionRequest, Receipt, Report, Reports, Withdrawal, Withdrawn
from nba.persons import as_one
from nba.playbook.compile import Playbook
from nba.replay import replay
from nba.session import PackedStates, layout_of
from nba.staging import STANDS
from nba.stores.memory import MemoryStore
from nba.stores.ports import Store
from tests.service.business import (
    DAY,
    HOUR,
    NOON,
    OPEN,
    SECRET,
    Business,
    answered,
    consents,
    event,
    playbooks,
    request,
    surrogates,
)
from tests.service.stories import in_batches, stories

FREE = OPEN.replace("cost: 0.5", "cost: 0.5, consent: false").replace(
    "cost: 0.1", "cost: 0.1, consent: false"
)
CAPPED = FREE.replace("max: 2, within: 7d", "max: 3, within: 7d")
NAMES = ("ann", "bob", "cyd", "dan")
VALUES = ("x@y", "loyal-1", "device-9")


def identify(customer: str, value: str, at: float = NOON - DAY, kind: str = "email", **more: Any) -> Report:
    return event(customer, "identify", at, properties={"kind": kind, "value": value}, **more)


def person(business: Business, customer: str) -> Mapping[str, Any]:
    view: Mapping[str, Any] = orjson.loads(business.service.customer(customer, NOON))
    return view


def state(business: Business, customer: str) -> States:
    """Of the whole person."""
    layout = layout_of(business.live.current.playbook)
    packed = PackedStates(business.store)
    members = business.store.known(customer)
    whole = as_one(members, packed.unpack(layout, [row.state for row in members]))
    return packed.unpack(layout, [whole.state])


def test_two_customers_who_claim_one_email_are_one_person(each_store: Store) -> None:
    shop = Business.of(store=each_store)
    shop.report(event("ann", "visit"), event("bob", "visit"), event("bob", "purchase", value=7.0))
    shop.report(identify("ann", "x@y", NOON - 2 * HOUR), identify("bob", "x@y", NOON - HOUR))
    for name in ("ann", "bob"):
        seen = person(shop, name)
        assert seen["customer_ids"] == ["ann", "bob"]
        assert (seen["named_by"], seen["stage"]) == ("ann", "buyer")
        assert [i["kind"] for i in seen["identities"]] == ["email", "email"]
        assert len(seen["touchpoints"]) == 5
    assert "x@y" not in orjson.dumps(person(shop, "ann")).decode()
    assert set(each_store.people().values()) == {each_store.known("ann")[0].surrogate}


def test_a_decision_for_one_sees_consent_features_and_contacts_of_the_other(each_store: Store) -> None:
    shop = Business.of(OPEN, store=each_store)
    shop.report(consents("ann"), event("ann", "visit"), event("bob", "visit"))
    shop.report(identify("ann", "x@y"), identify("bob", "x@y"))
    answers = [shop.decide(name, now=NOON + i, channels=("email",)) for i, name in enumerate(NAMES[:2] * 15)]
    assert sum(a["action"] != "no_contact" for a in answers) == 2
    assert {a["customer_id"] for a in answers} == {"ann", "bob"}
    features = shop.trace(answers[-1]["decision_id"])["trace"]["features"]
    assert features["visit_total"] == 2.0
    assert features["contact_total"] == 2.0


def test_a_cap_holds_within_one_batch_over_all_identities(each_store: Store) -> None:
    shop = Business.of(CAPPED, store=each_store)
    shop.report(*(identify(name, "x@y") for name in NAMES))
    fresh = Business.of(CAPPED, store=each_store)  # a process that has not seen the link
    for server in (fresh, shop):
        results = server.service.handle([request(name) for name in NAMES * 4], NOON + HOUR)
        assert len(results) == 16
    contacts = each_store.contacts_of([row.surrogate for row in each_store.known("ann")], 100)
    assert len([c for c in contacts if c.status == "reserved"]) == 3


def test_a_link_made_elsewhere_is_seen_by_a_process_that_knew_the_customers_apart(each_store: Store) -> None:
    one, other = Business.of(CAPPED, store=each_store), Business.of(CAPPED, store=each_store)
    for shop in (one, other):
        assert [shop.decide(name)["action"] for name in ("ann", "bob")]
    one.report(identify("ann", "x@y"), identify("bob", "x@y"))
    for i in range(6):
        other.decide("bob", now=NOON + 1 + i)
    contacts = each_store.contacts_of([row.surrogate for row in each_store.known("bob")], 100)
    assert len(contacts) <= 4  # at most 4 were there before they were one


def test_an_outcome_may_name_any_customer_id_of_its_person(each_store: Store) -> None:
    shop = Business.of(store=each_store)
    shop.report(identify("ann", "x@y"), identify("bob", "x@y"))
    made = shop.decide("ann")["decision_id"]
    report = Report(
        source="outcome", id="o", type="purchase", customer_id="bob", decision_id=made, occurred_at=NOON
    )
    strange = Report(
        source="outcome", id="p", type="purchase", customer_id="cyd", decision_id=made, occurred_at=NOON
    )
    assert shop.report(report) == Receipt(accepted=1, duplicates=0, rejected=())
    assert shop.report(strange).rejected[0].detail.startswith("customer_id: the decision was made for")


def test_bulk_reads_tell_the_rows_of_linked_customers_under_their_person(each_store: Store) -> None:
    shop = Business.of(store=each_store)
    shop.report(event("ann", "visit"), event("bob", "visit"), event("cyd", "visit"))
    for name in NAMES[:3]:
        shop.decide(name)
    shop.report(identify("ann", "x@y", NOON - HOUR), identify("bob", "x@y", NOON))
    ann, cyd = (each_store.known(name)[0].surrogate for name in ("ann", "cyd"))
    everything = (0.0, NOON + DAY)
    for rows in (each_store.touchpoints, each_store.decisions, each_store.draws):
        told = {row.surrogate for some in rows(*everything) for row in some}
        assert told == {ann, cyd}


def test_an_identity_cycle_is_one_person_and_harmless(each_store: Store) -> None:
    shop = Business.of(store=each_store)
    pairs = [("ann", "1"), ("bob", "1"), ("bob", "2"), ("cyd", "2"), ("cyd", "3"), ("ann", "3")]
    for customer, value in pairs:
        assert shop.report(identify(customer, value)).accepted == 1
    assert person(shop, "cyd")["customer_ids"] == ["ann", "bob", "cyd"]
    assert shop.decide("cyd")["customer_id"] == "cyd"


def test_only_the_kinds_that_the_playbook_lists_link(each_store: Store) -> None:
    shop = Business.of(OPEN + "identities: {link: [email]}\n", store=each_store)
    shop.report(identify("ann", "tv", kind="device"), identify("bob", "tv", kind="device"))
    assert person(shop, "ann")["customer_ids"] == ["ann"]
    assert [i["status"] for i in person(shop, "ann")["identities"]] == ["noted"]
    shop.report(identify("ann", "x@y"), identify("bob", "x@y"))
    assert person(shop, "ann")["customer_ids"] == ["ann", "bob"]


def test_a_claim_that_would_link_too_many_is_refused_and_kept(each_store: Store) -> None:
    shop = Business.of(OPEN + "identities: {most: 3}\n", store=each_store)
    for i in range(6):
        assert shop.report(identify(f"c{i}", "none@none")).accepted == 1
    assert person(shop, "c0")["customer_ids"] == ["c0", "c1", "c2"]
    assert [i["status"] for i in person(shop, "c5")["identities"]] == ["refused"]


def test_undoing_a_link_leaves_each_as_it_was_and_the_claim_stays_withdrawn(each_store: Store) -> None:
    shop = Business.of(CAPPED, store=each_store)
    shop.report(event("ann", "visit"), event("bob", "purchase", value=3.0))
    shop.report(identify("ann", "x@y"), identify("bob", "x@y"), identify("bob", "l", kind="loyalty"))
    shop.report(identify("cyd", "l", kind="loyalty"))
    assert person(shop, "cyd")["customer_ids"] == ["ann", "bob", "cyd"]
    for i in range(30):  # silence is drawn now and then; the cap is reached all the same
        shop.decide("bob", now=NOON + i)
    undone = shop.one(Withdrawal(customer_id="ann"))
    assert undone == Withdrawn(claims=1, persons=(("ann",), ("bob", "cyd")))
    assert (person(shop, "ann")["stage"], person(shop, "ann")["ledger"]) == ("visitor", [])
    assert len(person(shop, "bob")["ledger"]) == 3
    assert shop.decide("ann", now=NOON + 99)["action"] in ("offer", "news", "no_contact")
    shop.report(identify("ann", "x@y", id="again"))
    assert person(shop, "ann")["customer_ids"] == ["ann"]
    assert isinstance(shop.one(Withdrawal(customer_id="nobody")), NotFound)


events = st.tuples(
    st.sampled_from(NAMES),
    st.one_of(
        st.sampled_from([("visit", None), ("purchase", None)]),
        st.tuples(st.just("identify"), st.sampled_from(VALUES)),
        st.tuples(st.just("consent"), st.booleans()),
    ),
    st.integers(-400, 0),
)


def said(stories: Sequence[Any], linking: bool = True, alone: bool = False) -> list[Report]:
    """Events of a story; all under one customer id where `alone`, and claims that nobody shares unless
    they are `linking`."""
    told = []
    for i, (name, (kind, what), hours) in enumerate(stories):
        customer, at = "one" if alone else name, NOON + hours * HOUR
        if kind == "identify":
            value = what if linking else f"{what} of {name}"
            told.append(identify(customer, value, at, id=f"e{i}"))
        elif kind == "consent":
            said = {"purpose": "marketing", "granted": what}
            told.append(event(customer, "consent", at, id=f"e{i}", properties=said))
        else:
            told.append(event(customer, kind, at, id=f"e{i}", channel="email", value=float(-hours)))
    return told


def ran(reports: Sequence[Report], sizes: Sequence[int]) -> Business:
    shop = Business.of(store=MemoryStore(secret=SECRET, surrogates=surrogates().__next__))
    left = list(reports)
    for size in sizes:
        bodies = [Reports(items=(report,)) for report in left[:size]]
        left = left[size:]
        shop.service.handle(bodies, NOON)
    shop.service.handle([Reports(items=tuple(left))], NOON)
    return shop


def components(stories: Sequence[Any]) -> list[set[str]]:
    """Who belongs together, found another way: by joining until nothing changes."""
    groups = [{name} for name in {name for name, _, _ in stories}]
    claims = [{n for n, (k, w), _ in stories if k == "identify" and w == value} for value in VALUES]
    for claimed in claims:
        together = [g for g in groups if g & claimed]
        groups = [g for g in groups if not g & claimed] + ([set().union(*together)] if together else [])
    return groups


@settings(max_examples=25)
@given(st.lists(events, min_size=1, max_size=20), st.randoms(), st.lists(st.integers(1, 6), max_size=4))
def test_in_any_order_a_person_is_what_all_events_under_one_id_would_be(
    stories: list[Any], random: Any, sizes: list[int]
) -> None:
    reports = said(stories)
    shuffled = list(reports)
    random.shuffle(shuffled)
    for order in (reports, shuffled):
        shop = ran(order, sizes)
        for group in components(stories):
            own = [story for story in stories if story[0] in group]
            alone = ran(said(own, alone=True), [])
            for name in group:
                seen, lonely = person(shop, name), person(alone, "one")
                assert seen["customer_ids"] == sorted(group)
                assert [seen["stage"], seen["consents"], seen["last_at"]] == [
                    lonely["stage"], lonely["consents"], lonely["last_at"],
                ]  # fmt: skip
                np.testing.assert_allclose(
                    state(shop, name).data, state(alone, "one").data, rtol=1e-9, atol=1e-9
                )
            claims = [(h, n) for n, (k, _), h in own if k == "identify"]
            if len(group) > 1:
                assert seen["named_by"] == min(claims)[1]


@settings(max_examples=25)
@given(st.lists(events, min_size=1, max_size=20), st.lists(st.integers(1, 6), max_size=4))
def test_undone_all_is_bit_for_bit_as_if_nobody_had_ever_been_linked(
    stories: list[Any], sizes: list[int]
) -> None:
    linked, never = ran(said(stories), sizes), ran(said(stories, linking=False), sizes)
    for name in sorted({name for name, _, _ in stories}):
        linked.one(Withdrawal(customer_id=name))
    assert linked.store.people() == {}
    for name in {name for name, _, _ in stories}:
        (one,), (other,) = linked.store.known(name), never.store.known(name)
        for row in (one, other):  # where they stood was noticed of the person, and is noticed anew
            row.attributes.pop(STANDS, None)
        assert (one.state, one.attributes, one.consents, one.last_at, one.person) == (
            other.state, other.attributes, other.consents, other.last_at, None,
        )  # fmt: skip


def renamed(command: Command) -> Command:
    """The same of c0 where it is of c1."""
    if isinstance(command, DecisionRequest):
        return replace(command, customer_id="c0") if command.customer_id == "c1" else command
    if isinstance(command, Reports):
        return Reports(
            items=tuple(
                replace(item, customer_id="c0") if getattr(item, "customer_id", None) == "c1" else item
                for item in command.items
            )
        )
    return command


TOLD = (
    "action",
    "channel",
    "timing",
    "send_at",
    "group",
    "policy",
    "stage",
    "reason",
    "retry_at",
    "displaced",
)


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a story takes too long to shrink
)
@given(playbooks(trying=True), stories(), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_linked_customers_get_what_one_customer_with_all_their_history_would_get(
    playbook: Playbook, commands: list[Command], sizes: list[int]
) -> None:
    """Caps, cooldowns, consent, quiet hours, limits, groups, experiments, held decisions: all of it."""
    pair, single = Business.of(playbook), Business.of(playbook)
    claims = [identify(name, "x@y", NOON - DAY + i) for i, name in enumerate(("c0", "c1"))]
    pair.report(*claims)
    single.report(*(identify("c0", "x@y", NOON - DAY + i) for i in range(2)))
    alike = [renamed(command) for command in commands]
    both = zip(in_batches(commands, sizes), in_batches(alike, sizes), strict=True)
    for ours, theirs in both:
        results = pair.service.handle(ours, NOON), single.service.handle(theirs, NOON)
        for one, other in zip(*results, strict=True):
            assert type(one) is type(other)
            if isinstance(one, Answer) and isinstance(other, Answer):
                left, right = answered(one), answered(other)
                assert [left.get(name) for name in TOLD] == [right.get(name) for name in TOLD]
                assert abs(left["propensity"] - right["propensity"]) < 1e-9
                decided = str(left["decision_id"])
                assert replay(decided, pair.store, Artefacts(Path("nowhere"))).faithful


@pytest.mark.parametrize("kind", ["e\0mail", "\x1b[2Jemail", "\u202eliame", "", "k" * 65])
def test_an_identity_whose_kind_cannot_be_shown_is_rejected_alone(each_store: Store, kind: str) -> None:
    shop = Business.of(store=each_store)
    receipt = shop.report(identify("ann", "x@y", kind=kind), event("bob", "visit"))
    assert (receipt.accepted, [rejected.index for rejected in receipt.rejected]) == (1, [0])
    assert "properties" in receipt.rejected[0].detail
    assert [row.customer_id for row in each_store.known("bob")] == ["bob"]
