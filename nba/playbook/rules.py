"""Rule expressions: `churn > 0.3 and stage in ["purchase"]`, parsed once, then array code.

Parsed with Python's `ast` against a whitelist and type-checked against the feature schema, so a rule
that loads can't fail on a request. Numbers, booleans and categories don't mix. Three-valued: what is not
known is neither true nor false, and `not` leaves it so. `known(age)` asks whether a feature is known.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nba.playbook import truth
from nba.playbook.declaration import SEGMENT, Feature, FeatureSchema
from nba.playbook.truth import BooleanCode, Bools, Floats, NumberCode

Type = Literal["number", "boolean", "category"]

_CONSTANTS = {"true": True, "false": False}
_DEEPEST = 50  # levels of nesting: code is as deep as the expression, and must never run out of stack
_LARGEST = float(np.finfo(np.float64).max)
_COMPARE: dict[type[ast.cmpop], Callable[[Floats, Floats], Bools]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


class RuleError(ValueError):
    """The expression is not a rule over this schema; the message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A compiled rule.

    Attributes:
        text: as written.
        code: (n, F) features → (surely true, surely false), each (n,).
    """

    text: str
    code: BooleanCode

    def holds(self, features: Floats) -> Bools:
        """(n, F) → (n,): where the rule surely holds. Unknown is no."""
        return self.code(features)[0]

    def may_hold(self, features: Floats) -> Bools:
        """(n, F) → (n,): where the rule holds or is not known; for rules that forbid."""
        return ~self.code(features)[1]


def rule_names(text: str) -> set[str]:
    """The names an expression uses; empty where it doesn't parse (compiling then says why)."""
    try:
        return {node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name)}
    except RuleError:
        return set()


def segment_names(text: str) -> set[str]:
    """The segments by name that an expression asks for; empty where it doesn't parse."""
    try:
        compares = [node for node in ast.walk(_parse(text)) if isinstance(node, ast.Compare)]
    except RuleError:
        return set()
    asking = [
        node for node in compares if SEGMENT in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    ]
    values = [node.value for one in asking for node in ast.walk(one) if isinstance(node, ast.Constant)]
    return {value for value in values if isinstance(value, str)}


def compile_rule(text: str, schema: FeatureSchema, without: frozenset[str] = frozenset()) -> Rule:
    """Compile `text` over `schema`; `without` are the feature groups not yet known at that point.

    Raises:
        RuleError: the text is no expression, names an unknown feature, or mixes types.
    """
    return Rule(text=text, code=_Compiler(schema, without).boolean(_parse(text)))


def _parse(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
            body = ast.parse(text.strip(), mode="eval").body
    except (RecursionError, MemoryError):
        raise RuleError("the expression is nested too deeply") from None
    except (SyntaxError, ValueError) as error:
        # ValueError has it of null bytes and of integers with thousands of digits.
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise RuleError(f"{_short(text)} is not an expression: {reason[:80]}") from None
    level: list[ast.AST] = [body]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return body
    raise RuleError("the expression is nested too deeply")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


class _Compiler:
    def __init__(self, schema: FeatureSchema, without: frozenset[str]) -> None:
        self._schema = schema
        self._without = without

    def boolean(self, node: ast.expr) -> BooleanCode:
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self.boolean(value) for value in values]
                return truth.every(parts) if isinstance(op, ast.And) else truth.some(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return truth.negated(self.boolean(operand))
            case ast.Compare():
                return self._comparison(node)
            case ast.Constant(value=bool(value)):
                return truth.always(value)
            case ast.Name(id=name) if name in _CONSTANTS:
                return truth.always(_CONSTANTS[name])
            case ast.Name():
                feature = self._feature(node)
                if feature.kind == "boolean":
                    return truth.truthy(self._schema.index[feature.name])
                raise RuleError(f"{feature.name} is a {feature.kind}: compare it with something")
            case ast.Call(func=ast.Name(id="known"), args=[ast.Name() as name], keywords=[]):
                return truth.is_known(self._schema.index[self._feature(name).name])
        raise RuleError(f"{_written(node)} is not true or false; use comparisons, and, or, not, in")

    def _comparison(self, node: ast.Compare) -> BooleanCode:
        terms = [node.left, *node.comparators]
        parts = [
            self._pair(left, op, right) for left, op, right in zip(terms, node.ops, terms[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else truth.every(parts)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> BooleanCode:
        if isinstance(op, ast.In | ast.NotIn):
            code = self._membership(left, right)
            return truth.negated(code) if isinstance(op, ast.NotIn) else code
        types = {self._type(left), self._type(right)}
        if "category" in types:
            return self._same_category(left, op, right)
        if types == {"boolean"} and isinstance(op, ast.Eq | ast.NotEq):
            equal = truth.same(self.boolean(left), self.boolean(right))
            return truth.negated(equal) if isinstance(op, ast.NotEq) else equal
        if "boolean" in types:
            culprit = left if self._type(left) == "boolean" else right
            raise RuleError(f"{_written(culprit)} is true or false: compare it with == or != to the like")
        if type(op) not in _COMPARE:
            raise RuleError(f"{_written(left)} is compared by an operator that rules don't have")
        return truth.compared(_COMPARE[type(op)], self.number(left), self.number(right))

    def _same_category(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> BooleanCode:
        one, other = (left, right) if self._type(left) == "category" else (right, left)
        if not isinstance(op, ast.Eq | ast.NotEq):
            raise RuleError(f"{_written(one)} is a category: use == , != or in")
        equal = self._membership(one, ast.List(elts=[other]))
        return truth.negated(equal) if isinstance(op, ast.NotEq) else equal

    def _type(self, node: ast.expr) -> Type:
        """What a term would be; whether it is that, is found when it is compiled."""
        match node:
            case ast.BoolOp() | ast.Compare() | ast.Call() | ast.UnaryOp(op=ast.Not()):
                return "boolean"
            case ast.Constant(value=bool()):
                return "boolean"
            case ast.Name(id=name):
                return "boolean" if name in _CONSTANTS else self._feature(node).kind
        return "number"

    def _membership(self, left: ast.expr, right: ast.expr) -> BooleanCode:
        if not isinstance(left, ast.Name) or not isinstance(right, ast.List | ast.Tuple):
            raise RuleError('in takes a feature and a list, such as stage in ["purchase"]')
        feature = self._feature(left)
        codes = [self._member(feature, element) for element in right.elts]
        return truth.is_in(self._schema.index[feature.name], np.array(codes, dtype=np.float64))

    def _member(self, feature: Feature, element: ast.expr) -> float:
        value = _constant_of(element)
        if feature.kind == "category":
            if not isinstance(value, str):
                raise RuleError(f"{feature.name} is a category: compare it with a quoted name")
            if value not in feature.categories:
                hint = nearest(value, feature.categories)
                raise RuleError(f"{feature.name} is never {value!r}{hint}")
            return float(feature.categories.index(value))
        wanted = bool if feature.kind == "boolean" else float
        if type(value) is not wanted:
            raise RuleError(f"{feature.name} is a {feature.kind}: compare it with {feature.kind}s")
        return float(value)

    def number(self, node: ast.expr) -> NumberCode:
        match node:
            case ast.Constant() if type(value := _constant_of(node)) is float:
                return truth.number(value)
            case ast.Name(id=name) if name not in _CONSTANTS:
                feature = self._feature(node)
                if feature.kind != "number":
                    raise RuleError(f"{feature.name} is a {feature.kind}, not a number")
                return truth.column(self._schema.index[feature.name])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return truth.combined(np.subtract, truth.number(0.0), self.number(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return truth.combined(_ARITHMETIC[type(op)], self.number(left), self.number(right))
        raise RuleError(f"{_written(node)} is not a number")

    def _feature(self, node: ast.Name) -> Feature:
        position = self._schema.index.get(node.id)
        if position is None:
            raise RuleError(f"there is no feature {node.id!r}{nearest(node.id, self._schema.names)}")
        feature = self._schema.features[position]
        if feature.group in self._without:
            raise RuleError(f"{node.id} is not known yet where this rule is asked")
        return feature


def _constant_of(node: ast.expr) -> bool | float | str | None:
    """A constant's value, numbers as float; None for what is no constant. Raises RuleError for infinity."""
    match node:
        case ast.Constant(value=bool(value) | str(value)):
            return value
        case ast.Constant(value=int(value) | float(value)):
            if abs(value) > _LARGEST:
                raise RuleError(f"{_written(node)} is too large: numbers in rules are finite")
            return float(value)
        case ast.Name(id=name):
            return _CONSTANTS.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _constant_of(operand)
            return -positive if type(positive) is float else None
    return None


def _written(node: ast.expr) -> str:
    try:
        return _short(ast.unparse(node))
    except ValueError:  # an integer of more digits than Python prints
        return "a number"


def nearest(name: str, names: tuple[str, ...] | list[str]) -> str:
    """`; did you mean 'email'?`, or nothing where no name is near."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
