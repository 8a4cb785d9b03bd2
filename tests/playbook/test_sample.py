"""What `nba init` writes: a business from which a first decision can be made at any hour."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
from pydantic import BaseModel

from nba.contact.eligibility import Gatekeeper
from nba.model import ContactRow
from nba.playbook.compile import Playbook, parse
from nba.playbook.experiment import Experiment
from nba.playbook.promotion import Health, Learning, Promotion
from tests.playbook.customers import contact, customer

MONDAY, HOUR = 1_773_014_400.0, 3_600.0  # 2026-03-09 00:00 UTC


@pytest.fixture(scope="module")
def sample() -> Playbook:
    return parse(files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8"))


def in_use() -> str:
    """The sample with every commented field taken into use."""
    text = files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8")
    return re.sub(r"^( *)# ( *)(?=[a-z_]+:|- (\{|[a-z]+:))", r"\1\2", text, flags=re.MULTILINE)


def test_it_says_what_the_contract_promises(sample: Playbook) -> None:
    spec = sample.spec
    assert all(channel.consent for channel in spec.channels.values())
    assert {action.purpose for action in spec.actions.values()} == {"marketing"}
    [cap] = spec.contact.caps
    assert (cap.max, cap.within, cap.channel, cap.category) == (3, 7 * 86_400, None, None)
    assert spec.mode == "autopilot"
    # what would let a fourth contact in, or keep a third one out
    assert {(a.priority, a.cooldown, a.daily, a.valid_from) for a in spec.actions.values()} == {
        (0, None, None, None)
    }
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
    gate, now = Gatekeeper(sample), MONDAY + hour * HOUR
    contacts: list[ContactRow] = []
    for _ in range(3):
        verdict = gate.judge(customer(sample, now, contacts, zone=zone))
        eligible = np.flatnonzero(verdict.eligible[0])
        arm = int(eligible[1 + (hour * 7) % (len(eligible) - 1)])  # some arm or other
        action, channel, _ = sample.arms.names[arm].split("/")
        contacts.append(contact(sample, action, channel, float(verdict.send_at[0, arm])))
    fourth = gate.judge(customer(sample, now, contacts, zone=zone))
    assert not fourth.eligible[0, 1:].any()


def test_marketing_stops_while_a_ticket_is_open(sample: Playbook) -> None:
    gate, asked = Gatekeeper(sample), customer(sample, MONDAY, open_tickets=1)
    codes = gate.judge(asked).codes[0, 1:]
    assert "contact.stops.open-ticket" in {gate.reasons[code] for code in codes}
    assert codes.all()


def test_a_new_customer_stands_at_the_first_stage(sample: Playbook) -> None:
    asked = customer(sample, MONDAY)
    stage = asked.features[0, sample.schema.index["stage"]]
    assert sample.spec.stages[int(stage)].name == "awareness"


def test_what_stands_in_it_as_a_comment_can_be_put_to_use(sample: Playbook) -> None:
    used = parse(in_use())
    action, caps = used.spec.actions["bogo-10"], used.spec.contact.caps
    assert set(type(action).model_fields) == action.model_fields_set
    assert (action.priority, action.lever, used.spec.mode) == (10, 1.5, "apprentice")
    assert (len(caps), len(used.incumbent_rules)) == (4, 1)
    assert used.spec.contact.quiet_hours is not None
    assert "attribute=price" in used.arms.feature_names
    assert sample.arms.names == used.arms.names


@pytest.mark.parametrize(
    ("section", "model"), [("promotion", Promotion), ("learning", Learning), ("health", Health)]
)
def test_every_field_of_the_sections_about_learning_is_there_to_be_used(
    section: str, model: type[BaseModel]
) -> None:
    """What a page alone explains is found by nobody: a field that is added comes here too."""
    used = getattr(parse(in_use()).spec, section)
    assert used.model_fields_set == set(model.model_fields)


def test_what_learning_and_experiments_can_do_is_there_to_be_used() -> None:
    spec = parse(in_use()).spec
    assert spec.promotion.ramp is not None
    assert [rail.name for rail in spec.promotion.guardrails] == ["leaving"]
    (experiment,) = spec.experiments
    assert list(experiment.variants) == ["usual", "braver"]
    assert set(Experiment.model_fields) - experiment.model_fields_set == {"salt"}
    visit = spec.objectives.outcomes["visit"]
    assert (visit.window, visit.cap) == (86_400.0, 0.1)


def test_what_is_commented_says_what_holds_without_it(sample: Playbook) -> None:
    """The figures of `health` are its defaults, so that who takes the comment away changes nothing else."""
    assert parse(in_use()).spec.health == sample.spec.health
