"""``_data/tags.yaml``: which tags the site has, and the stacks of each."""

from __future__ import annotations

from collections.abc import Mapping

from etl.page_format.names import is_name, is_tag
from etl.page_format.yaml_text import PageError, load_yaml
from etl.records import Tag

MAX_TAG_LIST_BYTES = 1024 * 1024
"""The real list is below 100 KB."""


def read_tag_list(data: bytes) -> list[Tag]:
    """The tags that the file lists.

    Raises:
        PageError: it is too large, not YAML, or not a list of ``{name, stacks}``.
    """
    if len(data) > MAX_TAG_LIST_BYTES:
        raise PageError(f"more than {MAX_TAG_LIST_BYTES:,} bytes")
    try:
        values = load_yaml(data.decode())
    except UnicodeDecodeError as error:
        raise PageError(f"not UTF-8 text: byte {error.start} is {data[error.start]:#04x}") from None
    if not isinstance(values, list):
        raise PageError("the file is not a list")
    return [_tag(number, entry) for number, entry in enumerate(values)]


def _tag(number: int, entry: object) -> Tag:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    stacks = entry.get("stacks") if isinstance(entry, Mapping) else None
    if not (isinstance(name, str) and is_tag(name)):
        raise PageError(f"entry {number} has no name that a tag can have")
    if not (isinstance(stacks, list) and all(map(is_name, stacks))):
        raise PageError(f"the stacks of {name} are not a list of names")
    return Tag(name, tuple(stacks))
