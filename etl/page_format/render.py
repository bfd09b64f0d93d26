"""Facts and a style become the text of a page, as the site's generator writes it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter

from etl.page_format.style import ITEM_KEYS, META_KEYS
from etl.page_style import ListOperator, PageStyle
from etl.records import BOM, Spec
from etl.spack.compilers import old_name
from etl.spack.variants import with_list_operator

Stacks = tuple[str, ...]


@cache
def can_render(style: PageStyle) -> bool:
    """Whether the style holds all keys of a page, once each, and none that are unknown."""
    return (
        sorted(style.meta_keys) == sorted(META_KEYS)
        and set(ITEM_KEYS) - {"tarball"} <= set(style.item_keys) <= set(ITEM_KEYS)
        and len(style.item_keys) == len(set(style.item_keys))
        and ("tarball" in style.item_keys) == (style.mirror is not None)
    )


def render_page(
    style: PageStyle, tag: str, package: str, specs: Sequence[Spec], stacks: Sequence[Stacks]
) -> bytes:
    """The page of ``package`` in ``tag``: its specs, and the stacks of each, in this order.

    The style must be one that :func:`can_render`.
    """
    lines = (
        "---",
        f'title: "{package}"',
        "layout: cache",
        f"categories: [package, {tag}]",
        f"meta: {_meta(style, specs, stacks)}",
        f"spec_details: {_spec_details(style, specs, stacks)}",
        "---",
    )
    page = (style.newline.join(lines) + style.end).encode()
    return BOM + page if style.bom else page


def _meta(style: PageStyle, specs: Sequence[Spec], stacks: Sequence[Stacks]) -> str:
    """The JSON of ``meta``, the summary of the specs."""
    compiler_of = _compiler_text if style.exact_compilers else _as_it_is
    return render_meta(
        style,
        stacks,
        versions=[spec.version for spec in specs],
        compilers=[compiler_of(spec.compiler) for spec in specs],
        oss=[spec.os for spec in specs],
        platforms=[spec.platform for spec in specs],
        targets=[spec.target for spec in specs],
    )


def render_meta(style: PageStyle, stacks: Sequence[Stacks], **values: Iterable[str]) -> str:
    """The JSON of ``meta``, from the stacks of each spec, and the values of all specs.

    The style must be one that :func:`can_render`; compilers are in the notation of the style.
    """
    counts = Counter(chain.from_iterable(stacks))
    names = sorted(counts)
    texts: dict[str, object] = {key: _sorted_list(frozenset(it)) for key, it in values.items()}
    texts["stacks"] = _list_of(names)
    texts["num_specs"] = len(stacks)
    if style.counts_as_they_come:
        names = list(counts)
    texts["num_specs_by_stack"] = _object([f"{_quote(name)}: {counts[name]}" for name in names])
    return _meta_template(style.meta_keys) % texts


@cache
def _meta_template(keys: tuple[str, ...]) -> str:
    """What becomes the JSON of ``meta`` with the texts of all keys."""
    return _object(f'"{key}": %({key})s' for key in keys)


def _spec_details(style: PageStyle, specs: Sequence[Spec], stacks: Sequence[Stacks]) -> str:
    """The JSON of ``spec_details``."""
    item = _item_template(style.item_keys)
    compiler_of = _compiler_text if style.exact_compilers else _as_it_is
    operator, mirror = style.list_operator, style.mirror
    items = [
        item(
            spec.hash,
            _quote(compiler_of(spec.compiler)),
            _quote(spec.version),
            _quote(spec.os),
            _quote(spec.platform),
            _quote(spec.target),
            _variant_list(spec.variants, operator),
            _list(spec_stacks),
            spec.size if style.sizes and spec.size is not None else '"-"',
            ""
            if mirror is None
            else json.dumps(_tarball(mirror, spec, compiler_of(spec.compiler))),
        )
        for spec, spec_stacks in zip(specs, stacks, strict=True)
    ]
    return "[" + ", ".join(items) + "]"


@cache
def _item_template(keys: tuple[str, ...]) -> Callable[..., str]:
    """A function from an item's values, in the order of ``ITEM_KEYS``, to its JSON."""
    places = [ITEM_KEYS.index(key) for key in keys]
    form = dict.fromkeys(keys, "%s") | {"hash": '"%s"', "versions": "[%s]"}
    template = _object(f'"{key}": {form[key]}' for key in keys)
    in_order = itemgetter(*places)
    return lambda *values: template % in_order(values)


def _tarball(mirror: str, spec: Spec, compiler: str) -> str:
    """Where Spack's second build cache layout keeps the binary of a spec."""
    arch = f"{spec.platform}-{spec.os}-{spec.target}"
    built_by = compiler.replace("@=", "-").replace("@", "-")
    name = f"{spec.package}-{spec.version}"
    return (
        f"{mirror}/build_cache/{arch}/{built_by}/{name}/{arch}-{built_by}-{name}-{spec.hash}.spack"
    )


# The same few thousand texts stand on hundreds of thousands of pages: each is quoted once.
_CACHED_TEXTS = 100_000


@lru_cache(_CACHED_TEXTS)
def _quote(text: str) -> str:
    return json.dumps(text)


@lru_cache(_CACHED_TEXTS)
def _list(texts: tuple[str, ...]) -> str:
    return json.dumps(texts)


@lru_cache(_CACHED_TEXTS)
def _variant_list(variants: tuple[str, ...], operator: ListOperator) -> str:
    if operator == "=":  # the other way there is nothing to do: only lists have := already
        variants = tuple(with_list_operator(variant, operator) for variant in variants)
    return json.dumps(variants)


@lru_cache(_CACHED_TEXTS)
def _compiler_text(compiler: str) -> str:
    return old_name(compiler)


def _object(members: Iterable[str]) -> str:
    return "{" + ", ".join(members) + "}"


@lru_cache(_CACHED_TEXTS)
def _sorted_list(texts: frozenset[str]) -> str:
    return _list_of(sorted(texts))


def _list_of(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quote, texts)) + "]"


def _as_it_is(compiler: str) -> str:
    return compiler
