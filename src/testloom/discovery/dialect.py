r"""What ``test.yaml`` means beyond YAML: the dialect that e3-core's ``load_with_config`` reads.

Three things are added to plain values, all relative to a *scope*: what the environment of the
run says (``env.to_dict()``), and over it the keys of the file that came before.

- ``case_KEY: {REGEXP: {...}, ...}`` stands for the first block whose regexp matches all of the
  text of KEY's value.  A mapping that holds nothing but a ``case_`` may pick any value.
- ``+key: value`` appends to what `key` was, ``key+: value`` puts it in front; a mapping is
  merged into the mapping of that name, also without a sign.
- ``%(key)s`` in a text is replaced as by the ``%`` operator.  What is not known, or does not
  work, stays as it is.

Most files use none of this: `expanded` sees it from the bytes.  For good files, values are those
of e3-core but in two corners: texts are looked through twice wherever they stand, and a
``+key`` whose ``case_`` picks nothing adds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from testloom.discovery.problems import SyntaxProblem, kind_of
from testloom.discovery.yaml_limits import MAX_DEPTH, MAX_NODES
from testloom.discovery.yaml_loader import Document
from testloom.model.errors import nearest

MAX_TEXT: Final = 4 * 1024 * 1024
"""Characters that all the replaced texts of a file may have."""

_CASE: Final = "case_"
# Anything in a text that may need the dialect; escapes and anchors may hide or share something.
_SPECIAL: Final = re.compile(rb"case_|%\(|[+\\!&*]")
# The length of a key is bounded, or many of `%(` without an end would take ages.
_PERCENT: Final = re.compile(r"%(?=\(([^()%]{0,100})\))|%")
_WIDE: Final = re.compile(r"%\([^()%]{0,100}\)[-#0 +]*(?:\d{4}|\d{0,4}\.\d{4})")
_NOTHING: Final = object()


def expanded(document: Document, scope: Callable[[], Mapping[str, Any]]) -> Any:
    """Return what *document* means; *scope* is called only if that depends on it.

    Raises:
        SyntaxProblem: the dialect is used wrongly.
    """
    value = document.value
    plain = not _SPECIAL.search(document.data)
    # A mapping is merged into the one of its name in the scope, should there be one.
    if plain and not (type(value) is dict and dict in map(type, value.values())):
        return value
    return _Expansion(document, scope()).top(value)


class _Expansion:
    """The work on one document."""

    def __init__(self, document: Document, scope: Mapping[str, Any]) -> None:
        self._document = document
        self._scope = dict(scope)
        self._nodes_left = MAX_NODES
        self._text_left = MAX_TEXT

    def top(self, value: Any) -> Any:
        """Return what the whole document means: only what the file says, not the scope."""
        if not isinstance(value, dict):
            return self._plain(value, 0)
        said: dict[Any, Any] = {}
        alone = self._mapping(value, self._scope, said, 0)
        return said if alone is _NOTHING else alone

    def _mapping(
        self, source: dict[Any, Any], state: dict[Any, Any], said: dict[Any, Any], depth: int
    ) -> Any:
        """Bring what *source* says into *state*, and the keys that it touched into *said*.

        Returns `_NOTHING`; or, if *source* is nothing but a case that picks something other
        than a mapping, the value picked.
        """
        for key, value in source.items():
            self._count(depth)
            if not isinstance(key, str):
                state[key] = said[key] = self._plain(value, depth)
            elif key.startswith(_CASE):
                picked = self._picked(key, value)
                if isinstance(picked, dict):
                    alone = self._mapping(picked, state, said, depth + 1)
                else:
                    alone = picked if picked is _NOTHING else self._plain(picked, depth)
                if alone is not _NOTHING:
                    if len(source) == 1:
                        return alone
                    raise self._problem(
                        key,
                        f"{key!r} picks {kind_of(alone)} and stands beside other keys;"
                        " let it pick mappings, or put it under a key of its own",
                    )
            else:
                name = key.strip("+") if key[:1] == "+" or key[-1:] == "+" else key
                state[name] = said[name] = self._valued(key, name, value, state, depth)
        return _NOTHING

    def _valued(self, key: str, name: str, value: Any, state: dict[Any, Any], depth: int) -> Any:
        """Return what *name* is once *key*, which is it with or without signs, has *value*."""
        before = state.get(name, _NOTHING)
        if isinstance(value, dict):
            inner = dict(before) if isinstance(before, dict) else {}
            alone = self._mapping(value, inner, {}, depth + 1)
            if alone is _NOTHING:
                if isinstance(before, dict) or before is _NOTHING:
                    return inner
                if value and not inner:  # its cases picked nothing
                    return before
                if key == name:
                    return inner
            value = inner if alone is _NOTHING else alone
        else:
            value = self._plain(value, depth)
        if key == name or before is _NOTHING:
            return value
        first, second = (before, value) if key[0] == "+" else (value, before)
        kinds = {type(first), type(second)}
        if not (kinds <= {int, float, bool} or kinds in ({str}, {list})):
            raise self._problem(
                key,
                f"{key!r} adds {kind_of(value)} to {kind_of(before)};"
                " only a list can be added to a list, and a text to a text",
            )
        return first + second

    def _picked(self, key: str, blocks: Any) -> Any:
        """Return the block of ``case_KEY`` that fits, or `_NOTHING`."""
        name = key[len(_CASE) :]
        if name not in self._scope:
            hint = nearest(name, [known for known in self._scope if isinstance(known, str)])
            hint = hint or "; remove the case, or set it in the suite's env"
            raise self._problem(key, f"{key!r}: the environment has no {name!r}{hint}")
        if not isinstance(blocks, dict):
            raise self._problem(
                key, f"{key!r} must be a mapping of regexps to blocks, not {kind_of(blocks)}"
            )
        text = str(self._scope[name])
        for pattern, block in blocks.items():
            try:
                # As e3-core puts it: `a|b` is `^a` or `b$`.
                found = re.match(f"^{pattern}$", text)
            except (re.error, RecursionError, OverflowError) as error:
                raise self._problem(
                    str(pattern), f"{pattern!r} is no regexp ({error}); mend or escape it"
                ) from None
            if found:
                return _NOTHING if block is None else block
        return _NOTHING

    def _plain(self, value: Any, depth: int) -> Any:
        """Return a copy of *value* with its texts replaced; no cases or signs in it count."""
        self._count(depth)
        if isinstance(value, str):
            return self._text(self._text(value)) if "%(" in value else value
        if isinstance(value, list):
            return [self._plain(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {key: self._plain(item, depth + 1) for key, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        scope = self._scope
        if _WIDE.search(text):
            raise self._problem("", "a text is padded to 1000 characters or more; pad it less")
        for name in _PERCENT.findall(text):
            if name in scope:
                self._spend(len(str(scope[name])))
        # All other percent signs stand for themselves.
        pattern = _PERCENT.sub(lambda m: "%" if m[1] in scope else "%%", text)
        try:
            result: str = pattern % scope
        except (TypeError, ValueError, LookupError, ArithmeticError):
            return text
        self._spend(len(result))
        return result

    def _spend(self, characters: int) -> None:
        self._text_left -= characters
        if self._text_left < 0:
            raise self._problem("", f"texts grow beyond {MAX_TEXT} characters; replace less")

    def _count(self, depth: int) -> None:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise self._problem("", f"too many values; the limit is {MAX_NODES}")
        if depth > MAX_DEPTH:
            raise self._problem("", f"nesting too deep; the limit is {MAX_DEPTH} levels")

    def _problem(self, key: str, what: str) -> SyntaxProblem:
        line = self._document.line_of(key) if key else 1
        return SyntaxProblem(self._document.path, what, line)
