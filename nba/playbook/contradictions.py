"""Parts of a playbook that are right by themselves and make no sense together: caps, limits, the mode.

A playbook that was in use before these were looked for is still read; a file that is given is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nba.playbook.scalars import DAY
from nba.playbook.schema import Action, Cap, PlaybookSpec
from nba.playbook.trials import colliding

Finding = tuple[tuple[str | int, ...], str]
# The longest a calendar period can be, in seconds: its days, and two hours by which clocks are set back.
_PERIODS = {"day": DAY + 7_200, "week": 7 * DAY + 7_200, "month": 31 * DAY + 7_200}


def contradictions(spec: PlaybookSpec) -> list[Finding]:
    """Each finding is the path of the wrong field and what is wrong with it."""
    return [
        *_apprentice(spec),
        *_caps(spec.contact.caps),
        *_silenced(spec),
        *colliding(spec.experiments),
    ]


def _apprentice(spec: PlaybookSpec) -> Iterator[Finding]:
    if spec.mode == "apprentice" and not spec.incumbent:
        yield ("mode",), "apprentice lets the rules under incumbent decide, and there are none; write some"


def _caps(caps: Sequence[Cap]) -> Iterator[Finding]:
    """Caps that say two things of the same contacts, and those that another cap never lets come to bear."""
    for i in range(len(caps)):
        found = (_clash(caps, i, j) for j in range(len(caps)) if j != i)
        yield from [finding for finding in found if finding is not None][:1]


def _clash(caps: Sequence[Cap], i: int, j: int) -> Finding | None:
    """What cap j makes of cap i; of two over the same contacts the later one is told."""
    cap, other, path = caps[i], caps[j], ("contact", "caps", i)
    if not _covers(other, cap):
        return None
    if _covers(cap, other):
        if j > i:
            return None
        if cap.max == other.max:
            return path, f"says what contact.caps[{j}] says; remove one"
        detail = f"{cap.max} stands against {other.max} in contact.caps[{j}]; keep the one that is meant"
        return (*path, "max"), detail
    if other.max > cap.max:
        return None
    return path, (
        f"is never reached: contact.caps[{j}] counts these contacts too, for as long or longer, and allows"
        f" no more than {other.max}; remove one of them, or allow fewer here"
    )


def _covers(wide: Cap, narrow: Cap) -> bool:
    """Whether what a window of `narrow` counts is always counted by one window of `wide`."""
    return (
        wide.channel in (None, narrow.channel)
        and wide.category in (None, narrow.category)
        and set(narrow.purposes) <= set(wide.purposes)
        and _spans(wide, narrow)
    )


def _spans(wide: Cap, narrow: Cap) -> bool:
    """Whether each window of `narrow` lies in one of `wide`: a rolling one lies in no calendar period, a
    day in a week and in a month, a week in no month."""
    if narrow.per is None or wide.within is not None:
        length = _PERIODS[narrow.per] if narrow.per is not None else narrow.within
        return wide.within is not None and length is not None and wide.within >= length
    return narrow.per in ("day", wide.per)


def _silenced(spec: PlaybookSpec) -> Iterator[Finding]:
    """Caps of 0 that leave an action no channel at all."""
    silenced: dict[int, list[str]] = {}
    for name, action in spec.actions.items():
        places = [i for i, cap in enumerate(spec.contact.caps) if cap.max == 0 and _concerns(cap, action)]
        channels = {spec.contact.caps[i].channel for i in places}
        if None in channels or channels >= set(action.channels):
            silenced.setdefault(places[-1], []).append(name)
    for place, names in silenced.items():
        said = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        detail = f"0 leaves {said} no way out; remove the action, or pause it with daily: {{contacts: 0}}"
        yield ("contact", "caps", place, "max"), detail


def _concerns(cap: Cap, action: Action) -> bool:
    return (
        action.purpose in cap.purposes
        and cap.category in (None, action.category)
        and cap.channel in (None, *action.channels)
    )
