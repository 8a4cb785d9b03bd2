"""E-mail to a real SMTP server: what is decided arrives at its time, or is withdrawn, or is a dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from nba.errors import InvalidInput, InvalidPlaybook
from nba.model import Activated, Activation
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from serving.delivery.courier import Courier
from serving.delivery.figures import Figures
from serving.delivery.smtp import Server, SmtpTarget
from serving.delivery.wiring import targets
from tests.service.business import HOUR, NOON, OPEN, SECRET, Business, consents, event, outcome
from tests.serving.delivery.certificate import certificate
from tests.serving.delivery.mailbox import Mailbox, mailbox

MAILED = (
    OPEN.replace("email: {cost: 0.5}", "email: {cost: 0.5, deliver: smtp}")
    + """
deliver:
  smtp:
    server: TEST_SMTP
    sender: Coffee <hello@coffee.example>
    encryption: none
    retries: {tries: 2, timeout: 10s}
    templates:
      offer: {subject: "For you in {city}", body: "Dear {customer_id}, {{10 %}} off, at {age}.\\n"}
      news: {subject: News, body: "{action} by {channel}"}
"""
)
ADDRESS = "ada@example.org"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as one:
        yield one


class Shop:
    """A business whose decisions go out by e-mail, and the courier that sends them."""

    def __init__(
        self, box: Mailbox, address: str | None = ADDRESS, encryption: str = "none", **retries: Any
    ) -> None:
        self.business = Business.of(MAILED, MemoryStore("live", secret=SECRET))
        self.now = NOON
        book = self.business.live.current.playbook
        settings = book.spec.deliver.smtp
        assert settings is not None
        retries = {"retries": settings.retries.model_copy(update=retries)}
        settings = settings.model_copy(update={"encryption": encryption, **retries})
        target = SmtpTarget(
            settings,
            server=Server.of(box.url),
            store=self.business.store,
            playbook=book,
            clock=lambda: self.now,
        )
        self.courier = Courier(
            target, self.business.store, figures=Figures(), clock=lambda: self.now, chance=lambda: 0.5
        )
        told = {"city": "north", "age": 34.0, **({"email_address": address} if address else {})}
        self.business.report(consents("c-1", at=None), event("c-1", "profile", None, properties=told))

    def decide(self, timing: str, action: str = "offer", **asked: Any) -> str:
        """An e-mail to c-1 with this timing; its id. Others that are drawn are reported as not sent."""
        for _ in range(200):
            body = self.business.decide(
                "c-1", None, self.now, actions=(action,), channels=("email",), **asked
            )
            if (body["channel"], body["timing"]) == ("email", timing):
                return str(body["decision_id"])
            if body["channel"]:
                self.business.report(outcome("not_sent", None, decision_id=body["decision_id"]), now=self.now)
        raise AssertionError("it was never drawn")

    def run(self) -> None:
        self.now += 1.0  # decisions of one moment stand a microsecond apart

        async def steps() -> None:
            while await self.courier.step():
                pass

        asyncio.run(steps())


def test_a_decided_contact_is_written_by_its_template_and_sent(box: Mailbox) -> None:
    shop = Shop(box)
    decision_id = shop.decide("now")
    shop.run()
    [mail] = box.taken
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        ADDRESS, "Coffee <hello@coffee.example>", "For you in north",
    )  # fmt: skip
    assert mail.get_content().replace("\r", "") == "Dear c-1, {10 %} off, at 34.\n"
    assert mail["Message-ID"] == f"<{decision_id}@nba>"
    shop.run()
    assert len(box.taken) == 1


def test_the_address_may_have_been_told_under_another_id_of_the_person(box: Mailbox) -> None:
    shop = Shop(box, address=None)
    same = {"kind": "email_hash", "value": "9f86"}
    shop.business.report(
        event("c-2", "profile", None, properties={"email_address": ADDRESS}),
        *(event(c, "identify", None, properties=same) for c in ("c-1", "c-2")),
    )
    shop.decide("now")
    shop.run()
    assert [mail["To"] for mail in box.taken] == [ADDRESS]


def test_mail_is_encrypted_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with mailbox(shown) as box:
        shop = Shop(box, encryption="starttls")
        shop.decide("now")
        shop.run()
        assert [mail["To"] for mail in box.taken] == [ADDRESS]


@pytest.mark.parametrize("why", ["no encryption is offered", "the certificate is nobody's"])
def test_nothing_is_sent_in_the_open_where_encryption_is_asked_for(why: str, tmp_path: Path) -> None:
    shown, _ = certificate(tmp_path)
    with mailbox(None if why == "no encryption is offered" else shown) as box:
        shop = Shop(box, encryption="starttls")
        shop.decide("now")
        shop.run()
        assert (box.asked, box.taken) == ([], [])
        assert max(one.tries for one in shop.business.store.deliveries()) == 1


def test_what_is_for_the_evening_is_sent_in_the_evening(box: Mailbox) -> None:
    shop = Shop(box)
    shop.decide("evening")
    shop.run()
    assert box.asked == []
    shop.now = NOON + 6 * HOUR + 1
    shop.run()
    assert len(box.taken) == 1


def test_what_is_held_is_sent_once_it_is_shown(box: Mailbox) -> None:
    shop = Shop(box)
    decision_id = shop.decide("now", activate=False)
    shop.run()
    assert box.taken == []
    assert isinstance(shop.business.one(Activation(decision_id=decision_id), shop.now), Activated)
    shop.run()
    assert len(box.taken) == 1


@pytest.mark.parametrize("why", ["not sent", "no consent any more"])
def test_what_was_taken_back_meanwhile_is_not_sent(box: Mailbox, why: str) -> None:
    shop = Shop(box)
    decision_id = shop.decide("evening")
    shop.run()
    if why == "not sent":
        shop.business.report(outcome("not_sent", None, decision_id=decision_id), now=NOON + HOUR)
    else:
        shop.business.report(consents("c-1", granted=False, at=None), now=NOON + HOUR)
    shop.now = NOON + 7 * HOUR
    shop.run()
    assert box.asked == []
    assert shop.business.store.deliveries() == []


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("refuses", "the recipient was refused, 550"),
        ("spam", "it was refused, 554"),
        ("busy", "the server answered 421"),
        ("hangs", None),
    ],
)
def test_what_the_server_refuses_is_tried_again_and_then_a_dead_letter(
    box: Mailbox, mood: Any, reason: str | None
) -> None:
    shop = Shop(box, timeout=0.3 if mood == "hangs" else 10.0)
    box.mood = mood
    shop.decide("now")
    with capture_logs() as logs:
        shop.run()
        [row] = [row for row in shop.business.store.deliveries("smtp", "waiting") if row.tries]
        shop.now = row.due_at
        shop.run()
    [dead] = shop.business.store.deliveries("smtp", "dead")
    assert reason in (None, dead.reason)
    assert "ada" not in f"{logs}{dead}"  # the server's words have the address
    if mood == "hangs":  # its timeout is too short to rely on
        return
    box.mood = "takes"
    shop.business.store.revive("smtp", [dead.number], shop.now)
    shop.now += 100.0
    shop.run()
    assert len(box.taken) == 1


def test_who_has_no_address_gets_a_dead_letter_that_says_so(box: Mailbox) -> None:
    shop = Shop(box, address=None, tries=1)
    shop.decide("now")
    shop.run()
    assert [row.reason for row in shop.business.store.deliveries("smtp", "dead")] == ["no address is known"]


def test_the_address_stands_with_the_customer_and_nowhere_else(box: Mailbox) -> None:
    shop = Shop(box)
    decision_id = shop.decide("now")
    store = shop.business.store
    rows = [row for part in store.touchpoints(-1e12, 1e12) for row in part]
    logged = [store.decision(decision_id), *rows, *store.outbox(0)]
    assert ADDRESS not in str(logged)
    customer = store.customer_of(store.surrogate_of("c-1") or "")
    assert customer is not None
    assert customer.attributes["email_address"][0] == ADDRESS


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@",
        "a b@c.d",
        "a@b\nBcc: x@y.z",
        "x@y>",
        "",
        3.0,
        "a@..",
        "a@-b",
        "=?utf-8?q?x=40y.z=2C?=@c.d",
    ],
)
def test_an_address_that_is_none_is_rejected(box: Mailbox, address: Any) -> None:
    shop = Shop(box)
    told = event("c-9", "profile", None, properties={"email_address": address})
    [rejection] = shop.business.report(told).rejected
    assert "properties.email_address" in rejection.detail
    assert str(address) == "" or str(address) not in rejection.detail.replace("ada@example.org", "")


def test_a_simulation_sends_no_mail() -> None:
    with pytest.raises(InvalidInput, match="simulation"):
        targets(MemoryStore("request"), parse(MAILED), {"TEST_SMTP": "smtp://127.0.0.1:1"})


@pytest.mark.parametrize("url", ["", "http://x", "smtp://", "mail.example"])
def test_a_server_that_is_none_is_told_by_its_variable(url: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        targets(MemoryStore("live"), parse(MAILED), {"TEST_SMTP": url})
    assert [error.field for error in raised.value.errors] == ["TEST_SMTP (deliver.smtp.server)"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("in {city}", "in {town}", "deliver.smtp.templates.offer.subject"),
        ("in {city}", "in {city", "deliver.smtp.templates.offer.subject"),
        ("in {city}", "in {city!r}", "deliver.smtp.templates.offer.subject"),
        ("      news: {subject: News", "      # news: {subject: News", "deliver.smtp.templates"),
        ("Coffee <hello@coffee.example>", "Coffee", "deliver.smtp.sender"),
        ("email: {cost: 0.5, deliver: smtp}", "email: {cost: 0.5}", "deliver.smtp"),
    ],
)
def test_a_wrong_section_names_the_field(old: str, new: str, field: str) -> None:
    with pytest.raises(InvalidPlaybook) as raised:
        parse(MAILED.replace(old, new))
    assert [error.field for error in raised.value.errors] == [field]
