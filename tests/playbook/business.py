"""A small playbook as text, and its text with single lines replaced."""

from __future__ import annotations

import pytest

from nba.errors import FieldError, InvalidPlaybook
from nba.playbook.compile import Playbook, parse

TEXT = """\
name: shop
currency: EUR
timezone: Europe/Amsterdam
context: {device: [ios, android, web], basket: number}
attributes: {age: number, member: boolean}
touchpoints: [visit, purchase]
objectives:
  window: 7d
  outcomes: {purchase: {value: amount}}
  clip: [-50, 300]
stages:
  - {name: buying, when: days_since_purchase < 7}
  - {name: looking, when: true}
channels:
  email: {cost: 0.01}
  push: {cost: 0.005, consent: false}
timings:
  now: {}
  evening: {from: 18:00, to: 21:00}
actions:
  bogo: &offer
    channels: [email, push]
    timings: [now, evening]
    cost: 0.5
  ten-off:
    <<: *offer
    when: age > 18
contact:
  caps:
    - {max: 3, within: 7d}
    - {max: 1, within: 1d, channel: push}
  quiet_hours: {from: 22:00, to: 08:00}
  stops: [{name: busy, when: basket > 100}]
incumbent:
  - {when: member, action: bogo, channel: email, timing: now}
scores:
  propensity: {buy: {event: purchase, horizon: 14d}}
  churn: {inactivity: 60d, activity: [visit, purchase]}
"""


def shop(old: str = "", new: str = "") -> Playbook:
    """The playbook, with one piece of its text replaced."""
    assert old in TEXT
    return parse(TEXT.replace(old, new, 1), source="shop.yaml")


def faults(old: str, new: str) -> tuple[FieldError, ...]:
    """What is wrong with the playbook once a piece of its text is replaced."""
    with pytest.raises(InvalidPlaybook) as caught:
        shop(old, new)
    assert caught.value.source == "shop.yaml"
    return caught.value.errors


def line_of(piece: str, text: str) -> int:
    """The line on which a piece of a text starts, counted from 1."""
    return text[: text.index(piece)].count("\n") + 1
