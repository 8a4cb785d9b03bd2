"""What PostgreSQL and its driver report, as our errors: a plain sentence, without data and passwords."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, TimeoutError

from nba.errors import CallOperator, Conflict, NbaError, StoreUnavailable

_TAKEN = "23505"
_IN_THE_WAY = ("40001", "40P01")  # who decides again finds the other's work done
_STATES = {  # https://www.postgresql.org/docs/current/errcodes-appendix.html, by code or by class
    "08": "the connection was lost",
    "25006": "it is read-only",
    "25P03": "a transaction was left idle for too long",
    "42501": "the user may not do that; the database's owner can grant it",
    "53": "the server is short of resources",
    "53100": "the disk is full",
    "53200": "the server is short of memory",
    "53300": "the server has no connection left",
    "55P03": "a row or table was locked by others for too long",
    "57014": "a statement took too long",
    "57P": "the server is shutting down or starting up",
    "58030": "the disk failed",
}
_REFUSALS = (  # a connection that fails has no code, only the server's words; these are its English ones
    ("does not exist", 'there is no such user or database; make it with "createdb"'),
    ("authentication failed", "the server refuses the user or the password"),
    ("no password supplied", "the server asks for a password"),
    ("no pg_hba.conf entry", "the server refuses connections from here"),
    ("too many clients", "the server has no connection left"),
    ("remaining connection slots", "the server has no connection left"),
    ("is not permitted to log in", "the server refuses the user"),
    ("not currently accepting connections", "the database accepts no connections"),
    ("starting up", "the server is starting up"),
    ("shutting down", "the server is shutting down"),
)


def told(error: DBAPIError | TimeoutError, url: URL) -> NbaError:
    """Conflict where another transaction came first, CallOperator for a value that no database of this kind
    takes, since trying again would never help; StoreUnavailable for everything else."""
    if isinstance(error, TimeoutError):
        return _unavailable(url, "all of its connections are in use")
    cause: Any = error.orig
    state = getattr(cause, "sqlstate", None)
    if isinstance(error, DataError):
        return CallOperator(f"the store {url.database} refused a value ({state or type(cause).__name__})")
    if state == _TAKEN:
        return Conflict("a row with this id is in the store already")
    if state in _IN_THE_WAY:
        return Conflict("another transaction was in the way; nothing of this one stayed")
    if state is None:
        return _unavailable(url, _refusal(str(cause), error.connection_invalidated))
    reason = next((_STATES[key] for key in (state, state[:3], state[:2]) if key in _STATES), None)
    return _unavailable(url, reason or f"the database refused ({state})")


def _refusal(words: str, was_connected: bool) -> str:
    if was_connected:
        return "the connection was lost"
    return next((reason for mark, reason in _REFUSALS if mark in words), "the server can't be reached")


def _unavailable(url: URL, reason: str) -> StoreUnavailable:
    where = f"{url.host or 'the local socket'}:{url.port or 5432}"
    return StoreUnavailable(f"the store {url.database} at {where} can't be used now: {reason}")
