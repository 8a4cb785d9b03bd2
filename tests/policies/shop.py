"""A small playbook for the tests of policies: five actions, uneven in channels and timings."""

from __future__ import annotations

from nba.model import BroughtAction
from nba.playbook.compile import Playbook, parse

TEXT = """
name: shop
currency: EUR
context:
  device: [ios, android, web]
  basket: number
  member: boolean
attributes:
  age: number
touchpoints: [visit, purchase]
objectives:
  window: 7d
  outcomes:
    purchase: {value: amount}
stages:
  - {name: buying, when: purchase_count_hl30 > 0.5}
  - {name: looking, when: "true"}
channels:
  email: {cost: 0.01}
  push: {cost: 0.005}
  call: {cost: 2.0}
timings:
  now: {}
  evening: {from: "18:00", to: "21:00"}
actions:
  bogo: {category: offer, channels: [email, push], timings: [now, evening], attributes: {discount: 0.5}}
  ten-off: {category: offer, channels: [email, push, call], timings: [now], attributes: {discount: 0.1}}
  survey: {category: research, channels: [email], timings: [now, evening]}
  ring-back: {category: service, purpose: service, channels: [call], timings: [now]}
  newsletter: {category: research, channels: [email], timings: [now]}
incumbent:
  - {when: basket > 50, action: bogo, channel: push, timing: now}
  - {when: member, action: newsletter, channel: email, timing: now}
exploration: {explorer: squarecb, gamma: 20, ceiling: 0.5, floor: 0.05}
"""
EXPLORERS: dict[str, dict[str, object]] = {
    "squarecb": {"explorer": "squarecb", "gamma": 20.0},
    "epsilon-greedy": {"explorer": "epsilon-greedy", "epsilon": 0.2},
    "softmax": {"explorer": "softmax", "temperature": 2.0},
    "thompson": {"explorer": "thompson"},
    "uniform": {"explorer": "uniform"},
}
POLICIES = (
    "constant",
    "uniform",
    "incumbent",
    *(f"{name} {e}" for name in ("ridge", "vowpal", "boosted") for e in EXPLORERS if e != "thompson"),
    *(f"{name} with heads, {explorer}" for name in ("ridge", "vowpal") for explorer in EXPLORERS),
    "mixture",
)
BROUGHT = (
    BroughtAction(id="theirs-1", features=(("discount", 0.4), ("price", 9.5))),
    BroughtAction(id="theirs-2"),
)


def shop(text: str = TEXT, **changes: str) -> Playbook:
    """The playbook of a text; each keyword names a line (`bogo`) and gives what stands there instead."""
    lines = text.splitlines()
    for name, line in changes.items():
        at = next(i for i, old in enumerate(lines) if old.strip().startswith(f"{name}:"))
        lines[at] = line
    return parse("\n".join(lines))
