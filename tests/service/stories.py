"""Stories: commands in order of time on a request clock, which Hypothesis draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from nba.model import Activation, Command, Reports
from tests.service.business import HOUR, NOON, event, outcome, request

CUSTOMERS = ("c0", "c1", "c2")
KINDS = ["zone", "visit", "outcome", "show", "unsent"]
ZONES = ("UTC", "Asia/Tokyo", "Europe/Amsterdam", None)


@st.composite
def stories(draw: st.DrawFn, size: int = 24) -> list[Command]:
    """Customers consent and withdraw, visit, buy, are decided for, shown held decisions, move away."""
    at, commands, decided = NOON, list[Command](), list[str]()
    for n in range(draw(st.integers(1, size))):
        at += draw(st.sampled_from([0.0, 60.0, 1_799.0, 1_800.0, 5 * HOUR, 30 * HOUR]))
        customer = draw(st.sampled_from(CUSTOMERS))
        kind = draw(st.sampled_from(["decide"] * 6 + ["consent"] * 3 + KINDS))
        if kind in ("outcome", "show", "unsent") and not decided:
            kind = "visit"
        commands.append(_command(draw, kind, customer, at, n, decided))
    return commands


def _command(draw: st.DrawFn, kind: str, customer: str, at: float, n: int, decided: list[str]) -> Command:
    if kind == "decide":
        decided.append(f"story-{n}")
        return request(customer, at, id=f"story-{n}", **_asked(draw))
    if kind == "show":
        return Activation(decision_id=draw(st.sampled_from(decided)))
    if kind == "outcome":
        named = draw(st.sampled_from(decided))
        return Reports(items=(outcome("purchase", at, id=f"o{n}", decision_id=named, value=9.0),))
    if kind == "unsent":
        named = draw(st.sampled_from(decided))
        return Reports(items=(outcome("not_sent", at, id=f"o{n}", decision_id=named),))
    if kind == "zone":
        zone = draw(st.sampled_from(ZONES))
        return Reports(items=(event(customer, "profile", at, id=f"e{n}", properties={"timezone": zone}),))
    if kind == "visit":
        return Reports(items=(event(customer, "visit", at, id=f"e{n}", channel="email"),))
    channel = draw(st.sampled_from([None, "email", "push", "web"]))
    purpose = draw(st.sampled_from(["marketing", "marketing", "service", "transactional"]))
    granted = draw(st.sampled_from([True, True, False]))
    said = {"purpose": purpose, "granted": granted}
    return Reports(items=(event(customer, "consent", at, id=f"e{n}", channel=channel, properties=said),))


def _asked(draw: st.DrawFn) -> dict[str, Any]:
    asked: dict[str, Any] = {"activate": draw(st.sampled_from([True, True, False]))}
    if draw(st.booleans()):
        asked["context"] = {
            "device": draw(st.sampled_from(["ios", "web", "else"])),
            "basket": draw(st.floats(0, 99)),
        }
    if draw(st.integers(0, 3)) == 0:
        asked["channels"] = ("email", "web")
    return asked


def in_batches(commands: Sequence[Command], sizes: Sequence[int]) -> list[list[Command]]:
    """Cut into batches of these sizes, again and again."""
    batches, start, turn = [], 0, 0
    while start < len(commands):
        batches.append(list(commands[start : start + sizes[turn % len(sizes)]]))
        start += len(batches[-1])
        turn += 1
    return batches
