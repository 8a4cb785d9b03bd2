"""What YAML can do to a reader, and that the reader names the line of it."""

from __future__ import annotations

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nba.errors import FieldError, InvalidPlaybook
from nba.playbook.compile import parse
from nba.playbook.document import Document
from tests.playbook.business import TEXT

SIGNS = "ab:[]{}&*<-? \n'\"!#|>,0.~\t%@`\\"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip(string.ascii_lowercase, string.ascii_lowercase[1:12], strict=False)
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{after}: &{after} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, after in zip(string.ascii_lowercase, string.ascii_lowercase[1:20], strict=False)
)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name: [", 1, "expected the node content"),
        ("name: a\n\tb: c", 2, "cannot start any token"),
        ("name: a: b", 1, "mapping values are not allowed here"),
        ("name: 'a", 1, "unexpected end of stream"),
        ("name: a\ncurrency: EUR\nname: b", 3, "the key 'name' stands twice"),
        ("actions:\n  a: {cost: 1}\n  b: {cost: 1, cost: 2}", 3, "the key 'cost' stands twice"),
        ("a: *offer", 1, "undefined alias 'offer'"),
        ("a: &a [*a]", 1, "nested too deeply"),
        ("a: &a {b: *a}", 1, "nested too deeply"),
        ("a: " + "[" * 60 + "]" * 60, 1, "nested too deeply"),
        ("a: " + "[" * 5_000, None, "nested too deeply"),
        (BOMB, None, "more than 100000 values"),
        ("x: 1\n<<: 3", 2, "expected a mapping or list of mappings for merging"),
        ("? [a, b]\n: 1", 1, "a key is a name"),
        ("? {a: b}\n: 1", 1, "a key is a name"),
        ("--- {a: 1}\n--- {b: 2}", 2, "but found another document"),
        ("a: 1\nb: 2026-02-30", 2, "'2026-02-30' is no timestamp"),
        ("a: !!int x", 1, "'x' is no int"),
        ("a: !!bool x", 1, "'x' is no bool"),
        ("a: " + "9" * 5_000, 1, "is no int"),
        ("a: !!python/object/apply:os.system [ls]", 1, "could not determine a constructor"),
        ("a: \x00", None, "special characters are not allowed"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(InvalidPlaybook) as caught:
        parse(text)
    [fault] = caught.value.errors
    assert fault.field == "playbook"
    assert "is not YAML" in fault.detail
    assert said in fault.detail
    assert line is None or fault.line == line


def test_merge_keys_that_multiply_cost_nothing() -> None:
    assert Document.parse(MERGE_BOMB).values["t"] == {"x": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18:00", "18:00"),
        ("8:30", "8:30"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("7d", "7d"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("-3", -3),
        ("1_000", 1000),
        ("0", 0),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("1.5E-2", 0.015),
        ("-.inf", float("-inf")),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says_it_is(text: str, value: object) -> None:
    assert Document.parse(f"a: {text}").values == {"a": value}
    assert type(Document.parse(f"a: {text}").values["a"]) is type(value)


@given(st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none())
def test_what_pyyaml_writes_is_read_back(value: object) -> None:
    text = yaml.safe_dump({"a": value})
    assert Document.parse(text).values == {"a": value}


@given(st.text(SIGNS, max_size=60))
def test_no_text_whatever_gets_past_the_reader_but_as_an_error_it_knows(text: str) -> None:
    with pytest.raises(InvalidPlaybook):
        parse(text)


@given(
    st.integers(0, len(TEXT)),
    st.text(SIGNS, max_size=4),
    st.integers(0, 4),
)
def test_a_slip_of_the_pen_loads_or_is_told(at: int, typed: str, lost: int) -> None:
    """Whatever is typed into the playbook or lost from it: never another error than the one callers know."""
    told: tuple[FieldError, ...] | None = None
    try:
        parse(TEXT[:at] + typed + TEXT[at + lost :])
    except InvalidPlaybook as error:
        told = error.errors
    assert told is None or all(fault.detail for fault in told)


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = Field(default="green", alias="color")


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    branches: dict[str, list[Leaf]]
    crown: Leaf | None = None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "branches:\n  a:\n    - {color: red}\n    - colr: red",
            FieldError(
                field="branches.a[1].colr", detail="there is no such field; did you mean 'color'?", line=4
            ),
        ),
        (
            "branches: {}\ncrown: {colour: red}",
            FieldError(field="crown.colour", detail="there is no such field; did you mean 'color'?", line=2),
        ),
        (
            "branches: {}\ncrwn: {}",
            FieldError(field="crwn", detail="there is no such field; did you mean 'crown'?", line=2),
        ),
        (
            "branches: {crown: [{brnches: 1}]}",
            FieldError(field="branches.crown[0].brnches", detail="there is no such field", line=1),
        ),
        ("crown: {}", FieldError(field="branches", detail="is missing", line=1)),
    ],
)
def test_errors_over_any_model_are_told_with_the_names_of_that_model(text: str, expected: FieldError) -> None:
    document = Document.parse(text)
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(document.values)
    assert document.explain(caught.value, Tree) == [expected]
