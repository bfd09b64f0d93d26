"""One spec of a build cache index, in any of Spack's JSON formats, becomes a :class:`Spec`.

Formats 1 to 3 write ``type`` beside each dependency's hash, 4 and 5 write ``parameters`` with
``deptypes`` and ``virtuals``; format 1 is a mapping from the name to the rest.  Up to format 4 a
spec names its compiler; from 5 on the compiler is one of its dependencies, and a spec of format 4
that a newer Spack wrote again names it in ``annotations``.  The rules are those of ``spec.py`` in
Spack 1.1.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from etl.errors import SourceError
from etl.page_style import ListOperator
from etl.records import Build, Dependency, Spec
from etl.sources.build_caches.recurring import (
    Compilers,
    Dependencies,
    Edge,
    Names,
    Parameters,
    ParameterSets,
    Texts,
    all_of,
    checked_hash,
    in_order,
)
from etl.spack.compilers import NO_COMPILER

NEWEST_FORMAT = 5
"""The newest format of specs that is known here; Spack 1.0 and 1.1 write it."""

OTHER_HASHES = ("full_hash", "build_hash")
"""Keys of hashes that Spack 0.17 and older wrote beside ``hash``, or in place of it."""

LANGUAGES = ("c", "cxx", "fortran")
"""A spec's compiler is what provides the first of these virtuals that is provided at all."""


class SpecReader:
    """Reads the specs of one index.

    ``spec_format`` is the format of the specs, and ``list_operator`` how the Spack that wrote the
    index prints lists; ``aliases`` tells hashes by the other hashes a spec had in older formats.
    """

    def __init__(
        self,
        spec_format: int,
        list_operator: ListOperator,
        aliases: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._versions: dict[str, str] = {}
        self._format = spec_format
        self._aliases = aliases
        self._texts = Texts()
        self._names = Names()
        self._compilers = Compilers(self._texts)
        self._dependencies = Dependencies(self._names, aliases)
        self._parameters = ParameterSets(self._texts, list_operator)

    def read(self, hash_: str, value: object) -> Spec:
        """The spec with this hash, from the ``spec`` of its record in the index.

        A spec of format 5 whose compiler has not been read yet comes with the compiler ``none``;
        :meth:`compiler_among` knows it later.

        Raises:
            SourceError: it is not a spec in a format known here; ``place`` is a key in it.
        """
        checked_hash(hash_)
        node = plain_node(value)
        texts = self._texts
        try:
            name, version, arch = self._names[node["name"]], texts[version_of(node)], node["arch"]
            os, platform, target = arch["platform_os"], arch["platform"], arch["target"]
            os, platform = texts[os], texts[platform]
            target = texts[target["name"] if isinstance(target, dict) else target]
            dependencies = self._read_dependencies(node.get("dependencies"))
            parameters = self._read_parameters(node)
            spec_format = self._format_of(node)
            if spec_format >= 5:
                compiler = self.compiler_among(dependencies)
            else:
                compiler = self._compiler_on(node)
            namespace, package_hash = node.get("namespace"), node.get("package_hash")
            external, build_spec = node.get("external"), node.get("build_spec")
            build = Build(
                spec_format,
                None if namespace is None else texts[namespace],
                None if package_hash is None else texts[package_hash],
                parameters.flags,
                self._in_order(parameters.patches, node.get("patches")),
                self._read_external(external) if external else None,
                self._hash_in(build_spec) if build_spec else None,
                dependencies,
                _details(external) if external else None,
            )
        except KeyError as error:
            raise SourceError("", f"the spec has no {error.args[0]}") from None
        except (TypeError, AttributeError, ValueError):
            raise SourceError("", "a value of the spec is not of the kind it should be") from None
        self._versions[hash_] = version
        variants = parameters.variants
        return Spec(hash_, name, version, compiler, os, platform, target, variants, None, build)

    def compiler_among(self, dependencies: Sequence[Dependency]) -> str:
        """The compiler of a spec of format 5; ``none`` also while that has not been read."""
        compiler = find_compiler(dependencies)
        version = self._versions.get(compiler.hash) if compiler else None
        if compiler is None or version is None:
            return NO_COMPILER
        return self._compilers[f"{compiler.package}@{version}"]

    def _format_of(self, node: Mapping[str, Any]) -> int:
        """The format a spec was first written in; a migrated spec keeps its own."""
        annotations = node.get("annotations")
        if annotations is None:
            return self._format
        found = annotations["original_specfile_version"]
        if type(found) is not int or not 1 <= found <= NEWEST_FORMAT:
            raise SourceError(
                "annotations",
                f"spec format {found!r:.50} is not supported (1 to {NEWEST_FORMAT} are);"
                " a newer spack-catalog may read it",
            )
        return found

    def _compiler_on(self, node: Mapping[str, Any]) -> str:
        """The compiler that a spec of format 1 to 4 names."""
        compiler = node.get("compiler")
        if compiler is not None:
            name, version = self._texts[compiler["name"]], self._texts[version_of(compiler)]
            return self._compilers[f"{name}@{version}"]
        annotated = (node.get("annotations") or {}).get("compiler")
        return NO_COMPILER if annotated is None else self._compilers[annotated]

    def _read_dependencies(self, value: Any) -> tuple[Dependency, ...]:
        if not value:
            return ()
        if isinstance(value, dict):  # format 1
            value = [{"name": name, **edge} for name, edge in value.items()]
        known = self._dependencies
        try:
            edges = [
                known[
                    edge["name"],
                    edge["hash"],
                    tuple((how := edge["parameters"])["deptypes"]),
                    tuple(how["virtuals"]),
                ]
                for edge in value
            ]
        except KeyError:  # formats 1 to 3
            edges = [known[self._old_edge(edge)] for edge in value]
        return tuple(edges) if len({edge.hash for edge in edges}) == len(edges) else merge(edges)

    def _old_edge(self, edge: Mapping[str, Any]) -> Edge:
        """A dependency of a format without virtuals, or with other hashes."""
        deptypes = edge["type"] if "type" in edge else edge["parameters"]["deptypes"]
        return edge["name"], self._hash_in(edge), tuple(deptypes), ()

    def _hash_in(self, reference: Mapping[str, Any]) -> str:
        """The DAG hash of the spec that is referred to."""
        for key in ("hash", *OTHER_HASHES):
            if key in reference:
                hash_ = reference[key]
                return checked_hash(self._aliases.get(hash_, hash_))
        raise KeyError("hash of what it refers to")

    def _read_parameters(self, node: Mapping[str, Any]) -> Parameters:
        parameters, patches = node.get("parameters") or {}, node.get("patches")
        if patches and "patches" not in parameters:
            parameters = {**parameters, "patches": patches}
        return self._parameters[ParameterSets.key_of(parameters)]

    def _in_order(self, patches: tuple[str, ...], told: Any) -> tuple[str, ...]:
        """The patches in the order in which the node itself has them, if it has all of them."""
        if not told or len(patches) < 2:
            return patches
        in_order = all_of(self._texts, told)
        return in_order if tuple(sorted(in_order)) == patches else patches

    def _read_external(self, external: Mapping[str, Any]) -> str:
        """Where a package that Spack did not build comes from: its prefix, else its modules."""
        path, modules = external.get("path"), external.get("module")
        if path:
            return self._texts[path]
        if isinstance(modules, str):
            modules = [modules]
        return " ".join(all_of(self._texts, modules or []))


def _details(external: Mapping[str, Any]) -> str | None:
    """What is told of an external package beside where it is, which its hash covers as well."""
    told = {name: value for name, value in external.items() if value and name != "path"}
    if not external.get("path"):
        told.pop("module", None)
    return json.dumps(told, sort_keys=True) if told else None


def plain_node(value: object) -> dict[str, Any]:
    """A spec as one mapping: format 1 has its name outside, ``{name: {...}}``.

    Raises:
        SourceError: it is no mapping of either form.
    """
    if isinstance(value, dict):
        if "name" in value:
            return value
        if len(value) == 1:
            ((name, node),) = value.items()
            if isinstance(node, dict):
                return {"name": name, **node}
    raise SourceError("", "the spec is not an object with a name")


def version_of(node: Mapping[str, Any]) -> object:
    """The version in a spec or a compiler, not checked: ``version``, or the one of ``versions``.

    Raises:
        KeyError, TypeError, ValueError: there is none, or more than one.
    """
    if "versions" not in node:
        return node["version"]
    (version,) = node["versions"]
    return version


def find_compiler(dependencies: Sequence[Dependency]) -> Dependency | None:
    """The dependency that is the compiler: the first that provides C, else C++, else Fortran."""
    for language in LANGUAGES:
        for dependency in dependencies:
            if language in dependency.virtuals:
                return dependency
    return None


def merge(edges: Sequence[Dependency]) -> tuple[Dependency, ...]:
    """The dependencies with one edge for each spec, which says all that the spec is needed for."""
    merged: dict[str, Dependency] = {}
    for edge in edges:
        other = merged.get(edge.hash, edge)
        merged[edge.hash] = Dependency(
            edge.hash,
            edge.package,
            in_order({*other.deptypes, *edge.deptypes}),
            tuple(sorted({*other.virtuals, *edge.virtuals})),
        )
    return tuple(merged.values())
