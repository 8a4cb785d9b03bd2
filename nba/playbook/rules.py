"""Rule expressions: `churn > 0.3 and stage in ["purchase"]`, parsed once, then array code.

Parsed with Python's `ast` against a whitelist and type-checked against the feature schema, so a rule
that loads can't fail on a request. Three-valued: what is not known is neither true nor false, and
`not` leaves it so. `known(age)` asks whether a feature is known at all.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.playbook.declaration import Feature, FeatureSchema

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
# What a boolean expression is, row by row: (surely true, surely false); neither is unknown.
Truth = tuple[Bools, Bools]
BooleanCode = Callable[[Floats], Truth]
NumberCode = Callable[[Floats], Floats]

_CONSTANTS = {"true": True, "false": False}
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
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def compile_rule(text: str, schema: FeatureSchema, without: frozenset[str] = frozenset()) -> Rule:
    """Compile `text` over `schema`; `without` are the feature groups not yet known at that point.

    Raises:
        RuleError: the text is no expression, names an unknown feature, or mixes types.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RuleError(f"{text!r} is not an expression: {error}") from None
    compiler = _Compiler(schema, without)
    try:
        return Rule(text=text, code=compiler.boolean(tree.body))
    except RecursionError:
        raise RuleError("the expression is nested too deeply") from None


class _Compiler:
    def __init__(self, schema: FeatureSchema, without: frozenset[str]) -> None:
        self._schema = schema
        self._without = without

    def boolean(self, node: ast.expr) -> BooleanCode:
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self.boolean(value) for value in values]
                return _all(parts) if isinstance(op, ast.And) else _any(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _not(self.boolean(operand))
            case ast.Compare():
                return self._comparison(node)
            case ast.Constant(value=bool(value)):
                return _constant(value)
            case ast.Name(id=name) if name in _CONSTANTS and name not in self._schema.index:
                return _constant(_CONSTANTS[name])
            case ast.Name():
                feature = self._feature(node)
                if feature.kind == "boolean":
                    return _truthy(self._schema.index[feature.name])
                raise RuleError(f"{feature.name} is a {feature.kind}: compare it with something")
            case ast.Call(func=ast.Name(id="known"), args=[ast.Name() as name], keywords=[]):
                return _known(self._schema.index[self._feature(name).name])
        raise RuleError(f"{ast.unparse(node)!r} is not true or false; use comparisons, and, or, not, in")

    def _comparison(self, node: ast.Compare) -> BooleanCode:
        terms = [node.left, *node.comparators]
        parts = [
            self._pair(left, op, right) for left, op, right in zip(terms, node.ops, terms[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else _all(parts)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> BooleanCode:
        if isinstance(op, ast.In | ast.NotIn):
            code = self._membership(left, right)
            return _not(code) if isinstance(op, ast.NotIn) else code
        if type(op) not in _COMPARE:
            raise RuleError(f"{ast.unparse(left)!r} is compared by an operator that rules don't have")
        for one, other in ((left, right), (right, left)):
            if isinstance(one, ast.Name) and self._kind(one) == "category":
                if not isinstance(op, ast.Eq | ast.NotEq):
                    raise RuleError(f"{one.id} is a category: use == , != or in")
                code = self._membership(one, ast.List(elts=[other]))
                return _not(code) if isinstance(op, ast.NotEq) else code
        return _compare(_COMPARE[type(op)], self.number(left), self.number(right))

    def _membership(self, left: ast.expr, right: ast.expr) -> BooleanCode:
        if not isinstance(left, ast.Name) or not isinstance(right, ast.List | ast.Tuple):
            raise RuleError('in takes a feature and a list, such as stage in ["purchase"]')
        feature = self._feature(left)
        codes = [self._member(feature, element) for element in right.elts]
        return _is_in(self._schema.index[feature.name], np.array(codes, dtype=np.float64))

    def _member(self, feature: Feature, element: ast.expr) -> float:
        value = element.value if isinstance(element, ast.Constant) else None
        if feature.kind == "category":
            if not isinstance(value, str):
                raise RuleError(f"{feature.name} is a category: compare it with a quoted name")
            if value not in feature.categories:
                hint = nearest(value, feature.categories)
                raise RuleError(f"{feature.name} is never {value!r}{hint}")
            return float(feature.categories.index(value))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuleError(f"{feature.name} is a {feature.kind}: compare it with numbers")
        return float(value)

    def number(self, node: ast.expr) -> NumberCode:
        match node:
            case ast.Constant(value=bool(value)):
                return _number(float(value))
            case ast.Constant(value=int(value) | float(value)):
                if not np.isfinite(float(value)):
                    raise RuleError("numbers in rules are finite")
                return _number(float(value))
            case ast.Name(id=name) if name in _CONSTANTS and name not in self._schema.index:
                return _number(float(_CONSTANTS[name]))
            case ast.Name():
                feature = self._feature(node)
                if feature.kind == "category":
                    raise RuleError(f"{feature.name} is a category, not a number")
                return _column(self._schema.index[feature.name])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _arithmetic(np.subtract, _number(0.0), self.number(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _arithmetic(_ARITHMETIC[type(op)], self.number(left), self.number(right))
        raise RuleError(f"{ast.unparse(node)!r} is not a number")

    def _kind(self, node: ast.Name) -> str | None:
        known = node.id in self._schema.index or node.id not in _CONSTANTS
        return self._feature(node).kind if known else None

    def _feature(self, node: ast.Name) -> Feature:
        position = self._schema.index.get(node.id)
        if position is None:
            raise RuleError(f"there is no feature {node.id!r}{nearest(node.id, self._schema.names)}")
        feature = self._schema.features[position]
        if feature.group in self._without:
            raise RuleError(f"{node.id} is not known yet where this rule is asked")
        return feature


def nearest(name: str, names: tuple[str, ...] | list[str]) -> str:
    """`; did you mean 'email'?`, or nothing where no name is near."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _all(parts: list[BooleanCode]) -> BooleanCode:
    def code(X: Floats) -> Truth:
        truths = [part(X) for part in parts]
        return np.all([t for t, _ in truths], axis=0), np.any([f for _, f in truths], axis=0)

    return code


def _any(parts: list[BooleanCode]) -> BooleanCode:
    def code(X: Floats) -> Truth:
        truths = [part(X) for part in parts]
        return np.any([t for t, _ in truths], axis=0), np.all([f for _, f in truths], axis=0)

    return code


def _not(part: BooleanCode) -> BooleanCode:
    def code(X: Floats) -> Truth:
        true, false = part(X)
        return false, true

    return code


def _constant(value: bool) -> BooleanCode:
    def code(X: Floats) -> Truth:
        true = np.full(len(X), value)
        return true, ~true

    return code


def _truthy(column: int) -> BooleanCode:
    def code(X: Floats) -> Truth:
        values = X[:, column]
        return values == 1.0, values == 0.0

    return code


def _known(column: int) -> BooleanCode:
    def code(X: Floats) -> Truth:
        missing = np.isnan(X[:, column])
        return ~missing, missing

    return code


def _is_in(column: int, codes: Floats) -> BooleanCode:
    def code(X: Floats) -> Truth:
        values = X[:, column]
        true: Bools = np.isin(values, codes)
        return true, ~true & ~np.isnan(values)

    return code


def _compare(op: Callable[[Floats, Floats], Bools], left: NumberCode, right: NumberCode) -> BooleanCode:
    def code(X: Floats) -> Truth:
        a, b = left(X), right(X)
        unknown = np.isnan(a) | np.isnan(b)
        true: Bools = op(a, b)
        return true & ~unknown, ~true & ~unknown

    return code


def _number(value: float) -> NumberCode:
    def code(X: Floats) -> Floats:
        return np.full(len(X), value)

    return code


def _column(column: int) -> NumberCode:
    def code(X: Floats) -> Floats:
        return X[:, column]

    return code


def _arithmetic(op: Callable[[Floats, Floats], Floats], left: NumberCode, right: NumberCode) -> NumberCode:
    def code(X: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = op(left(X), right(X))
        return np.where(np.isfinite(value), value, np.nan)

    return code
