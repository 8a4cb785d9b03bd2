"""Sessions that live in a signed cookie alone, and the tokens that every form carries.

    cookie = name . ends . nonce . HMAC-SHA256(key, name, ends, nonce, the user's password hash)

So any worker can check it, it ends by itself, and a changed password or a removed user ends it at once. The
key is made from the store's secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from serving.console.users import Users

SECONDS = 8 * 3_600
COOKIE, VISIT, LANGUAGE = "nba_console", "nba_console_visit", "nba_console_language"
_LABEL = b"nba console sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is logged in; `nonce` tells sessions apart."""

    name: str
    nonce: str


class Signer:
    """Makes and checks cookies and tokens; `secret` is the store's."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _LABEL, hashlib.sha256)

    def cookie(self, name: str, users: Users, now: float) -> str:
        """A new session's cookie."""
        told = ".".join([_packed(name), str(int(now) + SECONDS), secrets.token_urlsafe(16)])
        return f"{told}.{self._sign('session', told, users.hashes[name])}"

    def session(self, cookie: str | None, users: Users, now: float) -> Session | None:
        """Whose session a cookie is; None for one that was never given, or has ended."""
        told, _, signature = (cookie or "").rpartition(".")
        try:
            packed, ends, nonce = told.split(".")
            name, until = _unpacked(packed), int(ends)
        except ValueError:
            return None
        hashed = users.hashes.get(name)
        if hashed is None or not _same(signature, self._sign("session", told, hashed)):
            return None
        return Session(name=name, nonce=nonce) if now < until else None

    def token(self, nonce: str) -> str:
        """What a form of this session, or visit, has to carry."""
        return self._sign("form", nonce)

    def carries(self, token: str, nonce: str | None) -> bool:
        """Whether a form's token is that of the session, or visit."""
        return bool(nonce) and _same(token, self.token(nonce or ""))

    def _sign(self, *parts: str) -> str:
        told = b"\0".join(part.encode("utf-8", "replace") for part in parts)
        return base64.urlsafe_b64encode(hmac.digest(self._key, told, hashlib.sha256)).decode().rstrip("=")


def _same(told: str, right: str) -> bool:
    """In a time that says nothing, and whatever letters were sent."""
    return hmac.compare_digest(told.encode("utf-8", "surrogatepass"), right.encode())


def new_visit() -> str:
    """The nonce of somebody who has not logged in yet."""
    return secrets.token_urlsafe(16)


def _packed(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _unpacked(packed: str) -> str:
    return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
