"""What is known of one package while it is decided upon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from etl.records import Problem
from etl.writer.merging import Event
from etl.writer.shelf import BuildTuple, FactsTuple, MirrorStatement, PageStatement

SourcedProblem = tuple[int, Problem]
Heard = PageStatement | MirrorStatement


class Presence(NamedTuple):
    """A spec in a tag: its list of stacks, its place on the page where that is not by hash.

    Then come the times: first and last seen, and since when it is gone.
    """

    stacks: int
    position: int | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    gone_since: str | None = None


@dataclass(slots=True)
class ResolvedSpec:
    """A spec as the catalog will have it; ``presence`` is by tag."""

    hash: str
    facts: FactsTuple
    presence: dict[int, Presence] = field(default_factory=dict)
    build: BuildTuple | None = None


class Case:
    """What is known of one package while it is decided upon."""

    def __init__(self, package: int) -> None:
        self.package = package
        self.specs: dict[str, ResolvedSpec] = {}
        self.told_by: dict[str, int] = {}
        self.mirror_stacks: dict[tuple[str, int], set[str]] = {}
        self.touched: set[str] = set()
        self.problems: list[SourcedProblem] = []
        self.events: list[Event] = []
