"""What `nba init` writes: a business from which a first decision can be made at any hour."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from nba.contact.caps import PURPOSES, Ledger
from nba.contact.eligibility import Gatekeeper, Situation
from nba.features.layout import Layout
from nba.features.rows import assemble
from nba.features.state import States
from nba.model import ContactRow
from nba.playbook.compile import Playbook, parse

MONDAY, HOUR = 1_773_014_400.0, 3_600.0  # 2026-03-09 00:00 UTC


@pytest.fixture(scope="module")
def sample() -> Playbook:
    return parse(files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8"))


def customer(sample: Playbook, now: float, contacts: list[ContactRow], **attributes: object) -> Situation:
    """A new customer who consents to everything."""
    zone = str(attributes.pop("timezone", sample.spec.timezone))
    features = assemble(
        sample,
        states=States.empty(Layout.of(sample.schema), 1),
        now=np.array([now]),
        zones=[zone],
        attributes=[attributes],
        context=[{"device": "ios"}],
        scores=None,
    )
    return Situation(
        now=np.array([now]),
        zones=[zone],
        features=features,
        consent=np.ones((1, len(PURPOSES), len(sample.arms.channels)), dtype=np.bool_),
        ledger=Ledger.of(sample, [contacts]),
        asked_actions=np.ones((1, len(sample.arms.actions)), dtype=np.bool_),
        asked_channels=np.ones((1, len(sample.arms.channels)), dtype=np.bool_),
        holdout=np.zeros(1, dtype=np.bool_),
    )


def test_it_says_what_the_contract_promises(sample: Playbook) -> None:
    spec = sample.spec
    assert all(channel.consent for channel in spec.channels.values())
    assert {action.purpose for action in spec.actions.values()} == {"marketing"}
    [cap] = spec.contact.caps
    assert (cap.max, cap.within, cap.channel) == (3, 7 * 86_400, None)
    assert {"visit", "opened", "purchase"} <= set(spec.touchpoints)
    assert "device" in spec.context
    assert spec.contact.quiet_hours is None
    assert spec.groups.holdout > 0
    assert any(timing.start is None for timing in spec.timings.values())
    assert set(spec.objectives.outcomes) <= set(spec.touchpoints)


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/Los_Angeles", "Asia/Kolkata"])
def test_a_customer_who_consents_gets_three_contacts_at_once_at_any_hour(
    sample: Playbook, hour: int, zone: str
) -> None:
    gate, now, contacts = Gatekeeper(sample), MONDAY + hour * HOUR, []
    for _ in range(3):
        verdict = gate.judge(customer(sample, now, contacts, timezone=zone))
        eligible = np.flatnonzero(verdict.eligible[0])
        arm = int(eligible[1 + (hour * 7) % (len(eligible) - 1)])  # some arm or other
        action = sample.arms.actions[sample.arms.action[arm]]
        contacts.append(
            ContactRow(
                decision_id="d",
                surrogate="s",
                action=action,
                channel=sample.arms.channels[sample.arms.channel[arm]],
                purpose=sample.spec.actions[action].purpose,
                send_at=float(verdict.send_at[0, arm]),
                status="reserved",
            )
        )
    fourth = gate.judge(customer(sample, now, contacts, timezone=zone))
    assert not fourth.eligible[0, 1:].any()


def test_marketing_stops_while_a_ticket_is_open(sample: Playbook) -> None:
    gate, asked = Gatekeeper(sample), customer(sample, MONDAY, [])
    asked.features[0, sample.schema.index["open_tickets"]] = 1
    codes = gate.judge(asked).codes[0, 1:]
    assert "contact.stops.open-ticket" in {gate.reasons[code] for code in codes}
    assert codes.all()


def test_a_new_customer_stands_at_the_first_stage(sample: Playbook) -> None:
    asked = customer(sample, MONDAY, [])
    stage = asked.features[0, sample.schema.index["stage"]]
    assert sample.spec.stages[int(stage)].name == "awareness"
