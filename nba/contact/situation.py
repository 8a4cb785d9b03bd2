"""What the contact rules look at, and what they find: arrays for n customers and k arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.contact.ledger import Ledger
from nba.model import Used

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Codes = NDArray[np.int16]
ELIGIBLE = 0
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the rules look at, for n customers.

    Attributes:
        now: (n,) epoch seconds.
        zones: n time zone names.
        features: (n, F) in schema order.
        consent: (n, purposes, channels) True where granted.
        ledger: the customers' contacts.
        asked_actions, asked_channels: (n, actions), (n, channels) True where the request allows them.
        holdout: (n,) True for customers never acted upon.
        used: (action, day) → what is used up of a daily limit, over all customers; missing is nothing.
        segments: n segments as the log has them; empty where no model serves.
    """

    now: Floats
    zones: Sequence[str]
    features: Floats
    consent: Bools
    ledger: Ledger
    asked_actions: Bools
    asked_channels: Bools
    holdout: Bools
    used: Mapping[tuple[str, str], Used] = field(default_factory=dict)
    segments: Sequence[Mapping[str, Any]] = ()

    def repeated(self, row: int, moments: Sequence[float], ages: Sequence[int] = ()) -> Situation:
        """One customer at several moments, everything else as it is.

        Args:
            ages: the feature columns that count days since something; they move on with time.
        """
        again = self.rows(np.full(len(moments), row))
        now = np.array(moments, dtype=np.float64)
        if ages:
            again.features[:, ages] += (now - self.now[row])[:, None] / DAY
        return replace(again, now=now)

    def rows(self, rows: Ints) -> Situation:
        """These customers, copied."""
        return replace(
            self,
            now=self.now[rows],
            zones=[self.zones[row] for row in rows.tolist()],
            features=self.features[rows],
            consent=self.consent[rows],
            ledger=self.ledger.rows(rows),
            asked_actions=self.asked_actions[rows],
            asked_channels=self.asked_channels[rows],
            holdout=self.holdout[rows],
            segments=[self.segments[row] for row in rows.tolist()] if self.segments else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules find.

    Attributes:
        codes: (n, k) which rule refuses, 0 where eligible.
        send_at: (n, k) when each arm would be sent; NaN for none.
        displacing: (n, k) True where an arm is eligible only because contacts of lower priority, reserved
            and not yet sent, give way.
    """

    codes: Codes
    send_at: Floats
    displacing: Bools

    @property
    def eligible(self) -> Bools:
        return np.equal(self.codes, ELIGIBLE)


def refuse(codes: Codes, where: Bools, code: int | Codes) -> None:
    """Refuse under `code`, (k,) or one for all, what no rule has refused yet."""
    np.copyto(codes, code, where=where & (codes == ELIGIBLE))
