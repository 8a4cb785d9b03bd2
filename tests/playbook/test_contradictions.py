"""What is right by itself and makes no sense together is refused, and no more than that."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nba.contact.eligibility import Gatekeeper
from nba.errors import InvalidPlaybook
from nba.playbook.compile import parse
from nba.playbook.contradictions import contradictions
from tests.playbook.business import TEXT, faults, line_of, shop
from tests.playbook.customers import AMSTERDAM, contact, customer, moment

CAPS = """\
    - {max: 3, within: 7d}
    - {max: 1, within: 1d, channel: push}
"""


def caps(*lines: str) -> str:
    return "".join(f"    - {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "field", "said"),
    [
        # The same contacts, two numbers; the later one is told, whichever is smaller.
        (
            ["{max: 3, within: 7d}", "{max: 5, within: 1w}"],
            "caps[1].max",
            "5 stands against 3 in contact.caps[0]",
        ),
        (["{max: 5, within: 7d}", "{max: 3, within: 7d}"], "caps[1].max", "3 stands against 5"),
        (["{max: 2, per: day}", "{max: 3, per: day}"], "caps[1].max", "keep the one that is meant"),
        (
            [
                "{max: 2, within: 1d, purposes: [service, marketing]}",
                "{max: 3, within: 1d, purposes: [marketing, service]}",
            ],
            "caps[1].max",
            "stands against",
        ),
        (["{max: 3, within: 7d}", "{max: 3, within: 7d}"], "caps[1]", "says what contact.caps[0] says"),
        # Never reached: a wider scope, as long or longer, allows no more.
        (["{max: 3, within: 1d}", "{max: 3, within: 7d}"], "caps[0]", "never reached: contact.caps[1]"),
        (["{max: 3, within: 7d}", "{max: 4, within: 6d}"], "caps[1]", "allows no more than 3"),
        (["{max: 3, within: 7d}", "{max: 3, within: 7d, channel: email}"], "caps[1]", "never reached"),
        (["{max: 3, within: 7d}", "{max: 9, within: 1d, category: general}"], "caps[1]", "never reached"),
        (
            ["{max: 3, within: 7d}", "{max: 3, within: 7d, purposes: [marketing, service]}"],
            "caps[0]",
            "never reached",
        ),
        (["{max: 3, within: 26h}", "{max: 3, per: day}"], "caps[1]", "never reached"),
        (["{max: 3, per: week}", "{max: 4, per: day}"], "caps[1]", "never reached"),
        (
            ["{max: 3, per: month, channel: push}", "{max: 3, per: day, channel: push}"],
            "caps[1]",
            "never reached",
        ),
        # 0 leaves an action without any arm.
        (["{max: 0, within: 1d}"], "caps[0].max", "0 leaves bogo, ten-off no way out"),
        (["{max: 0, per: day, category: general}"], "caps[0].max", "pause it with daily: {contacts: 0}"),
        (
            ["{max: 0, within: 1d, channel: push}", "{max: 0, per: day, channel: email}"],
            "caps[1].max",
            "no way out",
        ),
    ],
)
def test_caps_that_make_no_sense_together_are_told_with_the_mend(
    lines: list[str], field: str, said: str
) -> None:
    [fault] = faults(CAPS, caps(*lines))
    assert fault.field == f"contact.{field}"
    assert said in fault.detail
    place = int(field[5])
    assert fault.line == line_of(CAPS, TEXT) + place


@pytest.mark.parametrize(
    "lines",
    [
        ["{max: 3, within: 7d}", "{max: 2, within: 1d}"],
        ["{max: 3, within: 7d}", "{max: 3, within: 8d, channel: email}"],
        ["{max: 3, within: 7d, channel: email}", "{max: 3, within: 7d, channel: push}"],
        ["{max: 3, within: 7d, channel: email}", "{max: 3, within: 7d, category: general}"],
        ["{max: 3, within: 7d}", "{max: 3, within: 7d, purposes: [service]}"],
        # A calendar day can have more than 24 hours, and any 24 hours lie in two days.
        ["{max: 3, within: 24h}", "{max: 3, per: day}"],
        ["{max: 3, within: 12h}", "{max: 3, per: month}"],
        ["{max: 3, per: week}", "{max: 3, per: month, channel: email}"],
        ["{max: 2, per: week}", "{max: 9, per: month, channel: email}"],
        # One channel is closed, another is left.
        ["{max: 0, within: 1d, channel: push}"],
        ["{max: 0, within: 1d, purposes: [service, transactional]}"],
        ["{max: 0, per: day, category: catalogue}"],
    ],
)
def test_caps_that_each_come_to_bear_are_taken(lines: list[str]) -> None:
    assert len(shop(CAPS, caps(*lines)).spec.contact.caps) == len(lines)


SCOPES = ["", ", channel: email", ", category: general", ", purposes: [marketing, service]"]
LENGTHS = ["within: 24h", "within: 26h", "within: 8d", "within: 32d", "per: day", "per: week", "per: month"]
ZONES = [AMSTERDAM, "Australia/Lord_Howe", "Antarctica/Troll", "America/St_Johns"]
CAP = st.builds(
    "{{max: {}, {}{}}}".format, st.integers(1, 3), st.sampled_from(LENGTHS), st.sampled_from(SCOPES)
)


@settings(max_examples=60)
@given(
    st.lists(CAP, min_size=2, max_size=2, unique=True),
    st.lists(st.tuples(st.integers(0, 40 * 24), st.sampled_from(["email", "push"])), max_size=6),
    st.sampled_from(ZONES),
    st.sampled_from(["2026-03-29 03:30", "2026-04-05 03:30", "2026-10-04 03:30", "2026-10-25 03:30"]),
)
def test_a_cap_that_is_called_never_reached_refuses_nothing_that_the_other_does_not(
    lines: list[str], sent: list[tuple[int, str]], zone: str, now: str
) -> None:
    both = parse(TEXT.replace(CAPS, caps(*lines)), kept=True)
    idle = {path[2] for path, said in contradictions(both.spec) if "never reached" in said}
    assume(idle)
    [place] = [i for i in range(2) if i not in idle]
    other = parse(TEXT.replace(CAPS, caps(lines[int(place)])), kept=True)
    here = moment(now, zone)
    had = [contact(both, "bogo", channel, here - hours * 3_600.0) for hours, channel in sent]
    eligible = [
        Gatekeeper(book).judge(customer(book, here, had, zone=zone, basket=0.0)).eligible.tolist()
        for book in (both, other)
    ]
    assert eligible[0] == eligible[1]


def test_an_apprentice_has_rules_to_learn_from() -> None:
    text = TEXT[: TEXT.index("incumbent:")] + TEXT[TEXT.index("scores:") :]
    with pytest.raises(InvalidPlaybook) as caught:
        parse(text + "mode: apprentice\n")
    [fault] = caught.value.errors
    assert (fault.field, fault.line) == ("mode", text.count("\n") + 1)
    assert "incumbent" in fault.detail
    assert parse(TEXT + "mode: apprentice\n").spec.mode == "apprentice"


def test_a_limit_of_nothing_is_a_pause() -> None:
    paused = shop("when: age > 18", "daily: {contacts: 0, spend: 0}").spec.actions["ten-off"].daily
    assert paused is not None
    assert (paused.contacts, paused.spend) == (0, 0)


def test_a_playbook_that_decisions_rest_on_is_still_read() -> None:
    text = TEXT.replace("max: 1, within: 1d", "max: 9, within: 1d")
    with pytest.raises(InvalidPlaybook, match="never reached"):
        parse(text)
    assert parse(text, kept=True).spec.contact.caps[1].max == 9
    with pytest.raises(InvalidPlaybook, match="no channel 'psh'"):
        parse(text.replace("channel: push}", "channel: psh}"), kept=True)
