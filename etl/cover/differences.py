"""In what a spec of a lock differs from a build that the cache has, down to the deepest difference.

Two specs are held side by side with their dependencies, those of the same package, or of the same
virtual package, as pairs.  All that differs anywhere below is why their hashes differ; to mend all
of it is to get the build that the cache has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from etl.compare.graph import Edge, Node
from etl.spack.targets import known_targets

_DEEPEST = 100
"""Dependencies that lie deeper are not compared; real ones have about 20 levels."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A difference that many specs can have, and what would mend it, where that can be said.

    ``words`` are what a spec of an environment would say to ask for it.
    """

    what: str
    advice: str | None = None
    words: tuple[str, ...] = field(default=(), compare=False)


OLDER = Shared(
    "concretized by Spack older than 1.0, which hashes specs differently; to have the hashes"
    " of the cache, concretize again with a newer one"
)
"""Of a spec whose nearest build is of a newer Spack; what that one would choose is not known."""


class Differences:
    """Finds what differs; ``node`` gives a node by its key.  What was found of a pair is kept.

    Differences are told by numbers: the places in ``told``, where each is once.
    """

    def __init__(self, node: Callable[[int], Node | None]) -> None:
        self._node = node
        self._known: dict[tuple[int, int], tuple[int, ...]] = {}
        self._dependencies: dict[int, dict[str, tuple[Edge, Node]]] = {}
        self._numbers: dict[Shared, int] = {}
        self.told: list[Shared] = []

    def of(self, there: Node, wanted: Node, depth: int = 0) -> tuple[int, ...]:
        """All differences, those of the two specs themselves first."""
        if there.hash == wanted.hash or depth > _DEEPEST:
            return ()
        key = there.key, wanted.key
        known = self._known.get(key)
        if known is not None:
            return known
        self._known[key] = ()  # a circle adds nothing
        own = self.numbered(own_differences(there, wanted))
        found = dict.fromkeys(own)
        for below in self._below(there, wanted, bool(own), depth):
            found.update(dict.fromkeys(below))
        if not found and not there.external:
            nothing = Shared(f"{wanted.title}: only the hash differs, as far as known")
            found = dict.fromkeys(self.numbered([nothing]))
        self._known[key] = tuple(found)
        return self._known[key]

    def numbered(self, differences: Iterable[Shared]) -> tuple[int, ...]:
        """The numbers of some differences."""
        return tuple(map(self._number, differences))

    def _number(self, difference: Shared) -> int:
        number = self._numbers.setdefault(difference, len(self.told))
        if number == len(self.told):
            self.told.append(difference)
        return number

    def _below(
        self, there: Node, wanted: Node, otherwise: bool, depth: int
    ) -> Iterator[tuple[int, ...]]:
        """The differences of the dependencies.

        Where the two specs are other versions or have other variants, one that only one of them has
        follows from that.
        """
        old, new = self._children(there), self._children(wanted)
        for name, (_, node) in old.items():
            if name in new and node.hash != new[name][1].hash:
                yield self.of(node, new[name][1], depth + 1)
        if otherwise:
            return
        providers = {
            virtual: node
            for name, (edge, node) in old.items()
            if name not in new
            for virtual in edge.virtuals.split()
        }
        replaced = set()
        for name, (edge, node) in new.items():
            if name in old:
                continue
            other = next((providers[it] for it in edge.virtuals.split() if it in providers), None)
            if other is None:
                added = f"{wanted.name} depends on {node.title}, in the cache it does not"
                yield self.numbered([Shared(added)])
                continue
            replaced.add(other.name)
            virtual = next(it for it in edge.virtuals.split() if it in providers)
            replaced_by = Shared(
                f"{virtual} is {node.title}, the cache has {other.title}",
                f"packages:{virtual}:require: {other.name}",
            )
            yield self.numbered([replaced_by])
        for name, (_, node) in old.items():
            if name not in new and name not in replaced:
                left_out = f"{wanted.name} does not depend on {node.title}, in the cache it does"
                yield self.numbered([Shared(left_out)])

    def _children(self, parent: Node) -> dict[str, tuple[Edge, Node]]:
        """The dependencies of a node by their names, in the order of these."""
        found = self._dependencies.get(parent.key)
        if found is None:
            nodes = ((edge, self._node(edge.child)) for edge in parent.edges)
            by_name = {node.name: (edge, node) for edge, node in nodes if node is not None}
            found = self._dependencies[parent.key] = dict(sorted(by_name.items()))
        return found


def own_differences(there: Node, wanted: Node) -> Iterator[Shared]:
    """What differs about two builds of a package themselves."""
    name = wanted.name
    if there.version != wanted.version:
        what = f"{name} {wanted.version}, the cache has {there.version}"
        asked = (f"@{wanted.version}", f"@={wanted.version}")
        yield Shared(what, f'packages:{name}:require: "@={there.version}"', asked)
    yield from _variants(there, wanted)
    if there.compilers != wanted.compilers and there.compilers and wanted.compilers:
        old = " ".join(there.compilers)
        what = f"built with {' '.join(wanted.compilers)}, the cache has {old}"
        words = tuple(f"%{it.partition('@')[0]}" for it in wanted.compilers)
        yield Shared(what, f'packages:all:require: "%{there.compilers[0]}"', words)
    yield from _machine(there, wanted)
    if (there.external or wanted.external) and there.external != wanted.external:
        if there.arch == wanted.arch and there.version == wanted.version:
            what = f"{name} {_where(wanted)}, the cache was built with one {_where(there)}"
            yield Shared(what)
    elif there.namespace != wanted.namespace:
        yield Shared(
            f"{name} of the repository {wanted.namespace}, the cache has {there.namespace}"
        )
    elif (
        there.package_hash != wanted.package_hash
        and there.package_hash
        and wanted.package_hash
        and there.version == wanted.version
    ):
        yield Shared(f"a different recipe of {name}")


def _where(node: Node) -> str:
    return f"at {node.external}" if node.external else "that Spack builds"


def _variants(there: Node, wanted: Node) -> Iterator[Shared]:
    """Variants by their meaning: Spack 1.x writes ``:=`` where Spack 0.x wrote ``=``."""
    if there.variants == wanted.variants:
        return
    old, new = _plain(there), _plain(wanted)
    before = [text for key, text in old.items() if key not in new]
    after = [text for key, text in new.items() if key not in old]
    told = [it for it in before if not it.startswith("patches")]
    asked = [it for it in after if not it.startswith("patches")]
    if told or asked:
        what = f"{wanted.name} {' '.join(asked)}, the cache has {' '.join(told)}"
        if not told:
            what = f"{wanted.name} {' '.join(asked)}, in the cache without"
        elif not asked:
            what = f"{wanted.name} without {' '.join(told)}, which the cache has"
        advice = f'packages:{wanted.name}:require: "{" ".join(told)}"' if told else None
        yield Shared(what, advice, tuple(asked))
    elif (before or after) and there.version == wanted.version:
        yield Shared(f"{wanted.name} with different patches")


def _plain(node: Node) -> dict[str, str]:
    return {text.replace(":=", "=", 1): text for text in node.variants}


def _machine(there: Node, wanted: Node) -> Iterator[Shared]:
    """Platform, system and target, each a difference that many packages share."""
    if there.arch == wanted.arch:
        return
    (platform, os, target), (new_platform, new_os, new_target) = (
        it.arch.rsplit("-", 2) for it in (there, wanted)
    )
    for old, new in ((platform, new_platform), (os, new_os)):
        if old != new:
            yield Shared(f"built for {new}, the cache has {old}")
    if target != new_target:
        same_family = family(target) == family(new_target)
        advice = f"packages:all:require: target={target}" if same_family else None
        yield Shared(f"built for {new_target}, the cache has {target}", advice, (new_target,))


def family(target: str) -> str:
    """The family of a target, as ``x86_64`` of ``zen4``; a target that is not known is its own."""
    known = known_targets().get(target)
    return known.family if known else target
