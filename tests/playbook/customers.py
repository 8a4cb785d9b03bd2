"""One customer under a playbook: what the contact rules look at, and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.features.layout import Layout
from nba.features.rows import assemble
from nba.features.state import States
from nba.model import ContactRow, Used
from nba.playbook.compile import Playbook

AMSTERDAM = "Europe/Amsterdam"


def moment(text: str, zone: str = AMSTERDAM) -> float:
    """`2026-06-01 09:00` on the wall of a zone → epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def customer(
    playbook: Playbook,
    now: float,
    contacts: Sequence[ContactRow] = (),
    *,
    zone: str = AMSTERDAM,
    attributes: Mapping[str, object] | None = None,
    consent: bool = True,
    holdout: bool = False,
    used: Mapping[tuple[str, str], Used] | None = None,
    **features: float,
) -> Situation:
    """A customer of whom nothing is known but what is given; `features` are set after all rules of stages."""
    row = assemble(
        playbook,
        states=States.empty(Layout.of(playbook.schema), 1),
        now=np.array([now]),
        zones=[zone],
        attributes=[dict(attributes or {})],
        context=[{"device": "ios"}],
        scores=None,
    )
    for name, value in features.items():
        row[0, playbook.schema.index[name]] = value
    return Situation(
        now=np.array([now]),
        zones=[zone],
        features=row,
        consent=np.full((1, len(PURPOSES), len(playbook.arms.channels)), consent),
        ledger=Ledger.of(playbook, [list(contacts)]),
        asked_actions=np.ones((1, len(playbook.arms.actions)), dtype=np.bool_),
        asked_channels=np.ones((1, len(playbook.arms.channels)), dtype=np.bool_),
        holdout=np.array([holdout]),
        used=used or {},
    )


def contact(
    playbook: Playbook, action: str, channel: str, send_at: float, decision_id: str = "d"
) -> ContactRow:
    """A contact with an action of the playbook, sent or to be sent."""
    said = playbook.spec.actions[action]
    return ContactRow(
        decision_id=decision_id,
        surrogate="s",
        action=action,
        channel=channel,
        purpose=said.purpose,
        category=said.category,
        send_at=send_at,
        status="reserved",
    )


def reasons(playbook: Playbook, asked: Situation) -> dict[str, str]:
    """Arm → the rule that refuses it; empty where it is eligible."""
    gate = Gatekeeper(playbook)
    codes = gate.judge(asked).codes[0]
    return {name: gate.reasons[code] for name, code in zip(playbook.arms.names, codes, strict=True)}
