"""What an address of ``/find`` asks, and the addresses of questions that are a little different."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from etl.browse.facets import FACETS
from etl.query.host_misses import HostMisses
from etl.query.near_misses import NearMiss, Reason, Suggestion
from etl.query.reuse import Reuse
from etl.query.scope import Scope
from etl.spack.tree import SpecQuery

FIND_FACETS = ("package", *FACETS)
SCOPE_FIELDS = ("tag", "cache", "not_in", "stack", "runs_on", "os", "host", "reusable")

ANY = "any"
"""What stands for all tags in the address."""

ANY_TAG: dict[str, str | None] = {"tag": None, "sort": None, "explain": None}
"""The changes that make of a question the search that is followed, whatever is in which tag."""


@dataclass(frozen=True)
class Question:
    """What the address asks: a spec, where to look, and which of the found ones to keep."""

    spec: str
    scope: dict[str, str]
    kept: dict[str, str]
    path: str
    """Where the page is."""
    sort: str = ""
    """The column by which the binaries are sorted."""
    explain: str = ""
    """Whether what each constraint leaves is asked."""

    @classmethod
    def of(cls, arguments: Any, path: str) -> Question:
        """The question in the arguments of an address."""

        def given(names: tuple[str, ...]) -> dict[str, str]:
            return {name: value for name in names if (value := arguments.get(name, "").strip())}

        spec = arguments.get("spec", "").strip()
        more = (arguments.get("sort", ""), "1" if arguments.get("explain") else "")
        return cls(spec, given(SCOPE_FIELDS), given(FIND_FACETS), path, *more)

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked; fields without a spec ask for any."""
        return bool(self.spec or self.scope or self.kept)

    def address(self, path: str | None = None, /, **changes: str | None) -> str:
        """The address that asks this with some arguments changed, or left out where None."""
        arguments = {**self.arguments, **changes}
        query = urlencode({name: value for name, value in arguments.items() if value})
        return f"{self.path if path is None else path}?{query}"

    @property
    def given(self) -> dict[str, str]:
        """Those of its arguments that say something."""
        return {name: value for name, value in self.arguments.items() if value}

    @property
    def arguments(self) -> dict[str, str | None]:
        """The arguments of the address."""
        more = {"sort": self.sort, "explain": self.explain}
        return {"spec": self.spec, **self.scope, **self.kept, **more}


def scope_of(question: Question, reuse: Reuse | None) -> Scope:
    """Where a question looks, as it says; ``reuse`` holds the catalog against its host."""
    chosen, kept = question.scope, question.kept
    return Scope(
        tag=None if chosen.get("tag") == ANY else chosen.get("tag"),
        cache=chosen.get("cache"),
        not_in=chosen.get("not_in"),
        stack=chosen.get("stack"),
        runs_on=chosen.get("runs_on"),
        os=chosen.get("os"),
        compiler=kept.get("compiler"),
        version=kept.get("version"),
        target=kept.get("target"),
        package=kept.get("package"),
        also_in=kept.get("stacks"),
        taken=reuse.taken if reuse and chosen.get("reusable") else None,
    )


def ways_on(question: Question, query: SpecQuery, miss: Reason) -> list[tuple[str, str]]:
    """The questions that a near miss leads to: the spec with a place of it mended."""
    if isinstance(miss, Suggestion):
        return [(name, _with(question, query, miss.span, name)) for name in miss.near]
    if isinstance(miss, NearMiss) and miss.span:
        return [(f"without {miss.constraint}", _with(question, query, miss.span, ""))]
    if isinstance(miss, NearMiss):
        for name, chosen in (question.scope | question.kept).items():
            if miss.constraint in (f"--{name.replace('_', '-')} {chosen}", f"{name}={chosen}"):
                change = {name: ANY if name == "tag" else None}
                return [(f"without {chosen}", question.address(**change))]
    return []


def ways_for_host(
    question: Question, misses: HostMisses | None
) -> list[tuple[Reason, list[tuple[str, str]]]]:
    """What a host could use in the place of what it cannot, and the questions that lead there."""
    taken = replace(question, scope={**question.scope, "reusable": "1"})
    return [
        (miss, ways_on(taken, query, miss))
        for query, found in (misses.instead if misses else ())
        for miss in found
    ]


def _with(question: Question, query: SpecQuery, span: tuple[int, int], text: str) -> str:
    # All specs of a text have their places in all of it.
    start, end = span
    spec = f"{query.source[:start]}{text}{query.source[end:]}"
    return question.address(spec=" ".join(spec.split()))
