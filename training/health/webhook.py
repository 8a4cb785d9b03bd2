"""Post an alert as JSON to an address of the company's choice, signed where there is a secret.

    POST <webhook>
    Content-Type: application/json
    Nba-Signature: sha256=<hex HMAC-SHA256 of the body, keyed by NBA_WEBHOOK_SECRET>

    {"id": "…", "event": "health_alert", "said": "…", "sent_at": "2026-11-21T18:00:00Z", "fields": {…}}

Any 2xx takes it. Everything else is tried again, under the same id, so whoever gets it twice can tell.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import orjson

from nba.errors import InvalidInput

TIMEOUT = 3.0
TRIES = 4  # the first, and three more
_PAUSE = 0.5  # seconds after the first failure, twice as long after each
_DOWN = 60.0  # seconds for which a webhook that took nothing is tried once an alert, not four times


@dataclass(slots=True)
class Webhook:
    """Where alerts are posted. Posting takes at most about 16 seconds, and at most 3 while it is down."""

    url: str
    secret: str | None
    sleep: Callable[[float], None] = time.sleep
    _down_until: float = 0.0

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise InvalidInput.of("webhook", "must be an address that starts with http:// or https://")

    def post(self, event: str, said: str, fields: dict[str, Any]) -> str | None:
        """None where it was taken, else why not. Never raises."""
        body = _body(event, said, fields)
        tries = 1 if time.monotonic() < self._down_until else TRIES
        reason: str | None = None
        for number in range(tries):
            if number:
                self.sleep(_PAUSE * 2 ** (number - 1))
            reason = self._once(body)
            if reason is None:
                self._down_until = 0.0
                return None
        self._down_until = time.monotonic() + _DOWN
        return reason

    def _once(self, body: bytes) -> str | None:
        headers = {"Content-Type": "application/json", "User-Agent": "nba"}
        if self.secret:
            headers["Nba-Signature"] = signature(body, self.secret)
        try:
            with urlopen(Request(self.url, body, headers, method="POST"), timeout=TIMEOUT):
                return None
        except HTTPError as error:
            return f"it answered {error.code}"
        except (OSError, HTTPException, ValueError) as error:
            return type(error).__name__  # the message may hold the address, and that a token


def signature(body: bytes, secret: str) -> str:
    """What `Nba-Signature` says of a body; compare it with `hmac.compare_digest`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _body(event: str, said: str, fields: dict[str, Any]) -> bytes:
    told = {
        "id": uuid4().hex,
        "event": event,
        "said": said,
        "sent_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "fields": fields,
    }
    return orjson.dumps(told, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
