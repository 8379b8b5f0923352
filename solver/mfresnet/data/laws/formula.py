# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Formulas in x[0], x[1], x[2]: looked through node by node, evaluated by NumPy, never run.

A new function is one row of ``FUNCTIONS``.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import erf

from mfresnet.arrays import Array
from mfresnet.errors import suggestion

Evaluation = Callable[[Array], Any]

FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "arccos": (1, np.arccos),
    "arcsin": (1, np.arcsin),
    "arctan": (1, np.arctan),
    "arctan2": (2, np.arctan2),
    "cos": (1, np.cos),
    "cosh": (1, np.cosh),
    "erf": (1, erf),
    "exp": (1, np.exp),
    "heaviside": (1, lambda u: np.heaviside(u, 0.5)),
    "hypot": (2, np.hypot),
    "log": (1, np.log),
    "maximum": (2, np.maximum),
    "minimum": (2, np.minimum),
    "sign": (1, np.sign),
    "sin": (1, np.sin),
    "sinh": (1, np.sinh),
    "sqrt": (1, np.sqrt),
    "tan": (1, np.tan),
    "tanh": (1, np.tanh),
    "where": (3, lambda condition, a, b: np.where(condition != 0.0, a, b)),
}
"""Name -> number of arguments and function."""
CONSTANTS = {"e": np.e, "pi": np.pi}
OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
SIGNS: dict[type[ast.AST], Callable[[Any], Any]] = {ast.USub: np.negative, ast.UAdd: np.positive}
COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
"""They are 1 where they hold and 0 elsewhere."""
DEEPEST = 300
"""Operations inside one another."""


@dataclass(frozen=True)
class Formula:
    """A formula that was looked through.

    Attributes:
        text: the formula.
        dimension: the least number of coordinates that it needs.
    """

    text: str
    dimension: int
    _value: Evaluation

    def __call__(self, x: Array) -> Array:
        """Return the values at points x, (d, n) -> (n,); they may be infinite or no number."""
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self._value(x), dtype=float), x.shape[1:])


@lru_cache(maxsize=256)
def read_formula(text: str) -> Formula:
    """Return the formula in a text.

    Raises:
        ValueError: it is none; the message starts with "expected".
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python, about a text that it is not to run
            tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        why = error.msg.split(".")[0].split(";")[0]
        raise ValueError(f"expected a formula such as exp(-x[0]**2) ({why})") from None
    except (MemoryError, RecursionError, ValueError):
        raise ValueError("expected a formula such as exp(-x[0]**2)") from None
    indices: set[int] = set()
    value = _evaluation(tree.body, indices, 0)
    return Formula(text, 1 + max(indices, default=0), value)


def _evaluation(node: ast.expr, indices: set[int], depth: int) -> Evaluation:
    """Return what evaluates a part of a formula at points; the coordinates go into ``indices``."""
    if depth > DEEPEST:
        raise ValueError(f"expected at most {DEEPEST} operations inside one another")

    def part(inner: ast.expr) -> Evaluation:
        return _evaluation(inner, indices, depth + 1)

    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            constant = np.float64(_as_float(node.value))
            return lambda x: constant
        case ast.Name(id=name) if name in CONSTANTS:
            constant = np.float64(CONSTANTS[name])
            return lambda x: constant
        case ast.Subscript(value=ast.Name(id="x"), slice=ast.Constant(value=0 | 1 | 2 as i)):
            index = int(i)
            indices.add(index)
            return lambda x: x[index]
        case ast.BinOp() if type(node.op) in OPERATORS:
            combine, a, b = OPERATORS[type(node.op)], part(node.left), part(node.right)
            return lambda x: combine(a(x), b(x))
        case ast.UnaryOp() if type(node.op) in SIGNS:
            signed, inner = SIGNS[type(node.op)], part(node.operand)
            return lambda x: signed(inner(x))
        case ast.Compare() if all(type(op) in COMPARISONS for op in node.ops):
            tests = [COMPARISONS[type(op)] for op in node.ops]
            terms = [part(term) for term in (node.left, *node.comparators)]
            return lambda x: _compared(tests, [term(x) for term in terms])
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            count, function = FUNCTIONS[name]
            if len(node.args) != count:
                raise ValueError(f"expected {name} of {count} and not of {len(node.args)} values")
            arguments = [part(argument) for argument in node.args]
            return lambda x: function(*(argument(x) for argument in arguments))
    raise ValueError(_refusal(node))


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf


def _compared(tests: list[Callable[[Any, Any], Any]], values: list[Any]) -> Any:
    """Return 1 where a chain of comparisons holds, 0 elsewhere."""
    holds = 1.0
    for test, a, b in zip(tests, values[:-1], values[1:], strict=True):
        holds = holds * test(a, b)
    return holds


def _refusal(node: ast.expr) -> str:
    """Return what was expected instead of a part of a formula."""
    given = _text(node)
    match node:
        case ast.BinOp(op=ast.BitXor()):
            return "expected ** for powers, not ^"
        case ast.Subscript(value=ast.Name(id="x")) | ast.Name(id="x"):
            return f"expected x[0], x[1] or x[2], not {given}"
        case ast.Call(func=ast.Name(id=name)) if name not in FUNCTIONS:
            return _unknown(name, list(FUNCTIONS))
        case ast.Name(id=name) if name in FUNCTIONS:
            return f"expected {name}(...), not {name}"
        case ast.Name(id=name):
            return _unknown(name, ["x[0]", "x[1]", "x[2]", *CONSTANTS])
    names = ", ".join(FUNCTIONS)
    return f"expected numbers, x[i], + - * / **, < <= > >= and {names}, not {given}"


def _text(node: ast.expr) -> str:
    """Return a part of a formula as it is shown."""
    try:
        return _short(ast.unparse(node))
    except RecursionError:
        return "this"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _unknown(name: str, known: list[str]) -> str:
    name = _short(name)
    hint = suggestion(name, known).strip().rstrip("?").replace("Did", "did")
    return f"expected one of {', '.join(known)}, not {name}" + (f" ({hint}?)" if hint else "")
