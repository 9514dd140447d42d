"""Makes nodes of YAML text, and plain Python values of nodes.

`Composer` is PyYAML's C parser with the tags of plain scalars that we want; `Builder` knows a
short list of tags, none of which runs code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final

import yaml
from yaml._yaml import CParser

from testloom.discovery.problems import FileProblem, SyntaxProblem, kind_of

MAX_NUMBER: Final = 4300
"""Characters of a number: more would take time that grows with their square."""

_TAG: Final = "tag:yaml.org,2002:"
_STR, _SEQ, _MAP, _SET = _TAG + "str", _TAG + "seq", _TAG + "map", _TAG + "set"
_MERGE: Final = _TAG + "merge"
_INCLUDE: Final = "!include"


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the tags that a plain scalar may get, by its first character."""
    unwanted = (_TAG + "timestamp", _TAG + "value")
    table = yaml.resolver.Resolver.yaml_implicit_resolvers
    return {
        first: [(tag, regexp) for tag, regexp in entries if tag not in unwanted]
        for first, entries in table.items()
    }


_RESOLVERS: Final = _resolvers()
_NO_RESOLVERS: Final[list[tuple[str, re.Pattern[str]]]] = []


def is_text(word: str) -> bool:
    """Tell whether *word*, without quotes or a tag, is the text that it is, and no number or so."""
    return _tag_of(word) == _STR


def _tag_of(word: str) -> str:
    for tag, regexp in _RESOLVERS.get(word[:1], _NO_RESOLVERS):
        if regexp.match(word):
            return tag
    return _STR


class Composer(CParser):
    """Makes nodes of text.  The three methods are what the C parser asks of a resolver."""

    def descend_resolver(self, parent: object, index: object) -> None:
        """Do nothing: tags do not depend on where a node stands."""

    def ascend_resolver(self) -> None:
        """Do nothing."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        """Return the tag of an untagged node."""
        if kind is yaml.ScalarNode:
            return _tag_of(value or "") if implicit[0] else _STR
        return _MAP if kind is yaml.MappingNode else _SEQ


_safe = yaml.constructor.SafeConstructor()
_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    _TAG + "null": lambda _: None,
    _TAG + "bool": _safe.construct_yaml_bool,
    _TAG + "int": _safe.construct_yaml_int,
    _TAG + "float": _safe.construct_yaml_float,
    _TAG + "binary": _safe.construct_yaml_binary,
    _TAG + "timestamp": _safe.construct_yaml_timestamp,
    _MERGE: lambda node: node.value,
}
_KINDS: Final = {
    yaml.ScalarNode: "text or number",
    yaml.MappingNode: "mapping",
    yaml.SequenceNode: "list",
}
_LONG_IS_FINE: Final = _TAG + "binary"


class Builder:
    """Makes values of the nodes of one file.

    It recurses: `yaml_limits` has seen to it that the nodes are not nested deeply.  A node that
    aliases refer to is built once, so they give the same object.  *included* gives the value of
    the file with the path that it gets.
    """

    def __init__(self, path: str, included: Callable[[str], Any]) -> None:
        self._path = path
        self._included = included
        self._built: dict[int, Any] = {}

    def build(self, node: yaml.Node) -> Any:
        kind = type(node)
        if kind is yaml.ScalarNode:
            return node.value if node.tag == _STR else self._scalar(node)
        if id(node) in self._built:
            return self._built[id(node)]
        if kind is yaml.MappingNode and node.tag == _MAP:
            value: Any = self._mapping(node)
        elif kind is yaml.SequenceNode and node.tag == _SEQ:
            value = [self.build(item) for item in node.value]
        elif kind is yaml.MappingNode and node.tag == _SET:
            value = set(self._mapping(node))
        else:
            raise self._foreign(node)
        self._built[id(node)] = value
        return value

    def _scalar(self, node: yaml.Node) -> Any:
        tag = node.tag
        if tag == _INCLUDE:
            return self._include(node)
        make = _SCALARS.get(tag)
        if make is None:
            raise self._foreign(node)
        if len(node.value) > MAX_NUMBER and tag != _LONG_IS_FINE:
            raise self._problem(
                node, f"a number of {len(node.value)} characters; quote it if it is a text"
            )
        try:
            return make(node)
        except (
            yaml.YAMLError,
            ValueError,
            LookupError,
            AttributeError,
            TypeError,
            ArithmeticError,
        ):
            # What PyYAML raises for `!!int x`, `!!bool x` and the like.
            name = tag.removeprefix(_TAG)
            raise self._problem(node, f"{node.value[:60]!r} is no {name}; remove the tag") from None

    def _mapping(self, node: yaml.Node) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE and type(key_node) is yaml.ScalarNode:
                # What was merged first wins; what the mapping says itself wins over all.
                merged = self._to_merge(value_node) | merged
                continue
            key = self.build(key_node)
            try:
                known = key in own
            except TypeError:
                raise self._problem(
                    key_node, f"a key is {kind_of(key)}; write a text or a number"
                ) from None
            if known:
                raise self._problem(key_node, f"duplicate key {key!r}; remove one of them")
            own[key] = self.build(value_node)
        return merged | own if merged else own

    def _to_merge(self, node: yaml.Node) -> dict[Any, Any]:
        items = node.value if type(node) is yaml.SequenceNode else [node]
        merged: dict[Any, Any] = {}
        for item in items:
            if type(item) is not yaml.MappingNode or item.tag != _MAP:
                raise self._problem(item, "'<<' takes a mapping or a list of mappings; give it one")
            merged = self.build(item) | merged
        return merged

    def _include(self, node: yaml.Node) -> Any:
        try:
            return self._included(os.path.join(os.path.dirname(self._path), node.value))
        except SyntaxProblem:
            raise
        except FileProblem as problem:
            raise self._problem(node, f"cannot include {node.value!r}: {problem.what}") from None

    def _foreign(self, node: yaml.Node) -> SyntaxProblem:
        tag = node.tag.replace(_TAG, "!!")
        kind = _KINDS[type(node)]
        return self._problem(node, f"the tag {tag!r} is not known for a {kind}; remove it")

    def _problem(self, node: yaml.Node, what: str) -> SyntaxProblem:
        mark = node.start_mark
        return SyntaxProblem(self._path, what, mark.line + 1, mark.column + 1)
