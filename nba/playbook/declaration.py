"""Which features there are: names, kinds and order, derived from the playbook alone.

The one declaration that the online fold, the offline table, the rules and the encoders share. How a
feature is computed is in `nba/features`; here it only has a name and a kind.

State features, for touchpoint type t (the playbook's, and `contact`, a contact made by us), channel c,
action a, and half-lives of 1, 7, 30 and 90 days:

    t_count_hl7, t_value_hl7     decayed count and value, Σ 2^(−age/half-life)
    via_c_count_hl7, via_c_value_hl7   the same over all touchpoints on channel c
    days_since_t, days_since_a   days since the last; missing when never
    tenure_days                  days since the first touchpoint of any kind
    hour_00_share … hour_23_share, weekday_0_share … weekday_6_share   of decayed (90 d) activity, UTC
    t_total                      plain count, for ever
    open_tickets                 ticket_opened_total − ticket_closed_total
    t_count_30d, t_value_30d     exact window of whole UTC days, today included; only where a rule names it

The last feature is `segment`, only where a rule names it: a category of the segments that rules ask for,
and one for all others. Which segments there are, only the published model knows (`nba/journey/segments.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from nba.playbook.scalars import Kind
from nba.playbook.schema import PlaybookSpec

HALF_LIVES = (1, 7, 30, 90)
CONTACT = "contact"
SEGMENT = "segment"
MOVES = ("move_on", "fall_back")
ANOTHER = "(another)"  # a segment that no rule of the playbook names, or none
Group = Literal["state", "attribute", "context", "moment", "score", "stage", "segment"]
_WINDOW = re.compile(r"^([a-z][a-z0-9_]*)_(count|value)_(\d+)d$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column. A number or boolean is itself, a category its index; NaN is not known."""

    name: str
    kind: Literal["number", "boolean", "category"]
    group: Group
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """An exact window: what touchpoint type `type` adds up to in the last `days` whole UTC days."""

    name: str
    type: str
    measure: Literal["count", "value"]
    days: int


@dataclass(frozen=True)
class FeatureSchema:
    """All features in order; a row of features is a float64 vector in this order."""

    features: tuple[Feature, ...]
    types: tuple[str, ...]
    channels: tuple[str, ...]
    actions: tuple[str, ...]
    windows: tuple[Window, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)

    @cached_property
    def index(self) -> dict[str, int]:
        return {f.name: i for i, f in enumerate(self.features)}

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """The leading columns, those which the feature state gives."""
        return tuple(f.name for f in self.features if f.group == "state")

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits, the same wherever a row means the same."""
        return _fingerprint(self.features)

    @cached_property
    def basis(self) -> str:
        """The same without `segment`: for what never reads it, and so outlives a rule that asks for one."""
        return _fingerprint(f for f in self.features if f.group != "segment")

    def __len__(self) -> int:
        return len(self.features)


def _fingerprint(features: Iterable[Feature]) -> str:
    text = json.dumps([(f.name, f.kind, f.group, f.categories) for f in features])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def identifier(name: str) -> str:
    """The feature name that stands for an action or channel: `bogo-10` → `bogo_10`."""
    return re.sub(r"[^a-z0-9_]", "_", name.lower())


def declare(
    spec: PlaybookSpec, rule_names: Iterable[str] = (), segments: Iterable[str] = ()
) -> FeatureSchema:
    """The schema of a playbook.

    Args:
        rule_names: the names its rules use, for the exact windows and `segment`.
        segments: the segments that its rules ask for.
    """
    types, used = (*spec.touchpoints, CONTACT), set(rule_names)
    windows = tuple(sorted(_windows(used, types), key=lambda w: w.name))
    features = [Feature(name=name, kind="number", group="state") for name in _state_names(spec, types)]
    features += [Feature(name=w.name, kind="number", group="state") for w in windows]
    features += [_declared(name, kind, "attribute") for name, kind in spec.attributes.items()]
    features += [_declared(name, kind, "context") for name, kind in spec.context.items()]
    features += [Feature(name=name, kind="number", group="moment") for name in ("hour", "weekday")]
    features += [Feature(name=name, kind="number", group="score") for name in score_names(spec)]
    stages = tuple(stage.name for stage in spec.stages)
    features.append(Feature(name="stage", kind="category", group="stage", categories=stages))
    if spec.scores.stages:
        features += [Feature(name=name, kind="number", group="stage") for name in MOVES]
    if SEGMENT in used and SEGMENT not in {f.name for f in features}:
        known = (*sorted(set(segments) - {ANOTHER}), ANOTHER)
        features.append(Feature(name=SEGMENT, kind="category", group="segment", categories=known))
    return FeatureSchema(
        features=tuple(features),
        types=types,
        channels=tuple(spec.channels),
        actions=tuple(spec.actions),
        windows=windows,
    )


def score_names(spec: PlaybookSpec) -> tuple[str, ...]:
    """`propensity_<name>` for each propensity, then `churn`."""
    churn = ("churn",) if spec.scores.churn else ()
    return tuple(f"propensity_{name}" for name in spec.scores.propensity) + churn


def _state_names(spec: PlaybookSpec, types: tuple[str, ...]) -> list[str]:
    counted = [*types, *(f"via_{identifier(c)}" for c in spec.channels)]
    names = [f"{t}_{m}_hl{h}" for t in counted for m in ("count", "value") for h in HALF_LIVES]
    names += [f"days_since_{t}" for t in types]
    names += [f"days_since_{identifier(a)}" for a in spec.actions]
    names += ["tenure_days"]
    names += [f"hour_{h:02d}_share" for h in range(24)] + [f"weekday_{d}_share" for d in range(7)]
    names += [f"{t}_total" for t in types]
    return [*names, "open_tickets"]


def _windows(rule_names: Iterable[str], types: tuple[str, ...]) -> Iterable[Window]:
    for name in set(rule_names):
        match = _WINDOW.match(name)
        if match and match[1] in types and 1 <= int(match[3]) <= 366:
            measure: Literal["count", "value"] = "count" if match[2] == "count" else "value"
            yield Window(name=name, type=match[1], measure=measure, days=int(match[3]))


def _declared(name: str, kind: Kind, group: Group) -> Feature:
    if isinstance(kind, list):
        return Feature(name=name, kind="category", group=group, categories=tuple(kind))
    return Feature(name=name, kind=kind, group=group)
