"""What needs several sections of the playbook at once: every name that is used exists, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zoneinfo import available_timezones

from nba.playbook.arms import NO_CONTACT
from nba.playbook.declaration import CONTACT, declare, identifier
from nba.playbook.rules import nearest
from nba.playbook.schema import PlaybookSpec

Finding = tuple[tuple[str | int, ...], str]


def check(spec: PlaybookSpec) -> list[Finding]:
    """Each finding is the path of the wrong field and what is wrong with it."""
    return [
        *_zone(spec),
        *_unique(spec),
        *_references(spec),
        *_validity(spec),
        *_columns(spec),
    ]


def _zone(spec: PlaybookSpec) -> Iterator[Finding]:
    zones = available_timezones()
    if spec.timezone not in zones:
        yield ("timezone",), f"there is no time zone {spec.timezone!r}{nearest(spec.timezone, sorted(zones))}"


def _unique(spec: PlaybookSpec) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, stage in enumerate(spec.stages):
        if stage.name in seen:
            yield ("stages", i, "name"), f"the stage {stage.name!r} stands twice"
        seen.add(stage.name)
    for name in spec.actions:
        if name == NO_CONTACT:
            yield ("actions", name), f"{NO_CONTACT} is always there and is not declared"
    for i, name in enumerate(spec.touchpoints):
        if name == CONTACT:
            yield ("touchpoints", i), f"{CONTACT} is counted by itself and is not declared"
        if name in spec.touchpoints[:i]:
            yield ("touchpoints", i), f"{name!r} stands twice"


def _references(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, action in spec.actions.items():
        for i, channel in enumerate(action.channels):
            yield from _known(("actions", name, "channels", i), channel, "channel", spec.channels)
        for i, timing in enumerate(action.timings):
            yield from _known(("actions", name, "timings", i), timing, "timing", spec.timings)
    for i, cap in enumerate(spec.contact.caps):
        if cap.channel is not None:
            yield from _known(("contact", "caps", i, "channel"), cap.channel, "channel", spec.channels)
    for name, propensity in spec.scores.propensity.items():
        path = ("scores", "propensity", name, "event")
        yield from _known(path, propensity.event, "touchpoint", spec.touchpoints)
    for i, activity in enumerate(spec.scores.churn.activity if spec.scores.churn else ()):
        yield from _known(("scores", "churn", "activity", i), activity, "touchpoint", spec.touchpoints)
    yield from _incumbent(spec)


def _incumbent(spec: PlaybookSpec) -> Iterator[Finding]:
    for i, rule in enumerate(spec.incumbent):
        if rule.action not in spec.actions:
            yield from _known(("incumbent", i, "action"), rule.action, "action", spec.actions)
            continue
        action = spec.actions[rule.action]
        yield from _known(
            ("incumbent", i, "channel"), rule.channel, f"{rule.action} channel", action.channels
        )
        yield from _known(("incumbent", i, "timing"), rule.timing, f"{rule.action} timing", action.timings)


def _known(path: tuple[str | int, ...], name: str, what: str, names: Iterable[str]) -> Iterator[Finding]:
    known = tuple(names)
    if name not in known:
        yield path, f"there is no {what} {name!r}{nearest(name, known)}"


def _validity(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, action in spec.actions.items():
        for field in ("valid_from", "valid_until"):
            moment = getattr(action, field)
            if moment is not None and moment.tzinfo is None:
                yield ("actions", name, field), "needs a time zone, such as 2026-12-01T00:00:00Z"
                return
        if action.valid_from and action.valid_until and action.valid_from >= action.valid_until:
            yield ("actions", name, "valid_until"), "must be after valid_from"


def _columns(spec: PlaybookSpec) -> Iterator[Finding]:
    """Two features of one name; actions and channels meet here when only their punctuation differs."""
    for section in ("actions", "channels"):
        seen: dict[str, str] = {}
        for name in getattr(spec, section):
            other = seen.setdefault(identifier(name), name)
            if other != name:
                yield (section, name), f"{name!r} and {other!r} differ only in case or punctuation"
    names = declare(spec).names
    for name in sorted({n for n in names if names.count(n) > 1}):
        section = (
            "attributes" if name in spec.attributes else "context" if name in spec.context else "touchpoints"
        )
        yield (section, name), f"two features are named {name!r}; rename one"
