"""A playbook ready for use: everything that a rule or an arm names exists, rules are array code.

`load` reads a file, `parse` a text; both say the path, the line and the nearest right name of whatever
is wrong: first all that is wrong in shape, then all that is wrong in meaning.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from pydantic import ValidationError

from nba.errors import FieldError, InvalidPlaybook
from nba.playbook.arms import ArmTable, arm_table
from nba.playbook.checks import check
from nba.playbook.contradictions import contradictions
from nba.playbook.declaration import FeatureSchema, declare
from nba.playbook.document import Document, not_yaml
from nba.playbook.rules import Rule, RuleError, compile_rule, rule_names
from nba.playbook.schema import PlaybookSpec


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
        base: the playbook as loaded, where this one has such actions; `catalogue.bring` makes these.
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
    base: Playbook | None = None

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


def load(path: Path) -> Playbook:
    """Read and check a playbook file.

    Raises:
        InvalidPlaybook: the file can't be read, or says something wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        detail = f"can't be read: {reason}; `nba init` writes one, --playbook names another"
        raise InvalidPlaybook.of("playbook", detail, source=str(path)) from None
    return parse(text, source=str(path))


def parse(text: str, source: str = "playbook", *, kept: bool = False) -> Playbook:
    """Check a playbook's text.

    Args:
        kept: it was in use already, and decisions rest on it; what makes no sense together is let pass,
            since an earlier version may not have looked for it.

    Raises:
        InvalidPlaybook: with every wrong field, its line and the mend.
    """
    try:
        document = Document.parse(text)
    except yaml.YAMLError as error:
        raise InvalidPlaybook([not_yaml("playbook", error)], source) from None
    try:
        spec = PlaybookSpec.model_validate(document.values)
    except ValidationError as error:
        raise InvalidPlaybook(document.explain(error, PlaybookSpec), source) from None
    found = check(spec) if kept else [*check(spec), *contradictions(spec)]
    return _compile(spec, text, [document.error(path, detail) for path, detail in found], document, source)


def _compile(
    spec: PlaybookSpec, text: str, errors: list[FieldError], document: Document, source: str
) -> Playbook:
    """Raises InvalidPlaybook for `errors` and for what is wrong with rules."""
    written = _rules(spec)
    names = {name for _, rule, _ in written for name in rule_names(rule)}
    schema = declare(spec, names)
    compiled: dict[tuple[str | int, ...], Rule] = {}
    for path, rule, without in written:
        try:
            compiled[path] = compile_rule(rule, schema, without)
        except RuleError as error:
            errors = [*errors, document.error(path, str(error))]
    if errors:
        raise InvalidPlaybook(errors, source)

    def section(*start: str) -> tuple[Rule, ...]:
        return tuple(rule for path, rule in compiled.items() if path[: len(start)] == start)

    return Playbook(
        spec=spec,
        text=text,
        schema=schema,
        arms=arm_table(spec),
        stage_rules=section("stages"),
        action_rules=section("actions"),
        stop_rules=section("contact", "stops"),
        incumbent_rules=section("incumbent"),
        catalogue_rule=compiled["catalogue", "when"],
    )


def _rules(spec: PlaybookSpec) -> list[tuple[tuple[str | int, ...], str, frozenset[str]]]:
    """Every rule of the playbook: where it stands, its text, and the features not known there."""
    anything: frozenset[str] = frozenset()
    before_stage = frozenset({"stage"})
    rules: list[tuple[tuple[str | int, ...], str, frozenset[str]]] = []
    rules += [(("stages", i, "when"), s.when, before_stage) for i, s in enumerate(spec.stages)]
    rules += [(("actions", name, "when"), a.when, anything) for name, a in spec.actions.items()]
    rules += [(("catalogue", "when"), spec.catalogue.when, anything)]
    rules += [(("contact", "stops", i, "when"), s.when, anything) for i, s in enumerate(spec.contact.stops)]
    rules += [(("incumbent", i, "when"), r.when, anything) for i, r in enumerate(spec.incumbent)]
    return rules
