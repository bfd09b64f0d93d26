"""What is in a lock file: concrete specs with their dependencies, and which of them are roots.

Read are lock files of versions 1 to 7 (Spack 0.20 to 1.1 write 5 and 6), what ``spack spec --json``
prints, one spec after the other, and the ``.spec.json`` of a build cache.  The rules are those of
``environment/environment.py`` and ``spec.py`` in Spack 1.1.0.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.errors import SourceError, UsageError
from etl.records import Spec
from etl.sources.build_caches.specfile import NEWEST_FORMAT, SpecReader

LOCK_FILE = "spack.lock"
"""What Spack calls it, in the folder of an environment."""

MAX_BYTES = 20_000_000
"""A lock file may have this many bytes; one of 5,000 specs has about 10 MB."""

MAX_SPECS = 50_000
NEWEST_LOCK = 7

_FORMATS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 5}
"""The format of the specs in a lock file that does not tell it."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The concrete specs of an environment by hash, and the hashes of its roots.

    ``asked`` are the specs of the environment as they were written, by the hash of the root that
    each became, where the lock tells them.
    """

    name: str
    specs: Mapping[str, Spec]
    roots: tuple[str, ...]
    asked: Mapping[str, str] = field(default_factory=dict)

    def children(self, hash_: str, *kinds: str) -> Iterator[str]:
        """The dependencies of a spec, of some kinds or of all, that the lock has as well."""
        build = self.specs[hash_].build
        for edge in build.dependencies if build else ():
            if edge.hash in self.specs and (not kinds or set(kinds) & set(edge.deptypes)):
                yield edge.hash

    def below(self, starts: tuple[str, ...], *kinds: str) -> set[str]:
        """Some specs with all that they depend on, over edges of some kinds."""
        found = {it for it in starts if it in self.specs}
        rest = list(found)
        while rest:
            for child in self.children(rest.pop(), *kinds):
                if child not in found:
                    found.add(child)
                    rest.append(child)
        return found

    def is_external(self, hash_: str) -> bool:
        """Whether a spec is a part of the system, which Spack neither builds nor fetches."""
        build = self.specs[hash_].build
        return bool(build and build.external is not None)


def read_lock(text: str, name: str) -> Lock:
    """The lock in a text; ``name`` is what errors call it.

    Raises:
        UsageError: it is none, of an unknown version, or a value in it is not what it should be.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"{name}: has more than {MAX_BYTES // 1_000_000} MB; not read")
    documents = list(_documents(text, name))
    if len(documents) == 1 and "concrete_specs" in documents[0]:
        return _lock_file(documents[0], name)
    if all(isinstance(it.get("spec"), dict) for it in documents):
        return _specs(documents, name)
    raise UsageError(
        f"{name}: is neither a spack.lock nor a concrete spec as spack spec --json prints it"
    )


def _documents(text: str, name: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, one after the other."""
    rest = text.lstrip("\ufeff \t\r\n")
    if not rest.startswith("{"):
        raise UsageError(f"{name}: {_advice(rest)}")
    decoder = json.JSONDecoder()
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError as error:
            raise UsageError(f"{name}: is not JSON: {error}") from None
        except RecursionError:
            raise UsageError(f"{name}: is nested too deeply") from None
        if not isinstance(value, dict):
            raise UsageError(f"{name}: is JSON, but not an object")
        yield value
        rest = rest[end:].lstrip()


def _advice(text: str) -> str:
    """What to do with a text that is not JSON."""
    if "specs:" in text[:20_000] or text.startswith("spack:"):
        return (
            "is a spack.yaml, which is not concrete; concretize it with: spack -e . concretize;"
            " then use its spack.lock"
        )
    return "is not a JSON object; expected a spack.lock"


def _lock_file(told: dict[str, Any], name: str) -> Lock:
    meta = told.get("_meta")
    version = meta.get("lockfile-version") if isinstance(meta, dict) else None
    if meta is None:
        raise UsageError(f"{name}: has no _meta, and so is no spack.lock, or a damaged one")
    if type(version) is not int or not 1 <= version <= NEWEST_LOCK:
        raise UsageError(
            f"{name}: lock files of version {str(version)[:20]} are not supported"
            f" (1 to {NEWEST_LOCK} are); a newer spack-catalog may read it"
        )
    spec_format = meta.get("specfile-version", _FORMATS[version]) if isinstance(meta, dict) else 0
    if type(spec_format) is not int or not 1 <= spec_format <= NEWEST_FORMAT:
        raise UsageError(f"{name}: spec format {str(spec_format)[:20]} is not supported")
    nodes: dict[str, Any] = {}
    roots: dict[str, str] = {}
    included = told.get("include_concrete")
    parts = [told, *(included.values() if isinstance(included, dict) else ())]
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("concrete_specs"), dict):
            raise UsageError(f"{name}: concrete_specs is not an object")
        nodes.update(part["concrete_specs"])
        roots |= _roots(part.get("roots"), name)
    return _read(nodes, roots, spec_format, name)


def _roots(told: object, name: str) -> dict[str, str]:
    """The roots by hash, each with the spec that asked for it."""
    if not isinstance(told, list):
        raise UsageError(f"{name}: roots is not a list")
    found: dict[str, str] = {}
    for it in told:
        hash_ = it.get("hash") if isinstance(it, dict) else None
        if not isinstance(hash_, str):
            raise UsageError(f"{name}: a root has no hash")
        asked = it.get("spec")
        found[hash_] = asked if isinstance(asked, str) else ""
    return found


def _specs(documents: list[dict[str, Any]], name: str) -> Lock:
    """Concrete specs, each a list of nodes with the root first."""
    nodes: dict[str, Any] = {}
    roots: dict[str, str] = {}
    spec_format = NEWEST_FORMAT
    for document in documents:
        spec = document["spec"]
        listed = spec.get("nodes")
        meta = spec.get("_meta")
        if not isinstance(listed, list) or not listed:
            raise UsageError(f"{name}: spec has no list of nodes")
        found = meta.get("version") if isinstance(meta, dict) else None
        if type(found) is not int or not 1 <= found <= NEWEST_FORMAT:
            raise UsageError(f"{name}: spec format {str(found)[:20]} is not supported")
        spec_format = found
        for node in listed:
            hash_ = node.get("hash") if isinstance(node, dict) else None
            if not isinstance(hash_, str):
                raise UsageError(f"{name}: a node has no hash: the spec is not concrete")
            nodes[hash_] = node
        roots[listed[0]["hash"]] = ""
    return _read(nodes, roots, spec_format, name)


def _read(nodes: dict[str, Any], roots: dict[str, str], spec_format: int, name: str) -> Lock:
    if len(nodes) > MAX_SPECS:
        raise UsageError(f"{name}: has {len(nodes):,} specs, more than {MAX_SPECS:,}; not read")
    reader = SpecReader(spec_format, ":=" if spec_format >= 5 else "=")
    specs: dict[str, Spec] = {}
    for key, node in nodes.items():
        try:
            hash_ = node.get("hash", key) if isinstance(node, dict) else key
            specs[hash_] = reader.read(hash_, node)
        except SourceError as error:
            place = f" {error.place}" if error.place else ""
            where = f"{name}: concrete spec {str(key)[:32]}{place}"
            raise UsageError(f"{where}: {error.message}") from None
        except RecursionError:
            raise UsageError(f"{name}: is nested too deeply") from None
    for hash_, spec in specs.items():
        build = spec.build
        if build and build.format >= 5:  # compilers may come after what they compile
            compiler = reader.compiler_among(build.dependencies)
            if compiler != spec.compiler:
                specs[hash_] = spec._replace(compiler=compiler)
    missing = [it for it in roots if it not in specs]
    if missing:
        raise UsageError(f"{name}: the root {missing[0][:32]} is not among its concrete specs")
    if not specs:
        raise UsageError(f"{name}: has no concrete specs; concretize the environment first")
    _check_graph(specs, name)
    return Lock(name, specs, tuple(roots), {it: text for it, text in roots.items() if text})


def _check_graph(specs: Mapping[str, Spec], name: str) -> None:
    """Refuse what Spack never writes: dependencies that are not there, or that run in a circle."""
    children: dict[str, list[str]] = {}
    for hash_, spec in specs.items():
        edges = spec.build.dependencies if spec.build else ()
        children[hash_] = [it.hash for it in edges]
        if lost := next((it for it in edges if it.hash not in specs), None):
            raise UsageError(
                f"{name}: {spec.package}/{hash_[:7]} depends on {lost.package}/{lost.hash[:7]},"
                " which is not among its concrete specs; concretize again"
            )
    above = Counter(child for found in children.values() for child in found)
    rest = [hash_ for hash_ in specs if not above[hash_]]
    left = len(specs)
    while rest:
        left -= 1
        for child in children[rest.pop()]:
            above[child] -= 1
            if not above[child]:
                rest.append(child)
    if left:
        parents = {it: hash_ for hash_ in specs if above[hash_] for it in children[hash_]}
        inside = next(hash_ for hash_ in specs if above[hash_])
        for _ in range(left):  # from what is only below a circle into it
            inside = parents[inside]
        raise UsageError(
            f"{name}: the dependencies of {specs[inside].package}/{inside[:7]} run in a circle;"
            " concretize again"
        )
