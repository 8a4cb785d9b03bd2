"""MLflow's aliases brought in line with what serves: candidate → challenger → champion.

The store's audit table says what serves; the registry follows it, also back after a rollback. A version is
known by its tag `version`, the SHA-256 of the artefact.
"""

from __future__ import annotations

from collections.abc import Iterable

from experiments.tracking.tracker import POLICY, Tracker, Version
from nba.standing import Standing
from nba.stores.ports import Publication

VERSION = "version"


def align(tracker: Tracker, playbook: str, standing: Standing) -> dict[str, int]:
    """Let the aliases of the registered model `playbook` name what they say, and return them.

    `champion` serves; `challenger` is the ramp, else what looks on; `candidate` is the newest version that is
    neither. An alias whose version is not registered yet, since its run waits to be sent, names none: that is
    better than a wrong one, and the next call mends it. Versions and their runs are tagged `policy`, the
    names that decisions carry. Doing it again changes nothing.

    Raises:
        StoreUnavailable: MLflow can't be reached.
    """
    versions = tracker.versions(playbook)
    if not versions:
        return {}
    newest = {version.tags.get(VERSION, ""): version for version in versions}
    _name(tracker, playbook, newest, _published(standing))
    wanted = {
        "champion": _of(newest, standing.champion),
        "challenger": _of(newest, standing.tried or standing.challenger),
    }
    others = [v.number for v in versions if v.number not in wanted.values()]
    wanted["candidate"] = others[-1] if others else None
    tracker.point(playbook, wanted)
    return {alias: number for alias, number in wanted.items() if number is not None}


def _of(newest: dict[str, Version], publication: Publication | None) -> int | None:
    version = None if publication is None else newest.get(publication.version)
    return None if version is None else version.number


def _published(standing: Standing) -> Iterable[Publication]:
    now = (standing.champion, standing.ramp, standing.challenger)
    return (*(p for p in now if p is not None), *standing.earlier)


def _name(
    tracker: Tracker, playbook: str, newest: dict[str, Version], published: Iterable[Publication]
) -> None:
    """Tag each version with the names it was published under, those it has included."""
    names: dict[str, set[str]] = {}
    for publication in published:
        names.setdefault(publication.version, set()).add(publication.name)
    for sha, found in names.items():
        version = newest.get(sha)
        if version is None:
            continue
        before = {name for name in version.tags.get(POLICY, "").split(",") if name}
        if not found <= before:
            tracker.tag(playbook, version, {POLICY: ",".join(sorted(found | before))})
