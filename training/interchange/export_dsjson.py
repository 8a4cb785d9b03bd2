"""Export the decision log as VW's dsjson: one file, a decision a line.

Only decisions whose rewards are mature: a line without a label would be read as a cost of zero by most
tools, and not known is not zero. What was held and never shown is left out as well. VW's `_multi` holds the
eligible arms alone, so that its odds are those of the draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nba.blobs import unpack_one
from nba.errors import InvalidInput
from nba.model import BroughtAction, Scalar
from nba.playbook.arms import ATTRIBUTE, NO_CONTACT
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.stores.ports import DecisionRow, Store
from training.interchange.dsjson import Features, Line
from training.interchange.earned import Earnings
from training.interchange.export import SLAB, earnings_of
from training.interchange.parts import Wanted, Writer, parsed_of, place, unfinished
from training.policy.catalogue import brought_in


def export_dsjson(
    store: Store,
    playbook: Playbook,
    target: Path,
    wanted: Wanted,
    *,
    progress: Callable[[int], None] = lambda decisions: None,
) -> Mapping[str, int]:
    """Write the new file `target`, there only when whole; how many decisions, and how many were left out.

    Raises:
        InvalidInput: as `export`; also where no decision's reward is mature.
    """
    counts = Counter({"decisions": 0, "immature": 0, "held": 0})
    with unfinished(target) as scratch:
        earnings = earnings_of(store, playbook, wanted, Writer(scratch), scratch)
        with (scratch / "lines").open("wb") as out:
            for slab in store.decisions(wanted.since, wanted.as_of, SLAB):
                counts.update(_write(wanted.of(slab), earnings, out))
                progress(len(slab))
        if not counts["decisions"]:
            detail = "has no such decisions with mature rewards; move --since, --as-of or --group"
            raise InvalidInput.of("store", detail)
        place(scratch / "lines", target)
    return {name: counts[name] for name in ("decisions", "immature", "held")}


def line_of(row: DecisionRow, reward: float, playbook: Playbook) -> Line:
    """A decision as a line; `playbook` is its own, without what was brought along."""
    brought = brought_in(row)
    book, arms = bring(playbook, brought), _told(playbook, brought)
    eligible = np.flatnonzero(np.frombuffer(row.eligible, dtype="<i2") == 0).tolist()
    odds = unpack_one(row.odds, len(arms))
    features = unpack_one(row.features, len(playbook.schema)).tolist()
    return Line(
        event_id=row.decision_id,
        at=row.decided_at,
        reward=reward,
        chosen=eligible.index(book.arms.index[row.arm]),
        actions=[arms[i][0] for i in eligible],
        odds=odds[eligible].tolist(),
        shared={f.name: _said(f, v) for f, v in zip(playbook.schema.features, features, strict=True)},
        features=[arms[i][1] for i in eligible],
        policy=row.policy,
    )


def _write(rows: Sequence[DecisionRow], earnings: Earnings, out: BinaryIO) -> Counter[str]:
    if not rows:
        return Counter()
    rewards = earnings.of(rows).reward
    counts: Counter[str] = Counter()
    for row, reward in zip(rows, rewards, strict=True):
        if reward is None:
            counts["held" if row.status == "held" else "immature"] += 1
            continue
        out.write(line_of(row, reward, parsed_of(earnings.store, row.playbook)).dumps())
        counts["decisions"] += 1
    return counts


@lru_cache(maxsize=16)
def _told(playbook: Playbook, brought: tuple[BroughtAction, ...]) -> list[tuple[str, Features]]:
    """Each arm's name and features."""
    arms = bring(playbook, brought).arms
    scaled = [(i, name) for i, name in enumerate(arms.feature_names) if name.startswith(ATTRIBUTE)]
    told: list[tuple[str, Features]] = [(NO_CONTACT, {"action": NO_CONTACT})]
    for arm in range(1, len(arms)):
        features: dict[str, Scalar] = {
            "action": arms.actions[arms.action[arm]],
            "channel": arms.channels[arms.channel[arm]],
            "timing": arms.timings[arms.timing[arm]],
        }
        features |= {name.removeprefix(ATTRIBUTE): float(arms.features[arm, i]) for i, name in scaled}
        told.append((arms.names[arm], features))
    return told


def _said(feature: Feature, value: float) -> Scalar:
    """None where not known, which is left out."""
    if np.isnan(value):
        return None
    if feature.kind == "category":
        return feature.categories[int(value)]
    return bool(value) if feature.kind == "boolean" else value
