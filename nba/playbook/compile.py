"""A playbook ready for use: everything that a rule or an arm names exists, rules are array code.

`load` reads a file, `parse` a text; both say the path, the line and the nearest right name of whatever
is wrong: first all that is wrong in shape, then all that is wrong in meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml
from pydantic import ValidationError

from nba.errors import FieldError, InvalidPlaybook
from nba.playbook.arms import arm_table
from nba.playbook.book import Playbook as Playbook
from nba.playbook.checks import check
from nba.playbook.contradictions import contradictions
from nba.playbook.declaration import declare
from nba.playbook.document import Document, not_yaml
from nba.playbook.rules import Rule, RuleError, compile_rule, rule_names, segment_names
from nba.playbook.schema import PlaybookSpec
from nba.playbook.variation import MOST, Combination, changed, combinations, strays


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
    book = _read(document, text, source, kept)
    return (
        replace(book, variations=_variations(book, document, source, kept)) if book.spec.experiments else book
    )


def _read(document: Document, text: str, source: str, kept: bool) -> Playbook:
    """Raises InvalidPlaybook."""
    try:
        spec = PlaybookSpec.model_validate(document.values)
    except ValidationError as error:
        raise InvalidPlaybook(document.explain(error, PlaybookSpec), source) from None
    found = check(spec) if kept else [*check(spec), *contradictions(spec)]
    return _compile(spec, text, [document.error(path, detail) for path, detail in found], document, source)


def _variations(
    book: Playbook, document: Document, source: str, kept: bool
) -> Mapping[Combination, Playbook]:
    """The playbook under the changes of its experiments' variants.

    Raises InvalidPlaybook for what is wrong with them; one that is `kept` leaves such a variation out.
    """
    wanted = combinations(book.spec.experiments)
    if len(wanted) > MOST and not kept:
        detail = (
            f"their variants change the playbook in more than {MOST} ways together; put some on one layer"
        )
        raise InvalidPlaybook([document.error(("experiments",), detail)], source)
    found: dict[Combination, Playbook] = {}
    errors: dict[FieldError, None] = {}
    for combination in wanted[:MOST]:
        try:
            found[combination] = _variation(book, document, combination, source, kept)
        except InvalidPlaybook as error:
            errors |= dict.fromkeys(error.errors)
    if errors and not kept:
        raise InvalidPlaybook(list(errors), source)
    return found


def _variation(
    book: Playbook, document: Document, combination: Combination, source: str, kept: bool
) -> Playbook:
    """Errors point to the last of the changes."""
    for path, change in changed(book.spec.experiments, combination):
        document = document.merged(path, change, without=("experiments",))
    varied = _read(document, document.text, source, kept)
    errors = [document.error(path, detail) for path, detail in strays(book, varied)]
    if errors:
        raise InvalidPlaybook(errors, source)
    return varied


def _compile(
    spec: PlaybookSpec, text: str, errors: list[FieldError], document: Document, source: str
) -> Playbook:
    """Raises InvalidPlaybook for `errors` and for what is wrong with rules."""
    written = _rules(spec)
    names = {name for _, rule, _ in written for name in rule_names(rule)}
    asked = {name for _, rule, _ in written for name in segment_names(rule)}
    schema = declare(spec, names, asked)
    compiled: dict[tuple[str | int, ...], Rule] = {}
    for path, rule, without in written:
        try:
            compiled[path] = compile_rule(rule, schema, without)
        except RuleError as error:
            errors = [*errors, document.error(path, str(error))]
    for path, rule in _segments(spec):
        try:
            compile_rule(rule, schema)
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
        trigger_rules={str(path[1]): rule for path, rule in compiled.items() if _of_trigger(path, "when")},
        until_rules={str(path[1]): rule for path, rule in compiled.items() if _of_trigger(path, "until")},
    )


def _rules(spec: PlaybookSpec) -> list[tuple[tuple[str | int, ...], str, frozenset[str]]]:
    """Every rule of the playbook: where it stands, its text, and the features not known there."""
    anything: frozenset[str] = frozenset()
    before_stage = frozenset({"stage", "segment"})
    rules: list[tuple[tuple[str | int, ...], str, frozenset[str]]] = []
    rules += [(("stages", i, "when"), s.when, before_stage) for i, s in enumerate(spec.stages)]
    rules += [(("actions", name, "when"), a.when, anything) for name, a in spec.actions.items()]
    rules += [(("catalogue", "when"), spec.catalogue.when, anything)]
    rules += [(("contact", "stops", i, "when"), s.when, anything) for i, s in enumerate(spec.contact.stops)]
    rules += [(("incumbent", i, "when"), r.when, anything) for i, r in enumerate(spec.incumbent)]
    for name, trigger in spec.triggers.items():
        told = (("when", trigger.when), ("until", trigger.until))
        rules += [(("triggers", name, field), text, anything) for field, text in told if text is not None]
    return rules


def _of_trigger(path: tuple[str | int, ...], field: str) -> bool:
    return path[0] == "triggers" and path[-1] == field


def _segments(spec: PlaybookSpec) -> list[tuple[tuple[str | int, ...], str]]:
    """The rules of segments: they see what decisions do, and make no feature."""
    return [
        (("experiments", i, "segments", name), rule)
        for i, experiment in enumerate(spec.experiments)
        for name, rule in experiment.segments.items()
    ]
