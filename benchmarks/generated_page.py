"""A page of a generated site, in any of the three notations, byte for byte as the site has it.

This is on purpose not the program's own way of writing pages: the two check each other.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from benchmarks.generated_tags import Era, GeneratedTag
from benchmarks.real_pages import OLD_COMPILERS, Texts


class GeneratedSpec(NamedTuple):
    """One spec of a page, in today's notation."""

    hash: str
    compiler: str
    version: str
    os: str
    platform: str
    target: str
    variants: Texts
    stacks: Texts


def render(
    tag: GeneratedTag, package: str, specs: Sequence[GeneratedSpec], pick: random.Random
) -> str:
    """The page of a package in a tag; the oldest notation has stacks in an order of chance."""
    if tag.era == "tarballs":
        specs = [
            spec._replace(stacks=spec.stacks[::-1]) if pick.random() < 0.4 else spec
            for spec in specs
        ]
        details = ", ".join(_item_with_tarball(tag.mirror, package, spec) for spec in specs)
    else:
        details = ", ".join(_item(spec, tag.era) for spec in specs)
    return (
        f'---\ntitle: "{package}"\nlayout: cache\ncategories: [package, {tag.name}]\n'
        f"meta: {_meta(specs, tag.era)}\nspec_details: [{details}]\n---"
    )


def _item(spec: GeneratedSpec, era: Era) -> str:
    return (
        f'{{"compiler": "{_compiler(spec.compiler, era)}", "hash": "{spec.hash}",'
        f' "os": "{spec.os}", "platform": "{spec.platform}", "size": "-",'
        f' "stacks": {_list(spec.stacks)}, "target": "{spec.target}",'
        f' "variants": {_variants(spec.variants, era)}, "versions": ["{spec.version}"]}}'
    )


def _item_with_tarball(mirror: str, package: str, spec: GeneratedSpec) -> str:
    compiler = _compiler(spec.compiler, "tarballs")
    arch = f"{spec.platform}-{spec.os}-{spec.target}"
    built_by = compiler.replace("@=", "-")
    name = f"{package}-{spec.version}"
    tarball = f"{arch}/{built_by}/{name}/{arch}-{built_by}-{name}-{spec.hash}.spack"
    return (
        f'{{"hash": "{spec.hash}", "compiler": "{compiler}", "versions": ["{spec.version}"],'
        f' "os": "{spec.os}", "platform": "{spec.platform}", "target": "{spec.target}",'
        f' "variants": {_variants(spec.variants, "tarballs")},'
        f' "stacks": {_list(spec.stacks)}, "size": "-",'
        f' "tarball": "{mirror}/build_cache/{tarball}"}}'
    )


def _meta(specs: Sequence[GeneratedSpec], era: Era) -> str:
    by_stack: dict[str, int] = {}
    for spec in specs:
        for stack in spec.stacks:
            by_stack[stack] = by_stack.get(stack, 0) + 1
    meta = {
        "versions": sorted({spec.version for spec in specs}),
        "compilers": sorted({_compiler(spec.compiler, era) for spec in specs}),
        "oss": sorted({spec.os for spec in specs}),
        "platforms": sorted({spec.platform for spec in specs}),
        "targets": sorted({spec.target for spec in specs}),
        "stacks": sorted(by_stack),
        "num_specs": len(specs),
        "num_specs_by_stack": by_stack,
    }
    return json.dumps(meta, sort_keys=era != "tarballs")


@lru_cache(10_000)
def _compiler(compiler: str, era: Era) -> str:
    if era == "today":
        return compiler
    name, _, version = compiler.partition("@")
    return f"{OLD_COMPILERS.get(name, name)}@={version}"


@lru_cache(100_000)
def _variants(variants: Texts, era: Era) -> str:
    if era != "today":
        variants = tuple(variant.replace(":=", "=", 1) for variant in variants)
    return json.dumps(variants)


@lru_cache(10_000)
def _list(texts: Texts) -> str:
    return json.dumps(texts)
