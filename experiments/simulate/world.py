"""The built-in world: customers whose true response to every arm is known, advanced a day at a time.

Randomness is counter-based: the draws of customer i on a day depend on (seed, day, i) alone. So the same seed
gives the same events whatever the subset of customers, the order of calls or the number of customers, and two
policies run with one seed meet the same luck. A world is immutable; a state goes in and a state comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from experiments.simulate import calendar, dynamics
from experiments.simulate.commerce import NO_CONTACT, Arm, Commerce, Floats, Ints, read_commerce
from experiments.simulate.day import Setting, day_draws, live
from experiments.simulate.dynamics import State
from experiments.simulate.response import Flags, Response, customer_ids
from experiments.simulate.traits import DEVICES, REGIONS, Traits, draw_traits, drift_traits
from nba.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A commerce setting and a population of n customers. Arm 0 is `no_contact`."""

    commerce: Commerce
    traits: Traits

    @classmethod
    def create(cls, seed: int, customers: int) -> World:
        """Draw a population. Raises InvalidInput for a negative seed or fewer than one customer."""
        if customers < 1 or seed < 0:
            raise InvalidInput.of("seed" if seed < 0 else "customers", "must be positive")
        commerce = read_commerce()
        return cls(commerce=commerce, traits=draw_traits(seed, customers, commerce))

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The k arms, as `Commerce.arms`."""
        return self.commerce.arms

    @property
    def customers(self) -> int:
        """n."""
        return len(self.traits.age)

    def initial(self) -> State:
        """Where customers stand before any history."""
        return dynamics.fresh(self.traits, len(self.commerce.actions))

    def drifted(self, seed: int, size: float = 1.0) -> World:
        """The same customers with tastes moved a share `size` towards another category's."""
        return replace(self, traits=drift_traits(self.traits, seed, size))

    def profiles(self) -> pl.DataFrame:
        """What the company knows of each customer: customer_id, age, member, region, timezone."""
        return pl.DataFrame(
            {
                "customer_id": customer_ids(np.arange(self.customers)),
                "age": self.traits.age,
                "member": self.traits.member,
                "region": np.array(REGIONS)[self.traits.region],
                "timezone": [self.commerce.timezone] * self.customers,
            }
        )

    def contexts(self) -> pl.DataFrame:
        """What a request brings along: customer_id, device."""
        ids = customer_ids(np.arange(self.customers))
        return pl.DataFrame({"customer_id": ids, "device": np.array(DEVICES)[self.traits.device]})

    def consents(self, state: State) -> pl.DataFrame:
        """Consent as it stands: customer_id, channel, granted; a row per customer and channel."""
        rows, columns = np.indices(state.granted.shape)
        return pl.DataFrame(
            {
                "customer_id": customer_ids(rows.ravel()),
                "channel": np.array(self.commerce.channels)[columns.ravel()],
                "granted": state.granted.ravel(),
            }
        )

    def eligible(self, state: State) -> Flags:
        """(n, k) arms whose channel the customer consents to; `no_contact` always."""
        mask = state.granted[:, self.commerce.channel]
        mask[:, NO_CONTACT] = True
        return mask

    def step(self, state: State, day: int, arm: Ints, seed: int) -> tuple[State, Response]:
        """Take all customers through a day in which each gets an `arm` (n,). See `respond`."""
        return self.respond(state, np.arange(self.customers), day, arm, seed)

    def respond(
        self, state: State, customers: Ints, day: int, arm: Ints, seed: int, sent_at: Floats | None = None
    ) -> tuple[State, Response]:
        """Take m customers through one day; call once per customer and day.

        Args:
            state: of all n customers; the others are unchanged in the state returned.
            customers: (m,) rows, each once.
            arm: (m,) indices. A contact without consent is not delivered: no cost, no effect.
            sent_at: (m,) epoch seconds within the day, read where a contact; without it, a moment inside
                the arm's timing.

        Raises InvalidInput for customers or arms that don't exist and moments outside the day.
        """
        if sent_at is not None:
            sent_at = np.where(arm == NO_CONTACT, calendar.day_start(day), sent_at)
        self._check(customers, day, arm, sent_at)
        draws = day_draws(seed, day, self.customers, customers)
        if sent_at is None:
            sent_at = calendar.send_times(self.commerce, day, arm, draws["send"])
        setting = Setting(
            commerce=self.commerce,
            traits=self.traits.take(customers),
            seed=seed,
            day=day,
            customers=customers,
            arm=arm,
            sent=sent_at,
            draws=draws,
        )
        after, response = live(setting, state.take(customers))
        return state.put(customers, after), response

    def _check(self, customers: Ints, day: int, arm: Ints, sent_at: Floats | None) -> None:
        if len(np.unique(customers)) != len(customers) or len(arm) != len(customers):
            raise InvalidInput.of("customers", "each customer once, with one arm each")
        if len(customers) and not (customers.min() >= 0 and customers.max() < self.customers):
            raise InvalidInput.of("customers", f"rows are 0 to {self.customers - 1}")
        if len(arm) and not (arm.min() >= 0 and arm.max() < len(self.arms)):
            raise InvalidInput.of("arm", f"indices are 0 to {len(self.arms) - 1}")
        if sent_at is not None:
            begin = calendar.day_start(day)
            if not np.all((sent_at >= begin) & (sent_at < begin + calendar.DAY)):
                raise InvalidInput.of("sent_at", f"must lie within day {day}, which starts at {begin:.0f}")
