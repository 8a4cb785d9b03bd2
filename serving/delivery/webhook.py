"""A webhook: posts each message, signed, and takes any 2xx for yes.

The whole exchange has one timeout: a target that sends a byte now and then, or answers 200 after a minute,
has failed. Redirects are not followed: what is signed for one address is not meant for another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fnmatch import fnmatchcase

import httpx

from nba.playbook.reactions import Retries, Webhook
from nba.stores.ports import OutboxRow
from serving.delivery.message import Failure, cloud_event, headers

_OF_THE_MESSAGE = frozenset({400, 406, 409, 411, 413, 414, 415, 422, 431, 451})
"""Answers that say something of this message; every other failure says it of the target."""


class WebhookTarget:
    """See `serving.delivery.target.Target`."""

    def __init__(
        self,
        name: str,
        settings: Webhook,
        *,
        url: str,
        secret: str,
        playbook: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.retries: Retries = settings.retries
        self.parallel = settings.parallel
        self.since = settings.since
        self._types = settings.types
        self._url = url
        self._secret = secret
        self._playbook = playbook
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=settings.retries.timeout, follow_redirects=False)

    def wants(self, row: OutboxRow) -> bool:
        return any(fnmatchcase(row.type, wanted) for wanted in self._types)

    def not_before(self, row: OutboxRow) -> float | None:
        return None

    async def send(self, row: OutboxRow, customer_id: str | None) -> Failure | None:
        body = cloud_event(row, customer_id, self._playbook)
        try:
            async with asyncio.timeout(self.retries.timeout):
                return await self._post(body, headers(row, body, self._secret, self._clock()))
        except (TimeoutError, httpx.TimeoutException):
            return Failure(reason=f"no answer in {self.retries.timeout:g} s", down=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Failure(reason=type(error).__name__, down=True)  # the message may hold the address

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, body: bytes, told: dict[str, str]) -> Failure | None:
        """The body of the answer is not read: whatever it says, the status has said it."""
        async with self._client.stream("POST", self._url, content=body, headers=told) as answer:
            if answer.is_success:
                return None
            down = answer.status_code not in _OF_THE_MESSAGE
            return Failure(reason=f"it answered {answer.status_code}", down=down, after=_after(answer))


def _after(answer: httpx.Response) -> float:
    """`Retry-After` in seconds; 0 where there is none, or a date."""
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdecimal() and len(told) < 6 else 0.0
