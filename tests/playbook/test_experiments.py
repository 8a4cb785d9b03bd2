"""Experiments in the playbook: what is wrong is told where it stands; a variant is a playbook of its own."""

from __future__ import annotations

import pytest

from nba.errors import InvalidPlaybook
from nba.playbook.compile import Playbook, parse
from tests.playbook.business import TEXT, line_of

BOLDER = """\
experiments:
  - name: bolder
    share: 0.6
    variants:
      careful: {}
      bold:
        change:
          exploration: {ceiling: 0.9}
          contact:
            caps: [{max: 5, within: 7d}]
          actions:
            bogo: {cost: 0.7, daily: {contacts: 100}}
    metrics:
      value: {of: net}
      noise: {of: contact, better: less, harm: 0.2}
    segments: {heavy: "purchase_total > 5 and stage in ['buying']"}
"""


def book(text: str = BOLDER, rest: str = "") -> Playbook:
    return parse(TEXT + text + rest, source="shop.yaml")


def fault(text: str, rest: str = "", head: str = TEXT) -> tuple[str, int | None, str]:
    """The one thing that is wrong: path, line, words."""
    with pytest.raises(InvalidPlaybook) as caught:
        parse(head + text + rest, source="shop.yaml")
    (error,) = caught.value.errors
    return error.field, error.line, error.detail


def test_a_variant_has_the_playbook_with_its_change_merged_in() -> None:
    base = book()
    bold = base.varied((("bolder", "bold"),))
    assert bold.spec.exploration.ceiling == 0.9
    assert bold.spec.exploration.floor == base.spec.exploration.floor, "mappings merge"
    assert [cap.max for cap in bold.spec.contact.caps] == [5], "lists are replaced"
    assert bold.spec.contact.quiet_hours == base.spec.contact.quiet_hours
    assert bold.spec.actions["bogo"].cost == 0.7
    assert bold.spec.actions["bogo"].channels == base.spec.actions["bogo"].channels
    assert bold.arms.cost[1] == pytest.approx(base.arms.cost[1] + 0.2)


def test_a_variant_without_a_change_has_the_playbook_itself() -> None:
    base = book()
    assert base.varied(()) is base
    assert base.varied((("bolder", "careful"),)) is base


def test_a_variation_is_read_back_from_its_text_under_its_name() -> None:
    bold = book().varied((("bolder", "bold"),))
    again = parse(bold.text, kept=True)
    assert (again.version, again.spec) == (bold.version, bold.spec)
    assert again.arms.names == bold.arms.names
    assert bold.version != book().version


def test_how_an_experiment_is_analysed_changes_nothing_of_its_variations() -> None:
    one, other = book(), book(BOLDER.replace("harm: 0.2", "harm: 0.3"))
    assert one.version != other.version
    assert one.varied((("bolder", "bold"),)).version == other.varied((("bolder", "bold"),)).version


def test_rolling_a_variant_out_gives_the_very_playbook_that_was_tried() -> None:
    bold = book().varied((("bolder", "bold"),))
    rolled = TEXT.replace("    cost: 0.5\n", "    cost: 0.7\n    daily: {contacts: 100}\n").replace(
        "  ten-off:\n    <<: *offer\n", "  ten-off:\n    <<: *offer\n    cost: 0.5\n    daily: null\n"
    )
    caps = "    - {max: 3, within: 7d}\n    - {max: 1, within: 1d, channel: push}\n"
    rolled = rolled.replace(caps, "    - {max: 5, within: 7d}\n") + "exploration: {ceiling: 0.9}\n"
    assert parse(rolled).version == bold.version


def test_playbooks_without_what_came_later_keep_the_fingerprints_that_decisions_name() -> None:
    assert parse(TEXT).fingerprint == "dbec213c5861"
    written = TEXT + "learning: {update: 200}\nexperiments: []\n"
    assert parse(written).fingerprint == "dbec213c5861"


TWO_LAYERS = """\
experiments:
  - name: bolder
    variants:
      careful: {}
      bold: {change: {exploration: {ceiling: 0.9}}}
      bolder: {change: {exploration: {ceiling: 1}}}
  - name: quiet
    layer: contact
    variants: {as-is: {}, quiet: {change: {contact: {caps: [{max: 1, within: 7d}]}}}}
"""


def test_experiments_of_two_layers_make_a_playbook_with_both_changes() -> None:
    base = book(TWO_LAYERS)
    assert len(base.variations) == 5
    both = base.varied((("bolder", "bold"), ("quiet", "quiet")))
    assert both.spec.exploration.ceiling == 0.9
    assert [cap.max for cap in both.spec.contact.caps] == [1]
    assert base.varied((("bolder", "careful"), ("quiet", "quiet"))).spec.exploration.ceiling == 0.3


def test_experiments_of_one_layer_or_of_different_times_do_not_meet() -> None:
    one = TWO_LAYERS.replace("    layer: contact\n", "    share: 0.5\n").replace(
        "- name: bolder\n", "- name: bolder\n    share: 0.5\n"
    )
    assert len(book(one).variations) == 3
    later = TWO_LAYERS.replace("- name: bolder\n", "- name: bolder\n    ends: 2026-01-01T00:00:00Z\n")
    later = later.replace("    layer: contact\n", "    layer: contact\n    starts: 2026-01-01T00:00:00Z\n")
    assert len(book(later).variations) == 3


def test_a_segment_makes_no_feature_and_may_use_what_there_is() -> None:
    assert book().schema.fingerprint == parse(TEXT).schema.fingerprint
    path, line, _ = fault(BOLDER.replace("purchase_total > 5", "purchase_count_30d > 5"))
    assert path == "experiments[0].segments.heavy"
    assert line == line_of("segments:", TEXT + BOLDER)


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("share: 0.6", "share: 0.6\n    layer: x y", "experiments[0].layer", "starts with a letter"),
        ("{ceiling: 0.9}", "{cieling: 0.9}", ".variants.bold.change.exploration.cieling", "mean 'ceiling'"),
        ("{ceiling: 0.9}", "{ceiling: 0.01}", ".variants.bold.change.exploration", "floor must not be above"),
        ("max: 5, ", "", ".variants.bold.change.contact.caps[0].max", "is missing"),
        (
            "[{max: 5, within: 7d}]",
            "[{max: 5, within: 7d}, {max: 6, within: 7d}]",
            ".variants.bold.change.contact.caps[1].max",
            "6 stands against 5",
        ),
        ("cost: 0.7", "channels: [email]", ".variants.bold.change.actions.bogo", "removes the arm bogo/push"),
        ("            bogo:", "            bgo:", ".variants.bold.change.actions.bgo", "mean 'bogo'"),
        (
            "cost: 0.7",
            "when: visit_count_9d > 1",
            ".variants.bold.change",
            "uses visit_count_9d, which no rule of the playbook itself does",
        ),
        ("cost: 0.7", "when: agee > 18", ".variants.bold.change.actions.bogo.when", "mean 'age'"),
        ("cost: 0.7", "category: other", ".variants.bold.change.actions", "another category"),
        ("exploration: {ceiling: 0.9}", "groups: {holdout: 0}", ".variants.bold.change.groups", "may change"),
        ("exploration: {ceiling: 0.9}", "exploration: 3", ".variants.bold.change.exploration", "a mapping"),
        ("of: net", "of: nett", "experiments[0].metrics.value.of", "did you mean 'net'"),
        ("of: net", "of: net, harm: 0.1", "experiments[0].metrics.value.harm", "the one that decides"),
        ("of: contact", "of: contact, per: clicks", "experiments[0].metrics.noise.per", "no metric 'clicks'"),
        ("careful: {}", "careful: {policy: best}", ".variants.careful.policy", "must be champion, own"),
    ],
)
def test_what_is_wrong_with_an_experiment_is_told_where_it_stands(
    old: str, new: str, field: str, said: str
) -> None:
    text = BOLDER.replace(old, new, 1)
    assert text != BOLDER
    path, line, detail = fault(text)
    assert path.endswith(field)
    assert said in detail
    assert line is not None
    assert line > TEXT.count("\n")


def test_the_line_is_that_of_the_field_in_the_change() -> None:
    text = BOLDER.replace("max: 5", "max: five")
    path, line, _ = fault(text)
    assert path == "experiments[0].variants.bold.change.contact.caps[0].max"
    assert line == line_of("caps: [{max: five", TEXT + text)


SECOND = """\
  - name: other
    share: 0.3
    variants: {a: {}, b: {}}
"""


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("share: 0.3", "share: 0.41", "experiments[1].share", "add up to 1.01"),
        ("name: other", "name: bolder", "experiments[1].name", "'bolder' stands twice"),
        ("share: 0.3", "salt: bolder\n    share: 0.3", "experiments[1].salt", "another experiment's"),
        (
            "share: 0.3",
            "starts: 2026-01-01T00:00:00Z\n    ends: 2026-01-08T00:00:00Z\n    washout: 7d\n    share: 0.3",
            "experiments[1].washout",
            "nobody is ever exposed",
        ),
        (
            "share: 0.3\n    variants: {a: {}, b: {}}",
            "layer: two\n    variants: {a: {}, b: {change: {exploration: {gamma: 7}}}}",
            "experiments[1].variants",
            "other changes exploration, and so does experiments[0], bolder",
        ),
    ],
)
def test_what_two_experiments_do_to_each_other_is_told(old: str, new: str, field: str, said: str) -> None:
    path, _, detail = fault(BOLDER, SECOND.replace(old, new))
    assert path == field
    assert said in detail


def test_two_layers_may_not_both_say_who_decides() -> None:
    who = "experiments:\n  - {name: one, variants: {a: {}, b: {policy: uniform}}}\n"
    _, _, detail = fault(who + who.partition("\n")[2].replace("one", "two").replace("name", "layer: l, name"))
    assert "two changes policy" in detail


def test_shares_that_add_up_to_one_are_right_whatever_floats_make_of_it() -> None:
    tenth = "".join(f"  - {{name: e{i}, share: 0.1, variants: {{a: {{}}, b: {{}}}}}}\n" for i in range(10))
    assert len(book("experiments:\n" + tenth).spec.experiments) == 10


def test_the_incumbent_can_only_decide_where_it_has_rules() -> None:
    start = TEXT.index("incumbent:")
    bare = TEXT[:start] + TEXT[TEXT.index("scores:") :]
    text = BOLDER.replace("careful: {}", "careful: {policy: incumbent}")
    path, _, detail = fault(text, head=bare)
    assert path == "experiments[0].variants.careful.policy"
    assert "there are none" in detail
    assert book(text).spec.experiments[0].variants["careful"].policy == "incumbent"


def test_a_kept_playbook_is_read_whatever_a_later_version_makes_of_its_variants() -> None:
    text = TEXT + BOLDER.replace("cost: 0.7", "channels: [email]")
    assert parse(text, kept=True).variations == {}


def test_more_ways_than_can_be_kept_apart_are_refused() -> None:
    sections = (
        "exploration: {gamma: %d}",
        "actions: {bogo: {cost: %d}}",
        "contact: {caps: [{max: %d, per: day}]}",
    )
    lines = ["experiments:"]
    for i, section in enumerate(sections):
        variants = "".join(f", v{n}: {{change: {{{section % n}}}}}" for n in range(1, 5))
        lines.append(f"  - {{name: e{i}, layer: l{i}, variants: {{as-is: {{}}{variants}}}}}")
    path, _, detail = fault("\n".join(lines))
    assert path == "experiments"
    assert "more than 64 ways" in detail


@pytest.mark.parametrize(
    ("section", "field", "said"),
    [
        ("health: {retrain: [pis]}", "health.retrain[0]", "did you mean 'psi'"),
        (
            "promotion: {guardrails: [{name: a, count: purchsae, most: 1}]}",
            "promotion.guardrails[0].count",
            "did you mean 'purchase'",
        ),
        (
            "promotion: {guardrails: [{name: a, count: contact, most: 1}, {name: a, count: visit, most: 1}]}",
            "promotion.guardrails[1].name",
            "stands twice",
        ),
    ],
)
def test_promotion_and_health_name_what_there_is(section: str, field: str, said: str) -> None:
    path, _, detail = fault(section + "\n")
    assert path == field
    assert said in detail


def test_an_outcomes_own_window_is_no_longer_than_that_of_the_objectives() -> None:
    head = TEXT.replace("{value: amount}", "{value: amount, window: 8d}")
    assert fault("", head=head)[0] == "objectives.outcomes.purchase.window"
    parse(TEXT.replace("{value: amount}", "{value: amount, window: 7d}"))
