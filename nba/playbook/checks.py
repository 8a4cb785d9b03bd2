"""What needs several sections of the playbook at once: every name that is used exists, once."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from zoneinfo import available_timezones

from nba.playbook.arms import NO_CONTACT
from nba.playbook.declaration import CONTACT, declare, identifier
from nba.playbook.hours import hours_of
from nba.playbook.reaction_checks import check_reactions
from nba.playbook.rules import nearest
from nba.playbook.schema import PlaybookSpec
from nba.playbook.trials import check_trials

Finding = tuple[tuple[str | int, ...], str]
MOST_ARMS = 20_000
MOST_CELLS = 20_000_000  # of the arms' features, 160 MB


def check(spec: PlaybookSpec) -> list[Finding]:
    """Each finding is the path of the wrong field and what is wrong with it."""
    found = [
        *_zone(spec),
        *_unique(spec),
        *_references(spec),
        *_size(spec),
        *_validity(spec),
        *_hours(spec),
        *_identifiers(spec),
        *_words(spec),
        *check_trials(spec),
        *check_reactions(spec),
    ]
    # A name that is wrong by itself mostly clashes too, which would be told of each of its features.
    return found or [*_columns(spec)]


@cache
def zone_names() -> frozenset[str]:
    """Time zones by name, without those that stand for wherever a machine happens to be."""
    return frozenset(available_timezones()) - {"Factory", "localtime", "posixrules"}


def _zone(spec: PlaybookSpec) -> Iterator[Finding]:
    if spec.timezone not in zone_names():
        near = nearest(spec.timezone, sorted(zone_names()))
        yield ("timezone",), f"there is no time zone {spec.timezone!r}{near}"


def _unique(spec: PlaybookSpec) -> Iterator[Finding]:
    named = ((("stages",), spec.stages), (("contact", "stops"), spec.contact.stops))
    for path, items in named:
        names = [item.name for item in items]
        for i, name in enumerate(names):
            if name in names[:i]:
                yield (*path, i, "name"), f"{name!r} stands twice"
    if NO_CONTACT in spec.actions:
        yield ("actions", NO_CONTACT), f"{NO_CONTACT} is always there and is not declared"
    if CONTACT in spec.touchpoints:
        place = spec.touchpoints.index(CONTACT)
        yield ("touchpoints", place), f"{CONTACT} is counted by itself and is not declared"


def _references(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, action in spec.actions.items():
        for i, channel in enumerate(action.channels):
            yield from _known(("actions", name, "channels", i), channel, "channel", spec.channels)
        for i, timing in enumerate(action.timings):
            yield from _known(("actions", name, "timings", i), timing, "timing", spec.timings)
        yield from _touchpoints(("actions", name, "stop_after"), action.stop_after, spec)
    yield from _catalogue(spec)
    yield from _caps(spec)
    for name, propensity in spec.scores.propensity.items():
        path = ("scores", "propensity", name, "event")
        yield from _known(path, propensity.event, "touchpoint", spec.touchpoints)
    for i, activity in enumerate(spec.scores.churn.activity if spec.scores.churn else ()):
        yield from _known(("scores", "churn", "activity", i), activity, "touchpoint", spec.touchpoints)
    yield from _incumbent(spec)


def _size(spec: PlaybookSpec) -> Iterator[Finding]:
    """What fits into a server that has others to decide for too, told before anything of it is made."""
    arms = 1 + sum(len(action.channels) * len(action.timings) for action in spec.actions.values())
    columns = len(spec.actions) + (1 + len(spec.channels)) * (1 + len(spec.timings))
    most = min(MOST_ARMS, MOST_CELLS // columns)
    if arms > most:
        detail = f"make {arms:,} arms with their channels and timings; of so many of each at most {most:,}"
        yield ("actions",), f"{detail} can be served: take some away, or let callers bring actions along"


def _catalogue(spec: PlaybookSpec) -> Iterator[Finding]:
    catalogue = spec.catalogue
    for i, channel in enumerate(catalogue.channels or ()):
        yield from _known(("catalogue", "channels", i), channel, "channel", spec.channels)
    for i, timing in enumerate(catalogue.timings or ()):
        yield from _known(("catalogue", "timings", i), timing, "timing", spec.timings)
    yield from _touchpoints(("catalogue", "stop_after"), catalogue.stop_after, spec)


def _touchpoints(path: tuple[str | int, ...], types: Iterable[str], spec: PlaybookSpec) -> Iterator[Finding]:
    for type in types:
        yield from _known((*path, type), type, "touchpoint", spec.touchpoints)


def _caps(spec: PlaybookSpec) -> Iterator[Finding]:
    categories = {action.category: None for action in spec.actions.values()} | {spec.catalogue.category: None}
    for i, cap in enumerate(spec.contact.caps):
        if cap.channel is not None:
            yield from _known(("contact", "caps", i, "channel"), cap.channel, "channel", spec.channels)
        if cap.category is not None:
            yield from _known(("contact", "caps", i, "category"), cap.category, "category", categories)


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
        if action.valid_from and action.valid_until and action.valid_from >= action.valid_until:
            yield ("actions", name, "valid_until"), "must be after valid_from"


def _hours(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, timing in spec.timings.items():
        if not hours_of(timing, spec):
            yield ("timings", name), "lies wholly in the quiet hours, so nothing would ever be sent"


def _identifiers(spec: PlaybookSpec) -> Iterator[Finding]:
    """Actions and channels whose features would have one name: only their punctuation differs."""
    for section in ("actions", "channels"):
        seen: dict[str, str] = {}
        for name in getattr(spec, section):
            other = seen.setdefault(identifier(name), name)
            if other != name:
                yield (section, name), f"{name!r} and {other!r} differ only in case or punctuation"


def _columns(spec: PlaybookSpec) -> Iterator[Finding]:
    """Two features of one name, an exact window's among them."""
    declared = [*spec.attributes, *spec.context]
    windows = {window.name for window in declare(spec, declared).windows}
    times = Counter(declare(spec).names)
    for name in sorted(name for name in times if times[name] > 1 or name in windows):
        section = next((s for s in ("attributes", "context") if name in getattr(spec, s)), "touchpoints")
        yield (section, name), f"two features are named {name!r}; rename one"


def _words(spec: PlaybookSpec) -> Iterator[Finding]:
    """Features that no rule could name."""
    for section in ("attributes", "context"):
        for name in getattr(spec, section):
            if keyword.iskeyword(name) or name in _RESERVED:
                yield (section, name), f"{name!r} is a word of the rules; rename it"


_RESERVED = ("true", "false", "known")
