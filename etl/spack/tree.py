"""A spec query as a tree: what each node must be, and where in the query it says so.

Every part knows its span in the query, so that later stages can point at the place; spans do not
count when two trees are compared.  Printed, a tree is a spec that reads as the same tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from etl.spack.targets import ancestors
from etl.spack.tokens import Span
from etl.spack.versions import VersionList

_BARE_VALUE = re.compile(r"[A-Za-z0-9_\-+*.,:%^~/\\][A-Za-z0-9_\-+*.,:=%^~/\\]*")
_BARE_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_\-]*)*")


@dataclass(frozen=True, slots=True)
class Word:
    """A name, a hash, an operating system or a platform."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class VersionConstraint:
    """``@1.2:1.4,=1.6``: the text after ``@`` without blanks, and the versions that it means."""

    text: str
    versions: VersionList
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return f"@{self.text}"


@dataclass(frozen=True, slots=True)
class VariantConstraint:
    """A variant that must have, or contain, some values.

    ``operator`` is one of

    * ``+`` and ``~`` for a boolean, whose values are ``("true",)`` and ``("false",)``;
    * ``=``: the values given are among the variant's; without values (``x=*``) it must only exist;
    * ``:=``: the values are exactly these;
    * ``++``, ``~~``, ``==`` and ``:==``: the same, of every node that has the variant.

    ``values`` are sorted and unique.
    """

    name: str
    values: tuple[str, ...]
    operator: str
    span: Span = field(compare=False)

    @property
    def propagated(self) -> bool:
        """Whether the constraint is on every node of the graph that has the variant."""
        return self.operator in ("++", "~~", "==", ":==")

    def __str__(self) -> str:
        if self.operator[0] in "+~":
            return self.operator + self.name
        value = ",".join(self.values) if self.values else "*"
        return f"{self.name}{self.operator}{_quote(value)}"


@dataclass(frozen=True, slots=True)
class FlagConstraint:
    """Compiler flags that must be among the node's: ``cflags='-O2 -g'``.

    ``==`` makes them ``propagated``.
    """

    name: str
    values: tuple[str, ...]
    propagated: bool
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name}{'==' if self.propagated else '='}{_quote(' '.join(self.values))}"


@dataclass(frozen=True, slots=True)
class TargetConstraint:
    """``target=zen4,x86_64_v3:``: one of the ``names``, or in one of the ``ranges``.

    A range is a pair of targets, either of which may be None for an open end.  ``text`` is the
    value as it was written.
    """

    text: str
    names: tuple[str, ...]
    ranges: tuple[tuple[str | None, str | None], ...]
    span: Span = field(compare=False)

    @property
    def everything(self) -> bool:
        """Whether any target will do: ``target=*`` or ``target=:``."""
        return self.names == ("*",) or (None, None) in self.ranges

    def includes(self, target: str) -> bool:
        """Whether a concrete target satisfies the constraint."""
        below = (target, *ancestors(target))
        return (
            self.everything
            or target in self.names
            or any(
                (low is None or low in below)
                and (high is None or target == high or target in ancestors(high))
                for low, high in self.ranges
            )
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One package of a query with all that it must be; what is None or empty is not asked for.

    ``direct`` are the ``%`` dependencies.  A node without a name is any package.
    """

    name: Word | None
    namespace: Word | None
    version: VersionConstraint | None
    variants: tuple[VariantConstraint, ...]
    flags: tuple[FlagConstraint, ...]
    platform: Word | None
    os: Word | None
    target: TargetConstraint | None
    hash: Word | None
    direct: tuple[Edge, ...]
    span: Span = field(compare=False)

    def __str__(self) -> str:
        parts = [self._head(), *map(str, self.variants), *map(str, self.flags)]
        if self.namespace and not self._qualified:
            parts.append(f"namespace={_quote(self.namespace.text)}")
        for key, word in (("platform", self.platform), ("os", self.os), ("target", self.target)):
            if word:
                parts.append(f"{key}={_quote(word.text)}")
        if self.hash:
            parts.append(f"/{self.hash.text}")
        parts += map(str, self.direct)
        return " ".join(filter(None, parts))

    @property
    def _qualified(self) -> bool:
        """Whether the namespace can be printed before the name."""
        return bool(self.name and self.namespace and _BARE_NAMESPACE.fullmatch(self.namespace.text))

    def _head(self) -> str:
        name = self.name.text if self.name else ""
        if self.namespace and self._qualified:
            name = f"{self.namespace.text}.{name}"
        return f"{name}{self.version or ''}"


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency: ``%`` a direct one of its parent, ``^`` one anywhere below the root.

    ``deptypes`` and ``virtuals`` are what the edge must be for and provide; ``propagated`` is
    ``%%``.  ``when`` says of which parents it is asked at all.
    """

    direct: bool
    propagated: bool
    deptypes: tuple[str, ...]
    virtuals: tuple[str, ...]
    node: Node
    span: Span = field(compare=False)
    when: SpecQuery | None = None

    def __str__(self) -> str:
        attributes = []
        if self.virtuals:
            attributes.append(f"virtuals={','.join(self.virtuals)}")
        if self.deptypes:
            attributes.append(f"deptypes={','.join(self.deptypes)}")
        if self.when:
            attributes.append(f"when={_quote(str(self.when))}")
        sigil = "%%" if self.propagated else "%" if self.direct else "^"
        # Without a name, key=value after a sigil would read as virtual=package.
        node = str(self.node) if self.node.name else f"* {self.node}".rstrip()
        return f"{sigil}[{' '.join(attributes)}] {node}" if attributes else f"{sigil}{node}"


@dataclass(frozen=True, slots=True)
class SpecQuery:
    """A whole query: the root, and the ``^`` dependencies it must have.

    ``source`` is the text the spans are in.
    """

    root: Node
    dependencies: tuple[Edge, ...]
    source: str = field(compare=False)

    @property
    def written(self) -> str:
        """The part of ``source`` that is this query, where it stands beside others."""
        edges = [edge.span for edge in (*self.root.direct, *self.dependencies)]
        # A root of which nothing is said has no place.
        spans = [self.root.span, *edges] if self.root.span[1] or not edges else edges
        return self.source[min(spans)[0] : max(end for _, end in spans)].strip()

    def __str__(self) -> str:
        return " ".join(filter(None, [str(self.root), *map(str, self.dependencies)])) or "*"


def _quote(value: str) -> str:
    """A value as it can stand in a spec; one that ends in a backslash can only stand bare."""
    if _BARE_VALUE.fullmatch(value) or value.endswith("\\"):
        return value
    escaped = value.replace("'", "\\'")
    return f"'{escaped}'"
