"""Whatever is wrong in a playbook is told with its path, its line and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba.errors import InvalidPlaybook
from nba.playbook.compile import load, parse
from tests.playbook.business import TEXT, faults, line_of, shop

# What is replaced, by what, the path of the wrong field, and a piece of what is said of it.
SHAPE = [
    ("currency: EUR", "curency: EUR", "curency", "did you mean 'currency'?"),
    ("currency: EUR", "currency: [EUR]", "currency", "must be text"),
    ("name: shop", "name: my shop", "name", "starts with a letter"),
    ("{cost: 0.01}", "{costs: 0.01}", "channels.email.costs", "did you mean 'cost'?"),
    ("{cost: 0.01}", "{cost: -1}", "channels.email.cost", "greater than or equal to 0"),
    ("{cost: 0.01}", "{cost: '0.01'}", "channels.email.cost", "must be a valid number"),
    ("{cost: 0.01}", "{cost: true}", "channels.email.cost", "must be a valid number"),
    ("{cost: 0.01}", "{cost: .nan}", "channels.email.cost", "finite"),
    ("{cost: 0.01}", "{cost: .inf}", "channels.email.cost", "finite"),
    ("{cost: 0.01}", "{cost: 1e300}", "channels.email.cost", "less than or equal to"),
    ("email: {cost: 0.01}", "e mail: {cost: 0.01}", "channels.e mail", "starts with a letter"),
    ("email: {cost: 0.01}", "email:", "channels.email", "must be a mapping"),
    ("channels: [email, push]", "channels: []", "actions.bogo.channels", "at least 1"),
    ("channels: [email, push]", "channels: email", "actions.bogo.channels", "must be a list"),
    ("channels: [email, push]", "channels: [email, email]", "actions.bogo.channels", "'email' stands twice"),
    ("    channels: [email, push]\n", "", "actions.bogo.channels", "is missing"),
    ("    cost: 0.5\n", "    cots: 0.5\n", "actions.bogo.cots", "did you mean 'cost'?"),
    ("max: 3", "max: -1", "contact.caps[0].max", "greater than or equal to 0"),
    ("max: 3", "max: 2.5", "contact.caps[0].max", "must be a valid integer"),
    ("max: 3", "max: true", "contact.caps[0].max", "must be a valid integer"),
    ("max: 3", "max: 99999999999999999999", "contact.caps[0].max", "less than or equal to"),
    ("max: 3, ", "", "contact.caps[0].max", "is missing"),
    ("within: 7d}", "within: 7}", "contact.caps[0].within", "7d, 36h or 90m"),
    ("within: 7d}", "within: 0d}", "contact.caps[0].within", "more than nothing"),
    ("within: 7d}", "within: 999999d}", "contact.caps[0].within", "at most 36525d"),
    ("within: 7d}", "within: -7d}", "contact.caps[0].within", "7d, 36h or 90m"),
    ("within: 7d}", "within: 7d, purposes: [sales]}", "contact.caps[0].purposes[0]", "'marketing'"),
    ("from: 18:00", "from: 1800", "timings.evening.from", "time of day"),
    ("from: 18:00", "from: 18:60", "timings.evening.from", "time of day"),
    ("from: 18:00", "from: 24:01", "timings.evening.from", "time of day"),
    ("from: 18:00", "from: 18:00:00", "timings.evening.from", "time of day"),
    ("from: 18:00", "from: 22:30", "timings.evening", "from must be before to"),
    ("from: 18:00, ", "", "timings.evening", "both from and to"),
    ("from: 18:00", "fro: 18:00", "timings.evening.fro", "did you mean 'from'?"),
    ("{from: 22:00, to: 08:00}", "{from: 08:00, to: 08:00}", "contact.quiet_hours", "must differ"),
    ("{from: 22:00, to: 08:00}", "{from: 00:00, to: 24:00}", "contact.quiet_hours", "leave a part"),
    ("clip: [-50, 300]", "clip: [300, -50]", "objectives.clip", "lowest below highest"),
    ("clip: [-50, 300]", "clip: [300]", "objectives.clip[1]", "is missing"),
    ("clip: [-50, 300]", "clip: 300", "objectives.clip", "must be a list"),
    ("value: amount", "value: amuont", "objectives.outcomes.purchase.value", "`amount`"),
    ("age: number", "age: numbr", "attributes.age", "number, boolean, or a list"),
    ("age: number", "age: {a: 1}", "attributes.age", "number, boolean, or a list"),
    ("[ios, android, web]", "[ios, ios]", "context.device", "'ios' stands twice"),
    ("[ios, android, web]", "[ios, 3]", "context.device[1]", "must be text"),
    ("age: number", "Age: number", "attributes.Age", "starts with a-z"),
    ("[visit, purchase]\nobj", "[visit, visit]\nobj", "touchpoints", "'visit' stands twice"),
    ("when: age > 18", "when: 18", "actions.ten-off.when", "must be text"),
    ("when: age > 18", "when: ''", "actions.ten-off.when", "at least 1 character"),
    ("when: age > 18", f"when: {'a' * 2001}", "actions.ten-off.when", "at most 2000"),
    ("when: age > 18", "valid_until: 2026", "actions.ten-off.valid_until", "must be a moment"),
    ("when: age > 18", "valid_until: 2026-12-01", "actions.ten-off.valid_until", "needs a time zone"),
    ("when: age > 18", "valid_until: soon", "actions.ten-off.valid_until", "must be a moment"),
    ("when: age > 18", "valid_until: 9999-12-31T23:59:59Z", "actions.ten-off.valid_until", "years 1900"),
    ("max: 3, within: 7d", "max: 3", "contact.caps[0]", "either within, such as 7d, or per"),
    ("within: 7d}", "within: 7d, per: day}", "contact.caps[0]", "either within, such as 7d, or per"),
    ("within: 7d}", "per: year}", "contact.caps[0].per", "'day', 'week' or 'month'"),
    ("when: age > 18", "daily: {}", "actions.ten-off.daily", "needs contacts, spend or both"),
    ("when: age > 18", "daily: {contact: 3}", "actions.ten-off.daily.contact", "did you mean 'contacts'?"),
    (
        "when: age > 18",
        "daily: {contacts: -1}",
        "actions.ten-off.daily.contacts",
        "greater than or equal to 0",
    ),
    ("when: age > 18", "daily: {contacts: 0.5}", "actions.ten-off.daily.contacts", "must be a valid integer"),
    ("when: age > 18", "lever: 0", "actions.ten-off.lever", "greater than or equal to 0.1"),
    ("when: age > 18", "lever: 11", "actions.ten-off.lever", "less than or equal to 10"),
    ("when: age > 18", "priority: 1.5", "actions.ten-off.priority", "must be a valid integer"),
    ("when: age > 18", "priority: 101", "actions.ten-off.priority", "less than or equal to 100"),
    ("when: age > 18", "stop_after: {visit: 7}", "actions.ten-off.stop_after.visit", "7d, 36h or 90m"),
    ("contact:\n", "mode: pilot\ncontact:\n", "mode", "'autopilot' or 'apprentice'"),
    ("contact:\n", "catalogue: {attributes: {price: 0}}\ncontact:\n", "catalogue.attributes.price", "than 0"),
    ("contact:\n", "catalogue: {attributes: {Price: 5}}\ncontact:\n", "catalogue.attributes.Price", "a-z"),
    ("contact:\n", "catalogue: {lever: 2}\ncontact:\n", "catalogue.lever", "there is no such field"),
    ("contact:\n", "exploration: {temperature: 0}\ncontact:\n", "exploration.temperature", "greater than 0"),
    ("contact:\n", "exploration: {heads: 1}\ncontact:\n", "exploration.heads", "greater than or equal to 2"),
    ("contact:\n", "exploration: {floor: 0.5}\ncontact:\n", "exploration", "floor must not be above ceiling"),
]
MEANING = [
    ("Europe/Amsterdam", "Europe/Amsterdm", "timezone", "did you mean 'Europe/Amsterdam'?"),
    ("channels: [email, push]", "channels: [emial]", "actions.bogo.channels[0]", "did you mean 'email'?"),
    ("timings: [now, evening]", "timings: [nwo]", "actions.bogo.timings[0]", "did you mean 'now'?"),
    ("Europe/Amsterdam", "localtime", "timezone", "there is no time zone 'localtime'"),
    ("channel: push}", "channel: psh}", "contact.caps[1].channel", "did you mean 'push'?"),
    ("channel: push}", "category: genral}", "contact.caps[1].category", "did you mean 'general'?"),
    ("when: age > 18", "stop_after: {purchas: 7d}", "actions.ten-off.stop_after.purchas", "'purchase'?"),
    ("when: age > 18", "stop_after: {contact: 7d}", "actions.ten-off.stop_after.contact", "no touchpoint"),
    ("contact:\n", "catalogue: {channels: [emial]}\ncontact:\n", "catalogue.channels[0]", "'email'?"),
    ("contact:\n", "catalogue: {timings: [nwo]}\ncontact:\n", "catalogue.timings[0]", "'now'?"),
    (
        "contact:\n",
        "catalogue: {stop_after: {vist: 1d}}\ncontact:\n",
        "catalogue.stop_after.vist",
        "'visit'?",
    ),
    ("contact:\n", "catalogue: {when: agee > 3}\ncontact:\n", "catalogue.when", "did you mean 'age'?"),
    ("event: purchase", "event: purchas", "scores.propensity.buy.event", "did you mean 'purchase'?"),
    ("activity: [visit", "activity: [vist", "scores.churn.activity[0]", "did you mean 'visit'?"),
    ("action: bogo, ", "action: bog, ", "incumbent[0].action", "did you mean 'bogo'?"),
    ("channel: email, timing", "channel: sms, timing", "incumbent[0].channel", "no bogo channel 'sms'"),
    ("timing: now}", "timing: noon}", "incumbent[0].timing", "did you mean 'now'?"),
    ("name: looking", "name: buying", "stages[1].name", "'buying' stands twice"),
    ("  bogo: &offer", "  no_contact: &offer", "actions.no_contact", "always there"),
    ("[visit, purchase]\nobj", "[visit, contact, purchase]\nobj", "touchpoints[1]", "counted by itself"),
    ("push: {", "e-mail: {}\n  e_mail: {}\n  push: {", "channels.e_mail", "only in case or punctuation"),
    ("age: number", "hour: number, age: number", "attributes.hour", "two features are named 'hour'"),
    (
        "age: number",
        "visit_count_30d: number, age: number",
        "attributes.visit_count_30d",
        "two features are named",
    ),
    ("age: number", "if: number, age: number", "attributes.if", "a word of the rules"),
    ("age: number", "known: number, age: number", "attributes.known", "a word of the rules"),
    ("{from: 18:00, to: 21:00}", "{from: 22:30, to: 23:00}", "timings.evening", "wholly in the quiet hours"),
    ("when: age > 18", "when: agee > 18", "actions.ten-off.when", "did you mean 'age'?"),
    ("when: age > 18", "when: \"age > 'old'\"", "actions.ten-off.when", "is not a number"),
    ("when: basket > 100", "when: device > 3", "contact.stops[0].when", "is a category"),
    ("when: member", "when: member > 3", "incumbent[0].when", "true or false"),
    ("when: days_since_purchase < 7", "when: stage == 'looking'", "stages[0].when", "not known yet"),
    (
        "when: age > 18",
        "valid_from: 2026-12-01T00:00:00Z\n    valid_until: 2026-12-01T01:00:00+01:00",
        "actions.ten-off.valid_until",
        "must be after valid_from",
    ),
]


@pytest.mark.parametrize(("old", "new", "field", "said"), SHAPE + MEANING)
def test_a_wrong_field_is_named_with_its_path_its_line_and_the_mend(
    old: str, new: str, field: str, said: str
) -> None:
    [fault] = [fault for fault in faults(old, new) if fault.field == field]
    assert said in fault.detail
    start = line_of(old, TEXT)
    # What is missing is told at the section that lacks it.
    assert fault.line in range(start - 2 if "missing" in said else start, start + new.count("\n") + 1)


def test_all_that_is_wrong_is_told_at_once() -> None:
    shape = TEXT.replace("max: 3", "max: -1").replace("currency: EUR", "curency: EUR")
    with pytest.raises(InvalidPlaybook) as caught:
        parse(shape)
    assert {e.field for e in caught.value.errors} == {"contact.caps[0].max", "curency", "currency"}
    meaning = TEXT.replace("Europe/Amsterdam", "Mars").replace("age > 18", "agee > 18")
    with pytest.raises(InvalidPlaybook) as caught:
        parse(meaning)
    assert {e.field for e in caught.value.errors} == {"timezone", "actions.ten-off.when"}


@pytest.mark.parametrize(
    ("when", "valid"), [("valid_from", "2026-12-01"), ("valid_until", "2026-12-01T00:00:00")]
)
def test_each_moment_without_a_time_zone_is_told(when: str, valid: str) -> None:
    both = TEXT.replace("    cost: 0.5\n", f"    cost: 0.5\n    {when}: {valid}\n")
    with pytest.raises(InvalidPlaybook) as caught:
        parse(both)
    # `ten-off` has it too, by its merge key, and from the same line.
    fields = {(e.field, e.line) for e in caught.value.errors}
    line = line_of(f"{when}:", both)
    assert fields == {(f"actions.bogo.{when}", line), (f"actions.ten-off.{when}", line)}


def test_what_a_merge_key_brings_in_is_told_at_the_line_where_it_is_written() -> None:
    found = faults("    cost: 0.5\n", "    cost: -1\n")
    line = line_of("    cost: 0.5", TEXT)
    assert [(e.field, e.line) for e in found] == [("actions.bogo.cost", line), ("actions.ten-off.cost", line)]


def test_a_merge_key_brings_in_what_the_action_does_not_say_itself() -> None:
    actions = shop().spec.actions
    assert actions["ten-off"].channels == ["email", "push"]
    assert actions["ten-off"].when == "age > 18"
    assert shop("    when: age > 18", "    cost: 2").spec.actions["ten-off"].cost == 2
    assert actions["bogo"].when == "true"


def test_an_hour_without_quotes_is_that_hour() -> None:
    evening = shop().spec.timings["evening"]
    assert (evening.start, evening.end) == (18 * 3600, 21 * 3600)
    assert shop("from: 18:00", 'from: "18:00"').fingerprint == shop().fingerprint
    assert shop("from: 18:00", "from: 8:00").spec.timings["evening"].start == 8 * 3600


def test_a_moment_means_the_same_in_every_time_zone() -> None:
    utc = shop("when: age > 18", "valid_until: 2026-12-01T00:00:00Z")
    assert utc.fingerprint == shop("when: age > 18", 'valid_until: "2026-12-01T01:00:00+01:00"').fingerprint


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~", "null"])
def test_an_empty_file_is_called_empty(text: str) -> None:
    with pytest.raises(InvalidPlaybook, match="playbook: is empty"):
        parse(text)


@pytest.mark.parametrize("text", ["[1, 2]", "just words", "3", "true"])
def test_a_file_that_is_no_mapping_is_told_what_it_should_be(text: str) -> None:
    with pytest.raises(InvalidPlaybook, match="line 1: playbook: must be a mapping of fields"):
        parse(text)


def test_a_file_that_is_not_there_or_not_text_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlaybook, match=r"none\.yaml.*No such file.*nba init"):
        load(tmp_path / "none.yaml")
    with pytest.raises(InvalidPlaybook, match="can't be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InvalidPlaybook, match="it is not UTF-8"):
        load(tmp_path / "picture.yaml")


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "playbook.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load(path).fingerprint == shop().fingerprint


def test_more_arms_than_a_server_can_hold_are_refused_before_any_is_made() -> None:
    """13 kB of text make 900,000 arms, of which the features alone would take 26 GiB."""
    channels = [f"c{i}" for i in range(60)]
    timings = [f"t{i}" for i in range(60)]
    text = "\n".join(
        [
            "name: wide\ncurrency: EUR\ntouchpoints: [visit]",
            "objectives: {window: 7d, outcomes: {visit: {value: 1}}}",
            'stages: [{name: all, when: "true"}]',
            f"channels: {{{', '.join(f'{c}: {{cost: 1}}' for c in channels)}}}",
            f"timings: {{{', '.join(f'{t}: {{}}' for t in timings)}}}",
            "actions:",
            f"  a0: {{channels: &c [{', '.join(channels)}], timings: &t [{', '.join(timings)}]}}",
            *(f"  a{i}: {{channels: *c, timings: *t}}" for i in range(1, 250)),
            "contact: {caps: [{max: 3, within: 7d}]}",
        ]
    )
    with pytest.raises(InvalidPlaybook, match=r"actions: make 900,001 arms .* at most 5,0\d\d can be served"):
        parse(text)
