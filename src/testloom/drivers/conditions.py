"""Evaluates the conditions in ``control`` entries without ever running code from a test.

A condition is a Python expression of a small kind: names that the suite provides, their
attributes and items, literals, comparisons, ``in``, ``and``/``or``/``not``, ``x if c else y``, a
little arithmetic on numbers, and calls: of functions and of methods of objects that the suite
provides by name, of a few harmless built-ins, and of methods of texts and containers that only
look.  Nothing with an underscore in front can be named, nothing can be made that is much larger
than what is there, and evaluation always ends.  Whatever is not listed here is refused.

What goes wrong raises what Python would raise (`NameError`, `AttributeError`, ...), and
`ConditionError` for what is refused.
"""

from __future__ import annotations

import ast
import functools
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

MAX_LENGTH: Final = 4000
"""Characters in a condition."""
_MAX_DEPTH: Final = 100
_MAX_SIZE: Final = 100_000
"""Characters or items in anything that a condition makes."""
_MAX_BITS: Final = 4096


class ConditionError(ValueError):
    """The condition uses something that conditions may not; the message names it."""


def evaluate(condition: str, names: Mapping[str, Any]) -> Any:
    """Return the value of *condition*, in which *names* are known.

    Raises:
        SyntaxError: it is no expression.
        ConditionError: it is an expression of a kind that is refused.
        Exception: as evaluating it in Python would, or as a function in *names* does.
    """
    return _Evaluation(names).value_of(_parsed(condition))


@functools.lru_cache(maxsize=1024)  # thousands of tests share a handful of conditions
def _parsed(condition: str) -> ast.expr:
    if len(condition) > MAX_LENGTH:
        raise ConditionError(f"longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(condition.strip(), filename="<string>", mode="eval")
    except (MemoryError, RecursionError):
        raise ConditionError("nested too deeply") from None
    return tree.body


_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_SET_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.Sub: operator.sub,
}
_UNARY: Final[Mapping[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}

BUILTINS: Final[Mapping[str, Callable[..., Any]]] = {
    function.__name__: function
    for function in (len, str, int, float, bool, any, all, min, max, abs, set, list, tuple, sorted)
}
"""Functions known in every condition; names of the suite come before them."""

_STRING_METHODS: Final = frozenset(
    (
        *("startswith", "endswith", "lower", "upper", "casefold", "title", "capitalize"),
        *("swapcase", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "split"),
        *("rsplit", "splitlines", "partition", "rpartition", "find", "rfind", "index", "rindex"),
        *("count", "replace", "join", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit"),
        *("isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper"),
    )
)
"""``format`` and its like are missing on purpose: they reach any attribute of their arguments."""
_METHODS: Final[Sequence[tuple[Any, frozenset[str]]]] = (
    (str, _STRING_METHODS),
    (Mapping, frozenset(("get", "keys", "values", "items"))),
    ((list, tuple), frozenset(("count", "index"))),
    (
        (set, frozenset),
        frozenset(
            (
                *("issubset", "issuperset", "isdisjoint"),
                *("union", "intersection", "difference", "symmetric_difference"),
            )
        ),
    ),
)


class _Evaluation:
    """One evaluation of one condition."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._depth = 0

    def value_of(self, node: ast.expr) -> Any:
        method = _BY_NODE.get(type(node))
        if method is None:
            raise ConditionError(f"{_called(node)} cannot be used in a condition")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ConditionError("nested too deeply")
        value = method(self, node)
        self._depth -= 1
        return value

    def _constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, int):
            return _small(node.value)
        if isinstance(node.value, str | float | bytes) or node.value is None:
            return node.value
        raise ConditionError(f"{node.value!r} cannot be used in a condition")

    def _name(self, node: ast.Name) -> Any:
        name = _public(node.id)
        if name in self._names:
            return self._names[name]
        if name in BUILTINS:
            return BUILTINS[name]
        raise NameError(f"name {name!r} is not defined")

    def _attribute(self, node: ast.Attribute) -> Any:
        value = self.value_of(node.value)
        name = _public(node.attr)
        # Platforms and systems are tuples whose items have names, in the environment of e3.
        if _methods_of(value) and name not in getattr(type(value), "_fields", ()):
            raise ConditionError(f"{type(value).__name__}.{name} can only be called")
        return getattr(value, name)

    def _subscript(self, node: ast.Subscript) -> Any:
        value = self.value_of(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            return value[slice(*(None if p is None else self.value_of(p) for p in parts))]
        return value[self.value_of(node.slice)]

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Any:
        made = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return made(self.value_of(item) for item in node.elts)

    def _dict(self, node: ast.Dict) -> Any:
        made = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                raise ConditionError("'**' cannot be used in a condition")
            made[self.value_of(key)] = self.value_of(value)
        return made

    def _boolean(self, node: ast.BoolOp) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = None
        for part in node.values:
            value = self.value_of(part)
            if bool(value) is wanted:
                break
        return value

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value_of(node.left)
        outcome: Any = True
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self.value_of(part)
            outcome = _COMPARISONS[type(op)](left, right)
            if not outcome:
                break
            left = right
        return outcome

    def _choice(self, node: ast.IfExp) -> Any:
        return self.value_of(node.body if self.value_of(node.test) else node.orelse)

    def _unary(self, node: ast.UnaryOp) -> Any:
        if type(node.op) not in _UNARY:
            raise ConditionError("'~' cannot be used in a condition")
        return _UNARY[type(node.op)](self.value_of(node.operand))

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.value_of(node.left), self.value_of(node.right)
        kind = type(node.op)
        if _number(left) and _number(right) and kind in _ARITHMETIC:
            return _small(_ARITHMETIC[kind](left, right))
        if _set(left) and _set(right) and kind in _SET_OPERATIONS:
            return _SET_OPERATIONS[kind](left, right)
        if kind is ast.Add and type(left) is type(right) and type(left) in (str, list, tuple):
            return _sized(left + right)
        raise ConditionError(
            f"'{_called(node.op)}' of {type(left).__name__} and {type(right).__name__}"
            " cannot be used in a condition"
        )

    def _call(self, node: ast.Call) -> Any:
        function = self._callee(node.func)
        if node.keywords and function in BUILTINS.values():
            # `key=` would call whatever it is given.
            raise ConditionError("built-in functions take no keywords in a condition")
        if any(isinstance(arg, ast.Starred) for arg in node.args) or any(
            keyword.arg is None for keyword in node.keywords
        ):
            raise ConditionError("'*' and '**' cannot be used in a condition")
        arguments = [self.value_of(arg) for arg in node.args]
        named = {str(keyword.arg): self.value_of(keyword.value) for keyword in node.keywords}
        return function(*arguments, **named)

    def _callee(self, node: ast.expr) -> Callable[..., Any]:
        """Return what a call may call: a function known by name, or a method that only looks."""
        if isinstance(node, ast.Name):
            function: Callable[..., Any] = self._name(node)
            return function
        if not isinstance(node, ast.Attribute):
            raise ConditionError("only names and methods can be called in a condition")
        owner = self.value_of(node.value)
        name = _public(node.attr)
        if name not in _methods_of(owner) and not self._given(node.value, owner):
            raise ConditionError(f"{type(owner).__name__}.{name}() cannot be called in a condition")
        if isinstance(owner, str) and name in _BOUNDED:
            return functools.partial(_BOUNDED[name], owner)
        method: Callable[..., Any] = getattr(owner, name)
        return method

    def _given(self, node: ast.expr, owner: object) -> bool:
        """Tell whether the suite itself gave *owner* to conditions, under the name *node*.

        ``env`` is not given for its methods, nor are modules, classes and plain values.
        """
        return (
            isinstance(node, ast.Name)
            and node.id != "env"
            and node.id in self._names
            and not isinstance(owner, type | types.ModuleType | bytes | int | float)
            and not _methods_of(owner)
        )


_BY_NODE: Final[Mapping[type[ast.expr], Callable[[_Evaluation, Any], Any]]] = {
    ast.Constant: _Evaluation._constant,  # noqa: SLF001 - its own table
    ast.Name: _Evaluation._name,  # noqa: SLF001
    ast.Attribute: _Evaluation._attribute,  # noqa: SLF001
    ast.Subscript: _Evaluation._subscript,  # noqa: SLF001
    ast.List: _Evaluation._sequence,  # noqa: SLF001
    ast.Tuple: _Evaluation._sequence,  # noqa: SLF001
    ast.Set: _Evaluation._sequence,  # noqa: SLF001
    ast.Dict: _Evaluation._dict,  # noqa: SLF001
    ast.BoolOp: _Evaluation._boolean,  # noqa: SLF001
    ast.Compare: _Evaluation._compare,  # noqa: SLF001
    ast.IfExp: _Evaluation._choice,  # noqa: SLF001
    ast.UnaryOp: _Evaluation._unary,  # noqa: SLF001
    ast.BinOp: _Evaluation._binary,  # noqa: SLF001
    ast.Call: _Evaluation._call,  # noqa: SLF001
}


def _replaced(text: str, old: str, new: str, count: int = -1) -> str:
    places = text.count(old) if count < 0 else min(count, text.count(old))
    _check_size(len(text) + places * len(new))
    return text.replace(old, new, count)


def _joined(text: str, parts: Sequence[str]) -> str:
    parts = list(parts)
    _check_size(sum(len(part) for part in parts) + len(text) * len(parts))
    return text.join(parts)


_BOUNDED: Final[Mapping[str, Callable[..., str]]] = {"replace": _replaced, "join": _joined}
"""Methods of texts that could make something huge out of something small."""


def _check_size(size: int) -> None:
    if size > _MAX_SIZE:
        raise ConditionError(f"makes something larger than {_MAX_SIZE}")


def _sized(value: Any) -> Any:
    _check_size(len(value))
    return value


def _small(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ConditionError(f"a number of more than {_MAX_BITS} bits")
    return value


def _methods_of(value: object) -> frozenset[str]:
    """Return the methods that may be called on *value*; empty unless it is of a known kind."""
    for kinds, methods in _METHODS:
        if isinstance(value, kinds):
            return methods
    return frozenset()


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _set(value: object) -> bool:
    return isinstance(value, set | frozenset)


def _public(name: str) -> str:
    if name.startswith("_"):
        raise ConditionError(f"{name!r} starts with an underscore")
    return name


_SYMBOLS: Final = {
    "Lambda": "lambda",
    "ListComp": "a comprehension",
    "SetComp": "a comprehension",
    "DictComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "JoinedStr": "an f-string",
    "NamedExpr": "':='",
    "Starred": "'*'",
    "Pow": "**",
    "Mult": "*",
    "Mod": "%",
    "Add": "+",
    "Sub": "-",
    "Div": "/",
    "FloorDiv": "//",
    "LShift": "<<",
    "RShift": ">>",
    "BitOr": "|",
    "BitAnd": "&",
    "BitXor": "^",
    "MatMult": "@",
}


def _called(node: ast.AST) -> str:
    """Return what people call *node*."""
    kind = type(node).__name__
    return _SYMBOLS.get(kind, kind.lower())
