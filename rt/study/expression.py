"""Formulas over the summary of a run, such as `not fell and tracking.com_rms_m < 0.03`.

A formula comes from a file and may come from someone else: it is parsed to Python's syntax tree, of which
only arithmetic, comparisons, a few functions and the figures of the summary are allowed, and it is evaluated
here. No code of the formula is ever run by Python.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kilohertz.robots.config.config_error import did_you_mean

LONGEST = 1000
DEEPEST = 50
LARGEST = 1e15
"""Largest number in a formula."""
LARGEST_POWER = 100.0
TIMINGS = ("latency_us", "overruns", "provenance")
"""Keys of the summary that depend on the computer, so that a repeated run would give another outcome."""


class FormulaError(ValueError):
    """A formula cannot be used; the text continues its name, as in "is not a formula"."""


class UnknownFigureError(Exception):
    """A figure of the formula was not produced by the run; the text names it."""


def _norm(values: Any) -> float:
    return math.hypot(*values)


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > LARGEST_POWER:
        raise FormulaError(f"has an exponent beyond {LARGEST_POWER:g}")
    return float(base) ** exponent


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sum": sum,
    "len": len,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "norm": _norm,
}
CONSTANTS = {
    "true": True,
    "false": False,
    "True": True,
    "False": False,
    "None": None,
    "null": None,
    "pi": math.pi,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class Formula:
    """A checked formula.

    Args:
        text: the formula, in Python's notation.

    Raises:
        FormulaError: the text is no formula, or uses what is not allowed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise FormulaError(f"is longer than {LONGEST} characters")
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise FormulaError(f"is not a formula: {reason}") from None
        _check(self._tree, 0)

    def figures(self) -> list[tuple[str, ...]]:
        """Returns the keys of each figure that the formula uses, such as ("tracking", "com_rms_m")."""
        return list(dict.fromkeys(_figures(self._tree)))

    def check_against(self, summary: Mapping[str, Any]) -> None:
        """Checks that the summary of a run has all figures of the formula.

        Raises:
            FormulaError: it has no such figure, or the figure depends on the computer.
        """
        for keys in self.figures():
            figure = ".".join(keys)
            if keys[0] in TIMINGS:
                raise FormulaError(f"uses {keys[0]}, which differs from run to run: see timing.parquet")
            value: Any = summary
            for depth, key in enumerate(keys):
                if value is None:
                    break
                if not isinstance(value, Mapping):
                    raise FormulaError(f"uses '{figure}', but {'.'.join(keys[:depth])} has no keys")
                if key not in value:
                    known = [".".join([*keys[:depth], str(name)]) for name in value]
                    wrong = ".".join(keys[: depth + 1])
                    raise FormulaError(
                        f"uses '{wrong}', which is no figure of the summary{did_you_mean(wrong, known)}"
                    )
                value = value[key]

    def value(self, summary: Mapping[str, Any]) -> Any:
        """Returns the value of the formula for the summary of a run.

        Raises:
            UnknownFigureError: the run did not produce a figure that is needed.
            FormulaError: the values do not fit the formula, such as text in a product.
        """
        try:
            return _value(self._tree, summary)
        except (TypeError, ZeroDivisionError, OverflowError, ValueError, LookupError) as error:
            raise FormulaError(f"cannot be evaluated: {error}") from None


def truth(formula: Formula, summary: Mapping[str, Any]) -> bool:
    """Returns the value of a formula that is true or false.

    Raises:
        UnknownFigureError: the run did not produce a figure that is needed.
        FormulaError: the value is neither true nor false.
    """
    value = formula.value(summary)
    if not isinstance(value, bool):
        raise FormulaError(f"should give true or false, not {value!r}")
    return value


def number(formula: Formula, summary: Mapping[str, Any]) -> float:
    """Returns the value of a formula that is a number.

    Raises:
        UnknownFigureError: the run did not produce a figure that is needed.
        FormulaError: the value is no finite number.
    """
    value = formula.value(summary)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FormulaError(f"should give a finite number, not {value!r}")
    return float(value)


def _check(node: ast.AST, depth: int) -> None:
    if depth > DEEPEST:
        raise FormulaError("is nested too deeply")
    allowed = _allowed(node)
    if allowed:
        raise FormulaError(allowed)
    for inner in _operands(node):
        _check(inner, depth + 1)


def _allowed(node: ast.AST) -> str:
    """Returns why a node of the syntax tree is not allowed; empty if it is."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, float | int) and not abs(node.value) <= LARGEST:
            return f"contains a number beyond {LARGEST:g}"
        return (
            "" if isinstance(node.value, bool | int | float | str | None) else "contains an unknown constant"
        )
    if isinstance(node, ast.Name):
        return f"uses '{node.id}', which is not allowed" if node.id.startswith("_") else ""
    if isinstance(node, ast.Attribute):
        return f"uses '{node.attr}', which is not allowed" if node.attr.startswith("_") else ""
    if isinstance(node, ast.Call):
        return _allowed_call(node)
    if isinstance(node, ast.BinOp):
        return "" if type(node.op) in _BINARY else "uses an operator that is not allowed"
    if isinstance(node, ast.UnaryOp):
        return "" if type(node.op) in _UNARY else "uses an operator that is not allowed"
    if isinstance(node, ast.Compare):
        return "" if all(type(op) in _COMPARE for op in node.ops) else "uses an operator that is not allowed"
    if isinstance(node, ast.BoolOp | ast.Subscript | ast.IfExp | ast.List | ast.Tuple):
        return ""
    return f"uses {type(node).__name__}, which is not allowed in a formula"


def _allowed_call(node: ast.Call) -> str:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in FUNCTIONS:
        return f"calls an unknown function{did_you_mean(name, FUNCTIONS)}: there are {', '.join(FUNCTIONS)}"
    return "calls a function with named arguments" if node.keywords else ""


def _operands(node: ast.AST) -> Sequence[ast.AST]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call):
        return node.args
    if isinstance(node, ast.IfExp):
        return [node.test, node.body, node.orelse]
    if isinstance(node, ast.List | ast.Tuple):
        return node.elts
    if isinstance(node, ast.Attribute):
        return [node.value]
    return [node.value, node.slice] if isinstance(node, ast.Subscript) else []


def _figures(node: ast.AST) -> Iterator[tuple[str, ...]]:
    keys = _keys(node)
    if keys is not None:
        if len(keys) > 1 or keys[0] not in CONSTANTS:
            yield keys
        return
    for inner in _operands(node):
        yield from _figures(inner)


def _keys(node: ast.AST) -> tuple[str, ...] | None:
    """Returns the keys that a node names, such as those of `tracking.hand_rms_m`; None if it names none.

    `qp["solver"]` is `qp.solver`: keys that are no names in Python, such as p99.9, are written in brackets.
    """
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        parent, name = _keys(node.value), node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        if not isinstance(node.slice.value, str):
            return None
        parent, name = _keys(node.value), node.slice.value
    else:
        return None
    return None if parent is None else (*parent, name)


def _value(node: ast.AST, summary: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return _figure(node, summary)
    if isinstance(node, ast.BoolOp):
        return _connected(node, summary)
    if isinstance(node, ast.Compare):
        return _compared(node, summary)
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, summary) else node.orelse, summary)
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_known(node.operand, summary))
    values = [_known(inner, summary) for inner in _operands(node)]
    if isinstance(node, ast.BinOp):
        # Python multiplies text and lists too, to any length.
        if not all(isinstance(value, int | float) for value in values):
            raise FormulaError(f"calculates with what is no number: {ast.unparse(node)}")
        return _BINARY[type(node.op)](*map(float, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return FUNCTIONS[node.func.id](*values)
    return values


def _connected(node: ast.BoolOp, summary: Mapping[str, Any]) -> Any:
    decides = isinstance(node.op, ast.Or)
    value: Any = not decides
    for inner in node.values:
        value = _known(inner, summary)
        if bool(value) is decides:
            return value
    return value


def _compared(node: ast.Compare, summary: Mapping[str, Any]) -> bool:
    left_node = node.left
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        # A comparison with None asks whether there is a figure.
        unknown = isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq)
        get = _value if unknown else _known
        if not _COMPARE[type(op)](get(left_node, summary), get(right_node, summary)):
            return False
        left_node = right_node
    return True


def _known(node: ast.AST, summary: Mapping[str, Any]) -> Any:
    value = _value(node, summary)
    if value is None:
        raise UnknownFigureError(ast.unparse(node))
    return value


def _figure(node: ast.AST, summary: Mapping[str, Any]) -> Any:
    """Returns a figure of the summary; None if the run did not produce it."""
    if isinstance(node, ast.Name):
        return CONSTANTS[node.id] if node.id in CONSTANTS else summary[node.id]
    if isinstance(node, ast.Attribute):
        parent = _figure(node.value, summary)
        return None if parent is None else parent[node.attr]
    if isinstance(node, ast.Subscript):
        parent = _value(node.value, summary)
        return None if parent is None else parent[_value(node.slice, summary)]
    return _value(node, summary)
