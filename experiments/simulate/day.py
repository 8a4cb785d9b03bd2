"""One day in the life of some customers: the contact, what they do of themselves, the night.

Draws from the laws in `dynamics`; what the arms are worth in expectation is in `expectation`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from experiments.simulate import calendar, dynamics
from experiments.simulate.commerce import NO_CONTACT, Commerce, Floats, Ints
from experiments.simulate.dynamics import NOTHING, PURCHASE, VISIT, State
from experiments.simulate.response import Flags, Happening, Response
from experiments.simulate.traits import Traits, logistic

DRAWS = ("open", "unsubscribe", "visit", "purchase", "amount", "move", "churn", "ticket")
CLOCKS = ("send", "glance", "visit_at", "purchase_at", "ticket_at")
NATURE, POLICY = 0, 1  # streams of random numbers; a policy's draws must not share nature's


def generator(seed: int, day: int, stream: int) -> np.random.Generator:
    """The random numbers of a day; history's negative days have streams of their own."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, (day + 2**32) * 2 + stream], np.uint64)))


def day_draws(seed: int, day: int, population: int, customers: Ints) -> dict[str, Floats]:
    """Uniforms (m,) by name, drawn for the whole population row by row and then subset."""
    names = DRAWS + CLOCKS
    u = generator(seed, day, NATURE).random((population, len(names)))[customers]
    return dict(zip(names, u.T, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """All that a day's laws depend on beside the state, for m customers.

    Attributes:
        traits: of the m customers, whose rows in the world are `customers` (m,).
        arm: (m,) indices. sent: (m,) epoch seconds within the day; read only where a contact.
        draws: uniforms (m,) by name, of `day_draws`.
    """

    commerce: Commerce
    traits: Traits
    seed: int
    day: int
    customers: Ints
    arm: Ints
    sent: Floats
    draws: dict[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contact:
    """What came of the contact, (m,) each: the cost is due when delivered, whoever is there to see it."""

    delivered: Flags
    opened: Flags
    unsubscribed: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doings:
    """What customers did, (m,) each; a purchase is also a visit. Prompted: not without today's contact."""

    visited: Flags
    purchased: Flags
    visit_prompted: Flags
    purchase_prompted: Flags


def live(setting: Setting, now: State) -> tuple[State, Response]:
    """Take m customers from the start of a day to the start of the next."""
    contact, told = _contact(setting, now)
    doings = _doings(setting, now, told)
    spend = setting.traits.basket * (1 - told.rebate) * (0.5 + setting.draws["amount"])
    ticket_moves = _ticket_moves(setting, told)
    response = Response(
        commerce=setting.commerce,
        seed=setting.seed,
        day=setting.day,
        customers=setting.customers,
        arm=setting.arm,
        delivered=contact.delivered,
        amount=np.where(doings.purchased, spend, 0.0),
        happenings=_happenings(setting, contact, doings, ticket_moves, told),
    )
    return _night(setting, told, doings, ticket_moves), response


def _contact(setting: Setting, now: State) -> tuple[Contact, State]:
    """Deliver, open or not, unsubscribe or not; and the state as the contact leaves it."""
    commerce, traits, arm, u = setting.commerce, setting.traits, setting.arm, setting.draws
    rows, channel, action = np.arange(len(arm)), commerce.channel[arm], commerce.action[arm]
    delivered = (arm != NO_CONTACT) & now.granted[rows, channel]
    reached = delivered & now.alive
    daypart = traits.daypart[rows, calendar.timing_of(commerce, setting.sent)]
    openness = dynamics.open_probability(traits, now, channel[:, None], daypart[:, None])[:, 0]
    leaving = dynamics.unsubscribe_probability(traits, now, commerce, action[:, None])[:, 0]
    gain = dynamics.lift_gain(traits, now, commerce, action[:, None])[:, 0]
    opened = reached & (u["open"] < openness)
    unsubscribed = reached & (u["unsubscribe"] < leaving)
    wear, granted = now.wear.copy(), now.granted.copy()
    wear[rows, action] += reached
    granted[rows, channel] &= ~unsubscribed
    told = replace(
        now,
        fatigue=now.fatigue + reached * dynamics.fatigue_gain(now),
        wear=wear,
        granted=granted,
        lift=now.lift + opened * gain,
        rebate=np.maximum(now.rebate, opened * commerce.discount[action]),
    )
    return Contact(delivered=delivered, opened=opened, unsubscribed=unsubscribed), told


def _doings(setting: Setting, now: State, told: State) -> Doings:
    """Visits and purchases. Those that the state before the contact would not have brought are prompted."""
    traits, u = setting.traits, setting.draws

    def odds(rate: Floats, factor: Floats, state: State) -> Floats:
        weekday = float(dynamics.WEEKDAY[setting.day % 7])
        return dynamics.day_probability(
            rate, factor[state.stage], weekday, state.lift, traits.touchiness, state.fatigue
        )

    purchased = told.alive & (u["purchase"] < odds(traits.purchases, dynamics.BUY_STAGE, told))
    visited = told.alive & (u["visit"] < odds(traits.visits, dynamics.VISIT_STAGE, told))
    purchase_prompted = purchased & (u["purchase"] >= odds(traits.purchases, dynamics.BUY_STAGE, now))
    visit_prompted = visited & (u["visit"] >= odds(traits.visits, dynamics.VISIT_STAGE, now))
    return Doings(
        visited=visited | purchased,
        purchased=purchased,
        visit_prompted=np.where(purchased, purchase_prompted, visit_prompted),
        purchase_prompted=purchase_prompted,
    )


def _ticket_moves(setting: Setting, told: State) -> Flags:
    """(m,) an open ticket closes, or a new one opens."""
    odds = np.where(told.ticket, dynamics.TICKET_CLOSES, dynamics.TICKET_OPENS)
    moves: Flags = told.alive & (setting.draws["ticket"] < odds)
    return moves


def _night(setting: Setting, told: State, doings: Doings, ticket_moves: Flags) -> State:
    """Stages move, some customers leave for good, and what was carried over decays."""
    u, traits = setting.draws, setting.traits
    seen = np.where(doings.purchased, PURCHASE, np.where(doings.visited, VISIT, NOTHING))
    ladder = np.cumsum(dynamics.MOVE, axis=2)[seen, told.stage, :-1]
    leaving = dynamics.churn_probability(
        traits.churn, dynamics.CHURN_STAGE[told.stage], traits.touchiness, told.fatigue
    )
    return replace(
        told,
        alive=told.alive & (u["churn"] >= leaving),
        stage=(u["move"][:, None] >= ladder).sum(axis=1),
        fatigue=told.fatigue * dynamics.FATIGUE_KEEP,
        wear=told.wear * dynamics.WEAR_KEEP,
        lift=told.lift * dynamics.LIFT_KEEP,
        rebate=told.rebate * dynamics.REBATE_KEEP,
        ticket=told.ticket ^ ticket_moves,
    )


def _happenings(
    setting: Setting, contact: Contact, doings: Doings, ticket_moves: Flags, told: State
) -> tuple[Happening, ...]:
    """Put the day's outcomes at moments within it: prompted ones follow the opening, in its day."""
    start, u = calendar.day_start(setting.day), setting.draws
    end = start + calendar.DAY - 1.0
    left = end - setting.sent
    glance = setting.sent + np.minimum(-1800 * np.log1p(-0.98 * u["glance"]), 0.5 * left)
    left = end - glance
    evening, morning = (setting.commerce.timings.index(name) for name in ("evening", "morning"))
    lateness = logistic(setting.traits.daypart[:, evening] - setting.traits.daypart[:, morning])
    visit_at, purchase_at, ticket_at = (calendar.about(setting.day, lateness, u[name]) for name in CLOCKS[2:])
    bought = np.where(doings.purchase_prompted, glance + u["purchase_at"] ** 2 * left, purchase_at)
    came = np.where(doings.visit_prompted, glance + 0.2 * u["visit_at"] ** 2 * left, visit_at)
    earliest = np.where(doings.purchase_prompted, glance, start)
    came = np.where(doings.purchased, np.maximum(earliest, bought - 600), came)
    opened, gone, organic = contact.opened, contact.unsubscribed, np.zeros_like(contact.opened)
    return (
        Happening(type="visit", happened=doings.visited, at=came, prompted=doings.visit_prompted),
        Happening(type="opened", happened=opened, at=glance, prompted=opened),
        Happening(type="purchase", happened=doings.purchased, at=bought, prompted=doings.purchase_prompted),
        Happening(type="unsubscribed", happened=gone, at=glance + 0.01 * left, prompted=gone),
        Happening(type="ticket_opened", happened=ticket_moves & ~told.ticket, at=ticket_at, prompted=organic),
        Happening(type="ticket_closed", happened=ticket_moves & told.ticket, at=ticket_at, prompted=organic),
    )
