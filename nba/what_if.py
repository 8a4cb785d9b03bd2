"""What a changed playbook would have allowed and refused, on decisions that were made.

Each decision's situation is read back from the log and judged twice: by the playbook that serves and by the
changed one. So what differs is the change alone. Nothing is decided again and nothing is drawn: what
customers would have done is another question, which an experiment answers.

What the log can't tell counts as not known: features that only the changed playbook asks for, consent for new
channels. Daily limits are judged as if nothing were used up, since what was depends on all decisions before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson
from numpy.typing import NDArray

from nba.blobs import unpack
from nba.contact.eligibility import Gatekeeper, Situation
from nba.contact.ledger import PURPOSES, Ledger
from nba.features.rows import stage_of
from nba.model import ContactRow
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow
from nba.trace import consent_in, contacts_of, narrowed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_TOGETHER, _CELLS = 1_000, 2_000_000  # decisions judged at once, and decisions × arms
REMOVED = "removed"
"""The reason where the changed playbook has no such arm."""


@dataclass(slots=True, kw_only=True)
class ActionEffect:
    """Decisions in which an action could have been drawn under either playbook, and those that drew it.

    Attributes:
        before, after: in how many at least one of its arms is eligible.
        drawn: how many drew it. refused: how many of these the change refuses.
    """

    before: int = 0
    after: int = 0
    drawn: int = 0
    refused: int = 0


@dataclass(slots=True, kw_only=True)
class Effect:
    """What the change does to `decisions` decisions of `since` to `until`, epoch seconds.

    Attributes:
        contacts: those that drew a contact which the present playbook allows.
        refused: of these, those whose contact the changed playbook refuses. reasons: by which rule.
        silenced: decisions in which something could be sent and no longer can.
        freed: decisions in which nothing could be sent and now something can.
        actions: by name, those of both playbooks.
        unknown: features of the changed playbook that the log does not have.
        reach: where the changed playbook looks further back for contacts than the log holds them, how many
            seconds it holds; what is refused for older ones is not counted.
        unread: decisions that were left out: erased, or logged by a version that kept less.
    """

    decisions: int = 0
    since: float = float("inf")
    until: float = float("-inf")
    contacts: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    silenced: int = 0
    freed: int = 0
    actions: dict[str, ActionEffect] = field(default_factory=lambda: defaultdict(ActionEffect))
    unknown: set[str] = field(default_factory=set)
    reach: float | None = None
    unread: int = 0


def what_if(
    rows: Iterable[DecisionRow],
    playbook_of: Callable[[str], Playbook],
    present: Playbook,
    changed: Playbook,
) -> Effect:
    """Args: playbook_of: the playbook that a decision names, as it was then.

    Raises:
        NotFound: `playbook_of` does not know one.
    """
    effect = Effect()
    by_version: dict[str, list[DecisionRow]] = defaultdict(list)
    for row in rows:
        if row.body and b'"ledger"' in row.trace:
            by_version[row.playbook].append(row)
        else:
            effect.unread += 1
    gates = Gatekeeper(present), Gatekeeper(changed)
    together = max(1, min(_TOGETHER, _CELLS // max(len(present.arms), len(changed.arms))))
    for version, found in by_version.items():
        playbook = playbook_of(version)
        kept = Gatekeeper(playbook).reach
        if kept < gates[1].reach:
            effect.reach = kept if effect.reach is None else min(effect.reach, kept)
        for start in range(0, len(found), together):
            _add(effect, _Logged.of(playbook, found[start : start + together]), gates)
    return effect


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logged:
    """What n decisions of one playbook rested on, read back once."""

    playbook: Playbook
    rows: Sequence[DecisionRow]
    features: Floats
    zones: Sequence[str]
    consent: Bools
    contacts: Sequence[Sequence[ContactRow]]
    actions: Sequence[tuple[str, ...] | None]
    channels: Sequence[tuple[str, ...] | None]

    @classmethod
    def of(cls, playbook: Playbook, rows: Sequence[DecisionRow]) -> _Logged:
        traces = [orjson.loads(row.trace) for row in rows]
        return cls(
            playbook=playbook,
            rows=rows,
            features=unpack([row.features for row in rows], len(playbook.schema)),
            zones=[trace["zone"] for trace in traces],
            consent=np.array([consent_in(trace, playbook) for trace in traces]),
            contacts=[contacts_of(row) for row in rows],
            actions=[_names(trace["actions"]) for trace in traces],
            channels=[_names(trace["channels"]) for trace in traces],
        )

    def situation(self, playbook: Playbook) -> tuple[Situation, set[str]]:
        """As `playbook` would have seen it; and the features that it asks for and the log lacks."""
        features, missing = _features(self.features, self.playbook, playbook)
        situation = Situation(
            now=np.array([row.decided_at for row in self.rows]),
            zones=self.zones,
            features=features,
            consent=_consent(self.consent, self.playbook, playbook),
            ledger=Ledger.of(playbook, self.contacts),
            asked_actions=narrowed(self.actions, playbook.arms.actions),
            asked_channels=narrowed(self.channels, playbook.arms.channels),
            holdout=np.array([row.group == "holdout" for row in self.rows]),
        )
        return situation, missing


def _add(effect: Effect, logged: _Logged, gates: tuple[Gatekeeper, Gatekeeper]) -> None:
    rows, (present, changed) = logged.rows, gates
    before = present.judge(logged.situation(present.playbook)[0]).eligible
    situation, missing = logged.situation(changed.playbook)
    verdict = changed.judge(situation)
    after = verdict.eligible
    effect.unknown |= missing - {"stage"}
    effect.decisions += len(rows)
    effect.since = min(effect.since, *(row.decided_at for row in rows))
    effect.until = max(effect.until, *(row.decided_at for row in rows))
    could, can = before[:, 1:].any(axis=1), after[:, 1:].any(axis=1)
    effect.silenced += int((could & ~can).sum())
    effect.freed += int((~could & can).sum())
    _count_actions(effect, present.playbook, before, "before")
    _count_actions(effect, changed.playbook, after, "after")
    for i, row in enumerate(rows):
        was = present.playbook.arms.index.get(row.arm)
        if row.action == NO_CONTACT or was is None or not before[i, was]:
            continue
        effect.contacts += 1
        effect.actions[row.action].drawn += 1
        arm = changed.playbook.arms.index.get(row.arm)
        if arm is None or not after[i, arm]:
            reason = REMOVED if arm is None else changed.reasons[verdict.codes[i, arm]]
            effect.refused += 1
            effect.actions[row.action].refused += 1
            effect.reasons[reason] += 1


def _features(X: Floats, logged: Playbook, playbook: Playbook) -> tuple[Floats, set[str]]:
    """(n, F) in the order of `playbook`, the stage by its own rules; and the features that X lacks."""
    if logged.schema.fingerprint == playbook.schema.fingerprint:
        found, missing = X.copy(), set[str]()
    else:
        found = np.full((len(X), len(playbook.schema)), np.nan)
        missing = set()
        for column, feature in enumerate(playbook.schema.features):
            place = logged.schema.index.get(feature.name)
            if place is None or logged.schema.features[place].kind != feature.kind:
                missing.add(feature.name)
            elif feature.kind == "category":
                found[:, column] = _recoded(
                    X[:, place], logged.schema.features[place].categories, feature.categories
                )
            else:
                found[:, column] = X[:, place]
    found[:, playbook.schema.index["stage"]] = stage_of(playbook.stage_rules, found)
    return found, missing


def _recoded(values: Floats, before: Sequence[str], after: Sequence[str]) -> Floats:
    """Codes of one list of categories as those of another; NaN for one that is gone."""
    places = {name: float(i) for i, name in enumerate(after)}
    table = np.array([*(places.get(name, np.nan) for name in before), np.nan])
    known = np.where(np.isnan(values), len(before), values).astype(np.int64)
    return np.asarray(table[known], dtype=np.float64)


def _consent(granted: Bools, logged: Playbook, playbook: Playbook) -> Bools:
    found = np.zeros((len(granted), len(PURPOSES), len(playbook.arms.channels)), dtype=np.bool_)
    for column, channel in enumerate(playbook.arms.channels):
        if channel in logged.arms.channels:
            found[:, :, column] = granted[:, :, logged.arms.channels.index(channel)]
    return found


def _count_actions(effect: Effect, playbook: Playbook, eligible: Bools, which: str) -> None:
    for place, name in enumerate(playbook.arms.actions):
        count = int(eligible[:, playbook.arms.action == place].any(axis=1).sum())
        action = effect.actions[name]
        setattr(action, which, getattr(action, which) + count)


def _names(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def differing_rules(present: Playbook, changed: Playbook) -> Mapping[str, tuple[str, str]]:
    """Path → (as it is, as it would be), of everything that differs; "" where there is nothing."""
    old, new = _flat(present.spec.canonical()), _flat(changed.spec.canonical())
    return {
        path: (old.get(path, ""), new.get(path, ""))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    }


def _flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, Mapping):
        parts = [(f"{path}.{key}" if path else str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[{i}]", one) for i, one in enumerate(value)]
    else:
        return {path: "" if value is None else str(value)}
    return {name: text for key, one in parts for name, text in _flat(one, key).items()}
