"""Health reports kept in the store as notes, where the API, the console and the next learner find them."""

from __future__ import annotations

import orjson

from nba.stores.ports import Lease, Store
from training.health.report import HealthReport

KIND = "health"


def keep(store: Store, report: HealthReport, *, lease: Lease | None = None) -> None:
    """Note a report. Raises Conflict where the lease is no longer the caller's."""
    store.note(KIND, report.as_of, orjson.dumps(report.to_json()), lease=lease)


def reports(store: Store, after: int = 0) -> list[tuple[int, HealthReport]]:
    """Those with a number above `after`, oldest first, each with its number."""
    found: list[tuple[int, HealthReport]] = []
    while rows := store.notes(KIND, after=after):
        after = rows[-1].number
        found += [(row.number, HealthReport.of_json(orjson.loads(row.body))) for row in rows]
    return found


def latest(store: Store) -> HealthReport | None:
    """The newest, or None."""
    found = reports(store)
    return found[-1][1] if found else None
