"""Parts of the day as intervals [from, to) of local seconds, with the quiet hours taken out."""

from __future__ import annotations

from nba.playbook.schema import PlaybookSpec, Timing

DAY_SECONDS = 86_400
Interval = tuple[int, int]


def open_hours(spec: PlaybookSpec) -> tuple[Interval, ...]:
    """When anything may be sent at all: the day without its quiet hours."""
    quiet = spec.contact.quiet_hours
    if quiet is None:
        return ((0, DAY_SECONDS),)
    if quiet.start < quiet.end:
        return _some(((0, quiet.start), (quiet.end, DAY_SECONDS)))
    return _some(((quiet.end, quiet.start),))


def hours_of(timing: Timing, spec: PlaybookSpec) -> tuple[Interval, ...]:
    """The intervals in which a timing may send; `now` has all open hours."""
    if timing.start is None or timing.end is None:
        return open_hours(spec)
    return _some(tuple((max(a, timing.start), min(b, timing.end)) for a, b in open_hours(spec)))


def _some(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    return tuple((low, high) for low, high in intervals if low < high)
