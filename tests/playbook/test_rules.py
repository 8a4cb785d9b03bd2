"""Rules: what is refused, and that what is accepted means what it says, unknown values included."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.features.rows import code
from nba.playbook.rules import RuleError, compile_rule, rule_names
from tests.playbook.business import shop

PLAYBOOK = shop()
SCHEMA = PLAYBOOK.schema
DEVICES = ("ios", "android", "web")
Row = dict[str, float | bool | str | None]
Truth = bool | None


def features(rows: list[Row]) -> np.ndarray:
    """(n, F): what the rows name, NaN for the rest."""
    X = np.full((len(rows), len(SCHEMA)), np.nan)
    for i, row in enumerate(rows):
        for name, value in row.items():
            column = SCHEMA.index[name]
            X[i, column] = code(SCHEMA.features[column], value)
    return X


def truth(text: str, row: Row) -> Truth:
    """What a rule says of one row: True, False, or None for unknown."""
    rule = compile_rule(text, SCHEMA)
    X = features([row])
    holds, may = bool(rule.holds(X)[0]), bool(rule.may_hold(X)[0])
    return True if holds else None if may else False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os').system('ls')", "is not true or false"),
        ("__import__('os')", "is not true or false"),
        ("open('/etc/passwd')", "is not true or false"),
        ("age.real > 3", "'age.real' is not a number"),
        ("().__class__.__bases__", "is not true or false"),
        ("age[0] > 3", "is not a number"),
        ("(lambda: true)()", "is not true or false"),
        ("lambda: true", "is not true or false"),
        ("[x for x in [1]]", "is not true or false"),
        ("all(x for x in [1])", "is not true or false"),
        ("max(age, 3) > 3", "true or false"),
        ("(age := 3) > 2", "is not a number"),
        ("f'{age}' == 'a'", "is not a number"),
        ("member if age > 3 else member", "is not true or false"),
        ("await age", "is not true or false"),
        ("age; member", "is not an expression"),
        ("import os", "is not an expression"),
        ("age >", "is not an expression: invalid syntax"),
        ("age = 3", "is not an expression"),
        ("\x00", "is not an expression"),
        ("\ud800", "is not an expression"),
        ("", "is not an expression"),
        ("age", "age is a number: compare it with something"),
        ("device", "device is a category: compare it with something"),
        ("not age", "compare it with something"),
        ("1", "is not true or false"),
        ("'ios'", "is not true or false"),
        ("None", "is not true or false"),
        ("agee > 3", "there is no feature 'agee'; did you mean 'age'?"),
        ("purchase_count_999d > 1", "there is no feature 'purchase_count_999d'"),
        ("age == 'x'", "is not a number"),
        ("age > None", "is not a number"),
        ("age > true", "is true or false"),
        ("member > 0.5", "'member' is true or false"),
        ("member == 1", "'member' is true or false"),
        ("member + 1 > 1", "member is a boolean, not a number"),
        ("(age > 1) > 1", "is true or false"),
        ("device > 'ios'", "is a category: use == , != or in"),
        ("device + 1 > 1", "device is a category, not a number"),
        ("device == ios", "there is no feature 'ios'"),
        ("device == stage", "compare it with a quoted name"),
        ("device == 'andriod'", "device is never 'andriod'; did you mean 'android'?"),
        ("device in 'ios'", "in takes a feature and a list"),
        ("'ios' in device", "in takes a feature and a list"),
        ("age + 1 in [2]", "in takes a feature and a list"),
        ("age in {1, 2}", "in takes a feature and a list"),
        ("age in [member]", "compare it with numbers"),
        ("age in [*age]", "compare it with numbers"),
        ("age in ['a']", "compare it with numbers"),
        ("member in [1]", "compare it with booleans"),
        ("age is 3", "an operator that rules don't have"),
        ("age ** 9 > 3", "is not a number"),
        ("age % 2 == 0", "is not a number"),
        ("age // 2 == 0", "is not a number"),
        ("age > 1j", "is not a number"),
        ("age > 1e999", "numbers in rules are finite"),
        ("age in [-1e999]", "numbers in rules are finite"),
        (f"age > {'9' * 400}", "numbers in rules are finite"),
        (f"age in [{'9' * 400}]", "numbers in rules are finite"),
        (f"age > {'9' * 5_000}", "is not an expression"),
        ("known(3)", "is not true or false"),
        ("known(age, member)", "is not true or false"),
        ("known(agee)", "there is no feature 'agee'"),
        ("known", "there is no feature 'known'"),
        ("not " * 400 + "member", "nested too deeply"),
        ("-" * 1_900 + "age > 1", "nested too deeply"),
        ("+".join(["age"] * 600) + " > 1", "nested too deeply"),
        ("(" * 900 + "age" + ")" * 900 + " > 1", "too many nested parentheses"),
        ("age" + ".x" * 900, "nested too deeply"),
    ],
)
def test_what_is_no_rule_is_refused_with_the_reason(text: str, said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuleError) as caught:
            compile_rule(text, SCHEMA)
        assert isinstance(rule_names(text), set)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_long_rule_that_is_not_deep_is_a_rule() -> None:
    text = " or ".join(f"age == {i}" for i in range(180))
    assert truth(text, {"age": 179}) is True
    assert truth(text, {"age": 180}) is False


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("age > 17", {"age": 18}, True),
        ("age > 17", {}, None),
        ("not age > 17", {}, None),
        ("age > 17 or true", {}, True),
        ("age > 17 and false", {}, False),
        ("age > 17 or member", {"member": False}, None),
        ("age != 17", {}, None),
        ("age == age", {}, None),
        ("device != 'ios'", {}, None),
        ("device not in ['ios']", {}, None),
        ("known(device)", {}, False),
        ("known(device) and device == 'ios'", {}, False),
        ("basket / age > 1", {"basket": 1, "age": 0}, None),
        ("basket * basket > 1", {"basket": 1e200}, None),
        ("0 < age < 10", {"age": 10}, False),
        ("0 < age < 10", {"age": 9}, True),
        ("1 < age in [3, 4]", {"age": 3}, True),
        ("age in [-1, 2.5]", {"age": -1}, True),
        ("age in (1, 2)", {"age": 2}, True),
        ("age in []", {"age": 2}, False),
        ("member in [true, False]", {"member": False}, True),
        ("'ios' == device", {"device": "ios"}, True),
        ("device in ['ios', 'web']", {"device": "android"}, False),
        ("member == (age > 3)", {"member": False, "age": 1}, True),
        ("member != true", {"member": False}, True),
        ("true", {}, True),
        ("False", {}, False),
        ("-age < -3", {"age": 4}, True),
        ("2 + 3 * 2 == 8", {}, True),
        ("(2 + 3) * 2 == 10 and 7 - 2 - 1 == 4 and 8 / 2 / 2 == 2", {}, True),
        ("true or false and false", {}, True),
        ("not false and false", {}, False),
        ("not age == 3", {"age": 4}, True),
    ],
)
def test_a_rule_says_what_it_says(text: str, row: Row, expected: Truth) -> None:
    assert truth(text, row) is expected


def test_a_missing_last_purchase_neither_holds_nor_fails() -> None:
    rule = compile_rule("days_since_purchase > 45", SCHEMA)
    X = features([{}])
    assert not rule.holds(X)[0]
    assert rule.may_hold(X)[0]


# A rule as text, beside what it is by a reference that walks one row in plain Python.
@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    text: str
    of: Callable[[Row], object]


def numbers() -> st.SearchStrategy[Spoken]:
    values = st.integers(-3, 3) | st.sampled_from([0.5, 1e200])
    leaves = st.sampled_from(["age", "basket"]).map(lambda n: Spoken(text=n, of=lambda row: row.get(n)))
    leaves |= values.map(lambda v: Spoken(text=repr(v), of=lambda row: float(v)))
    return st.recursive(leaves, lambda inner: st.builds(_arithmetic, inner, st.sampled_from("+-*/"), inner))


def _arithmetic(left: Spoken, op: str, right: Spoken) -> Spoken:
    does = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[op]

    def of(row: Row) -> float | None:
        a, b = left.of(row), right.of(row)
        if a is None or b is None or (op == "/" and b == 0):
            return None
        value = does(a, b)
        return value if math.isfinite(value) else None

    return Spoken(text=f"({left.text} {op} {right.text})", of=of)


COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def _compared(left: Spoken, op: str, right: Spoken) -> Spoken:
    def of(row: Row) -> Truth:
        a, b = left.of(row), right.of(row)
        return None if a is None or b is None else COMPARE[op](a, b)

    return Spoken(text=f"{left.text} {op} {right.text}", of=of)


def _chained(a: Spoken, op: str, b: Spoken, then: str, c: Spoken) -> Spoken:
    both = _both(_compared(a, op, b), "and", _compared(b, then, c))
    return Spoken(text=f"({a.text} {op} {b.text} {then} {c.text})", of=both.of)


def _member(name: str, values: list[object], negated: bool) -> Spoken:
    def of(row: Row) -> Truth:
        value = row.get(name)
        return None if value is None else (value in values) != negated

    return Spoken(text=f"({name} {'not in' if negated else 'in'} {values!r})", of=of)


def _known(name: str) -> Spoken:
    return Spoken(text=f"known({name})", of=lambda row: row.get(name) is not None)


def _not(inner: Spoken) -> Spoken:
    def of(row: Row) -> Truth:
        value = inner.of(row)
        return None if value is None else not value

    return Spoken(text=f"(not {inner.text})", of=of)


def _both(left: Spoken, op: str, right: Spoken) -> Spoken:
    def of(row: Row) -> Truth:
        a, b = left.of(row), right.of(row)
        if op in ("==", "!="):
            return None if a is None or b is None else COMPARE[op](a, b)
        decides = op == "or"
        return decides if decides in (a, b) else None if None in (a, b) else not decides

    return Spoken(text=f"({left.text} {op} {right.text})", of=of)


def rules() -> st.SearchStrategy[Spoken]:
    compare = st.sampled_from(sorted(COMPARE))
    leaves = st.one_of(
        st.just(Spoken(text="member", of=lambda row: row.get("member"))),
        st.sampled_from([("true", True), ("False", False)]).map(
            lambda c: Spoken(text=c[0], of=lambda row: c[1])
        ),
        st.sampled_from(["age", "device", "member"]).map(_known),
        st.builds(_chained, numbers(), compare, numbers(), compare, numbers()),
        st.builds(_member, st.just("device"), st.lists(st.sampled_from(DEVICES), min_size=1), st.booleans()),
        st.builds(_member, st.just("age"), st.lists(st.integers(-3, 3)), st.booleans()),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(_not),
            st.builds(_both, inner, st.sampled_from(["and", "or", "==", "!="]), inner),
        ),
        max_leaves=6,
    )


def rows() -> st.SearchStrategy[Row]:
    number = st.none() | st.integers(-3, 3).map(float) | st.just(1e200)
    return st.fixed_dictionaries(
        {
            "age": number,
            "basket": number,
            "member": st.none() | st.booleans(),
            "device": st.none() | st.sampled_from(DEVICES),
        }
    )


@given(rules(), st.lists(rows(), min_size=1, max_size=8))
def test_a_rule_over_many_rows_is_kleene_logic_over_each(rule: Spoken, data: list[Row]) -> None:
    compiled = compile_rule(rule.text, SCHEMA)
    X = features(data)
    holds, may = compiled.holds(X), compiled.may_hold(X)
    for i, row in enumerate(data):
        expected = rule.of(row)
        assert (bool(holds[i]), bool(may[i])) == (expected is True, expected is not False)
        # One row alone says what it says among others.
        assert compiled.holds(X[i : i + 1])[0] == holds[i]
        assert compiled.may_hold(X[i : i + 1])[0] == may[i]


FLAT = st.lists(
    st.tuples(
        st.sampled_from(["", "not "]),
        st.sampled_from(["age > 1", "member", "device == 'ios'", "basket - 1 - age < 1", "-age * 2 + 1 > 0"]),
        st.sampled_from([" and ", " or "]),
    ),
    min_size=2,
    max_size=6,
)


@given(FLAT, st.integers(-3, 3), st.integers(-3, 3), st.booleans(), st.sampled_from(DEVICES))
def test_without_parentheses_a_rule_reads_as_python_reads_it(
    parts: list[tuple[str, str, str]], age: int, basket: int, member: bool, device: str
) -> None:
    text = "".join(f"{negation}{term}{joint}" for negation, term, joint in parts).rsplit(" ", 2)[0]
    row: Row = {"age": age, "basket": basket, "member": member, "device": device}
    assert truth(text, row) is bool(eval(text, {}, dict(row)))


def test_rules_over_no_rows_are_rules() -> None:
    X = np.empty((0, len(SCHEMA)))
    for rule in (*PLAYBOOK.stage_rules, *PLAYBOOK.action_rules, *PLAYBOOK.stop_rules):
        assert rule.holds(X).shape == rule.may_hold(X).shape == (0,)
