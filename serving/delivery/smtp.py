"""E-mail by SMTP: decided contacts of channels with `deliver: smtp`, each at its time.

The one module that imports aiosmtplib.

Right before it is sent a contact is looked at again: one that gave way, was taken back, or whose customer has
withdrawn their consent since, is not sent. The address is read from the store and goes nowhere but to the
server: not into a log, a reason or a message of the outbox. What the server says is told by its code alone,
since its words may repeat the address.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib
import orjson

from nba.contact.caps import PURPOSES
from nba.gathering import consent_of
from nba.persons import as_one
from nba.playbook.compile import Playbook
from nba.playbook.reaction_checks import FIELDS, rendered
from nba.playbook.reactions import Smtp
from nba.session import PackedStates, layout_of
from nba.stores.ports import CustomerRow, OutboxRow, Store
from serving.delivery.message import Failure

_LATE_SECONDS = 86_400.0  # a message that comes a day after its time is better not sent
_COUNTING = ("reserved", "shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An SMTP server; `tls` from the first byte, else STARTTLS where that is asked for."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool

    @classmethod
    def of(cls, url: str) -> Server:
        """From `smtp://user:password@host:587` or `smtps://…`. Raises ValueError where it is neither."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("must be smtp://user:password@host:587, or smtps://")
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if tls else 587),
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls=tls,
        )


class SmtpTarget:
    """See `serving.delivery.target.Target`."""

    name = "smtp"
    parallel = 1

    def __init__(
        self,
        settings: Smtp,
        *,
        server: Server,
        store: Store,
        playbook: Playbook,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.retries = settings.retries
        self.since = settings.since
        self._settings = settings
        self._server = server
        self._store = store
        self._playbook = playbook
        self._clock = clock

    def wants(self, row: OutboxRow) -> bool:
        if row.type != "contact.decided":
            return False
        channel = self._playbook.spec.channels.get(_told(row).get("channel", ""))
        return channel is not None and channel.deliver == "smtp"

    def not_before(self, row: OutboxRow) -> float | None:
        send_at: float | None = _told(row).get("send_at")
        return send_at

    async def send(self, row: OutboxRow, customer_id: str | None) -> Failure | None:
        if customer_id is None:
            return None
        found = await asyncio.to_thread(self._written, row, customer_id)
        if found is None or isinstance(found, Failure):
            return found
        server = self._server
        try:
            async with asyncio.timeout(self.retries.timeout):
                await aiosmtplib.send(
                    found,
                    hostname=server.host,
                    port=server.port,
                    username=server.user,
                    password=server.password,
                    use_tls=server.tls,
                    start_tls=None if server.tls else self._settings.encryption == "starttls",
                    timeout=self.retries.timeout,
                )
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return _failure(error)
        return None

    async def close(self) -> None:
        """Each message has a connection of its own."""

    def _written(self, row: OutboxRow, customer_id: str) -> EmailMessage | Failure | None:
        """The message; None where it is not to be sent any more."""
        contact = self._store.contact(row.decision_id)
        customer = self._customer(customer_id)
        if contact is None or customer is None or contact.status not in _COUNTING:
            return None
        if not self._consents(customer, contact.channel, contact.purpose):
            return None
        if self._clock() - contact.send_at > _LATE_SECONDS:
            return Failure(reason="its time is more than a day ago", down=False)
        template = self._settings.templates.get(contact.action)
        if template is None:
            return Failure(reason="the playbook has no template for this action", down=False)
        address = customer.attributes.get(self._settings.address, [None])[0]
        if address is None:
            return Failure(reason="no address is known", down=False)
        subject, body = rendered(template, self._values(row, customer, customer_id))
        message = EmailMessage(policy=SMTP)
        message["From"] = self._settings.sender
        message["To"] = str(address)
        message["Subject"] = " ".join(subject.split())  # one line, whatever a value holds
        message["Date"] = formatdate(self._clock())
        message["Message-ID"] = f"<{row.decision_id}@nba>"  # the same each time: mailboxes show it once
        message.set_content(body)
        return message

    def _customer(self, customer_id: str) -> CustomerRow | None:
        """The whole person: the latest word counts, under whichever of their ids it was said."""
        members = self._store.known(customer_id)
        packed = PackedStates(self._store)
        states = packed.unpack(layout_of(self._playbook), [one.state for one in members])
        return as_one(members, states) if members else None

    def _consents(self, customer: CustomerRow, channel: str, purpose: str) -> bool:
        book = self._playbook
        if not book.spec.channels[channel].consent:
            return True
        granted = consent_of(book, customer)
        return bool(granted[PURPOSES.index(purpose), book.arms.channels.index(channel)])

    def _values(self, row: OutboxRow, customer: CustomerRow, customer_id: str) -> dict[str, str]:
        """What a template may name: fields of the decision, and the attributes that the playbook lists."""
        decision = self._store.decision(row.decision_id)
        fields: Mapping[str, Any] = {
            name: getattr(decision, name, None) for name in FIELDS if name != "customer_id"
        }
        attributes = {
            name: customer.attributes.get(name, [None])[0] for name in self._playbook.spec.attributes
        }
        return {name: _text(v) for name, v in {**attributes, **fields, "customer_id": customer_id}.items()}


def _told(row: OutboxRow) -> dict[str, Any]:
    """What the message says; nothing where its customer was erased."""
    told: dict[str, Any] = orjson.loads(row.body or b"{}")
    return told


def _text(value: object) -> str:
    """A value as a person reads it: 34 and not 34.0, nothing for what is not known."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _failure(error: Exception) -> Failure:
    """What a person or a message can be blamed for, and what the server."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = sorted({str(refused.code) for refused in error.recipients})
        return Failure(reason=f"the recipient was refused, {', '.join(codes)}", down=False)
    if isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError):
        return Failure(reason=f"it was refused, {error.code}", down=False)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Failure(reason=f"the server answered {error.code}", down=True)
    return Failure(reason=type(error).__name__, down=True)
