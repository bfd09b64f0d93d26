"""YAML from strangers: text, lists and mappings; nothing that unfolds or nests without bound."""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_DEPTH = 20
"""How deep values may be nested; those of real pages go to 3."""

MAX_VALUES = 500_000
"""How many values a document may hold; each takes about 500 bytes of memory while it is read."""

# A base loader makes nothing but text, lists and mappings: 1.10 stays 1.10, and no stays no.
_BaseLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# libyaml reads ahead of its events, and newer ones refuse by themselves what nests 1,000 deep.
_LIBYAML_TOO_DEEP = "exceeded maximum nesting depth"

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


class PageError(Exception):
    """A page that cannot be read, and why; the reader of the source adds the place."""


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Gives what a JSON decoder gives: null, true and false are not text, keys always are."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, object]:
        del deep
        return {
            self.construct_scalar(key): self.construct_object(value, deep=True)
            for key, value in node.value
        }

    def construct_word(self, node: Any) -> bool | None:
        return _WORDS[node.value]


_WORD_TAG = "tag:yaml.org,2002:null"
_Loader.add_implicit_resolver(_WORD_TAG, re.compile(r"(?:~|null|true|false)?\Z"), None)
_Loader.add_constructor(_WORD_TAG, _Loader.construct_word)


def load_yaml(text: str, first_line: int = 1) -> object:
    """The value of a YAML document; every scalar but null, true and false is the text it has there.

    ``first_line`` is the number of the first line of ``text`` in its file, for the errors.

    Raises:
        PageError: it is not YAML, has aliases, is nested more than ``MAX_DEPTH`` deep, or holds
            more than ``MAX_VALUES`` values.
    """
    try:
        _guard(text, first_line)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - see _BaseLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.problem == _LIBYAML_TOO_DEEP and mark:
            raise _too_deep(mark.line + first_line) from None
        place = f"line {mark.line + first_line}, column {mark.column + 1}: " if mark else ""
        raise PageError(f"{place}not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise PageError(f"not YAML: {str(error).splitlines()[0]}") from None


def _guard(text: str, first_line: int) -> None:
    """Refuse aliases, deep nesting and crowds before anything is made of them.

    A few aliases can unfold into gigabytes, and no page has a use for them.
    """
    depth = values = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            line = _line(event) + first_line
            raise PageError(f"line {line}: YAML aliases (*{event.anchor}) are not read")
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        values += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise _too_deep(_line(event) + first_line)
        if values > MAX_VALUES:
            raise PageError(f"more than {MAX_VALUES:,} values, too many for a page")


def _too_deep(line: int) -> PageError:
    return PageError(f"line {line}: values are nested more than {MAX_DEPTH} deep")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark else 0
