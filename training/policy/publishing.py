"""What comes of a verdict: the attempt is noted, what passed is published, MLflow's aliases follow."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from nba.errors import StoreUnavailable
from nba.playbook.compile import Playbook
from nba.standing import changed, standing
from nba.stores.ports import Lease, Publication, Store
from training.policy.budget import note_attempt
from training.policy.champion import POLICY, family
from training.policy.judged import Judged

if TYPE_CHECKING:
    from experiments.tracking import Tracker


def note(store: Store, judged: Judged, scope: str, lease: Lease | None) -> None:
    """Count the attempts before anything comes of them: also one that failed before another passed."""
    against = family(store, judged.champion)
    for verdict in (*judged.failed, judged.verdict):
        note_attempt(
            store,
            at=judged.as_of,
            against=against,
            rule=verdict.rule,
            scope=scope,
            told={**evidence(judged), "promoted": verdict.promoted, "reason": verdict.reason},
            lease=lease,
        )


def mark(store: Store) -> int:
    """The number of the latest change of what serves: taken before a candidate is judged."""
    return changed(store.audit())


def publish(
    store: Store, judged: Judged, *, who: str, scope: str, seen: int, lease: Lease | None
) -> Publication:
    """Let it serve: a new specification by the playbook's ramp, where there is one, all else at once.

    Args:
        seen: the `mark` from before the champion was read; it was judged against that one and no other.

    Raises:
        Conflict: what serves has changed meanwhile, or the lease is no longer the caller's.
    """
    spec = judged.playbook.spec
    ramp = spec.promotion.ramp
    # in apprentice mode what is published looks on, so a ramp would have nobody to decide for
    steps = scope == POLICY and judged.verdict.rule == "new" and ramp is not None and spec.mode == "autopilot"
    return _publish(
        store,
        judged,
        kind="ramp" if steps else scope,
        share=ramp.steps[0] if steps and ramp is not None else 1.0,
        who=who,
        after=seen if scope == POLICY else None,
        lease=lease,
    )


def look_on(store: Store, judged: Judged, *, who: str, lease: Lease | None) -> Publication:
    """Let it be asked at every decision, and change none."""
    return _publish(store, judged, kind="challenger", share=1.0, who=who, lease=lease)


def align(tracker: Tracker, store: Store, playbook: Playbook) -> None:
    """Bring MLflow's aliases in line with what serves; where MLflow is down, the next one does."""
    from experiments.tracking import align as aligned

    with suppress(StoreUnavailable):
        aligned(tracker, playbook.spec.name, standing(store))


def evidence(judged: Judged) -> dict[str, Any]:
    """What speaks for it, in short; the whole is in MLflow."""
    verdict, gain = judged.verdict, judged.verdict.difference
    return {
        "specification": judged.specification,
        "version": judged.artefact.version,
        "promoted": verdict.promoted,
        "rule": verdict.rule,
        "attempt": verdict.attempt,
        "level": verdict.level,
        "decisions": verdict.decisions,
        "difference": None if gain is None else asdict(gain),
        "threshold": verdict.threshold,
        "champion": judged.champion.name,
        "reason": verdict.reason,
    }


def _publish(
    store: Store,
    judged: Judged,
    *,
    kind: str,
    share: float,
    who: str,
    lease: Lease | None,
    after: int | None = None,
) -> Publication:
    return store.publish(
        kind=kind,
        version=judged.artefact.version,
        specification=judged.specification,
        at=judged.as_of,
        who=who,
        why=judged.verdict.reason,
        share=share,
        evidence=orjson.dumps({**evidence(judged), "rule": judged.verdict.rule}).decode(),
        after=after,
        lease=lease,
    )
