"""What `tickets`, `triggers` and `deliver` name exists elsewhere in the playbook."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from email.utils import parseaddr

from nba.playbook.declaration import score_names
from nba.playbook.reactions import OnEvent, Smtp, Template
from nba.playbook.rules import nearest
from nba.playbook.schema import PlaybookSpec

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
VOICE = ("nps", "csat", "ces", "review", "comment", "complaint")
OPENED, CLOSED = "ticket_opened", "ticket_closed"
FIELDS = ("action", "channel", "timing", "customer_id", "decision_id")
"""What a template may name of a decision; the rest are attributes."""


def check_reactions(spec: PlaybookSpec) -> Iterator[Finding]:
    """Each finding is the path of the wrong field and what is wrong with it."""
    yield from _tickets(spec)
    yield from _triggers(spec)
    yield from _channels(spec)
    if spec.deliver.smtp is not None:
        yield from _smtp(("deliver", "smtp"), spec.deliver.smtp, spec)


def _tickets(spec: PlaybookSpec) -> Iterator[Finding]:
    names = [rule.name for rule in spec.tickets.rules]
    for i, rule in enumerate(spec.tickets.rules):
        path: Path = ("tickets", "rules", i)
        if rule.name in names[:i]:
            yield (*path, "name"), f"{rule.name!r} stands twice"
        if rule.on is not None:
            yield from _event((*path, "on"), rule.on, spec)
        if rule.jump is not None:
            yield from _known((*path, "jump", "score"), rule.jump.score, "score", score_names(spec))
    for type in (OPENED, CLOSED) if names else ():
        if type not in spec.touchpoints:
            detail = f"lack {type}, by which rules know of tickets; add it"
            yield ("touchpoints",), detail


def _triggers(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, trigger in spec.triggers.items():
        path: Path = ("triggers", name)
        if trigger.on is not None:
            yield from _event((*path, "on"), trigger.on, spec)
        if trigger.absence is not None:
            yield from _known(
                (*path, "absence", "of"), trigger.absence.of, "touchpoint", (*spec.touchpoints, "contact")
            )
        for i, action in enumerate(trigger.actions or ()):
            yield from _known((*path, "actions", i), action, "action", spec.actions)
        for i, channel in enumerate(trigger.channels or ()):
            yield from _known((*path, "channels", i), channel, "channel", spec.channels)


def _event(path: Path, on: OnEvent, spec: PlaybookSpec) -> Iterator[Finding]:
    known = tuple(dict.fromkeys((*spec.touchpoints, *spec.objectives.outcomes, *VOICE)))
    yield from _known((*path, "event"), on.event, "type of event", known)
    if on.channel is not None:
        yield from _known((*path, "channel"), on.channel, "channel", spec.channels)


def _channels(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, channel in spec.channels.items():
        if channel.deliver is not None and spec.deliver.smtp is None:
            yield ("channels", name, "deliver"), "needs deliver.smtp, which says how; write that section"


def _smtp(path: Path, smtp: Smtp, spec: PlaybookSpec) -> Iterator[Finding]:
    if not any(channel.deliver for channel in spec.channels.values()):
        yield path, "no channel says deliver: smtp, so nothing is ever sent; say it of one"
    if smtp.address in spec.attributes or smtp.address in spec.context:
        yield (*path, "address"), "is kept apart from attributes that rules and models see; name another"
    if "@" not in parseaddr(smtp.sender)[1] or not smtp.sender.isprintable():
        yield (*path, "sender"), "must be an address, such as Coffee <hello@coffee.example>"
    for name, template in smtp.templates.items():
        yield from _known((*path, "templates", name), name, "action", spec.actions)
        for field in ("subject", "body"):
            yield from _template((*path, "templates", name, field), getattr(template, field), spec)
    sent = {
        n
        for n, a in spec.actions.items()
        if any(spec.channels[c].deliver for c in a.channels if c in spec.channels)
    }
    for name in sorted(sent - smtp.templates.keys()):
        yield (*path, "templates"), f"lack {name!r}, which goes out on a channel with deliver: smtp"


def _template(path: Path, text: str, spec: PlaybookSpec) -> Iterator[Finding]:
    known = (*FIELDS, *spec.attributes)
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        yield path, f"can't be read: {error}; a brace by itself is written twice"
        return
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion:
            yield path, f"{{{name}}} has more than a name in its braces"
        else:
            yield from _known(path, name, "field or attribute", known)


def rendered(template: Template, values: dict[str, str]) -> tuple[str, str]:
    """Subject and body with `values` put in; a field that is not known is left empty."""
    filled = {name: values.get(name, "") for name in _named(template)}
    return template.subject.format_map(filled), template.body.format_map(filled)


def _named(template: Template) -> set[str]:
    parts = [*string.Formatter().parse(template.subject), *string.Formatter().parse(template.body)]
    return {name for _, name, _, _ in parts if name}


def _known(path: Path, name: str, what: str, names: Iterable[str]) -> Iterator[Finding]:
    known = tuple(names)
    if name not in known:
        yield path, f"there is no {what} {name!r}{nearest(name, known)}"
