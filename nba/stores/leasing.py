"""Who gets a lease, and who may change what serves: rules that all stores share, as functions.

A lease that has ended and that nobody took over still passes `refuse_unless_held`: times are the holder's,
and what protects a write is the token, which rises with the next holder.
"""

from __future__ import annotations

from typing import Any

from nba.errors import Conflict
from nba.stores.ports import Lease

SERVING = ("policy", "ramp")  # kinds by which policies come to serve
MODELS = ("scores", "segments", "feedback")  # kinds that are no policies: what is known of a customer
ENDED: dict[str, Any] = {"holder": "", "until": float("-inf")}  # what a lease given back leaves behind


def next_lease(before: Lease | None, *, name: str, holder: str, now: float, seconds: float) -> Lease | None:
    """The lease that `holder` gets at `now`; None where somebody else's has not ended.

    Args:
        before: the last one of this name, also one that ended; its token is where the next one counts on.
        now, until: epoch seconds.
    """
    token, runs = (0, False) if before is None else (before.token, before.until > now)
    if before is None or not runs:
        return Lease(name=name, holder=holder, token=token + 1, until=now + seconds)
    return (
        Lease(name=name, holder=holder, token=token, until=now + seconds) if before.holder == holder else None
    )


def refuse_unless_held(last: Lease | None, lease: Lease) -> None:
    """Raises Conflict where `last`, the last lease of this name, is another one, or was given back."""
    if last is None or (last.token, last.holder) != (lease.token, lease.holder):
        raise Conflict(f"the lease {lease.name} is no longer held by {lease.holder}; nothing was written")


def refuse_unless_seen(latest: int, after: int) -> None:
    """Raises Conflict where something came to serve after what the caller has seen."""
    if latest != after:
        raise Conflict(f"what serves has changed meanwhile, by audit entry {latest}; nothing was published")
