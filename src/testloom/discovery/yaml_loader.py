r"""Loads a YAML file that anybody may have written into plain Python values.

PyYAML's C parser makes the nodes; the values are made here, by `yaml_values`, from a short list of
tags: no tag runs code.  What needs no parser is left to `yaml_words`.  What differs from
`yaml.safe_load`, on purpose:

- files are regular, small and UTF-8 (`yaml_file`), and stay small once loaded (`yaml_limits`);
- a key that occurs twice in a mapping is an error;
- a date stays the text that it is, unless it is tagged ``!!timestamp``;
- ``!include PATH`` stands for the content of another file, found beside the one that says so.

Whatever the file holds, `load` returns a `Document` or raises `FileProblem`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import yaml

from testloom.discovery import yaml_limits, yaml_words
from testloom.discovery.problems import FileProblem, SyntaxProblem
from testloom.discovery.yaml_file import position, read_utf8
from testloom.discovery.yaml_values import Builder, Composer

MAX_INCLUDE_DEPTH: Final = 8
MAX_INCLUDES: Final = 32

_HINTS: Final = (
    ("found character that cannot start any token", "indent with spaces and quote such texts"),
    ("mapping values are not allowed", "quote the text if it holds a colon and a space"),
    ("found undefined alias", "define the anchor before it"),
    ("control characters are not allowed", "remove it or write it as an escape"),
)
# The parser says these as a sentence whose end makes no sense without its beginning.
_SENTENCES: Final = {
    "expected a single document in the stream": "a second document begins here; remove it",
    "found duplicate anchor": "this anchor was defined before; give it another name",
}


class Document(msgspec.Struct, frozen=True):
    """A file and what it says."""

    path: str
    value: Any
    data: bytes

    def line_of(self, key: str) -> int:
        """Return the line of the first key spelled *key* in the file, 1 if there is none.

        It reads the text again: meant for error messages.
        """
        todo = [Composer(self.data).get_single_node()]
        while todo:
            node = todo.pop()
            if isinstance(node, yaml.MappingNode):
                for key_node, value_node in node.value:
                    if key_node.value == key:
                        return int(key_node.start_mark.line) + 1
                    todo.append(value_node)
            elif isinstance(node, yaml.SequenceNode):
                todo.extend(node.value)
        return 1


def load(path: str) -> Document:
    """Return what the file *path* says.

    Raises:
        FileProblem: it cannot be read.
        SyntaxProblem: it was read and cannot be understood.
    """
    return _Loading(path).document()


def parse(data: bytes, path: str) -> Any:
    """Return the value of the YAML text *data*, which is said to be the content of *path*.

    Raises:
        SyntaxProblem: it has none.
    """
    return _Loading(path).value(data)


class _Loading:
    """The loading of one file: which files include it, and how many were loaded so far."""

    def __init__(self, path: str, above: int = 0, count: list[int] | None = None) -> None:
        self._path = path
        self._above = above
        self._count = count or [0]

    def document(self) -> Document:
        data = read_utf8(self._path)
        return Document(self._path, self.value(data), data)

    def value(self, data: bytes) -> Any:
        words = yaml_words.mapping(data)
        return self._parsed(data) if words is None else words

    def _parsed(self, data: bytes) -> Any:
        path = self._path
        try:
            if not yaml_limits.is_small(data):
                yaml_limits.check(data, path)
            root = Composer(data).get_single_node()
            return None if root is None else Builder(path, self._included).build(root)
        except yaml.MarkedYAMLError as error:
            raise _marked(path, error) from None
        except yaml.reader.ReaderError as error:
            line, column = position(data, error.position)
            raise SyntaxProblem(path, _advised(error.reason), line, column) from None
        except RecursionError:
            raise SyntaxProblem(path, "nesting too deep, with what it includes") from None
        except (yaml.YAMLError, ValueError, MemoryError) as error:
            # Nothing known gets here; a parser fed by strangers still must not end the run.
            what = f"cannot be loaded ({type(error).__name__}: {error})"
            raise SyntaxProblem(path, what) from None

    def _included(self, path: str) -> Any:
        self._count[0] += 1
        if self._above >= MAX_INCLUDE_DEPTH:
            what = f"more than {MAX_INCLUDE_DEPTH} files include each other; is it a circle?"
            raise FileProblem(path, what)
        if self._count[0] > MAX_INCLUDES:
            raise FileProblem(path, f"more than {MAX_INCLUDES} files are included; join some")
        return _Loading(path, self._above + 1, self._count).document().value


def _marked(path: str, error: yaml.MarkedYAMLError) -> SyntaxProblem:
    mark = error.problem_mark or error.context_mark
    context = error.context or ""
    for start, sentence in _SENTENCES.items():
        if context.startswith(start):
            what = sentence
            break
    else:
        what = _advised(error.problem or context or "not YAML")
    if mark is None:
        return SyntaxProblem(path, what)
    return SyntaxProblem(path, what, mark.line + 1, mark.column + 1)


def _advised(what: str) -> str:
    for start, advice in _HINTS:
        if start in what:
            return f"{what}; {advice}"
    return f"{what}; check the quotes, brackets and indentation there"
