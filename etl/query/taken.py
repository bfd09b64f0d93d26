"""The condition that a host can use a binary, as SQL over what the catalog knows of its needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from etl.catalog.indexes import INCOMPLETE

INCOMPLETE_SPECS = (
    f"specs.id IN (SELECT spec_id FROM binaries INDEXED BY {INCOMPLETE.name} WHERE complete = 0)"
)
"""The condition that a spec lacks a link or run dependency in some mirror; few do."""

NEWEST_INCOMPLETE = (
    f"EXISTS (SELECT 1 FROM binaries AS newest INDEXED BY {INCOMPLETE.name}"
    " WHERE newest.complete = 0"
    " AND newest.spec_id = specs.id AND newest.tag_id = specs.last_tag_id)"
)
"""The condition that it does in the newest tag that has it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a host can use: specs of these ``needs``, with none of those ``unmet`` below them.

    Both are ids.  With ``but_for_closure`` it is what has nothing in the way but a link or run
    dependency.  The conditions are those of rows that are called ``specs`` and ``binaries``.
    """

    needs: tuple[int, ...]
    unmet: tuple[int, ...]
    but_for_closure: bool = False

    @property
    def kept_by_closure(self) -> Taken:
        """What the host could use if it could use all link and run dependencies."""
        return replace(self, but_for_closure=True)

    @property
    def of_spec(self) -> str:
        """What is asked of the spec."""
        own = f"specs.fault IS NULL\nAND specs.need_id IN ({_ids(self.needs)})"
        return own if self.but_for_closure or not self.unmet else f"{own}\nAND NOT {self._bad}"

    @property
    def of_binary(self) -> str:
        """What is asked of the binary besides: a mirror may lack what is below it."""
        return self._closure("binaries.complete IS 0")

    @property
    def of_newest(self) -> str:
        """The same of the binary of the spec's newest tag, without a look at all that are whole."""
        return self._closure(NEWEST_INCOMPLETE)

    @property
    def sql(self) -> str:
        """All of the condition."""
        return f"{self.of_spec}\nAND {self.of_binary}"

    @property
    def _bad(self) -> str:
        sets = f"SELECT need_set FROM need_set_members WHERE need_id IN ({_ids(self.unmet)})"
        return f"ifnull(specs.need_set, 0) IN ({sets})"

    def _closure(self, is_incomplete: str) -> str:
        return (
            f"({self._bad} OR {is_incomplete})" if self.but_for_closure else f"NOT {is_incomplete}"
        )


def _ids(ids: Iterable[int]) -> str:
    """Ids in SQL; of none one that nothing has, so that an index is used all the same."""
    return ", ".join(map(str, ids)) or "-1"
