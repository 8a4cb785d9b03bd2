"""A message of the outbox as a CloudEvents 1.0 body, and the signature over it.

Nba-Timestamp: <epoch seconds of this attempt>
Nba-Signature: sha256=<hex HMAC-SHA256 of timestamp + "." + body, keyed by the target's secret>
Idempotency-Key: <the message's id, the same in every attempt>
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from nba.model import timestamp
from nba.stores.ports import OutboxRow

MEDIA_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a target did not take a message; nothing of a customer, and no address.

    Attributes:
        down: it speaks of the target and not of the message: others would fare no better now.
        after: seconds that the target asks to be left alone for.
    """

    reason: str
    down: bool
    after: float = 0.0


def cloud_event(row: OutboxRow, customer_id: str | None, playbook: str) -> bytes:
    """The message as JSON. `subject` is the customer, `data` the outbox's body with the decision's id.

    Args:
        customer_id: None leaves the subject out.
    """
    data: dict[str, Any] = orjson.loads(row.body)
    if row.decision_id:
        data["decision_id"] = row.decision_id
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": row.id,
            "source": f"/nba/{quote(playbook)}",
            "type": row.type,
            "time": timestamp(row.at),
            **({} if customer_id is None else {"subject": customer_id}),
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def headers(row: OutboxRow, body: bytes, secret: str, now: float) -> dict[str, str]:
    """What goes with a body that is posted at `now`, epoch seconds."""
    moment = str(int(now))
    return {
        "Content-Type": MEDIA_TYPE,
        "User-Agent": "nba",
        "Idempotency-Key": row.id,
        "Nba-Timestamp": moment,
        "Nba-Signature": signature(body, moment, secret),
    }


def signature(body: bytes, moment: str, secret: str) -> str:
    """What `Nba-Signature` says; compare it with `hmac.compare_digest`."""
    signed = moment.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
