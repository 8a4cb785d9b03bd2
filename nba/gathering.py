"""What decisions rest on, gathered: features, consents and the contacts that count, a row a customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.chance import NOWHERE, Assignment, Group, uniforms
from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.features.rows import assemble
from nba.features.state import States
from nba.live import Live
from nba.model import ContactRow, DecisionRequest, Used
from nba.playbook.compile import Playbook
from nba.session import Session
from nba.stores.ports import CustomerRow
from nba.trace import narrowed

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is in order: its place in the round, whom it is about, at which moment, and where they
    stand in experiments and ramp.

    Attributes:
        customer: the whole person.
        own: the customer id that was asked about; the same row where it is linked to none.
        kin: surrogates of the person's customers, whose contacts all count.
    """

    place: int
    request: DecisionRequest
    customer: CustomerRow
    own: CustomerRow
    kin: tuple[str, ...]
    group: Group
    at: float
    assignment: Assignment = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Requests that are decided together, and what their decisions rest on, a row each."""

    asked: Sequence[Asked]
    contacts: Sequence[Sequence[ContactRow]]
    states: States
    situation: Situation
    uniforms: Floats

    def rows(self, start: int, stop: int, used: Mapping[tuple[str, str], Used]) -> Part:
        """Some of them, now that so much of the daily limits is used up."""
        rows = slice(start, stop)
        situation = (
            self.situation if stop - start == len(self.asked) else self.situation.rows(np.arange(start, stop))
        )
        return Part(
            asked=self.asked[rows],
            contacts=self.contacts[rows],
            states=self.states.take(rows),
            situation=replace(situation, used=used),
            uniforms=self.uniforms[rows],
        )


def gather(
    session: Session, live: Live, gatekeeper: Gatekeeper, asked: Sequence[Asked], secret: bytes
) -> Part:
    """All of it, for requests under one assignment and catalogue.

    The draws are keyed by `secret` and the decision ids.
    """
    contacts = _counting(session, gatekeeper, asked)
    states = session.states([one.customer for one in asked])
    return Part(
        asked=asked,
        contacts=contacts,
        states=states,
        situation=_situation(live, asked, contacts, states),
        uniforms=uniforms(secret, [one.request.decision_id for one in asked]),
    )


def _situation(
    live: Live, asked: Sequence[Asked], contacts: Sequence[Sequence[ContactRow]], states: States
) -> Situation:
    playbook, arms = live.playbook, live.playbook.arms
    customers = [one.customer for one in asked]
    now = np.array([one.at for one in asked])
    zones = [zone_name(playbook, customer) for customer in customers]
    features = features_of(live, customers, states, now, zones, [one.request.context for one in asked])
    segments = _segments(live, features)
    return Situation(
        now=now,
        zones=zones,
        features=features,
        consent=np.array([consent_of(playbook, customer) for customer in customers]),
        ledger=Ledger.of(playbook, contacts),
        asked_actions=narrowed([one.request.actions for one in asked], arms.actions),
        asked_channels=narrowed([one.request.channels for one in asked], arms.channels),
        holdout=np.array([one.group == "holdout" for one in asked]),
        segments=segments,
    )


def features_of(
    live: Live,
    customers: Sequence[CustomerRow],
    states: States,
    now: Floats,
    zones: Sequence[str],
    context: Sequence[Mapping[str, object]],
) -> Floats:
    """(n, F) what rules and policies see of these customers at these moments."""
    return assemble(
        live.playbook,
        states=states,
        now=now,
        zones=zones,
        attributes=[{name: value for name, (value, _) in c.attributes.items()} for c in customers],
        context=context,
        scores=live.scores,
    )


def _segments(live: Live, features: Floats) -> list[Mapping[str, Any]]:
    """The segment of each customer as the trace tells it, filled into the features where rules ask for it."""
    model, publication = live.segments, live.segments_publication
    if model is None or publication is None:
        return []
    told: list[dict[str, Any]] = [
        {"id": s.id, "name": s.name, "model": publication.number} for s in model.segments
    ]
    told.append({"id": None, "name": None, "model": publication.number})  # of who was never seen
    return [told[index] for index in model.mark(features).tolist()]


def _counting(session: Session, gatekeeper: Gatekeeper, asked: Sequence[Asked]) -> list[list[ContactRow]]:
    """The contacts that the rules count, a list a customer, by send_at, then id."""
    reach = gatekeeper.reach
    if reach == 0.0:
        return [[] for _ in asked]
    since = min(one.at for one in asked) - reach
    listed = iter(session.contacts([surrogate for one in asked for surrogate in one.kin], since))
    known = [[row for _ in one.kin for row in next(listed)] for one in asked]
    return [
        sorted((c for c in rows if _counts(c, one.at, reach)), key=_PLACE) if rows else []
        for rows, one in zip(known, asked, strict=True)
    ]


_PLACE = attrgetter("send_at", "decision_id")


def _counts(contact: ContactRow, at: float, reach: float) -> bool:
    return contact.send_at >= at - reach and (contact.expires_at is None or contact.expires_at > at)


def zone_name(playbook: Playbook, customer: CustomerRow) -> str:
    """The customer's time zone, or the playbook's where none is known."""
    known = customer.attributes.get("timezone")
    return str(known[0]) if known and known[0] is not None else playbook.spec.timezone


def consent_of(playbook: Playbook, customer: CustomerRow) -> Bools:
    """(purposes, channels): where consent is known and granted; the latest word wins, for one or for all.

    Of two words at one moment the refusal counts.
    """
    said = sorted((at, not granted, name) for name, (granted, at) in customer.consents.items())
    return _granted(playbook, tuple((name, not refused) for _, refused, name in said))


@lru_cache(maxsize=4_096)
def _granted(playbook: Playbook, words: tuple[tuple[str, bool], ...]) -> Bools:
    """What a customer's words come to, the last one last; not to be written to."""
    channels = playbook.arms.channels
    granted = np.zeros((len(PURPOSES), len(channels)), dtype=np.bool_)
    for name, value in words:
        purpose, _, channel = name.partition("|")
        if purpose in PURPOSES and (channel == "*" or channel in channels):
            column = slice(None) if channel == "*" else channels.index(channel)
            granted[PURPOSES.index(purpose), column] = value
    granted.flags.writeable = False
    return granted
