"""Actions that a caller brings along in a request: a playbook in which they stand after its own actions.

Everything below a playbook (contact rules, tree, policies, record) then knows them as ordinary actions, by
the values of the playbook's `catalogue` section. What may stand in a request is checked where requests come
in; here is only what the playbook itself must hold to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.playbook.arms import ATTRIBUTE, NO_CONTACT, ArmTable, Floats, Ints, attribute_scales, write_features
from nba.playbook.compile import Playbook
from nba.playbook.scalars import FEATURE_NAME
from nba.playbook.schema import Action, PlaybookSpec

BOUND = 4.0  # of a scaled value: one far beyond what the playbook expects must not outweigh all the rest
_KEPT = 8  # at worst, 200 own actions and 200 brought on 24 arms each, one takes 20 MB


@lru_cache(maxsize=_KEPT)
def bring(playbook: Playbook, brought: tuple[BroughtAction, ...]) -> Playbook:
    """The playbook with these actions after its own; arms of its own keep their indices.

    Features, rules, version and fingerprint are the playbook's, the arm features have its names. A value is
    divided by its attribute's scale and bounded to ±4; an attribute that an action lacks is 0.

    Raises:
        InvalidInput: an id stands twice, or is an action of the playbook's own.
    """
    if not brought:
        return playbook
    _check_ids(playbook, brought)
    spec = playbook.spec
    scales = attribute_scales(spec)
    known = [{name: value for name, value in action.features if name in scales} for action in brought]
    common = _common(spec)
    actions = {
        action.id: common.model_copy(update={"attributes": values})
        for action, values in zip(brought, known, strict=True)
    }
    return replace(
        playbook,
        spec=spec.model_copy(update={"actions": {**spec.actions, **actions}}),
        arms=_extended(spec, playbook.arms, tuple(actions), _scaled(known, scales)),
        action_rules=(*playbook.action_rules, *(playbook.catalogue_rule for _ in brought)),
        base=playbook,
    )


def unknown_features(playbook: Playbook, brought: Iterable[BroughtAction]) -> list[str]:
    """The names of features that no policy of this playbook learns from, sorted, each once."""
    names = {name for action in brought for name, _ in action.features}
    return sorted(name for name in names if f"{ATTRIBUTE}{name}" not in playbook.arms.feature_names)


def feature_name_error(name: str) -> str | None:
    """What is wrong with the name of a brought action's feature, and the mend; None where it is fine."""
    if re.fullmatch(FEATURE_NAME, name) is not None:
        return None
    near = re.sub(r"[^a-z0-9_]+", "_", name[:64].lower()).strip("_").lstrip("0123456789_")
    hint = f"; write {near!r} here and in the playbook" if near else ""
    return f"the name of a feature starts with a-z and has up to 64 of a-z, 0-9 and _{hint}"


def _check_ids(playbook: Playbook, brought: tuple[BroughtAction, ...]) -> None:
    seen = {NO_CONTACT, *playbook.spec.actions}
    for i, action in enumerate(brought):
        if action.id in seen:
            detail = "is an action of the playbook already, or stands twice; give it an id of its own"
            raise InvalidInput.of(f"actions[{i}].id", detail)
        seen.add(action.id)


def _common(spec: PlaybookSpec) -> Action:
    """What all brought actions share; checked when the playbook was loaded, so not checked again."""
    catalogue = spec.catalogue
    return Action.model_construct(
        purpose=catalogue.purpose,
        category=catalogue.category,
        cost=catalogue.cost,
        channels=_in_order(catalogue.channels, spec.channels),
        timings=_in_order(catalogue.timings, spec.timings),
        when=catalogue.when,
        cooldown=catalogue.cooldown,
        stop_after=catalogue.stop_after,
        priority=catalogue.priority,
    )


def _in_order(chosen: Iterable[str] | None, names: Mapping[str, object]) -> list[str]:
    """Of the playbook's names those chosen, in its order; None chooses all."""
    return list(names) if chosen is None else [name for name in names if name in set(chosen)]


def _scaled(known: list[dict[str, float]], scales: Mapping[str, float]) -> Floats:
    """(m, q) values in units of their scales, bounded before they are divided, so that nothing overflows."""
    values = np.array([[action.get(name, 0.0) for name in scales] for action in known], dtype=np.float64)
    scale = np.array(list(scales.values()))
    bounded: Floats = np.clip(values, -BOUND * scale, BOUND * scale) / scale
    return bounded


def _extended(spec: PlaybookSpec, base: ArmTable, ids: tuple[str, ...], attributes: Floats) -> ArmTable:
    """`base` with the product of `ids` and the catalogue's channels and timings after it."""
    common = _common(spec)
    channel, timing = _product(base, common)
    action = np.repeat(np.arange(len(ids), dtype=np.int64), len(channel))
    channel, timing = np.tile(channel, len(ids)), np.tile(timing, len(ids))
    cost = common.cost + np.array([channel.cost for channel in spec.channels.values()])
    k = len(action)
    return replace(
        base,
        actions=(*base.actions, *ids),
        action=np.append(base.action, action + len(base.actions)),
        channel=np.append(base.channel, channel),
        timing=np.append(base.timing, timing),
        cost=np.append(base.cost, cost[channel]),
        lever=np.append(base.lever, np.full(k, common.lever)),
        priority=np.append(base.priority, np.full(k, common.priority)),
        features=_features(base, common.category, channel, timing, attributes[action]),
    )


def _features(base: ArmTable, category: str, channel: Ints, timing: Ints, attributes: Floats) -> Floats:
    """The base's arm features with those of k brought arms below."""
    k = len(channel)
    features = np.zeros((len(base) + k, len(base.feature_names)))  # at once: stacking takes ten times as long
    features[: len(base)] = base.features
    write_features(
        features[len(base) :],
        action=np.full(k, -1),
        category=np.full(k, base.categories.index(category) if category in base.categories else -1),
        channel=channel,
        timing=timing,
        attributes=attributes,
        sizes=(len(base.actions), len(base.categories), len(base.channels), len(base.timings)),
    )
    return features


def _product(base: ArmTable, common: Action) -> tuple[Ints, Ints]:
    """Channel and timing of one action's arms."""
    channels = np.array([base.channels.index(name) for name in common.channels], dtype=np.int64)
    timings = np.array([base.timings.index(name) for name in common.timings], dtype=np.int64)
    return np.repeat(channels, len(timings)), np.tile(timings, len(channels))
