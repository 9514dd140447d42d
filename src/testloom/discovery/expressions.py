"""The language of ``-k``, ``--tags`` and ``--filter``: words with and, or, not and parentheses.

::

    either  = both { "or" both }          also |
    both    = single { "and" single }     also &
    single  = "not" single                also !
            | "(" either ")"
            | NAME "(" text ")"           where NAME is a known function
            | WORD | 'quoted' | "quoted"

A word is anything up to a blank, a parenthesis, ``&`` or ``|``.  What a word means is up to the
caller, who gives a function that makes a predicate of it.

Predicates answer True, False, or None for *not known* (the tags of a test whose file cannot be
read); `and`, `or` and `not` do with it what one would expect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from testloom.model.errors import UsageError, nearest
from testloom.model.names import shown_line

MAX_DEPTH: Final = 50
"""How many parentheses may be open."""

Predicate: TypeAlias = Callable[[Any], bool | None]
Maker: TypeAlias = Callable[[str], Predicate]
"""Makes a predicate of a word; raises ValueError, with a message, if it makes no sense."""

_TOKEN: Final = re.compile(
    r"""\s* (?: (?P<open>\() | (?P<close>\)) | (?P<and>&&?) | (?P<or>\|\|?) | (?P<not>!)
              | "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<word>[^\s()&|]+) )""",
    re.VERBOSE,
)
_PARENTHESIS: Final = re.compile(r"[()]")
_ENDS_WORD: Final = frozenset(["and", "or", "close", "end"])


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


def parse(
    text: str, *, option: str, word: Maker, functions: Mapping[str, Maker] | None = None
) -> Predicate:
    """Return the predicate that *text*, the value of *option*, describes.

    Raises:
        UsageError: it is no expression; the message shows where, with a caret.
    """
    return _Parser(text, option, word, functions or {}).whole()


class _Parser:
    """One expression; it goes over the text once."""

    def __init__(self, text: str, option: str, word: Maker, functions: Mapping[str, Maker]) -> None:
        self._text = text
        self._option = option
        self._word = word
        self._functions = functions
        self._at = 0
        self._token = self._next()

    def whole(self) -> Predicate:
        predicate = self._either(0)
        if self._token.kind == "close":
            raise self._error("this parenthesis was not opened; remove it")
        if self._token.kind != "end":
            raise self._error("expected 'and' or 'or' here; quote a text that holds blanks")
        return predicate

    def _either(self, depth: int) -> Predicate:
        found = [self._both(depth)]
        while self._token.kind == "or":
            self._token = self._next()
            found.append(self._both(depth))
        return found[0] if len(found) == 1 else _any_of(found)

    def _both(self, depth: int) -> Predicate:
        found = [self._single(depth)]
        while self._token.kind == "and":
            self._token = self._next()
            found.append(self._single(depth))
        return found[0] if len(found) == 1 else _all_of(found)

    def _single(self, depth: int) -> Predicate:
        negated = False
        while self._token.kind == "not":
            negated = not negated
            self._token = self._next()
        predicate = self._group(depth) if self._token.kind == "open" else self._leaf()
        return _negation(predicate) if negated else predicate

    def _group(self, depth: int) -> Predicate:
        opening = self._token
        if depth >= MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} open parentheses; write it flatter")
        self._token = self._next()
        predicate = self._either(depth + 1)
        if self._token.kind != "close":
            raise self._error("this parenthesis is not closed; add ')'", opening)
        self._token = self._next()
        return predicate

    def _leaf(self) -> Predicate:
        token = self._token
        if token.kind in _ENDS_WORD:
            raise self._error("a word is missing here; add one")
        maker, value = self._word, token.text
        if token.kind == "word" and self._text[self._at : self._at + 1] == "(":
            if token.text not in self._functions:
                raise self._error(self._unknown_function(token.text))
            maker, value = self._functions[token.text], self._argument()
        try:
            predicate = maker(value)
        except ValueError as error:
            raise self._error(str(error), token) from None
        self._token = self._next()
        return predicate

    def _argument(self) -> str:
        """Return what stands in the parentheses that open at the current place."""
        start = self._at
        open_now = 0
        for match in _PARENTHESIS.finditer(self._text, start):
            open_now += 1 if match[0] == "(" else -1
            if not open_now:
                self._at = match.end()
                value = self._text[start + 1 : match.start()].strip()
                quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
                return value[1:-1] if quoted else value
        raise self._error("this parenthesis is not closed; add ')'", _Token("open", "(", start))

    def _next(self) -> _Token:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            return _Token("end", "", len(self._text))
        kind = str(match.lastgroup)
        text = match[kind]
        at = match.start(kind)
        if kind == "word" and text[0] in "'\"":
            raise self._error(f"this quote is not closed; add {text[0]}", _Token("word", text, at))
        if kind in ("double", "single"):
            kind, at = "quoted", at - 1
        elif text in ("and", "or", "not"):
            kind = text
        self._at = match.end()
        return _Token(kind, text, at)

    def _unknown_function(self, name: str) -> str:
        if not self._functions:
            return "a parenthesis cannot stand here; put 'and' or 'or' before it"
        known = ", ".join(f"{known}()" for known in self._functions)
        return f"{name}() is not known{nearest(name, self._functions) or f'; known: {known}'}"

    def _error(self, what: str, token: _Token | None = None) -> UsageError:
        at = (token or self._token).at
        caret = " " * len(shown_line(self._text[:at])) + "^"
        return UsageError(f"{self._option}: {what}\n  {shown_line(self._text)}\n  {caret}")


def _negation(predicate: Predicate) -> Predicate:
    def negated(subject: Any) -> bool | None:
        answer = predicate(subject)
        return None if answer is None else not answer

    return negated


def _all_of(predicates: Sequence[Predicate]) -> Predicate:
    def all_hold(subject: Any) -> bool | None:
        answers = [predicate(subject) for predicate in predicates]
        if False in answers:
            return False
        return None if None in answers else True

    return all_hold


def _any_of(predicates: Sequence[Predicate]) -> Predicate:
    def any_holds(subject: Any) -> bool | None:
        answers = [predicate(subject) for predicate in predicates]
        if True in answers:
            return True
        return None if None in answers else False

    return any_holds
