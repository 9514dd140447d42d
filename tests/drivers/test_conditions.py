"""Conditions of `control` entries: what they can say, and that they can do no harm."""

from __future__ import annotations

import os
import types
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.fuzzing import trying

from testloom.drivers.conditions import BUILTINS, MAX_LENGTH, ConditionError, evaluate


class Compiler:
    version = (3, 2)

    def supports(self, feature: Any) -> Any:
        return feature == "simd"


ENV = types.SimpleNamespace(
    target=types.SimpleNamespace(os=types.SimpleNamespace(name="linux"), bits=64),
    options=types.SimpleNamespace(slow=False, modes=["fast", "safe"]),
    called=[],
)
ENV.dangerous = lambda *args, **kwargs: ENV.called.append(args)
NAMES = {
    "env": ENV,
    "mode": "native",
    "discs": ["linux", "x86"],
    "limits": {"memory": 10},
    "has": lambda name, deep=False: name == "gcc" and not deep,
    "compiler": Compiler(),
    "os": os,
    "number": 3,
}


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("True", True),
        ("None is None", True),
        ("env.target.os.name == 'linux'", True),
        ("env.target.os.name.startswith(('win', 'darwin'))", False),
        ("env.target.bits < 64 or 'x86' in discs", True),
        ("'arm' not in discs and mode == 'native'", True),
        ("not env.options.slow", True),
        ("mode in ('native', 'cross')", True),
        ("mode in {'native', 'cross'}", True),
        ("{'a': 1}['a'] == 1", True),
        ("limits['memory'] >= 2 * 5", True),
        ("limits.get('disk', 0) - 1", -1),
        ("1 < number <= 3 != 4", True),
        ("'yes' if has('gcc') else 'no'", "yes"),
        ("has('gcc', deep=True)", False),
        ("compiler.supports('simd') and compiler.version >= (3, 1)", True),
        ("mode.upper().replace('NA', 'x').split('T')[0]", "x"),
        ("'-'.join(discs)", "linux-x86"),
        ("discs[-1][1:]", "86"),
        ("len(discs) == 2 and any([False, 1]) and max(1, 2) == 2", True),
        ("set(discs) & {'x86'} == {'x86'}", True),
        ("{'x86'}.issubset(discs)", True),
        ("'a' + 'b' == 'ab'", True),
        ("-number % 2", 1),
        ("  number == 3  ", True),
        ("7 // 2 + 1 / 2", 3.5),
        ("'fast' in env.options.modes", True),
        ("'x' and ''", ""),
        ("0 or None", None),
    ],
)
def test_conditions_say_what_suites_need(condition: str, value: Any) -> None:
    assert evaluate(condition, NAMES) == value


@pytest.mark.parametrize(
    ("condition", "error", "message"),
    [
        ("x == 1", NameError, "name 'x' is not defined"),
        ("env.nosuch", AttributeError, "'types.SimpleNamespace' object has no attribute 'nosuch'"),
        ("1 +", SyntaxError, "invalid syntax (<string>, line 1)"),
        ("", SyntaxError, "invalid syntax (<string>, line 0)"),
        ("1 < 'a'", TypeError, "'<' not supported between instances of 'int' and 'str'"),
        ("limits['x']", KeyError, "'x'"),
        ("1 / 0", ZeroDivisionError, "division by zero"),
        ("number()", TypeError, "'int' object is not callable"),
    ],
)
def test_mistakes_are_those_of_python(condition: str, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        evaluate(condition, NAMES)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "condition",
    [
        "__import__('os').system('true')",
        "os.system('true')",
        "().__class__.__base__.__subclasses__()",
        "env.__class__",
        "env._private",
        "_name",
        "env.dangerous('x')",
        "sorted(['x'], key=env.dangerous)",
        "max(['x'], key=env.dangerous)",
        "env.target.os.name.upper.__self__",
        "mode.upper",
        "'{0.__class__}'.format(env)",
        "'{x}'.format_map(limits)",
        "mode.encode('idna')",
        "f'{env}'",
        "lambda: 1",
        "(lambda: 1)()",
        "[x for x in discs]",
        "any(x for x in discs)",
        "(x := 3)",
        "'a' * 10",
        "[1] * 10",
        "'%99999999d' % 1",
        "2 ** 9999",
        "1 << 9999",
        "~1",
        "...",
        "1j",
        "has(*discs)",
        "has(**limits)",
        "{**limits}",
        "[*discs]",
        "open('/etc/passwd')",
        "eval('1')",
        "getattr(env, 'called')",
        "discs.append('x')",
        "limits.clear()",
        "has('x')('y')",
        "await x",
    ],
)
def test_what_could_do_harm_is_refused(condition: str) -> None:
    with pytest.raises((ConditionError, NameError, SyntaxError)):
        evaluate(condition, NAMES)
    assert (ENV.called, NAMES["discs"], NAMES["limits"]) == ([], ["linux", "x86"], {"memory": 10})


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 500 + "1" + ")" * 500,
        "not " * 900 + "1",
        "-" * 3000 + "1",
        "env" + ".a" * 1500,
        "[" * 150 + "]" * 150,
        "1" + "+1" * 1800,
        "x" * (MAX_LENGTH + 1),
        "'" + "a" * 300 + "'" + ".replace('a', 'aaaaaaaaaa')" * 30,
        "9" * 3900,
        "9999999999 * 9999999999 " + "* 9999999999" * 150,
        "'a'.join(" * 40 + "'aa'" + ")" * 40,
        "\0",
    ],
)
def test_what_is_huge_or_deep_ends_at_once(condition: str) -> None:
    with pytest.raises((ConditionError, SyntaxError, ValueError, AttributeError)):
        evaluate(condition, NAMES)


def leaf() -> Any:
    names = st.sampled_from(["mode", "discs", "number", "limits", "env", "has", "os", "compiler"])
    literals = st.one_of(
        st.integers(-5, 5).map(repr),
        st.text("ab_{}0.%", max_size=6).map(repr),
        st.sampled_from(["True", "None", "()", "[]", "{}", "1.5"]),
    )
    return st.one_of(names, literals)


def larger(inner: Any) -> Any:
    operators = ["+", "-", "*", "/", "//", "%", "&", "|", "==", "!=", "<", "in", "not in", "is",
                 "and", "or", "**", "<<"]  # fmt: skip
    attributes = ["name", "target", "os", "upper", "replace", "join", "split", "get", "dangerous",
                  "system", "format", "supports", "__class__", "append", "keys", "count"]  # fmt: skip
    functions = ["len", "str", "has", "sorted", "set", "int", "max", "list", "any", "open", "mode"]
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(lambda t: "({} {} {})".format(*t)),
        st.tuples(inner, st.sampled_from(attributes)).map(lambda t: "{}.{}".format(*t)),
        st.tuples(inner, st.sampled_from(attributes), inner).map(lambda t: "{}.{}({})".format(*t)),
        st.tuples(st.sampled_from(functions), inner).map(lambda t: "{}({})".format(*t)),
        st.tuples(inner, inner).map(lambda t: "{}[{}]".format(*t)),
        st.tuples(inner, inner).map(lambda t: "[{}, {}]".format(*t)),
        st.tuples(inner, inner, inner).map(lambda t: "({} if {} else {})".format(*t)),
        inner.map(lambda x: f"not {x}"),
        inner.map(lambda x: f"sorted({x}, key=env.dangerous)"),
    )


def by_python(condition: str) -> Any:
    with warnings.catch_warnings(action="ignore", category=SyntaxWarning):
        return eval(condition, {"__builtins__": BUILTINS, **NAMES})


EXPRESSIONS = st.recursive(leaf(), larger, max_leaves=12)


@trying()
@given(EXPRESSIONS)
def test_a_condition_is_refused_or_means_what_it_means_in_python(condition: str) -> None:
    """The evaluator knows less than Python, and nothing else."""
    try:
        value = evaluate(condition, NAMES)
    except ConditionError:
        return
    except Exception as error:  # noqa: BLE001 - Python's own errors are compared as well
        with pytest.raises(type(error)):
            by_python(condition)
        return
    finally:
        assert ENV.called == []
    if "os" not in condition and " at 0x" not in repr(value):
        assert repr(value) == repr(by_python(condition))


@trying()
@given(st.text(max_size=60))
def test_no_text_breaks_the_evaluator(condition: str) -> None:
    try:
        evaluate(condition, NAMES)
    except Exception as error:  # noqa: BLE001 - which one does not matter here
        assert not isinstance(error, MemoryError | RecursionError)  # noqa: PT017
