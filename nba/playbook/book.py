"""The playbook as the engine uses it: values, features, arms and rules. `compile.py` makes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

from nba.playbook.arms import ArmTable
from nba.playbook.declaration import FeatureSchema
from nba.playbook.rules import Rule
from nba.playbook.schema import PlaybookSpec

Combination = tuple[tuple[str, str], ...]
"""(experiment, variant), of each layer at most one."""


@dataclass(frozen=True, eq=False)
class Playbook:
    """A checked playbook.

    Attributes:
        spec: the file's values.
        text: the file, kept so that a decision can be replayed under it.
        schema: its features.
        arms: its arm table.
        stage_rules: one rule a stage, over state, attribute, context, moment and score features.
        action_rules, stop_rules, incumbent_rules: likewise, over all features.
        catalogue_rule: of the actions that a caller brings along.
        trigger_rules, until_rules: `when` and `until` of the triggers that have one, by name.
        base: the playbook as loaded, where this one has such actions; `catalogue.bring` makes these.
        variations: what the variants of its experiments make of it, by the changes that are in it; two of
            them where a customer may be in experiments of two layers.
    """

    spec: PlaybookSpec
    text: str
    schema: FeatureSchema
    arms: ArmTable
    stage_rules: tuple[Rule, ...]
    action_rules: tuple[Rule, ...]
    stop_rules: tuple[Rule, ...]
    incumbent_rules: tuple[Rule, ...]
    catalogue_rule: Rule
    trigger_rules: Mapping[str, Rule] = field(default_factory=dict)
    until_rules: Mapping[str, Rule] = field(default_factory=dict)
    base: Playbook | None = None
    variations: Mapping[Combination, Playbook] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits of SHA-256 over the file's canonical values; comments don't count."""
        if self.base is not None:
            return self.base.fingerprint
        text = json.dumps(self.spec.canonical())
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def version(self) -> str:
        """As decisions name it: `coffee@9f3c…`."""
        return f"{self.spec.name}@{self.fingerprint}"

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.spec.timezone)

    def varied(self, variants: Combination) -> Playbook:
        """The playbook for who is in these variants, in the file's order; itself where none changes it."""
        if not self.variations:
            return self
        changing = tuple(pair for pair in variants if (pair,) in self.variations)
        return self.variations.get(changing, self)
