"""How a page of cache.spack.io is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

ListOperator = Literal[":=", "="]


@dataclass(frozen=True, slots=True)
class PageStyle:
    """How one page is written.

    ``meta_keys`` and ``item_keys`` are the keys of ``meta`` and of each item of
    ``spec_details``, in order.  ``exact_compilers`` is the notation ``gcc@=11.4.0`` with the
    compiler names of that time.  ``list_operator`` joins a multi-valued variant to its values.
    ``counts_as_they_come`` keeps ``num_specs_by_stack`` in the order in which the specs name the
    stacks instead of by name.  ``mirror`` is the address under which the tarballs of the page
    lie, where it lists them.  ``sizes`` is whether it tells any size; most pages write ``"-"`` for
    all.  ``newline``, ``bom`` and ``end`` are the file's line ending,
    whether it begins with a byte order mark, and what follows the last ``---``.
    """

    meta_keys: tuple[str, ...]
    item_keys: tuple[str, ...]
    exact_compilers: bool
    list_operator: ListOperator
    counts_as_they_come: bool = False
    mirror: str | None = None
    sizes: bool = False
    newline: str = "\n"
    bom: bool = False
    end: str = ""

    def to_json(self) -> str:
        """The style as one line of JSON, for the catalog's table of styles."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> PageStyle:
        """The style that :meth:`to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: ``text`` is not such a style.
        """
        fields = json.loads(text)
        fields["meta_keys"] = tuple(fields["meta_keys"])
        fields["item_keys"] = tuple(fields["item_keys"])
        return cls(**fields)
