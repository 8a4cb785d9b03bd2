"""How often somebody may try to log in: failures are notes of the store, so all workers count alike.

A note holds keyed hashes of the name and of the address that it came from, and neither in clear. Notes older
than the window are forgotten when the next one is written, so there are never many.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter

import orjson

from nba.stores.ports import NoteRow, Store

KIND = "console.attempt"
WINDOW = 900.0
MOST_BY_NAME, MOST_BY_ADDRESS = 5, 20


class Attempts:
    """Failed attempts of the last WINDOW seconds; `now` is the real clock, on every store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allowed(self, name: str, address: str, now: float) -> bool:
        """Raises StoreUnavailable."""
        counts = Counter(who for row in self._recent(now) for who in orjson.loads(row.body)["who"])
        by_name, by_address = self._who(name, address)
        return counts[by_name] < MOST_BY_NAME and counts[by_address] < MOST_BY_ADDRESS

    def failed(self, name: str, address: str, now: float) -> None:
        """Raises StoreUnavailable."""
        old = [row.number for row in self._noted() if row.at < now - WINDOW]
        if old:
            self._store.forget_notes(old)
        self._store.note(KIND, now, orjson.dumps({"who": self._who(name, address)}))

    def _recent(self, now: float) -> list[NoteRow]:
        return [row for row in self._noted() if row.at >= now - WINDOW]

    def _noted(self) -> list[NoteRow]:
        found: list[NoteRow] = []
        while rows := self._store.notes(KIND, after=found[-1].number if found else 0):
            found += rows
        return found

    def _who(self, name: str, address: str) -> tuple[str, str]:
        told = (f"name {name}", f"address {address}")
        digests = [
            hmac.digest(self._store.secret, one.encode("utf-8", "replace"), hashlib.sha256) for one in told
        ]
        return digests[0].hex()[:32], digests[1].hex()[:32]
