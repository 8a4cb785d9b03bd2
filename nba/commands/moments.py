"""`--as-of`: the moment that a command takes for now, and how late it may be.

Until when a store has been told what happened, nobody knows but its clock. A later moment would close reward
windows that are open, and count what has not come yet as nothing.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from nba.commands.options import epoch
from nba.errors import InvalidInput
from nba.model import timestamp

if TYPE_CHECKING:
    from nba.playbook.compile import Playbook
    from nba.stores.ports import Store

LIMIT = "On the live clock at most now; on the request clock the reward window past the latest moment."
NEEDED = f"ISO 8601; nothing later is seen. Needed on the request clock. {LIMIT}"
DEFAULT = f"ISO 8601; nothing later is seen. Default now, or the store's latest moment. {LIMIT}"


def asked(store: Store | None, text: str, playbook: Playbook, known: float = -math.inf) -> float:
    """What `--as-of` says, epoch seconds.

    On the request clock time is what the caller says it is: by a moment past the latest one the caller says
    that nothing more happened until then, which is how the last windows of a simulation are known to be over.
    Past the reward's clock there is none left to close.

    Args:
        store: None where there is none yet; the one that will be made is on the live clock.
        known: the latest moment of what is known beside the store, epoch seconds.

    Raises:
        InvalidInput: it is no time, or later than the store's clock allows.
    """
    moment = epoch("as-of", text)
    if store is None or store.clock == "live":
        now = time.time()
        if moment > now:
            raise _late(now, "now: what is still to come would count as nothing")
        return moment
    latest = max(store.latest(), known)
    limit = latest + reward_clock(playbook)
    if math.isfinite(latest) and moment > limit:
        told = f"the reward window past the latest moment of this store, {timestamp(latest)}"
        raise _late(limit, told)
    return moment


def needed(store: Store, text: str | None, playbook: Playbook) -> float:
    """`asked`, or now; on the request clock it has to be said.

    Raises:
        InvalidInput: as `asked` does, or it isn't said.
    """
    if text is not None:
        return asked(store, text, playbook)
    if store.clock == "request":
        latest = store.latest()
        told = f"; its latest moment is {timestamp(math.floor(latest))}" if math.isfinite(latest) else ""
        raise InvalidInput.of("as-of", f"is needed: this store lives on the request clock{told}")
    return time.time()


def reward_clock(playbook: Playbook) -> float:
    """Seconds until the reward of a decision is mature."""
    return playbook.spec.objectives.window + (playbook.spec.learning.settle or 0.0)


def _late(limit: float, why: str) -> InvalidInput:
    return InvalidInput.of("as-of", f"must be {timestamp(math.floor(limit))} or earlier, which is {why}")
